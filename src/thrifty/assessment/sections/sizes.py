"""Other batches and lengths on the first device, and where the bound changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from thrifty.assessment.result import Assessment, bound_changes
from thrifty.assessment.sections.words import device_label, step_name
from thrifty.cost.roofline import BOUNDS
from thrifty.quantities import show
from thrifty.report import Block, Bullets, Cell, Chart, Column, Section, Text


def section(a: Assessment) -> Section | None:
    """None where the workload cannot be moved to other sizes, or has none."""
    swept = a.swept
    if swept is None or not swept.points or len(swept.memory_bytes_P) < 2:
        return None
    names = list(swept.points)
    wide = names[1] if len(names) > 1 else names[0]
    tall = names[0] if len(names) > 1 else ""
    fits = swept.memory_bytes_P <= a.case.device.memory_bytes
    units = np.ones(len(fits))
    for name in names:
        if name in ("batch", "seq"):
            units = units * swept.points[name]
    seconds = swept.time_s_DP[0] / units
    rows: list[list[Cell]] = []
    for index in range(len(fits)):
        rows.append([
            str(int(swept.points[tall][index])) if tall else "all", str(int(swept.points[wide][index])), float(seconds[index]) if fits[index] else None,
            BOUNDS[int(swept.bound_DP[0, index])], float(swept.memory_bytes_P[index]), bool(fits[index]),
        ])  # fmt: skip
    step, unit = step_name(a.case.priced[0]), "token" if "seq" in names else "sample"
    best = int(np.where(fits, seconds, np.inf).argmin())
    at = ", ".join(f"{name} {int(swept.points[name][best])}" for name in names)
    here = f"least time a {unit} at {at}: {show(float(seconds[best]), 's')}"
    empty = "" if fits.all() else " Sizes that do not fit in the memory stay empty."
    columns = (
        Column(key="tall", title=tall.capitalize() or "Size"), Column(key="wide", title=wide.capitalize()),
        Column(key="time_s", title=f"Time a {unit}", unit="s", truth="modelled"), Column(key="bound", title="Bound by"),
        Column(key="memory_bytes", title="Held", unit="B", truth="modelled"), Column(key="fits", title="Fits"),
    )  # fmt: skip
    chart = Chart(
        kind="heat map", title=f"{step.capitalize()} on {device_label(a.case)}: {wide}{f' by {tall}' if tall else ''}", columns=columns, rows=rows,
        x="wide", y="tall", colour="time_s", caption=f"{here[:1].upper()}{here[1:]}.{empty}",
        alt=f"Heat map of the time a {unit} of {step} by {' and '.join(names)} at {len(fits)} sizes; {here}.",
    )  # fmt: skip
    how = "by the roofline of its data sheet, with default efficiencies" if a.case.device.calibration is None else "interpolated in its calibration"
    lead = f"Times on {device_label(a.case)} {how}, from exact counts at every size."
    found = bound_changes(swept)
    if not found:
        return Section("Other sizes", [Text(f"{lead} At all sizes along the edges it is bound by **{BOUNDS[int(swept.bound_DP[0, 0])]}**."), chart], id="sizes")
    blocks: list[Block] = [Text(lead), chart, Bullets([_change(each, swept.points, step) for each in found])]
    return Section("Other sizes", blocks, id="sizes")


def _change(each: Mapping[str, Any], points: Mapping[str, Any], step: str) -> str:
    """Where along one symbol the bound becomes another."""
    symbol, (low, high) = each["symbol"], each["between"]
    others = " and ".join(f"{name} {int(points[name].min())}" for name in points if name != symbol)
    words = f"{step.capitalize()} is bound by **{each['from']}** up to {symbol} {low}, by **{each['to']}** from {high} on"
    return f"{words} (at {others})." if others else f"{words}."
