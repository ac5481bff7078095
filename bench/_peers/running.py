"""Running: boaviztapi's power curves, its carbon of use, and its places beside ours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from _peers.asking import Boavizta, taken
from _peers.rows import Row, Step
from thrifty.cost.carbon.factors import load_pack
from thrifty.cost.carbon.operational import operational_g
from thrifty.cost.carbon.operational.powers import boavizta_w, greensku_w
from thrifty.hardware import Site, load_site, site_names

FAMILIES = {
    "xeon-platinum": "Xeon Platinum", "xeon-gold": "Xeon Gold", "xeon-silver": "Xeon Silver", "xeon-e5": "Xeon E5", "xeon-e3": "Xeon E3"
}  # fmt: skip
HOURS = 26280
"""Three years, its life of a component."""


def _used(peer: Boavizta, component: str, content: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    said = peer.ask(f"component/{component}", content)
    assert said["status"] == 200, (component, content, said)
    return said["said"]["impacts"]["gwp"]["use"], taken(said["said"]["verbose"])


def power_rows(peer: Boavizta) -> list[Row]:
    """Watts of processors by load, and of memory."""
    rows = []
    for family, title in FAMILIES.items():
        for load in (0, 50, 100):
            _, said = _used(peer, "cpu", {"die_size": 694, "model_range": title, "usage": {"time_workload": load}})
            ours = float(boavizta_w(load / 100, family))
            rows.append(Row(peer="boaviztapi", item=f"{title} at {load} %", unit="W", theirs=said["avg_power"], ours=ours))
    _, said = _used(peer, "cpu", {"name": "AMD EPYC 7763", "usage": {"time_workload": 50}})
    rows.append(Row(
        peer="boaviztapi", item="EPYC 7763 (280 W) at 50 %", unit="W", theirs=said["avg_power"], ours=float(greensku_w(0.5, 280)),
        stated=f"it scales its curve to the design power, {said['avg_power'] / 280:.0%} of it at half load; ours of this shape is GreenSKU's, 53 %",
    ))  # fmt: skip
    gb = 32
    _, said = _used(peer, "ram", {"capacity": gb, "usage": {"time_workload": 50}})
    start = load_pack().get("powers:boavizta.memory", "power_per_capacity") * gb * 1e9
    rows.append(Row(
        peer="boaviztapi", item=f"memory, {gb} GB", unit="W", theirs=said["avg_power"], ours=start,
        steps=[Step(reason="2.5.0 takes (3 W a module + 0.055 W/GB) · (0.7 + 0.3 load), ours 0.284 W/GB", theirs=said["avg_power"],
                    ours=(3 + 0.055 * gb) * (0.7 + 0.3 * 0.5))],
    ))  # fmt: skip
    return rows


def use_rows(peer: Boavizta) -> list[Row]:
    """Carbon of three years of a processor at half load, at two places."""
    rows = []
    for place in ("united-states", "france"):
        site = load_site(place)
        usage = {"time_workload": 50, "usage_location": site.country, "use_time_ratio": 1, "hours_life_time": HOURS}
        use, said = _used(peer, "cpu", {"units": 1, "die_size": 694, "model_range": "Xeon Platinum", "usage": usage})
        energy_j = float(boavizta_w(0.5, "xeon-platinum")) * HOURS * 3600
        bare = replace(site, pue=1.0)
        steps = [
            Step(reason=f"it knows no PUE, ours {site.pue}", theirs=use["value"], ours=_kg(energy_j, bare)),
            Step(reason=f"its intensity {1e3 * said['gwp_factor']:.0f} g/kWh, ours {site.intensity_gco2e_per_kwh:.0f} ({site.year})", theirs=use["value"],
                 ours=_kg(energy_j, replace(bare, intensity_gco2e_per_kwh=1e3 * said["gwp_factor"]))),
        ]  # fmt: skip
        rows.append(Row(peer="boaviztapi", item=f"3 years of a Xeon Platinum at 50 %, {place}", unit="kg", theirs=use["value"],
                        ours=_kg(energy_j, site), steps=steps))  # fmt: skip
    return rows


def _kg(energy_j: float, site: Site) -> float:
    return operational_g(energy_j, site) / 1e3


def place_rows(peer: Boavizta) -> list[Row]:
    """Yearly intensity of every country of our catalogue that it knows. Its own words say where a number is from."""
    rows = []
    for name in site_names():
        site = load_site(name)
        if name.startswith("us-") or name == "canada-quebec" or not site.country:
            continue
        said = peer.ask("component/cpu", {"die_size": 694, "usage": {"usage_location": "WOR" if name == "world" else site.country}})["said"]["verbose"]
        if said["usage_location"]["status"] != "INPUT":
            continue
        source = said["gwp_factor"].get("source") or ""
        its = "Ember" if "ember" in source else "a paper of 2021" if "S0306261921012149" in source else source
        rows.append(Row(
            peer="boaviztapi", item=name, unit="g/kWh", theirs=1e3 * said["gwp_factor"]["value"], ours=site.intensity_gco2e_per_kwh,
            stated=f"its source is {its}, without a year; ours {site.intensity_scope}, {site.year}",
        ))  # fmt: skip
    return rows
