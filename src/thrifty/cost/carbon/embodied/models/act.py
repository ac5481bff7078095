"""ACT: chips from what a fab takes and emits per area, memory and drives per byte, boards and metals by amount (Gupta et al., ISCA 2022).

    E = A · (CI_fab · EPA + GPA + MPA) / Y + packages · K

Its boundary is the chip: what is around one counts as nothing. Its table of boards is suspiciously small, and its DRAM is bare dies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from thrifty.cost.carbon.embodied.models.tables import MM2_PER_CM2, Number, Values, at_node, fact, pick, rows
from thrifty.quantities import J_PER_KWH

SOURCES: Final = ("act-2022",)


def fab_g_per_kwh(v: Values) -> Number:
    """Intensity of a fab: as stated, else of its place or fuel; a year from 2023 on takes the newer table where that has the place."""
    older = {**rows("fabs:places", "carbon_per_energy"), **rows("fabs:fuels", "carbon_per_energy")}
    newer = {**older, **rows("fabs:places_2023", "carbon_per_energy")}
    by_place = np.where(np.asarray(v["year"]) >= 2023, pick(newer, v["fab"]), pick(older, v["fab"]))
    return np.where(np.isnan(v["fab_ci"]), by_place, v["fab_ci"])


def gas_g_per_cm2(v: Values) -> Number:
    """Process gases at the stated abatement in per cent: the tables for 95 and 99, straight between them (97 is their mean)."""
    low, high = (at_node(f"logic:act.gpa{share}", "carbon_per_area", v["node_nm"]) for share in (95, 99))
    toward = (v["abatement"] - 95.0) / 4.0
    return low * (1 - toward) + high * toward


def area_g_per_cm2(v: Values) -> Number:
    """CPA: carbon per good area."""
    electricity = fab_g_per_kwh(v) * at_node("logic:act.epa", "energy_per_area", v["node_nm"])
    return (electricity + gas_g_per_cm2(v) + fact("logic:act.mpa", "carbon_per_area")) / v["yield"]


def package_g(v: Values) -> Number:
    """Packaging of so many chips."""
    return fact("logic:act.package", "carbon") * v["packages"]


def _logic(v: Values) -> Number:
    return area_g_per_cm2(v) * v.get("failing", 1.0) * v["area_mm2"] / MM2_PER_CM2 + package_g(v)


def _dram(v: Values) -> Number:
    return pick(rows("memory:dram.act", "carbon_per_capacity"), v["row"]) * 1e9 * v["gb"] / v["yield"]


def _ssd(v: Values) -> Number:
    return pick(rows("memory:ssd.act", "carbon_per_capacity"), v["type"]) * 1e9 * v["gb"] / v["yield"]


def _hdd(v: Values) -> Number:
    return pick(rows("memory:hdd.act", "carbon_per_capacity"), v["type"]) * 1e9 * v["gb"]


def _board(v: Values) -> Number:
    table = rows("machines:board.act", "carbon_per_area")
    layers: Any = v["layers"]
    per_cm2: Any = table["per_layer"] * layers
    for row in (2, 4, 6, 8):
        per_cm2 = np.where(layers == row, table[f"l{row}"], per_cm2)
    return per_cm2 * v["area_cm2"]


def _metal(v: Values) -> Number:
    return pick(rows("machines:metal", "carbon_per_mass"), v["type"]) * v["kg"]


def _heatsink(v: Values) -> Number:
    return rows("machines:metal", "carbon_per_mass")["aluminium"] * v["kg"]


def _case(v: Values) -> Number:
    return rows("machines:metal", "carbon_per_mass")["steel"] * v["kg"]  # NaN where no mass is stated


def _passive(v: Values) -> Number:
    return pick(rows("machines:passive", "energy_per_mass"), v["type"]) / J_PER_KWH * fab_g_per_kwh(v) * v["kg"]


def _battery(v: Values) -> Number:
    return pick(rows("machines:battery", "carbon_per_energy"), v["type"]) * v["kwh"]


def _nothing(v: Values) -> Number:
    return fact("machines:gpu.chips_only", "carbon") + 0.0 * v["kg"]


PARTS: Final[Mapping[str, Callable[[Values], Number]]] = {
    "logic": _logic, "packaging": package_g, "dram": _dram, "ssd": _ssd, "hdd": _hdd, "board": _board, "metal": _metal, "heatsink": _heatsink,
    "case": _case, "passive": _passive, "battery": _battery, "gpu-board": _nothing,
}  # fmt: skip
