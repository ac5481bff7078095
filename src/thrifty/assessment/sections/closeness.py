"""The model beside the measurement, misses in full view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from thrifty.assessment.sections.words import ERROR, RATES, in_one_unit, listed, measured, modelled, percent, share
from thrifty.hardware.host import read_validation
from thrifty.report import Block, Cell, Column, Note, Section, Table, Text

if TYPE_CHECKING:
    from thrifty.assessment.result import Assessment

LARGE_ERROR: Final = 0.25
LARGE_SHARE: Final = 0.10
"""A miss worth a sentence: an operator class of more than a tenth of a step, off by more than a quarter."""
LARGE_SPREAD: Final = 0.20
"""Of a tenth of the calibration's measurements: the machine was not quiet."""


def section(a: Assessment) -> Section | None:
    """None where nothing was measured."""
    if a.measured is None:
        return None
    blocks: list[Block] = [_rates(a)]
    for step in dict.fromkeys(row.step for row in a.classes):
        rows = [row for row in a.classes if row.step == step]
        total = next(row.measured_s for row in rows if row.kind == "total")
        table: list[list[Cell]] = [[row.kind, row.measured_s, row.modelled_s, row.error, row.measured_s / total if total else None] for row in rows]
        table, unit = in_one_unit(table, (1, 2), "s")
        columns = (
            Column(key="kind", title="Operator class"), Column(key="measured", title="Measured", unit=unit, truth="measured"),
            Column(key="modelled", title="Modelled", unit=unit, truth="modelled"), ERROR,
            Column(key="share", title="Share of the step", truth="measured", style="percent", digits=2),
        )  # fmt: skip
        blocks.append(Table(columns=columns, rows=table, caption=f"One {step} step by operator class", strong_rows=[len(table) - 1]))
    blocks.append(_verdict(a))
    if (warning := _restless(a)) is not None:
        blocks.append(warning)
    blocks.append(_validated(a))
    return Section("Measured beside modelled", blocks, id="measured-beside-modelled")


def _rates(a: Assessment) -> Table:
    rows: list[list[Cell]] = []
    for key, (name, unit) in RATES.items():
        truth, model = (a.measured or {}).get(key), a.modelled.get(key)
        if truth is not None:
            rows.append([name, measured(truth, unit), modelled(model, unit), (a.error or {}).get(key)])
    columns = (Column(key="what", title="What"), Column(key="measured", title="Measured", truth="measured"),
               Column(key="modelled", title="Modelled", truth="modelled"), ERROR)  # fmt: skip
    return Table(columns=columns, rows=rows, caption="The whole job")


def _verdict(a: Assessment) -> Block:
    totals = {row.step: row.measured_s for row in a.classes if row.kind == "total"}
    heavy = [row for row in a.classes if row.kind != "total" and row.measured_s > LARGE_SHARE * totals.get(row.step, 0.0)]
    missed = [row for row in heavy if row.error is not None and abs(row.error) > LARGE_ERROR]
    rule = f"operator class of more than {share(LARGE_SHARE)} of a step"
    if not missed:
        return Text(f"Every {rule} is within {share(LARGE_ERROR)} of its measurement.")
    names = listed(f"{row.kind} in {row.step} ({percent(row.error or 0.0)})" for row in missed)
    return Note(f"{len(missed)} of {len(heavy)} {'' if len(heavy) == 1 else 'cases of an '}{rule} missed by more than {share(LARGE_ERROR)}: {names}. "
                "A busy machine makes measurements slower than the calibration that the model reads; run it again when nothing else runs.")  # fmt: skip


def _validated(a: Assessment) -> Block:
    """How far off the same calibration was on other workloads, where that was ever asked."""
    device = next((case.device for case in a.cases if case.device.calibration is not None), None)
    found = read_validation(device.calibration.content) if device is not None and device.calibration is not None else None
    if found is None:
        return Text("How far off this calibration is on other workloads nobody has asked on this machine yet: `thrifty validate host` (a minute or two).")
    rows: list[list[Cell]] = [
        [r["workload"], r["measured_s"], r["modelled_s"], r["time_error"], r["measured_bytes"], round(r["memory_error"], 4)] for r in found["rows"]
    ]
    columns = (
        Column(key="workload", title="Workload"), Column(key="measured_s", title="Measured", unit="s", truth="measured"),
        Column(key="modelled_s", title="Modelled", unit="s", truth="modelled"), ERROR,
        Column(key="measured_bytes", title="Memory", unit="B", truth="measured"),
        Column(key="memory_error", title="Its error", truth="modelled", style="percent", digits=2),
    )  # fmt: skip
    return Table(
        columns=columns, rows=rows,
        caption=f"The same calibration on {len(rows)} workloads that it never saw: time off by {share(found['median_time_error'])} (median) and "
        f"{share(found['p90_time_error'])} (90th percentile), memory by {share(found['median_memory_error'])}",
    )  # fmt: skip


def _restless(a: Assessment) -> Note | None:
    """A warning where the machine was busy while it was calibrated: the model cannot be better than that."""
    device = next((case.device for case in a.cases if case.device.calibration is not None), None)
    spread: Any = device.calibration.content.get("spread") if device is not None and device.calibration is not None else None
    if not isinstance(spread, dict) or not float(spread.get("p90", 0.0)) > LARGE_SPREAD:
        return None
    return Note(f"This machine was busy while it was calibrated: a tenth of the measurements spread by more than {share(float(spread['p90']))}. "
                "Calibrate again when nothing else runs: `thrifty hardware calibrate --force`.", "warning")  # fmt: skip
