"""Rebound (Jevons): what gets cheaper is used more.

    demand after = demand * (unit cost after / unit cost before) ** -elasticity
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from thrifty.errors import BadValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebound:
    """demand: times the old one; carbon: all carbon after over before; eaten: share of the expected saving that growth takes (above 1: backfire);
    break_even: elasticity at which carbon is as before, None where cost does not change or carbon a unit does not fall with it"""

    elasticity: float
    demand: float
    carbon: float
    eaten: float
    break_even: float | None

    def to_dict(self) -> dict[str, float | None]:
        return {"elasticity": self.elasticity, "demand": self.demand, "carbon": self.carbon, "eaten": self.eaten, "break_even": self.break_even}


def rebound(cost_ratio: float, carbon_ratio: float, elasticity: float) -> Rebound:
    """Of a change that takes the cost of a unit and its carbon times these ratios. Raises BadValue for ratios of 0 or below or an elasticity below 0."""
    for name, value in (("cost_ratio", cost_ratio), ("carbon_ratio", carbon_ratio)):
        if not (math.isfinite(value) and value > 0):
            raise BadValue(f"{name}={value:g} cannot be. Give a finite ratio above 0.")
    if not (math.isfinite(elasticity) and elasticity >= 0):
        raise BadValue(f"elasticity={elasticity:g} cannot be. Give a finite number of at least 0.")
    demand = cost_ratio**-elasticity
    carbon = carbon_ratio * demand
    even = math.log(carbon_ratio) / math.log(cost_ratio) if abs(math.log(cost_ratio)) > 1e-12 else None
    eaten = (carbon - carbon_ratio) / (1 - carbon_ratio) if carbon_ratio != 1 else 0.0
    return Rebound(elasticity=elasticity, demand=demand, carbon=carbon, eaten=eaten, break_even=even if even is not None and even >= 0 else None)
