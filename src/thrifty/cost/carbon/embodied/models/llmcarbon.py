"""LLMCarbon: constants per area, per byte and per node of a cluster (Faiz et al., ICLR 2024)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from thrifty.cost.carbon.embodied.models.tables import MM2_PER_CM2, Number, Values, at_node, fact, one_of

SOURCES: Final = ("llmcarbon-2024",)
_CPU: Final = frozenset({"cpu"})


def _logic(v: Values) -> Number:
    cpa: Any = np.where(one_of(v["use"], _CPU), fact("logic:llmcarbon.cpu", "carbon_per_area"), at_node("logic:llmcarbon.cpa", "carbon_per_area", v["node_nm"]))
    return cpa * v["area_mm2"] / MM2_PER_CM2


def _dram(v: Values) -> Number:
    return fact("memory:dram.llmcarbon.any", "carbon_per_capacity") * 1e9 * v["gb"]


def _ssd(v: Values) -> Number:
    return fact("memory:ssd.llmcarbon", "carbon_per_capacity") * 1e9 * v["gb"]


def _base(v: Values) -> Number:
    return fact("machines:base.llmcarbon", "carbon") + 0.0 * v["u"]


def _gpu_board(v: Values) -> Number:
    return fact("machines:gpu.llmcarbon", "carbon") + 0.0 * v["kg"]


PARTS: Final[Mapping[str, Callable[[Values], Number]]] = {"logic": _logic, "dram": _dram, "ssd": _ssd, "base": _base, "gpu-board": _gpu_board}
