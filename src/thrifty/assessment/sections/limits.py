"""How far the job is from what the device's peaks allow, class by class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thrifty.assessment.sections.words import in_one_unit, step_name
from thrifty.quantities import show
from thrifty.report import Block, Cell, Column, Section, Table, Text

if TYPE_CHECKING:
    from thrifty.assessment.result import Assessment


def section(a: Assessment) -> Section:
    case = a.case
    blocks: list[Block] = []
    known: dict[str, float] = {p.name: p.step_s for p in a.run.profiles} if a.run is not None else {}
    sentences = []
    for priced in case.priced:
        step = step_name(priced)
        now = known.get(step, priced.time_s)
        if priced.limit_s > 0:
            ground = "measured" if step in known else "modelled"
            sentences.append(f"One {step} step takes {show(now, 's')} ({ground}); at the device's peaks it would take {show(priced.limit_s, 's')}, "
                             f"**{now / priced.limit_s:.3g} times** less.")  # fmt: skip
    blocks.append(Text(" ".join(sentences) or "Nothing that the limits know of is computed here."))
    rows: list[list[Cell]] = []
    for priced in case.priced:
        for kind, values in priced.by_kind().items():
            if values["limit_s"] > 0:
                rows.append([f"{step_name(priced)}: {kind}", values["time_s"], values["limit_s"], values["time_s"] / values["limit_s"]])
    rows, unit = in_one_unit(rows, (1, 2), "s")
    columns = (
        Column(key="class", title="Operator class"), Column(key="time", title="A step", unit=unit, truth="modelled"),
        Column(key="limit", title="At the peaks", unit=unit, truth="modelled", meaning="FLOPs at peak or bytes at full bandwidth, whichever is longer"),
        Column(key="factor", title="Times over", truth="modelled", style="plain"),
    )  # fmt: skip
    if rows:
        blocks.append(Table(columns=columns, rows=rows, caption="What each operator class loses to overhead, small shapes and unused bandwidth"))
    blocks.append(Text(
        "The limit is of these operators in this format, each moving its operands from and to the largest memory once: fusing them, a narrower format or "
        "another algorithm can go below it." + (" A class below 1 finds its operands in a cache." if any(_below(row) for row in rows) else "")
    ))  # fmt: skip
    return Section("Distance to the physical limit", blocks, id="limit")




def _below(row: list[Cell]) -> bool:
    return isinstance(row[3], float) and row[3] < 1
