"""3D-Carbon for one die or several equal ones in a package: share of a round wafer, negative binomial yield (Zhao et al., DAC 2024).

The same as `chiplets.price_package` for columns of dies: a test holds the two against each other. Packages of unlike dies go there.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.cost.carbon.embodied.models.act import fab_g_per_kwh
from thrifty.cost.carbon.embodied.models.tables import MM2_PER_CM2, Number, Values, fact, nodes_of, rows

SOURCES: Final = ("threed-carbon-2024",)
FAR: Final = 1.25
"""A node further than this ratio from every row has none (as in `chiplets.dies`)."""


@functools.cache
def _table(name: str, dimension: str) -> npt.NDArray[np.float64]:
    found = rows(f"chiplets:{name}", dimension)
    return np.array([found[f"n{node:g}"] for node in nodes_of("chiplets:epa")])


@functools.cache
def _between() -> npt.NDArray[np.float64]:
    """Geometric means of neighbouring nodes: below one, the finer row is the nearer in log(node); on it as well."""
    nodes = np.array(nodes_of("chiplets:epa"))
    return np.asarray(np.sqrt(nodes[:-1] * nodes[1:]), dtype=np.float64)


def share_good(v: Values) -> Number:
    """The share of dies that work by their area and the node's defects: negative binomial."""
    die_mm2: Any = v["area_mm2"] / v["dies"]
    clustering = fact("chiplets:clustering.die", "ratio")
    defects = _table("defects", "count_per_area")[np.searchsorted(_between(), v["node_nm"], side="left")]
    return np.exp(-clustering * np.log1p(die_mm2 * defects / clustering))


def _logic(v: Values) -> Number:
    node: Any = v["node_nm"]
    nodes = nodes_of("chiplets:epa")
    row = np.searchsorted(_between(), node, side="left")
    fab = fab_g_per_kwh(v)
    energy, gases = _table("epa", "energy_per_area")[row], _table("gpa", "carbon_per_area")[row]
    per_cm2 = fab * energy + gases + fact("chiplets:fab.mpa", "carbon_per_area")
    die_mm2: Any = v["area_mm2"] / v["dies"]
    wafer_mm = fact("chiplets:fab.wafer", "length")
    fit = np.floor(math.pi * wafer_mm**2 / (4 * die_mm2) - math.pi * wafer_mm / np.sqrt(2 * die_mm2))
    good = np.where(np.isnan(v["yield_stated"]), share_good(v), v["yield_stated"])
    dies = v["dies"] * per_cm2 * (math.pi * wafer_mm**2 / 4 / np.maximum(fit, 1)) / MM2_PER_CM2 / good
    inside = (fit >= 1) & (node >= nodes[0] / FAR) & (node <= nodes[-1] * FAR)
    return np.where(inside, dies + np.where(v["packages"] > 0, _packaging(v), 0.0), np.nan)


def _packaging(v: Values) -> Number:
    """A flip-chip package 1.2 times as large as its dies; several chips share the area."""
    per_mm2 = fact("chiplets:package_energy.fcbga", "energy_per_area") / MM2_PER_CM2 * fact("chiplets:area_factor.package", "ratio")
    return per_mm2 * v["area_mm2"] * fab_g_per_kwh(v)


PARTS: Final[Mapping[str, Callable[[Values], Number]]] = {"logic": _logic, "packaging": _packaging}
