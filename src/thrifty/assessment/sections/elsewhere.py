"""The same job on the catalogue's devices: time against carbon, and the table behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from thrifty.assessment.sections.words import device_label, ends, listed
from thrifty.cost import Case
from thrifty.footprint import pareto_front
from thrifty.quantities import show
from thrifty.report import Block, Cell, Chart, Column, Note, Section, Table, Text
from thrifty.report.numbers import middle, scale_of

if TYPE_CHECKING:
    from thrifty.assessment.result import Assessment


NAMED_AT_MOST: Final = 12
"""Points of a scatter that can all have their names without covering each other."""


def section(a: Assessment) -> Section | None:
    """None where no device of the catalogue can run it."""
    asked = {case.device.name for case in a.cases}
    cases = [*a.cases, *(case for case in a.elsewhere if case.device.name not in asked)]
    if len(cases) < 2:
        return None
    cases.sort(key=lambda case: (not case.fits, case.per_unit.time_s))
    unit, fitting = a.case.job.unit, [case for case in cases if case.fits]
    blocks: list[Block] = []
    if fitting:
        blocks += [_lead(a, fitting), _chart(a, fitting)]
    else:
        blocks.append(Note("It fits on no single device of the catalogue: the numbers below say what it would take if the memory were larger.", "warning"))
    factor, carbon = scale_of(middle([case.per_unit.carbon_gco2e.mid for case in cases]), "gCO2e")
    rented = any(case.per_unit.cost_usd is not None for case in cases)
    crowded = len(fitting) < len(cases)
    rows: list[list[Cell]] = []
    for case in cases:
        foot, money = case.per_unit, case.per_unit.cost_usd
        row: list[Cell] = [device_label(case), *([case.fits] if crowded else []), case.bound, foot.time_s, foot.energy_j]
        row += [foot.carbon_gco2e.mid / factor, ends(foot.carbon_gco2e, factor)]
        rows.append(row + ([None if money is None else money * 1e6] if rented else []))
    columns = [
        Column(key="device", title="Device"), *([Column(key="fits", title="Fits")] if crowded else []), Column(key="bound", title="Bound by"),
        Column(key="time_s", title="Time", unit="s", truth="modelled"), Column(key="energy_j", title="Energy", unit="J", truth="modelled"),
        Column(key="carbon", title="Carbon", unit=carbon, truth="modelled"), Column(key="ends", title="Interval", truth="modelled"),
    ]  # fmt: skip
    if rented:
        columns.append(Column(key="cost_usd", title="Rent", unit="USD", truth="modelled", meaning="of a million, at the price an hour that the sheet states"))
    strong = [index for index, case in enumerate(cases) if case.device.name in asked]
    blocks.append(Table(columns=columns, rows=rows, caption=_caption(cases, f"One {unit} on {len(cases)} devices, at {a.case.site.title}"), strong_rows=strong))
    return Section("Elsewhere", blocks, id="elsewhere")


def _caption(cases: list[Case], what: str) -> str:
    """What the table is of, and in which formats, as the devices may differ in that."""
    by_format: dict[str, list[str]] = {}
    for case in cases:
        by_format.setdefault(case.job.format, []).append(device_label(case))
    usual, *others = sorted(by_format, key=lambda name: -len(by_format[name]))
    fits = "; it fits on all of them" if all(case.fits for case in cases) else ""
    rent = "; rent is of a million" if any(case.per_unit.cost_usd is not None for case in cases) else ""
    return f"{what}, in {usual}" + "".join(f"; {listed(by_format[name])} in {name}" for name in others) + fits + rent


def _front(cases: list[Case]) -> list[bool]:
    return [bool(kept) for kept in pareto_front([(case.per_unit.time_s, case.per_unit.carbon_gco2e.mid) for case in cases])]


def _lead(a: Assessment, cases: list[Case]) -> Text:
    unit = a.case.job.unit
    fastest = min(cases, key=lambda case: case.per_unit.time_s)
    cleanest = min(cases, key=lambda case: case.per_unit.carbon_gco2e.mid)
    best = listed(device_label(case) for case, kept in zip(cases, _front(cases), strict=True) if kept)
    return Text(
        f"Fastest is **{device_label(fastest)}** ({show(fastest.per_unit.time_s, 's')} a {unit}), least carbon takes **{device_label(cleanest)}** "
        f"({show(cleanest.per_unit.carbon_gco2e.mid, 'gCO2e')} a {unit}). Nothing beats {best} in both. All numbers are one device's, by its data sheet "
        "and default efficiencies; this machine's are by its calibration."
    )  # fmt: skip


def _chart(a: Assessment, cases: list[Case]) -> Chart:
    front = _front(cases)
    unit = a.case.job.unit
    asked = [device_label(case) for case in a.cases]
    every = len(cases) <= NAMED_AT_MOST  # beyond, only what nothing beats and what was asked for has its name in the drawing
    rows: list[list[Cell]] = [
        [name, case.per_unit.time_s, case.per_unit.carbon_gco2e.mid, kept, name if every or kept or name in asked else ""]
        for name, case, kept in zip(map(device_label, cases), cases, front, strict=True)
    ]
    columns = (
        Column(key="device", title="Device"), Column(key="time_s", title=f"Time a {unit}", unit="s", truth="modelled"),
        Column(key="carbon_gco2e", title=f"Carbon a {unit}", unit="gCO2e", truth="modelled"), Column(key="front", title="Unbeaten"),
        Column(key="named", title="Named in the drawing"),
    )  # fmt: skip
    best = listed(str(row[0]) for row in rows if row[3])
    return Chart(
        kind="scatter", title=f"Time against carbon of one {unit}", columns=columns, rows=rows, x="time_s", y="carbon_gco2e", label="named", front="front",
        x_log=True, y_log=True, strong=asked,
        caption="Filled: nothing else is better in both; every device stands in the data. Devices that cannot hold it are in the table only.",
        alt=f"Scatter of time against carbon of one {unit} on {len(rows)} devices, both logarithmic. Nothing beats {best} in both.",
    )  # fmt: skip
