"""Carbon of a die with all of its uncertainty, whole or cut into chiplets: what CarbonClarity (2025) asks of a node.

    CPA = (CI · EPA · e + gas + MPA · m) / Y(A),     Y = (1 + A · D0 · d / α)^−α

CI, e, m, d as in uncertainty.toml, gas anywhere between the tables of 95 and 99 % abatement, all dies of one fab at once. Chiplets share the fab and
the density of defects; each bond must hold, and an area is added for the links between them. No package: see `embodied.chiplets` for those.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from thrifty.cost.carbon.factors import Distribution, load_pack
from thrifty.cost.carbon.uncertainty.drawing import Draws, Summary, draw
from thrifty.cost.carbon.uncertainty.inputs import Inputs, Values, Variable
from thrifty.cost.carbon.uncertainty.points import Method
from thrifty.errors import BadValue, unknown_name
from thrifty.quantities import positive_int

MM2_PER_CM2 = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DieCarbon:
    """Of one product of `area_mm2`: `whole` as one die, `cut` as `chiplets`; gCO2e; `draws` has outputs "per_cm2", "whole" and "cut"."""

    per_cm2: Summary
    whole: Summary
    cut: Summary
    draws: Draws

    @property
    def p95_over_mean(self) -> float:
        return self.per_cm2.p95 / self.per_cm2.mean

    @property
    def p95_saved(self) -> float:
        """By how much cutting lowers the value that 95 % of cases stay below, as a share of it."""
        return 1 - self.cut.p95 / self.whole.p95


def die_inputs(node_nm: float) -> Inputs:
    """What is uncertain of a wafer at a node that the tables have. Raises UnknownName for another, BadValue for what is no node."""
    if not node_nm > 0:
        raise BadValue(f"node_nm={node_nm:g} is not above 0. Give the node in nanometres, e.g. 7.")
    pack = load_pack()
    known = [name for name in pack.under("logic:act.epa") if name in pack.under("chiplets:defects")]
    row = f"n{node_nm:g}"
    if row not in known:
        raise unknown_name("node", row, known, "thrifty carbon factors logic:act.epa")

    def spread(name: str, unit: str, by: float, dimension: str = "ratio") -> Variable:
        return Variable(name=name, distribution=pack.factor(f"uncertainty:silicon.{name}").spread(dimension).scaled(by), unit=unit)

    high, low = (pack.get(f"logic:act.gpa{share}.{row}", "carbon_per_area") for share in (95, 99))
    return Inputs(variables=(
        spread("energy", "kWh/cm**2", pack.get(f"logic:act.epa.{row}", "energy_per_area")),
        spread("materials", "gCO2e/cm**2", pack.get("logic:act.mpa", "carbon_per_area")),
        spread("intensity", "gCO2e/kWh", 1.0, "carbon_per_energy"),
        spread("defects", "1/mm**2", pack.get(f"chiplets:defects.{row}", "count_per_area")),
        spread("bonds", "dimensionless", pack.get("chiplets:bonding_yield.bump_d2w", "ratio")),
        Variable(name="gas", distribution=Distribution("uniform", (low, high)), unit="gCO2e/cm**2"),
    ))  # fmt: skip


def die_carbon(
    area_mm2: float, node_nm: float, *, chiplets: int = 4, links: float = 0.0, samples: int = 2**16, method: Method = "sobol", seed: int = 0
) -> DieCarbon:  # fmt: skip
    """Carbon of a die and of as many chiplets as do its work, each with `links` (a share of its area) for talking to the others.

    Raises BadValue for an area or links that are no finite number above (at) 0, fewer than 1 chiplet, UnknownName for a node that the tables lack.
    """
    if not (np.isfinite(area_mm2) and area_mm2 > 0):
        raise BadValue(f"area_mm2={area_mm2:g} is not above 0. Give the area of the die, e.g. 826.")
    if not (np.isfinite(links) and links >= 0):
        raise BadValue(f"links={links:g} is below 0. Give the share of area that links add, e.g. 0.05.")
    count = positive_int("chiplets", chiplets)
    alpha = load_pack().get("chiplets:clustering.die", "ratio")
    inputs = die_inputs(node_nm)

    def model(v: Values) -> dict[str, Any]:
        wafer = v["intensity"] * v["energy"] + v["gas"] + v["materials"]
        each_mm2 = area_mm2 / count * (1 + links)
        bonded = np.minimum(v["bonds"], 1.0) ** count if count > 1 else 1.0
        per_cm2 = wafer / good_share(area_mm2, v["defects"], alpha)
        cut = count * wafer / good_share(each_mm2, v["defects"], alpha) * (each_mm2 / MM2_PER_CM2) / bonded
        return {"per_cm2": per_cm2, "whole": per_cm2 * (area_mm2 / MM2_PER_CM2), "cut": cut}

    drawn = draw(model, inputs, samples, method=method, seed=seed)
    return DieCarbon(per_cm2=drawn.summary("per_cm2"), whole=drawn.summary("whole"), cut=drawn.summary("cut"), draws=drawn)


def good_share(area_mm2: Any, defects_per_mm2: Any, clustering: float) -> Any:
    """Yield by the negative binomial: (1 + A · D0 / α)^−α (3D-Carbon)."""
    return (1 + area_mm2 * defects_per_mm2 / clustering) ** -clustering
