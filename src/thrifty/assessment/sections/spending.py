"""Where the time goes: by operator class and by module, measured and modelled side by side, and how the profile was taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from thrifty.assessment.sections.words import columns_by_key, device_label, in_one_unit, listed, measured, modelled, share, step_name
from thrifty.report import Block, Cell, Chart, Column, Note, Section, Table

if TYPE_CHECKING:
    from thrifty.assessment.result import Assessment

MODULES: Final = 10
SEEN: Final = "measured here"
CLOSURE: Final = 0.10
"""How far sampled steps may be from plain ones once the instruments' own work is taken off, before the page remarks on it."""
_WHO: Final = Column(key="who", title="Of")
_KIND: Final = Column(key="kind", title="Operator class")


def section(a: Assessment) -> Section:
    blocks: list[Block] = []
    for step in [step_name(priced) for priced in a.case.priced]:
        blocks.append(_bars(a, step))
    for step in [step_name(priced) for priced in a.case.priced]:
        if (table := _modules(a, step)) is not None:
            blocks.append(table)
    if a.run is not None:
        blocks.append(_instruments(a))
        if open_steps := [p.name for p in a.run.profiles if not abs(p.closure - 1) <= CLOSURE]:
            blocks.append(Note(f"The sampled steps of {listed(open_steps)} do not close within {share(CLOSURE)}: what instruments add was estimated badly, "
                               "or the machine was busy. Shares by class are still those of the steps that were sampled."))  # fmt: skip
    return Section("Where the time goes", blocks, id="time")


def _bars(a: Assessment, step: str) -> Chart:
    """One bar each for the measurement and for the model on every device asked for."""
    spent: dict[str, dict[str, float]] = {}
    truths = {}
    profile = next((p for p in a.run.profiles if p.name == step), None) if a.run is not None else None
    if profile is not None:
        spent[SEEN], truths[SEEN] = profile.by_kind(), True
        spent["modelled"] = {row.kind: row.modelled_s for row in a.classes if row.step == step and row.kind != "total"}
    for case in a.cases if profile is None else a.cases[1:]:
        found = next((p for p in case.priced if step_name(p) == step), None)
        if found is not None:
            spent[device_label(case)] = {kind: values["time_s"] for kind, values in found.by_kind().items()}
    order = columns_by_key(list(spent.values()))
    rows: list[list[Cell]] = []
    for who, by_kind in spent.items():
        number = measured if truths.get(who) else modelled
        rows += [[who, kind, number(by_kind[kind], "s")] for kind in order if by_kind.get(kind)]
    who, by_kind = next(iter(spent.items()))
    total = sum(by_kind.values()) or 1.0
    heading = who.capitalize() if who == SEEN else who
    largest = listed(f"{kind} {share(seconds / total)}" for kind, seconds in list(by_kind.items())[:3])
    return Chart(
        kind="stacked bars", title=f"One {step} step by operator class", columns=(_WHO, _KIND, Column(key="time_s", title="Time", unit="s")), rows=rows,
        x="time_s", y="who", series="kind", caption=f"{heading}: {largest}.",
        alt=f"Stacked bars of the seconds of one {step} step by operator class, one bar for each of {listed(spent)}. {heading}: {largest}.",
    )  # fmt: skip


def _modules(a: Assessment, step: str) -> Table | None:
    """The modules that take longest, layers of a stack taken together."""
    priced = next(p for p in a.case.priced if step_name(p) == step)
    model = {name or "(root)": values["time_s"] for name, values in priced.by_module().items()}
    profile = next((p for p in a.run.profiles if p.name == step), None) if a.run is not None else None
    seen = profile.by_module() if profile is not None else model
    total = sum(seen.values()) or 1.0
    rows: list[list[Cell]] = []
    for name, seconds in list(seen.items())[:MODULES]:
        rows.append([name, seconds, *([model.get(name)] if profile is not None else []), seconds / total])
    if len(rows) < 2:
        return None
    rows, unit = in_one_unit(rows, (1, 2) if profile is not None else (1,), "s")
    columns = [Column(key="module", title="Module")]
    if profile is not None:
        columns.append(Column(key="measured", title="Measured", unit=unit, truth="measured"))
    columns.append(Column(key="modelled", title="Modelled", unit=unit, truth="modelled"))
    columns.append(Column(key="share", title="Share", truth="measured" if profile is not None else "modelled", style="percent", digits=2))
    return Table(columns=columns, rows=rows, caption=f"One {step} step by module, the layers of a stack (`*`) taken together")


def _instruments(a: Assessment) -> Table:
    assert a.run is not None
    columns = (
        Column(key="step", title="Step"), Column(key="steps", title="Steps", truth="given", style="integer"),
        Column(key="sampled", title="Sampled", truth="given", style="integer", meaning="instrumented ones among them"),
        Column(key="step_s", title="Plain", unit="s", truth="measured"), Column(key="instrumented_s", title="Instrumented", unit="s", truth="measured"),
        Column(key="closure", title="Closure", truth="measured", style="percent", meaning="instrumented time less the recorder's own work, over plain time"),
        Column(key="run_overhead", title="Run", truth="measured", style="percent", meaning="over as many plain steps"),
    )
    rows: list[list[Cell]] = [
        [p.name, p.steps, p.sampled, p.step_s, p.instrumented_s, p.closure, p.run_overhead] for p in a.run.profiles
    ]  # fmt: skip
    return Table(columns=columns, rows=rows, caption="How the profile was taken: every eighth step records its operators")


