"""How the carbon of making a machine is spread over the years that it serves: bills that add up to it, whatever the rule."""

from __future__ import annotations

import math
from typing import Final, Literal, get_args

from thrifty.errors import BadValue

Rule = Literal["linear", "sum-of-years", "declining"]
RULES: Final = get_args(Rule)


def yearly_shares(life_years: int, rule: Rule = "linear", *, decline: float = 2.0) -> tuple[float, ...]:
    """Shares of the making that each year of a life is billed, first year first; they add up to 1.

        linear        1 / L
        sum-of-years  (L − k) / (1 + 2 + … + L)                 the first year bears L times the last one's share
        declining     decline / L of what is still unbilled, or an even share over the years left once that is more

    The two others are front-loaded ("carbon depreciation", 2024-2026): work on new machines bears more, on old ones less, so that nobody is
    drawn to new machines by a flat bill. Raises BadValue for a life below one year, an unknown rule or a decline outside 1 to L.
    """
    if rule not in RULES:
        raise BadValue(f"rule='{rule}' is none of {', '.join(RULES)}. Choose one of them.")
    if life_years < 1 or life_years != int(life_years):
        raise BadValue(f"life_years={life_years} is no whole number from 1 up. Give the years that the machine serves.")
    years = int(life_years)
    if rule == "linear":
        return (1.0 / years,) * years
    if rule == "sum-of-years":
        return tuple((years - k) / (years * (years + 1) / 2) for k in range(years))
    if not (math.isfinite(decline) and 1 <= decline <= max(1, years)):
        raise BadValue(f"decline={decline} is not from 1 to the life of {years} years. Give e.g. 2, twice the linear share.")
    left, shares = 1.0, []
    for year in range(years):
        shares.append(left * max(decline / years, 1 / (years - year)))
        left -= shares[-1]
    return tuple(shares)
