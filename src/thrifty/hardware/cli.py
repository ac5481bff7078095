"""The commands of this room: `thrifty hardware list`, `show` and `sites`. They parse, load and print; every number comes from a sheet."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thrifty.errors import ThriftyError, unknown_name
from thrifty.hardware.device import Device, Fact, Site, System
from thrifty.hardware.library import THIS_MACHINE, device_names, load, load_site, load_system, site_names, system_names
from thrifty.hardware.sheets import Sheet
from thrifty.hardware.sources import Source, catalogue_sources
from thrifty.printing import make_table, print_json, print_parts
from thrifty.quantities import show as write

if TYPE_CHECKING:
    pass

app = typer.Typer(no_args_is_help=True, help="Where it runs: devices, systems and sites.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
_LEAST_SHARE = 0.005
"""Fuels below this share of a mix print as 0 % and are left out."""


@app.command("list")
def list_devices(as_json: Json = False) -> None:
    """List devices and systems with their peaks, memory and power."""
    here = _this_machine()
    devices = [*(load(name) for name in device_names()), *here]
    systems = [load_system(name) for name in system_names()]
    if as_json:
        print_json({"devices": [_fields(device) for device in devices], "systems": [_fields(system) for system in systems]})
        return
    print_parts(
        make_table("device", "kind", "year", "16-bit peak", "vector FP32", "memory", "bandwidth", "TDP", "idle", rows=[
            (
                device.name, device.kind, str(device.year or "–"), write(device.peak("bf16"), "FLOP/s"), write(device.vector_flops, "FLOP/s"),
                write(device.memory_bytes, "B"), write(device.bandwidth_bytes_per_s, "B/s"), write(device.tdp_w, "W"), write(device.idle_w, "W"),
            )
            for device in devices
        ]),
        make_table("system", "devices", "of", "tiers, innermost first", rows=[
            (system.name, str(system.devices), system.device.name, ", ".join(f"{tier.count} by {tier.name}" for tier in system.tiers))
            for system in systems
        ]),
        *([] if here else [f"{THIS_MACHINE} is not listed before it is calibrated: thrifty hardware calibrate"]),
    )  # fmt: skip


@app.command("sites")
def list_sites(as_json: Json = False) -> None:
    """List sites with the carbon of their grid, their building and their electricity price."""
    sites = [load_site(name) for name in site_names()]
    if as_json:
        print_json({"sites": [_fields(site) for site in sites]})
        return
    print_parts(make_table("site", "place", "year", "gCO2e/kWh", "scope", "PUE", "USD/kWh", "largest shares", rows=[
        (
            site.name, site.title, str(site.year), f"{site.intensity_gco2e_per_kwh:.0f}", site.intensity_scope, f"{site.pue:g}",
            "–" if site.electricity_usd_per_kwh is None else f"{site.electricity_usd_per_kwh:.3g}", _shares(site.mix, 3) or "–",
        )
        for site in sites
    ]))  # fmt: skip


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="A device, system or site, or the path of a .toml sheet of your own.")],
    with_sources: Annotated[bool, typer.Option("--sources", help="Say of every number where it was read, and who disagrees.")] = False,
    as_json: Json = False,
) -> None:
    """Show one device, system or site."""
    found = _find(name)
    sources = _sources_of(name)
    if as_json:
        cited = {fact.source: dataclasses.asdict(sources[fact.source]) for fact in found.facts.values() if fact.source in sources}
        grounds = {"facts": {path: dataclasses.asdict(fact) for path, fact in found.facts.items()}, "sources": cited}
        print_json({**_fields(found), **(grounds if with_sources else {})})
        return
    print_parts(f"{found.name}: {found.title}", make_table("", "", rows=_lines(found)), *found.notes)
    if with_sources:
        print_parts(make_table("number", "as stated", "ground", rows=[(path, _stated(fact), _ground(fact, sources)) for path, fact in found.facts.items()]))


def _find(name: str) -> Device | System | Site:
    if name.endswith(".toml"):
        content = Sheet(Path(name)).content
        return load_system(name) if "tiers" in content else load_site(name) if "intensity" in content else load(name)
    key = name.lower()
    if key == THIS_MACHINE or key in device_names():
        return load(key)
    if key in system_names():
        return load_system(key)
    if key in site_names():
        return load_site(key)
    raise unknown_name("device, system or site", name, (*device_names(), *system_names(), *site_names(), THIS_MACHINE), "thrifty hardware list")


def _this_machine() -> tuple[Device, ...]:
    try:
        return (load(THIS_MACHINE),)
    except ThriftyError:
        return ()


def _sources_of(name: str) -> Mapping[str, Source]:
    return Sheet(Path(name)).sources if name.endswith(".toml") else catalogue_sources()


def _fields(found: Device | System | Site) -> dict[str, Any]:
    """What JSON says of a noun: its fields, without grounds and calibration; a system names its device."""
    said: dict[str, Any] = {}
    for field in dataclasses.fields(found):
        value = getattr(found, field.name)
        if field.name in ("facts", "calibration"):
            continue
        if isinstance(value, Device):
            value = value.name
        elif isinstance(value, Mapping):
            value = dict(value)
        elif isinstance(value, tuple):
            value = [dataclasses.asdict(part) if dataclasses.is_dataclass(part) and not isinstance(part, type) else part for part in value]
        said[field.name] = value
    return said


def _lines(found: Device | System | Site) -> list[tuple[str, str]]:
    """What people read of a noun, a row each; what the sheet does not state is left out."""
    rows: list[tuple[str, str]]
    if isinstance(found, Device):
        rows = [("kind", f"{found.kind} of {found.vendor}"), ("year", str(found.year) if found.year else "–")]
        rows += [(f"peak {name}", write(peak, "FLOP/s")) for name, peak in found.peak_flops.items()]
        rows += [("vector FP32", write(found.vector_flops, "FLOP/s"))]
        rows += [(f"memory {tier.name}", f"{write(tier.capacity_bytes, 'B')} at {write(tier.bandwidth_bytes_per_s, 'B/s')}") for tier in found.memory]
        rows += [("memory technology", found.memory_technology)]
        rows += [(f"link {link.name}", f"{write(link.bandwidth_bytes_per_s, 'B/s')} each way") for link in found.links]
        rows += [("TDP", write(found.tdp_w, "W")), ("idle", write(found.idle_w, "W")), ("chip", found.chip or "–")]
        rows += [("die area", "–" if found.die_area_mm2 is None else f"{found.die_area_mm2:g} mm2")]
        rows += [("process node", "–" if found.process_node_nm is None else f"{found.process_node_nm:g} nm")]
        rows += [*_prices(found.price_usd, found.price_usd_per_hour), ("truth", found.truth)]
    elif isinstance(found, System):
        rows = [("device", f"{found.devices} x {found.device.name}"), ("year", str(found.year))]
        for tier in found.tiers:
            late = "" if tier.latency_s is None else f", {write(tier.latency_s, 's')} late"
            rows += [(f"tier {tier.name}", f"{tier.count}, {write(tier.bandwidth_bytes_per_s, 'B/s')} each way{late}")]
        rows += [("host power of a node", write(found.host_power_w, "W")), *_prices(found.price_usd, found.price_usd_per_hour)]
    else:
        rows = [("country", found.country), ("year", str(found.year)), ("mix", _shares(found.mix) or "–"), ("PUE", f"{found.pue:g}")]
        rows += [("grid", f"{found.intensity_gco2e_per_kwh:.4g} gCO2e/kWh, {found.intensity_scope}")]
        rows += [("electricity", "–" if found.electricity_usd_per_kwh is None else f"{found.electricity_usd_per_kwh:.3g} USD/kWh")]
    return [(label, text) for label, text in rows if text != "–"]


def _prices(once: float | None, hourly: float | None) -> list[tuple[str, str]]:
    return [("price", "–" if once is None else f"{once:,.0f} USD"), ("rent", "–" if hourly is None else f"{hourly:g} USD an hour")]


def _shares(mix: Mapping[str, float], most: int | None = None) -> str:
    largest = sorted(mix.items(), key=lambda part: -part[1])[:most]
    return ", ".join(f"{fuel} {share:.0%}" for fuel, share in largest if share >= _LEAST_SHARE)


def _stated(fact: Fact) -> str:
    return f"{fact.value:.15g}" if fact.unit == "dimensionless" else f"{fact.value:.15g} {fact.unit}"


def _ground(fact: Fact, sources: Mapping[str, Source]) -> str:
    source = sources.get(fact.source)
    lines = [f"{source.title if source else fact.source}: {fact.where}. Read {fact.read_on}."]
    lines += [f"Note: {fact.note}"] if fact.note else []
    lines += [f"Disagrees: {fact.disagrees_with}"] if fact.disagrees_with else []
    return "\n".join(lines)
