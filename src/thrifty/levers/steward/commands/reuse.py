"""`thrifty steward reuse`: servers of least carbon from new and reused parts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from thrifty.errors import BadValue


def reuse(
    baseline: Annotated[str, typer.Option("--baseline", metavar="SERVER", help="baseline, resized, bergamo, cxl, full, or your own .toml.")] = "baseline",
    cores: Annotated[int, typer.Option("--cores", metavar="N", help="Cores that the fleet must have.")] = 10_000,
    site: Annotated[str, typer.Option("--site", metavar="SITE", show_default=False, help="The place whose grid and PUE count. [default: world]")] = "",
    intensity: Annotated[str, typer.Option("--intensity", metavar="G", show_default=False, help="Instead of a site: '100 gCO2e/kWh', unit and all.")] = "",
    pue: Annotated[float | None, typer.Option("--pue", metavar="X", show_default=False, help="PUE. [default: the site's, or GreenSKU's 1.12]")] = None,
    years: Annotated[float, typer.Option("--years", metavar="N", help="Years of service.")] = 6.0,
    memory: Annotated[str, typer.Option("--memory-per-core", metavar="SIZE", show_default=False, help="e.g. '8 GB'. [default: the baseline's]")] = "",
    storage: Annotated[str, typer.Option("--storage-per-core", metavar="SIZE", show_default=False, help="e.g. '150 GB'. [default: the baseline's]")] = "",
    part: Annotated[list[str] | None, typer.Option("--part", metavar="NAME", help="Build from these parts only (repeat). [default: all]")] = None,
    stock: Annotated[list[str] | None, typer.Option("--stock", metavar="PART=N", help="There are only N of a part (repeat).")] = None,
    wear: Annotated[Path | None, typer.Option("--wear", metavar="FILE", help="Histories of used parts (JSON lines): those that last are the stock.")] = None,
    rack_power: Annotated[str, typer.Option("--rack-power", metavar="POWER", show_default=False, help="Most that a rack may draw. [default: 30 kW]")] = "",
    rack_units: Annotated[int, typer.Option("--rack-units", metavar="N", help="Height of a rack, 10 units of its own included.")] = 42,
    allocation: Annotated[str, typer.Option("--allocation", help="Who bears a used part's making: cut-off, 50-50, value, avoided-burden.")] = "cut-off",
    second_share: Annotated[float | None, typer.Option("--second-share", metavar="SHARE", show_default=False, help="value: the second life's share.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.html", help="Write everything as one page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:  # fmt: skip
    """The servers of least carbon per core from new and reused parts, within the power and the height of a rack."""
    from thrifty.cost.carbon.embodied.servers import Limits, Use, load_server
    from thrifty.levers.steward.pages.reuse import reuse_page
    from thrifty.levers.steward.reuse.deciding import decide_reuse
    from thrifty.levers.steward.reuse.needs import Needs
    from thrifty.levers.steward.reuse.odometer import read_history
    from thrifty.levers.steward.reuse.wear import worth_reusing
    from thrifty.printing import command_line
    from thrifty.quantities import stated
    from thrifty.report import give, made_now

    standing = load_server(baseline)
    grid, building, notes = _place(site, intensity)
    use = Use.usual(grid, pue=building if pue is None else pue, life_years=years)
    usual = Limits.usual()
    limits = Limits(
        rack_power_w=stated("rack-power", rack_power, "power", example="30 kW") if rack_power else usual.rack_power_w, rack_units=rack_units,
        load_provisioned=usual.load_provisioned,
    )  # fmt: skip
    worn = worth_reusing(read_history(wear), years) if wear is not None else {}
    needs = Needs(
        cores=cores, limits=limits, parts=tuple(part or ()), rule=allocation, second_share=second_share,
        memory_per_core_bytes=stated("memory-per-core", memory, "capacity", example="8 GB") if memory else standing.memory_bytes / standing.cores,
        storage_per_core_bytes=stated("storage-per-core", storage, "capacity", example="150 GB") if storage else standing.storage_bytes / standing.cores,
        stock={**{name: int(row["expected"]) for name, row in worn.items()}, **_stock(stock or ())},
    )  # fmt: skip
    given: dict[str, Any] = {
        "baseline": baseline, "cores": cores, "site": site, "intensity": intensity, "pue": pue,
        "years": years if years != 6 else "",
        "memory-per-core": memory, "storage-per-core": storage, "wear": wear, "rack-power": rack_power, "rack-units": rack_units if rack_units != 42 else "",
        "allocation": allocation if allocation != "cut-off" else "", "second-share": None if second_share is None else str(second_share), "part": part,
        "stock": stock,
    }  # fmt: skip
    command = command_line("thrifty", "steward", "reuse", **given)
    found = decide_reuse(standing, needs, use, wear=worn, notes=notes, command=command)
    give(lambda: reuse_page(found, command=command, generated=made_now()), found.decision.to_dict, out, as_json)


def _place(site: str, intensity: str) -> tuple[float, float | None, tuple[str, ...]]:
    """Grams a kilowatt-hour, the PUE where a site states one, and what that leaves out."""
    from thrifty.hardware import load_site
    from thrifty.quantities import stated

    if site and intensity:
        raise BadValue(f"site={site} and intensity={intensity} both state the grid. Give one of them.")
    if intensity:
        return stated("intensity", intensity, "carbon_per_energy", example="100 gCO2e/kWh"), None, ()
    place = load_site(site or "world")
    direct = f"grid of '{place.name}' counts power plants' own emissions only, not their building and fuel supply"
    return place.intensity_gco2e_per_kwh, place.pue, (direct,) if place.intensity_scope == "direct" else ()


def _stock(texts: Sequence[str]) -> dict[str, int]:
    found = {}
    for text in texts:
        name, _, count = text.partition("=")
        if not count.isdecimal():
            raise BadValue(f"stock '{text}' is no count of a part. Write e.g. --stock ddr4-32gb-reused=1000.")
        found[name] = int(count)
    return found
