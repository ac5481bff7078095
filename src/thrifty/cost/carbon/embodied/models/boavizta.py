"""Boavizta: parts of servers by size, and graphics boards part by part.

- CPU: a · mm² + b; RAM and SSD: a · GB / density + b; supply: a · kg
- GPU: per wafer area that its dies use up (logic and memory), board area, masses of heat sink and casing, transport, end of life
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from thrifty.cost.carbon.embodied.models.tables import MM2_PER_CM2, Number, Values, at_node, fact, nodes_of, one_of, pick

SOURCES: Final = ("boaviztapi",)
GPU: Final = frozenset({"gpu"})
BY_AREA: Final = frozenset({"any", "cpu"})
STACKED: Final = frozenset({"hbm", "gddr"})
MM_PER_KM: Final = 1e6


def wafer_mm2(die_mm2: Number) -> Number:
    """Wafer area that one good die uses up: cuts between dies, the wafer's rim, and dies that fail; NaN where no whole die fits.

    With side² = (√A + kerf)², dies per wafer = W / side² − π d / √(2 side²), good share exp(−√(D side²)); a square die.
    """
    wafer_mm = fact("logic:boavizta.gpu.wafer", "length")
    cut: Any = (np.sqrt(die_mm2) + fact("logic:boavizta.gpu.kerf", "length")) ** 2
    wafer = math.pi * (wafer_mm / 2) ** 2
    dies = wafer / cut - math.pi * wafer_mm / np.sqrt(2 * cut)
    good = np.exp(-np.sqrt(cut * fact("logic:boavizta.gpu.defects", "count_per_area")))
    return np.where(dies >= 1, wafer / np.maximum(dies, 1) / good, np.nan)


def _logic(v: Values) -> Number:
    area: Any = v["area_mm2"]
    cpu = fact("logic:boavizta.cpu.per_mm2", "carbon_per_area") * area / MM2_PER_CM2 + fact("logic:boavizta.cpu.base", "carbon")
    is_gpu, by_area = one_of(v["use"], GPU), one_of(v["use"], BY_AREA)
    if not np.any(is_gpu):
        return np.where(by_area, cpu, np.nan)
    gpu = fact("logic:boavizta.gpu.per_mm2", "carbon_per_area") * v["dies"] * wafer_mm2(area / v["dies"]) / MM2_PER_CM2
    return np.where(is_gpu, gpu, np.where(by_area, cpu, np.nan))


def _density(v: Values) -> Any:
    """GB of a cm² of memory die: as stated, else of the process where one is stated, else the default."""
    table = "memory:dram.boavizta.process"
    nodes = nodes_of(table)
    known = at_node(table, "capacity_per_area", np.clip(v["node_nm"], nodes[0], nodes[-1]))
    default: Any = np.where(np.isnan(v["node_nm"]), fact("memory:dram.boavizta.density", "capacity_per_area"), known)
    return np.where(np.isnan(v["density"]), default * MM2_PER_CM2 / 1e9, v["density"])


def _dram(v: Values) -> Number:
    gb: Any = v["gb"]
    in_modules = fact("memory:dram.boavizta.per_die", "carbon_per_area") * gb / _density(v) + fact("memory:dram.boavizta.module", "carbon") * v["modules"]
    stacked = one_of(v["family"], STACKED)
    if not np.any(stacked):
        return in_modules
    die_mm2 = gb * 1e9 / v["stacks"] / fact("memory:dram.boavizta.vram_density", "capacity_per_area")
    on_board = fact("memory:dram.boavizta.vram_per_mm2", "carbon_per_area") / MM2_PER_CM2 * v["stacks"] * wafer_mm2(die_mm2)
    return np.where(stacked, on_board, in_modules)


def _ssd(v: Values) -> Number:
    default = fact("memory:ssd.boavizta.density", "capacity_per_area") * MM2_PER_CM2 / 1e9
    density: Any = np.where(np.isnan(v["density"]), default, v["density"])
    return fact("memory:ssd.boavizta.per_die", "carbon_per_area") * v["gb"] / density + fact("memory:ssd.boavizta.base", "carbon")


def _hdd(v: Values) -> Number:
    return fact("memory:hdd.boavizta", "carbon") + 0.0 * v["gb"]


def _board(v: Values) -> Number:
    return fact("machines:board.boavizta.per_area", "carbon_per_area") * v["area_cm2"]


def _mainboard(v: Values) -> Number:
    return fact("machines:mainboard.boavizta", "carbon")


def _psu(v: Values) -> Number:
    return fact("machines:supply.boavizta", "carbon_per_mass") * v["kg"]


def _heatsink(v: Values) -> Number:
    return fact("machines:cooling.heatsink", "carbon_per_mass") * v["kg"]


def _case(v: Values) -> Number:
    blade = fact("machines:case.blade", "carbon") + fact("machines:case.enclosure", "carbon") / fact("machines:case.blades", "ratio")
    return pick({"rack": fact("machines:case.rack", "carbon"), "blade": blade}, v["type"])


def _assembly(v: Values) -> Number:
    return fact("machines:base.assembly", "carbon")


def _base(v: Values) -> Number:
    whole = sum(fact(path, "carbon") for path in ("machines:case.rack", "machines:mainboard.boavizta", "machines:base.assembly"))
    return whole + fact("machines:supply.boavizta", "carbon_per_mass") * v["psu_kg"] * v["psus"] + 0.0 * v["u"]


def _gpu_board(v: Values) -> Number:
    mass: Any = v["kg"]
    freight = sum(fact(f"machines:gpu.{way}", "carbon_per_freight") * fact(f"machines:gpu.{way}_way", "length") / MM_PER_KM for way in ("sea", "road", "air"))
    per_kg = fact("machines:gpu.boavizta_mass", "carbon_per_mass") + fact("machines:gpu.boavizta_end", "carbon_per_mass") + freight
    parts = fact("machines:case.casing", "carbon_per_mass") * v["casing_kg"] + fact("machines:cooling.heatsink", "carbon_per_mass") * v["heatsink_kg"]
    return parts + fact("machines:board.boavizta.per_area", "carbon_per_area") * v["board_cm2"] + per_kg * mass


PARTS: Final[Mapping[str, Callable[[Values], Number]]] = {
    "logic": _logic, "dram": _dram, "ssd": _ssd, "hdd": _hdd, "board": _board, "mainboard": _mainboard, "psu": _psu, "heatsink": _heatsink, "case": _case,
    "assembly": _assembly, "base": _base, "gpu-board": _gpu_board,
}  # fmt: skip
