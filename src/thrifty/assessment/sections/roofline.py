"""How near every operator class is to the roof above it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from thrifty.assessment.sections.words import device_label, listed, measured, modelled, share, step_name
from thrifty.report import Cell, Chart, Column, Number, Roof, Section, Text
from thrifty.workload import Kind, OperatorTable

if TYPE_CHECKING:
    from thrifty.assessment.result import Assessment


def section(a: Assessment) -> Section | None:
    """None where nothing is computed at all."""
    case = a.case
    rows: list[list[Cell]] = []
    for priced in case.priced:
        step = step_name(priced)
        model = {kind: values["time_s"] for kind, values in priced.by_kind().items()}
        profile = next((p for p in a.run.profiles if p.name == step), None) if a.run is not None else None
        if profile is not None:
            rows += _points(step, profile.table, profile.by_kind(), seen=True)
        else:
            rows += _points(step, priced.workload.table, model, seen=False)
    if not rows:
        return None
    device, form = case.device, case.job.format
    roofs = [Roof(f"matrix units, {device.runs_in(form)}", device.peak(form), device.bandwidth_bytes_per_s)]
    if device.vector_flops != roofs[0].peak:
        roofs.append(Roof("vector units", device.vector_flops, device.bandwidth_bytes_per_s))
    # Columns, in the order of `_points`: name, series, work per byte, work per second.
    columns = (
        Column(key="class", title="Operator class"), Column(key="step", title="Step"),
        Column(key="intensity", title="Work per byte", unit="FLOP/B", truth="given", meaning="matrix and vector FLOPs over bytes read and written"),
        Column(key="attained", title="Attained", unit="FLOP/s"),
    )  # fmt: skip
    text = _nearest(rows, roofs[0])
    chart = Chart(
        kind="roofline", title=f"Operator classes under the roofs of {device_label(case)}", columns=columns, rows=rows, x="intensity", y="attained",
        label="class", series="step", roofs=roofs, roofs_truth=device.truth, caption=f"{text[:1].upper()}{text[1:]}.",
        alt=f"Roofline of the operator classes: work per second against work per byte, both logarithmic, under {len(roofs)} roofs; {text}.",
    )  # fmt: skip
    lead = "A point under the slope waits for memory, one under the flat for arithmetic; the gap above it is what software and overhead lose."
    return Section("Roofline", [Text(lead), chart], id="roofline")


def _points(step: str, table: OperatorTable, seconds: dict[str, float], *, seen: bool) -> list[list[Cell]]:
    """Every class that computes and takes time."""
    found: list[list[Cell]] = []
    repeats = table.repeats
    work = (table.rows["flops_matrix"] - table.rows["flops_skipped"] + table.rows["flops_vector"]) * repeats
    moved = (table.rows["bytes_read"] + table.rows["bytes_written"]) * repeats
    for kind in Kind:
        chosen = table.rows["kind"] == kind
        flops, size, spent = float(np.sum(work[chosen])), float(np.sum(moved[chosen])), seconds.get(kind.label, 0.0)
        if flops > 0 and size > 0 and spent > 0:
            found.append([kind.label, step, flops / size, (measured if seen else modelled)(flops / spent, "FLOP/s")])
    return found


def _of_roof(row: list[Cell], roof: Roof) -> float:
    intensity, attained = row[2], row[3]
    assert isinstance(intensity, float) and isinstance(attained, Number) and attained.value is not None
    return attained.value / min(roof.peak, intensity * roof.slope)


def _nearest(rows: list[list[Cell]], roof: Roof) -> str:
    """Which class comes nearest, and which pass the slope because caches feed them."""
    shares = {f"{row[0]} in {row[1]}": _of_roof(row, roof) for row in rows}
    beyond = [name for name, part in shares.items() if part > 1]
    below = {name: part for name, part in shares.items() if part <= 1}
    words = []
    if below:
        name = max(below, key=lambda each: below[each])
        words.append(f"nearest to its roof is {name}, at {share(below[name])} of what the device's peaks allow")
    if beyond:
        words.append(f"beyond the slope, fed by caches: {listed(beyond)}")
    return "; ".join(words)
