"""`thrifty carbon attribute`: shared carbon among tenants, by any method, beside all others; and how far methods are off, over random schedules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thrifty.errors import BadValue
from thrifty.printing import command_line, make_table, print_json, print_parts

MOST_TRIALS = 1_000_000
MOST_KG = 1e18
"""More than a thousand times what the world emits in a year."""


def attribute(
    demand: Annotated[Path | None, typer.Option("--demand", metavar="FILE", help="Steps by tenants of one resource: .csv or .json.")] = None,
    method: Annotated[str, typer.Option("--method", metavar="HOW", help="shapley, sampled, temporal, reserved, usage, demand or peak.")] = "shapley",
    used: Annotated[Path | None, typer.Option("--used", metavar="FILE", help="The same of what was used.")] = None,
    total_kg: Annotated[float | None, typer.Option("--total-kg", metavar="KG", help="Carbon of making to divide. [default: shares only]")] = None,
    embodied_kg: Annotated[float | None, typer.Option("--embodied-kg", metavar="KG", help="The same, told apart from running.")] = None,
    operational_kg: Annotated[float | None, typer.Option("--operational-kg", metavar="KG", help="Carbon of running, divided by use.")] = None,
    idle_share: Annotated[float, typer.Option("--idle-share", metavar="X", help="Share of energy that machines draw at rest, divided by reservation.")] = 0.0,
    capacity: Annotated[float | None, typer.Option("--capacity", metavar="N", help="What there is of the resource. [default: the peak]")] = None,
    idle_rule: Annotated[str, typer.Option("--idle-rule", metavar="RULE", help="Who pays for what is above the peak: apart, or a method.")] = "apart",
    splits: Annotated[str, typer.Option("--splits", show_default=False, metavar="A,B,..", help="temporal: 10,9,8,12 = 3 days, 8 h, 1 h, 5 min.")] = "",
    blocks: Annotated[int, typer.Option("--blocks", metavar="N", help="sampled: blocks of drawn orders.")] = 256,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of what is drawn.")] = 0,
    study: Annotated[bool, typer.Option("--study", help="Instead: how far methods are off over random schedules and neighbours.")] = False,
    trials: Annotated[int, typer.Option("--trials", metavar="N", help="--study: schedules to draw.")] = 1000,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.html", help="Write everything as one page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:  # fmt: skip
    """Divide shared carbon among tenants: hardware is bought for the peak, so who makes the peak owes for it."""
    if study == (demand is not None):
        raise BadValue("attribute needs a demand file, or --study and no file. Give --demand FILE.")
    if study:
        _study(trials, seed, out, as_json)
        return
    from thrifty.lenses.carbon.attribution import attribute_carbon, method_shares, read_demand
    from thrifty.lenses.carbon.attribution.dividing import possible_methods

    if total_kg is not None and (embodied_kg is not None or operational_kg is not None):
        raise BadValue("total_kg is all there is to divide, and embodied_kg or operational_kg is given too. Give one or the other.")
    if seed < 0:
        raise BadValue(f"seed={seed} is below 0. Choose a whole number from 0 up.")
    for name, given in (("total_kg", total_kg), ("embodied_kg", embodied_kg), ("operational_kg", operational_kg)):
        if given is not None and not 0 <= given <= MOST_KG:
            raise BadValue(f"{name}={given} is not between 0 and {MOST_KG:g}. Give what is to be divided; offsets never subtract.")
    read = read_demand(demand or Path(), used)
    parts = _splits(splits)
    making = total_kg if total_kg is not None else embodied_kg
    found = attribute_carbon(
        read, method, embodied_g=None if making is None else making * 1e3, operational_g=None if operational_kg is None else operational_kg * 1e3,
        capacity=capacity, idle_rule=idle_rule, idle_share=idle_share, blocks=blocks, seed=seed, splits=parts,
    )  # fmt: skip
    beside = {name: method_shares(read, name, blocks=blocks, seed=seed, splits=parts if name == "temporal" else ())[0] for name in possible_methods(read)}
    if out is not None:
        from thrifty.lenses.carbon.pages.attribute import attribute_page
        from thrifty.report import write_html

        drawn = {"blocks": blocks, "seed": seed} if method == "sampled" else {}
        command = command_line(
            "thrifty", "carbon", "attribute", demand=demand, method=method, used=used, total_kg=total_kg, embodied_kg=embodied_kg,
            operational_kg=operational_kg, idle_share=idle_share, capacity=capacity, idle_rule="" if idle_rule == "apart" else idle_rule, splits=splits,
            **drawn,
        )  # fmt: skip
        write_html(attribute_page(found, beside, command=command, splits=parts), out)
    if as_json:
        names = read.tenants
        print_json({**found.to_dict(), "shares_by_method": {m: dict(zip(names, map(float, shares), strict=True)) for m, shares in beside.items()}})
        return
    rows = []
    for place, row in enumerate(found.to_dict()["tenants"]):
        bar = f" ± {row['share_half_width']:.2%}" if "share_half_width" in row else ""
        rows.append((row["tenant"], f"{row['share']:.2%}{bar}", *([f"{row['kg']:,.4g} kg"] if "kg" in row else []),
                     *(f"{shares[place]:.2%}" for name, shares in beside.items() if name != method)))  # fmt: skip
    others = [name for name in beside if name != method]
    print_parts(
        f"{len(read.tenants)} tenants, {len(read.demand_TN)} steps, peak {read.peak:g}; shares by method {method} (modelled), others beside",
        make_table("tenant", method, *(["carbon"] if found.total_g is not None else []), *others, rows=rows),
        *([f"idle: {found.idle_g / 1e3:,.4g} kg, a line of its own"] if found.idle_g and idle_rule == "apart" else []),
        *(f"note: {note}" for note in found.notes), *([f"page: {out}"] if out else []),
    )  # fmt: skip


def _splits(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(piece) for piece in text.split(",")) if text else ()
    except ValueError:
        raise BadValue(f"splits='{text}' are no whole numbers. Write them with commas between: 10,9,8,12.") from None


def _study(trials: int, seed: int, out: Path | None, as_json: bool) -> None:
    from thrifty.lenses.carbon.attribution.studies import study_neighbours
    from thrifty.lenses.carbon.attribution.studies.published import published_deviations
    from thrifty.lenses.carbon.attribution.studies.setups import study_setups
    from thrifty.progress import showing

    if seed < 0:
        raise BadValue(f"seed={seed} is below 0. Choose a whole number from 0 up.")
    if trials > MOST_TRIALS:
        raise BadValue(f"trials={trials} is above {MOST_TRIALS}. Draw fewer: the error falls with the root of their number.")
    with showing() as progress:
        schedules = study_setups(trials, seed=seed, progress=progress)
        neighbours = study_neighbours(trials=trials, seed=seed)
    published = published_deviations()
    if out is not None:
        from thrifty.lenses.carbon.pages.attribute import study_page
        from thrifty.report import write_html

        write_html(study_page(schedules, neighbours, published, command=f"thrifty carbon attribute --study --trials {trials} --seed {seed}"), out)
    if as_json:
        print_json({
            "truth": "modelled", "schedules": [each.to_dict() for each in schedules], "neighbours": neighbours.to_dict(),
            "published": {kind: {name: {"mean": mean, "worst": worst} for name, (mean, worst) in found.items()} for kind, found in published.items()},
        })  # fmt: skip
        return
    first, said = schedules[0], published["schedules"]
    print_parts(
        f"Deviation from exact Shapley over {trials:,} random schedules (modelled), beside what Fair-CO2 published (literature)",
        make_table("method", "mean", "published", "worst tenant", "published", rows=[
            (name, f"{first.mean(name):.1%} ± {first.error(name):.1%}", f"{said[name][0]:.1%}", f"{first.worst(name):.1%}", f"{said[name][1]:.1%}")
            for name in first.methods
        ]),
        "How it depends on the set-up: mean deviation",
        make_table("set-up", *first.methods, rows=[(each.setup, *(f"{each.mean(name):.1%}" for name in each.methods)) for each in schedules]),
        f"Neighbours who slow each other down, {trials:,} random sets (synthetic slowdowns, set so that paying for time deviates as published)",
        make_table("method", "mean", "published", "worst tenant", "published", rows=[
            (name, f"{neighbours.mean(name):.1%}", f"{published['neighbours'][name][0]:.1%}", f"{neighbours.worst(name):.1%}",
             f"{published['neighbours'][name][1]:.1%}") for name in neighbours.methods
        ]), *([f"page: {out}"] if out else []),
    )  # fmt: skip
