"""`thrifty steward refresh`: whether and when to replace machines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from thrifty.errors import BadValue


def refresh(
    old: Annotated[str, typer.Option("--old", metavar="DEVICE", help="The machines that stand, a device of the catalogue.")],
    new: Annotated[str, typer.Option("--new", metavar="DEVICE", help="What could replace them.")],
    site: Annotated[str, typer.Option("--site", metavar="SITE", help="The place whose grid and prices count.")] = "world",
    years: Annotated[int, typer.Option("--years", metavar="N", help="Years that are planned.")] = 6,
    ratio: Annotated[str, typer.Option("--ratio", metavar="X|auto", help="Old machines that one new one replaces; auto: from peaks, or --workload.")] = "auto",
    workload: Annotated[str, typer.Option("--workload", metavar="NAME", show_default=False, help="Price this workload on both for the ratio.")] = "",
    format: Annotated[str, typer.Option("--format", metavar="FORMAT", help="Number format of that workload, or of the peaks.")] = "bf16",
    devices: Annotated[int, typer.Option("--devices", metavar="N", help="How many old machines.")] = 1,
    utilisation: Annotated[float, typer.Option("--utilisation", metavar="SHARE", help="Share of full load, 0 to 1.")] = 0.6,
    intensity: Annotated[str, typer.Option("--intensity", metavar="G", help="Instead of the site's: 100 (a number is in gCO2e/kWh).")] = "",
    objective: Annotated[str, typer.Option("--objective", help="carbon or cost.")] = "carbon",
    gain: Annotated[float, typer.Option("--gain", metavar="SHARE", help="How much less energy a unit of work takes on each later year's machines.")] = 0.0,
    gains: Annotated[str, typer.Option("--gains", help="compound or linear.")] = "compound",
    growth: Annotated[float, typer.Option("--growth", metavar="SHARE", help="Growth of demand a year.")] = 0.0,
    grid_decline: Annotated[float, typer.Option("--grid-decline", metavar="SHARE", help="How much the grid's intensity falls a year.")] = 0.0,
    failures: Annotated[str, typer.Option("--failures", metavar="SHAPE,YEARS", show_default=False, help="Weibull law of failures, e.g. 1.5,12.")] = "",
    age: Annotated[float, typer.Option("--age", metavar="YEARS", help="Age of the old machines, for failures and --longest.")] = 0.0,
    carbon_price: Annotated[float, typer.Option("--carbon-price", metavar="USD", help="USD a tonne of CO2e.")] = 0.0,
    carbon_rise: Annotated[float, typer.Option("--carbon-rise", metavar="SHARE", help="Growth of that price a year.")] = 0.0,
    longest: Annotated[int, typer.Option("--longest", metavar="YEARS", show_default=False, help="No machine may serve longer.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.html", help="Write everything as one page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:  # fmt: skip
    """Whether and when new machines pay for their making; every sequence of replacements is weighed."""
    from dataclasses import replace

    from thrifty.hardware import load, load_site
    from thrifty.levers.steward.pages.refresh import refresh_page
    from thrifty.levers.steward.refresh.deciding import decide_refresh
    from thrifty.levers.steward.refresh.fleets import Future
    from thrifty.levers.steward.refresh.ratios import WorkRatio, given_ratio, peak_ratio, workload_ratio
    from thrifty.printing import command_line
    from thrifty.quantities import stated
    from thrifty.report import give, made_now

    if objective not in ("carbon", "cost"):
        raise BadValue(f"objective='{objective}' is none of carbon, cost. Choose one of them.")
    if gains not in ("compound", "linear"):
        raise BadValue(f"gains='{gains}' is none of compound, linear. Choose one of them.")
    standing, sold, place = load(old), load(new), load_site(site)
    if intensity:
        grams = stated("intensity", intensity, "carbon_per_energy", plain="gCO2e/kWh")
        if grams < 0:
            raise BadValue(f"intensity '{intensity}' is below 0. Give 0 or more.")
        place = replace(place, intensity_gco2e_per_kwh=grams, notes=("intensity as given on the command line",))
    future = Future(
        years=years, gain=gain, gains=gains, growth=growth, grid_decline=grid_decline, failures=_weibull(failures), age_years=age,  # type: ignore[arg-type]
        carbon_usd_per_t=carbon_price, carbon_rise=carbon_rise,
    )  # fmt: skip
    fixed = given_ratio(ratio)
    if fixed is not None:
        if workload:
            raise BadValue(f"ratio={ratio} and workload={workload} both state the ratio. Give one of them.")
        work = WorkRatio(low=fixed, mid=fixed, high=fixed, ground="given")
    elif workload:
        from thrifty.workload import load as load_workload

        work = workload_ratio(standing, sold, load_workload(workload, format=format))
    else:
        work = peak_ratio(standing, sold, format)
    given: dict[str, Any] = {
        "site": site, "years": years, "ratio": ratio, "workload": workload, "format": format if format != "bf16" else "", "devices": devices,
        "utilisation": str(utilisation), "intensity": intensity, "objective": objective, "gain": gain,
        "gains": gains if gains != "compound" else "", "growth": growth, "grid-decline": grid_decline, "failures": failures, "age": age,
        "carbon-price": carbon_price, "carbon-rise": carbon_rise, "longest": longest,
    }  # fmt: skip
    command = command_line("thrifty", "steward", "refresh", old=old, new=new, **given)
    found = decide_refresh(
        standing, sold, place, future, work, devices=devices, utilisation=utilisation, objective=objective, longest_years=longest,  # type: ignore[arg-type]
        command=command,
    )  # fmt: skip
    give(lambda: refresh_page(found, place, command=command, generated=made_now()), found.decision.to_dict, out, as_json)


def _weibull(text: str) -> tuple[float, float] | None:
    if not text:
        return None
    try:
        shape, scale = (float(part) for part in text.split(","))
    except ValueError as error:
        raise BadValue(f"failures={text} is no Weibull law. Give shape and scale in years, e.g. 1.5,12.") from error
    return shape, scale
