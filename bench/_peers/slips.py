"""Inputs that should be refused, each given to the peer and to us in the same run, and what a peer leaves out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from _peers.asking import Boavizta
from thrifty.cost.carbon.embodied import parse_part, price
from thrifty.cost.carbon.operational import operational_g
from thrifty.cost.carbon.operational.powers import boavizta_w, tdp_w
from thrifty.errors import ThriftyError
from thrifty.hardware import Site, load_site
from thrifty.lenses.carbon.workloads.predictors import ecologits_request


@dataclass(frozen=True, kw_only=True)
class Slip:
    """A slip of the pen: what the peer answered, whether it took it, and our refusal ("" where we took it, too)."""

    peer: str
    asked: str
    answered: str
    taken: bool
    refusal: str


def _refusal(call: Callable[[], object]) -> str:
    try:
        call()
    except ThriftyError as error:
        return str(error)
    return ""


def _priced(text: str) -> Callable[[], object]:
    return lambda: price(parse_part(text))


def _at(**changed: Any) -> Callable[[], object]:
    site = {"name": "here", "title": "here", "country": "FRA", "year": 2023, "intensity_gco2e_per_kwh": 56.0, "intensity_scope": "life-cycle", "pue": 1.3}
    return lambda: operational_g(1.0, Site(**{**site, "electricity_usd_per_kwh": None, "mix": {}, **changed}))


def boavizta_slips(peer: Boavizta) -> list[Slip]:
    """Negative sizes and counts, loads beyond 100 %, places and names that are none, an end point that fails."""

    def asked(words: str, component: str, content: dict[str, Any], ours: Callable[[], object], phase: str = "embedded") -> Slip:
        said = peer.ask(f"component/{component}", content)
        if said["status"] != 200:
            answer = f"error {said['status']}: {said['said']}"
        else:
            taken = said["said"]["verbose"]
            values = {"embedded": f"{said['said']['impacts']['gwp']['embedded']['value']:.4g} kg"}
            values |= {"place": f"{taken['usage_location']['value']}, {1e3 * taken['gwp_factor']['value']:.0f} g/kWh"} if "gwp_factor" in taken else {}
            values |= {"power": f"{taken['avg_power']['value']:.4g} W"} if "avg_power" in taken else {}
            answer = values[phase]
        return Slip(peer="boaviztapi", asked=words, answered=answer, taken=said["status"] == 200, refusal=_refusal(ours))

    return [
        asked("a die of −694 mm²", "cpu", {"die_size": -694}, _priced("logic:area_mm2=-694,node_nm=14")),
        asked("a supply of −2.99 kg", "power_supply", {"unit_weight": -2.99}, _priced("psu:kg=-2.99")),
        asked("−3 hard disks", "hdd", {"units": -3}, _priced("hdd:gb=4000,count=-3")),
        asked("a GPU named 'warp core'", "gpu", {"name": "warp core"}, _priced("warp core")),
        asked("a place named ATLANTIS", "cpu", {"die_size": 694, "usage": {"usage_location": "ATLANTIS"}}, lambda: load_site("atlantis"), "place"),
        asked("a load of 150 %", "cpu", {"die_size": 694, "usage": {"time_workload": 150}}, lambda: boavizta_w(1.5, "xeon-platinum"), "power"),
        asked("a density of 0", "ssd", {"capacity": 1000, "density": 0}, _priced("ssd:gb=1000,density=0")),
        asked("memory of −32 GB", "ram", {"capacity": -32}, _priced("dram:gb=-32")),
        asked("a power of −100 W", "cpu", {"die_size": 694, "usage": {"avg_power": -100}}, lambda: tdp_w(-100), "power"),
    ]  # fmt: skip


def mainboard_fails(peer: Boavizta) -> str:
    """What it answers for a mainboard of which nothing is said, where we answer 66.1 kg."""
    said = peer.ask("component/motherboard", {})
    with_life = peer.ask("component/motherboard", {"usage": {"hours_life_time": 26280}})
    alone = f"status {said['status']}" if said["status"] != 200 else "answered"
    return f"{alone}; with a life in hours stated, status {with_life['status']}; ours {price(parse_part('mainboard'), 'boavizta').kgco2e.mid:.4g} kg"


def codecarbon_slips() -> list[Slip]:
    """Places that are none, a PUE below 1, powers below 0."""
    from _peers.meters import intensity_of, metered

    half, none = metered(1.0, pue=0.5), metered(1.0, force_cpu_power=-100)

    def slip(asked: str, answered: str, ours: Callable[[], object]) -> Slip:
        return Slip(peer="codecarbon", asked=asked, answered=answered, taken=True, refusal=_refusal(ours))

    return [
        slip("a place named ZZZ", f"{intensity_of('ZZZ'):.0f} g/kWh", lambda: load_site("zzz")),
        slip("a PUE of 0.5", f"{half.cpu_power:.0f} W for a processor of 100 W", _at(pue=0.5)),
        slip("a processor of −100 W", f"{none.cpu_energy * 3.6e6 / none.duration:.0f} W metered, {none.emissions:.3g} kg", lambda: tdp_w(-100)),
    ]  # fmt: skip


def ecologits_slips() -> list[Slip]:
    """Sizes, tokens, PUE and intensities that cannot be."""
    from ecologits.impacts.llm import compute_llm_impacts

    usual = {
        "model_active_parameter_count": 70, "model_total_parameter_count": 70, "output_token_count": 400, "if_electricity_mix_gwp": 0.4,
        "datacenter_pue": 1.2, "if_electricity_mix_adpe": 0, "if_electricity_mix_pe": 0, "if_electricity_mix_wue": 0, "datacenter_wue": 0,
    }  # fmt: skip

    def slip(asked: str, theirs: dict[str, Any], ours: Callable[[], object]) -> Slip:
        try:
            said = compute_llm_impacts(**{**usual, **theirs})
        except ValueError as error:
            return Slip(peer="ecologits", asked=asked, answered=str(error), taken=False, refusal=_refusal(ours))
        answer = f"{1e3 * said.energy.value:.3g} Wh, {1e3 * said.gwp.value:.3g} g"
        return Slip(peer="ecologits", asked=asked, answered=answer, taken=True, refusal=_refusal(ours))

    def request(active: float = 70e9, total: float = 70e9, tokens: float = 400, pue: float = 1.2, intensity: float = 400) -> Callable[[], object]:
        return lambda: ecologits_request(active, total, tokens, pue=pue, intensity_g_per_kwh=intensity)

    return [
        slip("−70 billion parameters", {"model_active_parameter_count": -70}, request(active=-70e9)),
        slip("70 of 7 billion parameters active", {"model_total_parameter_count": 7}, request(total=7e9)),
        slip("−400 tokens", {"output_token_count": -400}, request(tokens=-400)),
        slip("a PUE of 0.5", {"datacenter_pue": 0.5}, request(pue=0.5)),
        slip("an intensity of −400 g/kWh", {"if_electricity_mix_gwp": -0.4}, request(intensity=-400)),
    ]  # fmt: skip


def slip_table(slips: Sequence[Slip]) -> str:
    lines = ["### Slips", "", "| peer | asked for | it answers | we say |", "|---|---|---|---|"]
    lines += [f"| {each.peer} | {each.asked} | {each.answered} | {each.refusal or 'TAKEN'} |" for each in slips]
    return "\n".join([*lines, ""])


def left_out() -> dict[str, bool]:
    """What their doors have no word for, read off the doors themselves; True: it has none."""
    import inspect

    from codecarbon import OfflineEmissionsTracker
    from codecarbon.core.emissions import Emissions
    from ecologits.tracers.utils import llm_impacts

    tracker = set(inspect.signature(OfflineEmissionsTracker.__init__).parameters) | {
        name for base in OfflineEmissionsTracker.__mro__ if "__init__" in vars(base) for name in inspect.signature(base.__init__).parameters
    }  # fmt: skip
    intensity = set(inspect.signature(Emissions.get_private_infra_emissions).parameters)
    request = set(inspect.signature(llm_impacts).parameters)
    return {
        "codecarbon: an hour or a date of the mix": not any(word in name for name in tracker | intensity for word in ("hour", "date", "when", "series")),
        "codecarbon: making of hardware": not any("embodied" in name for name in tracker),
        "ecologits: a device, a server or a batch": not any(word in name for name in request for word in ("gpu", "server", "device", "batch")),
        "ecologits: tokens read": not any("input" in name or "prompt" in name for name in request),
        "ecologits: an hour of the mix": not any("hour" in name or "date" in name for name in request),
    }  # fmt: skip
