"""How long a machine should serve where each year's new ones are better by the same step: a closed form."""

from __future__ import annotations

import math

from thrifty.errors import BadValue


def best_life_years(embodied_gco2e: float, operational_gco2e_per_year: float, gain_per_year: float) -> float:
    """The life that emits least a year, in years (a real number).

    A machine of age a emits gain·a of a year's operation more than one bought today, where gains are linear. Kept for L years, making and falling
    behind cost E / L + OP · gain · L / 2 a year, which is least at

        L* = √(2 E / (gain · OP))

    Without a gain or without operational carbon it is infinite: keep it until it breaks. Raises BadValue for negative or NaN numbers.
    """
    for name, value in (("embodied", embodied_gco2e), ("operational", operational_gco2e_per_year), ("gain", gain_per_year)):
        if not (math.isfinite(value) and value >= 0):
            raise BadValue(f"{name}={value} is below 0 or not a number. Give 0 or more.")
    if gain_per_year >= 1:
        raise BadValue(f"gain={gain_per_year} a year is 1 or more: machines would need no energy within a year. Give a share, e.g. 0.15.")
    falling = gain_per_year * operational_gco2e_per_year
    return math.sqrt(2 * embodied_gco2e / falling) if falling > 0 else math.inf


def yearly_excess(embodied_gco2e: float, operational_gco2e_per_year: float, gain_per_year: float, life_years: int) -> float:
    """Grams a year above a fleet that is new each year for free, of machines bought every `life_years` whole years: E / L + OP · gain · (L − 1) / 2."""
    if life_years < 1:
        raise BadValue(f"life_years={life_years} is below 1. Give whole years from 1 up.")
    return embodied_gco2e / life_years + operational_gco2e_per_year * gain_per_year * (life_years - 1) / 2
