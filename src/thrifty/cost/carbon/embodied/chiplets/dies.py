"""One die by 3D-Carbon's numbers: fab energy by metal layers, gases, materials, its share of the wafer, its yield."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from thrifty.cost.carbon.embodied.chiplets.yields import die_yield, positive, share, wafer_area_mm2
from thrifty.cost.carbon.factors import load_pack
from thrifty.errors import BadValue

MM2_PER_CM2: Final = 100.0
MOST_DIES: Final = 1000
FAR: Final = 1.25
"""A node further than this ratio from every row has none."""


def number(path: str, dimension: str) -> float:
    """A number of the sheet `chiplets`."""
    return load_pack().get(f"chiplets:{path}", dimension)


def node_row(node_nm: float) -> str:
    """The row nearest in log(node), ties to the finer. Raises BadValue for a node far from every row."""
    rows = load_pack().under("chiplets:epa")
    known = sorted(float(row[1:]) for row in rows)
    if not (math.isfinite(node_nm) and known[0] / FAR <= node_nm <= known[-1] * FAR):
        raise BadValue(f"node_nm={node_nm} is no node of 3D-Carbon's tables. Choose from {known[0]:g} to {known[-1]:g} nm.")
    return min(rows, key=lambda row: (abs(math.log(float(row[1:]) / node_nm)), float(row[1:])))


@dataclass(frozen=True, slots=True, kw_only=True)
class Die:
    """`count` equal dies. `layers`: metal layers, None for what the node's row is for; `yield_share`: None for the negative binomial of the node."""

    area_mm2: float
    node_nm: float
    layers: float | None = None
    yield_share: float | None = None
    count: int = 1
    name: str = "die"

    def __post_init__(self) -> None:
        positive("area_mm2", self.area_mm2, "213")
        node_row(self.node_nm)
        if self.layers is not None:
            positive("layers", self.layers, "12")
        if self.yield_share is not None:
            share("yield", self.yield_share)
        if self.count != int(self.count) or self.count < 1:
            raise BadValue(f"count={self.count} of dies is not a whole number of at least 1. Mend it.")
        if self.count > MOST_DIES:
            raise BadValue(f"count={self.count} of dies is above {MOST_DIES}, the most in one package. Give the dies of one package; say count=N for many.")

    @property
    def good(self) -> float:
        """Share of dies that are good."""
        if self.yield_share is not None:
            return self.yield_share
        return die_yield(self.area_mm2, number(f"defects.{node_row(self.node_nm)}", "count_per_area"), number("clustering.die", "ratio"))

    def raw_g(self, fab_g_per_kwh: float | None = None) -> float:
        """Grams of making one die, good or bad: (CI·EPA' + GPA' + MPA) · its share of the wafer.

        EPA' = EPA + (L − L0)·e and GPA' = GPA·EPA'/EPA. Raises BadValue for so few layers that nothing is left.
        """
        row, intensity = node_row(self.node_nm), fab_intensity(fab_g_per_kwh)
        standard = number(f"epa.{row}", "energy_per_area")
        layers = number(f"layers.{row}", "ratio")
        energy = standard + ((self.layers or layers) - layers) * number(f"layer_energy.{row}", "energy_per_area")
        if energy <= 0:
            raise BadValue(f"layers={self.layers} leaves no energy at {self.node_nm:g} nm. Give about {layers:g}.")
        gases = number(f"gpa.{row}", "carbon_per_area") * energy / standard
        per_cm2 = intensity * energy + gases + number("fab.mpa", "carbon_per_area")
        return per_cm2 * wafer_area_mm2(self.area_mm2, number("fab.wafer", "length")) / MM2_PER_CM2


def fab_intensity(fab_g_per_kwh: float | None) -> float:
    """Grams a kilowatt-hour at the fab, by default Taiwan's. Raises BadValue for less than 0 or NaN."""
    if fab_g_per_kwh is None:
        return number("fab.intensity", "carbon_per_energy")
    if not (math.isfinite(fab_g_per_kwh) and fab_g_per_kwh >= 0):
        raise BadValue(f"fab_g_per_kwh={fab_g_per_kwh} is below 0 or not finite. Give e.g. 583.")
    return fab_g_per_kwh


def threed_die_g(
    area_mm2: float, node_nm: float, *, layers: float | None = None, yield_share: float | None = None, fab_g_per_kwh: float | None = None
) -> float:  # fmt: skip
    """Grams of CO2e of one good die, package left out: what `Die.raw_g` says over its yield (3D-Carbon, DAC 2024)."""
    die = Die(area_mm2=area_mm2, node_nm=node_nm, layers=layers, yield_share=yield_share)
    return die.raw_g(fab_g_per_kwh) / die.good
