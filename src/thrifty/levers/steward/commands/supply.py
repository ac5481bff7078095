"""`thrifty steward supply`: what clean supply to build."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer


def supply(
    site: Annotated[str, typer.Option("--site", metavar="NAME", help="The grid: a site, or a region with hours (eia-cal, eia-ne, eia-nw).")] = "us-california",
    mix: Annotated[str, typer.Option("--mix", metavar="FILE", help="The grid's hours instead: gCO2e/kWh, or generation by fuel.")] = "",
    power: Annotated[str, typer.Option("--power", metavar="POWER", help="A constant load: 20MW (a number is in MW).")] = "",
    load: Annotated[str, typer.Option("--load", metavar="FILE", help="The load's hours instead.")] = "",
    target: Annotated[float, typer.Option("--target", metavar="SHARE", help="Coverage (or 24/7 score) to be reached.")] = 0.95,
    kind: Annotated[str, typer.Option("--kind", help="coverage, or cfe: the grid's clean share counts too.")] = "coverage",
    objective: Annotated[str, typer.Option("--objective", help="carbon, or cost: prices are orders of size.")] = "carbon",
    weather: Annotated[str, typer.Option("--weather", metavar="PLACE", help="A typical year: greensboro, sand-point, miami. [default: the region's own]")] = "",
    flexible: Annotated[float, typer.Option("--flexible", metavar="SHARE", help="Share of each hour's load that may move within its day.")] = 0.0,
    pue: Annotated[float, typer.Option("--pue", help="Power of the building over that of the load. 1: the load is the building's.")] = 1.0,
    solar_max: Annotated[float | None, typer.Option("--solar-max", metavar="MW", show_default=False, help="[default: 40 times the mean load]")] = None,
    wind_max: Annotated[float | None, typer.Option("--wind-max", metavar="MW", show_default=False, help="[default: 40 times the mean load]")] = None,
    battery_max: Annotated[float | None, typer.Option("--battery-max", metavar="MWH", show_default=False, help="[default: 100 hours of the mean load]")] = None,
    extra_max: Annotated[float | None, typer.Option("--extra-max", metavar="MW", show_default=False, help="For moved load. [default: the peak]")] = None,
    depth: Annotated[str, typer.Option("--depth", metavar="SHARE", help="Share of the battery that cycles take: 1, 0.8, 0.6. [default: the best]")] = "",
    points: Annotated[int, typer.Option("--grid", metavar="N", show_default=False, help="Also replay a grid of N supplies and keep its front.")] = 0,
    folder: Annotated[Path | None, typer.Option("--folder", metavar="DIR", help="--grid: keep parts here, so that a stopped search goes on.")] = None,
    price: Annotated[float | None, typer.Option("--price", metavar="USD/MWh", show_default=False, help="Of grid electricity. [default: the site's]")] = None,
    server_w: Annotated[float | None, typer.Option("--server-watts", metavar="W", show_default=False, help="Of one server. [default: the pack's]")] = None,
    chemistry: Annotated[str, typer.Option("--chemistry", help="li-ion or li-ion-slow.")] = "li-ion",
    start: Annotated[str, typer.Option("--from", metavar="TIME", help="First moment, in the place's time. [default: the year of the hours]")] = "",
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="End.")] = "",
    boundary: Annotated[str, typer.Option("--boundary", help="life-cycle or direct. [default: what the data state]")] = "",
    fill: Annotated[str, typer.Option("--fill", help="How holes of a series are filled: linear or day. [default: refused]")] = "",
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.html", help="Write everything as one page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:  # fmt: skip
    """Solar, wind, battery and spare machines of least carbon (or cost) that reach a coverage hour by hour, with a bound on any better."""
    from thrifty.errors import BadValue
    from thrifty.levers.steward.commands.asked import above_zero
    from thrifty.levers.steward.pages.supply import supply_page
    from thrifty.levers.steward.supply.deciding import decide_supply
    from thrifty.levers.steward.supply.stating import USUAL, asked_question
    from thrifty.printing import command_line
    from thrifty.progress import showing
    from thrifty.report import give, made_now

    if folder is not None and not points:
        raise BadValue("a folder keeps the parts of a grid search, and none is asked for. Add --grid N, or leave --folder out.")
    if points < 0:
        raise BadValue(f"grid={points} is below 0. Give how many supplies to try, e.g. 100000.")
    numbers = {
        "solar_max": solar_max, "wind_max": wind_max, "battery_max": battery_max, "extra_max": extra_max, "price": price, "server_w": server_w,
    }  # fmt: skip
    for key, value in numbers.items():
        if value is not None and not math.isfinite(value):
            raise BadValue(f"{key}={value} is not finite. Give a number, or leave it out.")
    given: dict[str, Any] = {
        "site": site, "mix": mix, "power_mw": above_zero("power", power, "power", "MW") / 1e6 if power else 0.0, "load": load, "target": target, "kind": kind,
        "objective": objective, "weather": weather, "flexible": flexible, "pue": pue,
        **{key: math.nan if value is None else value for key, value in numbers.items()}, "depth": depth, "chemistry": chemistry, "from": start,
        "to": end, "boundary": boundary, "fill": fill,
    }  # fmt: skip
    question = asked_question(**given)
    changed = {
        key.replace("power_mw", "power").replace("server_w", "server_watts"): value for key, value in given.items() if value == value and value != USUAL[key]
    }
    said: dict[str, Any] = {"site": site if not mix else "", **changed, **({"power": power} if power else {}), "grid": points, "folder": folder}
    command = command_line("thrifty", "steward", "supply", **{**said, **({"target": "0"} if target == 0 else {})})
    with showing() as progress:
        found = decide_supply(question, points=points, folder=folder, asked=given, progress=progress, command=command)
    give(lambda: supply_page(found, command=command, generated=made_now()), found.decision.to_dict, out, as_json, drawn=("hours", "front"))
