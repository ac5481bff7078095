"""Shared carbon among tenants as a page, and the study of how far methods are off."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from thrifty.cost.carbon.citing import cited
from thrifty.errors import BadValue
from thrifty.lenses.carbon.attribution import METHODS, period_shares
from thrifty.report import Block, Bullets, Cell, Chart, Column, Number, Page, Section, Table, Text, calendar_chart, made_now

if TYPE_CHECKING:
    from thrifty.lenses.carbon.attribution import Attribution
    from thrifty.lenses.carbon.attribution.studies import Study

SHARE: Final = Column(key="share", title="Share", truth="modelled", style="percent")
WIDE: Final = 24
"""Steps in a row of the heat map; as many are shown as bars."""
MOST_ROWS: Final = 366
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d")


def attribute_page(found: Attribution, beside: Mapping[str, Any], *, command: str, splits: tuple[int, ...] = ()) -> Page:
    """Everything about one division. beside: shares by every method that can answer."""
    demand = found.demand
    rows: list[list[Cell]] = [[name, method, float(shares[place])] for place, name in enumerate(demand.tenants) for method, shares in beside.items()]
    if found.method not in beside:
        rows += [[name, found.method, float(found.share_N[place])] for place, name in enumerate(demand.tenants)]
    bars = Chart(
        kind="bars", title="Shares by every method", columns=(Column(key="tenant", title="Tenant"), Column(key="method", title="Method"), SHARE), rows=rows,
        x="share", y="tenant", series="method",
        alt=f"Bars of the share of each of {len(demand.tenants)} tenants, one bar a method side by side; the numbers stand in the table beneath.",
    )  # fmt: skip
    most = int(np.argmax(found.share_N))
    meanings = Bullets([f"**{name}**: {METHODS[name]}" for name in dict.fromkeys([found.method, *beside])])
    sections = [Section("Whose it is", [_answer(found)], id="answer"), Section("Beside other methods", [bars, meanings], id="methods")]
    sections.append(Section("When it is dear", [intensity_map(found, splits)], id="intensity"))
    if found.notes:
        sections.append(Section("Assumptions", [Bullets(found.notes)], id="assumptions"))
    total = found.total_g
    return Page(
        title=f"Carbon of {len(demand.tenants)} tenants by method {found.method}",
        summary=f"'{demand.tenants[most]}' owes most: {found.share_N[most]:.1%}, by {METHODS[found.method]}.",
        headline={
            **({"Divided": Number(value=total, unit="gCO2e", truth="given")} if total is not None else {}),
            **({"Idle": Number(value=found.idle_g, unit="gCO2e", truth="modelled")} if found.idle_g else {}),
            "Largest share": Number(value=float(found.share_N[most]), truth="modelled", style="percent"),
        },
        sections=sections,
        inputs={
            "steps": Number(value=len(demand.demand_TN), truth="given", style="integer"), "peak": Number(value=demand.peak, truth="given", style="plain"),
            "idle capacity": found.idle_rule,
        },
        command=command, generated=made_now(),
    )  # fmt: skip


def _answer(found: Attribution) -> Table:
    columns = [Column(key="tenant", title="Tenant"), Column(key="share", title="Share", style="percent")]
    if found.total_g is not None:
        split = bool(np.any(found.embodied_g_N) and np.any(found.operational_g_N))
        titles = (("making", "Making"), ("running", "Running"), ("all", "Together")) if split else (("all", "Carbon"),)
        columns += [Column(key=key, title=title, unit="gCO2e", truth="modelled") for key, title in titles]
    rows: list[list[Cell]] = []
    for place, name in enumerate(found.demand.tenants):
        share, half = float(found.share_N[place]), None if found.half_N is None else float(found.half_N[place])
        low, high = (None, None) if half is None else (max(0.0, share - half), share + half)
        row: list[Cell] = [name, Number(value=share, low=low, high=high, truth="modelled", style="percent")]
        if found.total_g is not None:
            making, running = float(found.embodied_g_N[place]), float(found.operational_g_N[place])
            row += [making, running, making + running] if split else [making + running]
        rows.append(row)
    if found.total_g is not None and found.idle_g and found.idle_rule == "apart":
        rows.append(["(idle: nobody)", *[None] * (len(columns) - 2), found.idle_g])
    return Table(columns=columns, rows=rows, caption=f"Shares by method {found.method}")


def intensity_map(found: Attribution, splits: tuple[int, ...] = ()) -> Chart:
    """What a unit of the resource costs in each step, in multiples of the mean: what periods are answerable for, by temporal Shapley."""
    total = found.demand.total_T
    try:
        share = period_shares(total, splits)
    except BadValue:
        share = period_shares(total)
    per_unit = np.divide(share, total, out=np.zeros_like(share), where=total > 0) * float(total.sum())
    steps, times, most = len(per_unit), found.demand.times, int(np.argmax(per_unit))
    title = "What a unit of the resource is charged, as a multiple of the mean"
    charged = Column(key="intensity", title="Times the mean", truth="modelled")
    caption = f"Dearest is {times[most] if times[most] != str(most) else f'step {most}'}: {per_unit[most]:.3g} times the mean."
    alt = f"The charge for a unit of the resource over {steps} steps, as a multiple of the mean; those that make the peak are dearest. {caption}"
    if steps <= WIDE:
        return Chart(
            kind="bars", title=title, columns=(Column(key="step", title="Step"), charged), rows=[[times[k], float(per_unit[k])] for k in range(steps)],
            x="intensity", y="step", caption=caption, alt=alt,
        )  # fmt: skip
    if all(_MOMENT.match(time) for time in times):
        days, hours = [time[:10] for time in times], [int(time[11:13]) for time in times]
        return calendar_chart(days, hours, per_unit.tolist(), title=title, column=charged, caption=caption, alt=alt, clock="as in the file")
    together = -(-steps // (WIDE * MOST_ROWS))  # steps in a tile
    tiles = [float(per_unit[first : first + together].mean()) for first in range(0, steps, together)]
    columns = (Column(key="row", title="From step"), Column(key="step", title="Step after it"), charged)
    rows: list[list[Cell]] = [[f"{place // WIDE * WIDE * together:05d}", str(place % WIDE * together), value] for place, value in enumerate(tiles)]
    return Chart(
        kind="heat map", title=title, columns=columns, rows=rows, x="row", y="step", colour="intensity", alt=alt,
        caption=caption if together == 1 else f"{caption} Each tile is the mean of {together} steps.",
    )  # fmt: skip


def study_page(
    schedules: Sequence[Study], neighbours: Study, published: Mapping[str, Mapping[str, tuple[float, float]]], *, command: str
) -> Page:  # fmt: skip
    """How far methods are off, beside what was published."""
    first = schedules[0]
    sets: list[list[Cell]] = [[each.setup, name, each.mean(name)] for each in schedules for name in each.methods]
    chart = Chart(
        kind="bars", title="Mean deviation by set-up",
        columns=(Column(key="setup", title="Set-up"), Column(key="method", title="Method"),
                 Column(key="mean", title="Mean deviation", truth="modelled", style="percent")),
        rows=sets, x="mean", y="setup", series="method",
        alt="Bars of the mean deviation from the fair share, one bar a method, for the usual set-up and five that differ from it in one thing.",
    )  # fmt: skip
    why = Text(
        "The paper's text was not at hand: its artefact's description gives the numbers of steps and tenants. How many run at once, for how long and how large "
        "they are was searched for: of 17 generators the one was kept that comes nearest to its table, so that agreement is partly by selection (the others "
        "gave reserved 53 to 109 %, demand 28 to 36 %, temporal 17 to 30 %). The bars say what depends on what."
    )
    synthetic = Text("Slowdowns are synthetic, set so that paying for time deviates as far as published: only the second row is a finding.")
    blocks: list[Block] = [_compared(neighbours, published["neighbours"]), synthetic]
    return Page(
        title="How far ways of attributing carbon are from the fair share",
        summary=(
            f"Over {len(first.mean_KM):,} random schedules a bill by reservation is {first.mean('reserved'):.0%} off the fair share, "
            f"one by temporal Shapley {first.mean('temporal'):.0%}."
        ),
        sections=[
            Section("Random schedules", [_compared(first, published["schedules"])], id="schedules"), Section("What it depends on", [chart, why], id="setups"),
            Section("Neighbours", blocks, id="neighbours"),
        ],
        sources=cited(["fair-co2-artefact"]),
        command=command, generated=made_now(),
    )  # fmt: skip


def _compared(study: Study, published: Mapping[str, tuple[float, float]]) -> Table:
    columns = (
        Column(key="method", title="Method"), Column(key="mean", title="Mean", truth="modelled", style="percent"),
        Column(key="error", title="Standard error", truth="modelled", style="percent"),
        Column(key="said", title="Published", truth="literature", style="percent"),
        Column(key="worst", title="Worst tenant", truth="modelled", style="percent"),
        Column(key="said_worst", title="Published", truth="literature", style="percent"),
    )  # fmt: skip
    rows: list[list[Cell]] = [
        [name, study.mean(name), study.error(name),
         *(Number(value=said, truth="literature", source="fair-co2-artefact", style="percent") for said in published[name][:1]), study.worst(name),
         Number(value=published[name][1], truth="literature", source="fair-co2-artefact", style="percent")]
        for name in study.methods
    ]  # fmt: skip
    return Table(columns=columns, rows=rows, caption="Deviation from exact Shapley, relative: the mean tenant, and the one that is worst off")

