"""imec: a table of carbon per good area by node, as ACT carries it for an alternative; packages as in ACT."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from thrifty.cost.carbon.embodied.models.act import package_g
from thrifty.cost.carbon.embodied.models.tables import MM2_PER_CM2, Number, Values, at_node

SOURCES: Final = ("imec-2022",)


def _logic(v: Values) -> Number:
    return at_node("logic:imec.cpa", "carbon_per_area", v["node_nm"]) * v.get("failing", 1.0) * v["area_mm2"] / MM2_PER_CM2 + package_g(v)


PARTS: Final[Mapping[str, Callable[[Values], Number]]] = {"logic": _logic, "packaging": package_g}
