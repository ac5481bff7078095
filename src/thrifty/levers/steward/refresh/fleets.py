"""When to replace a whole fleet, year by year: dynamic programming over every sequence of replacements.

A fleet is of one kind. Bought in year v it serves until year w, when all of it is replaced by the kind that is sold then:

    c(v, w) = E(v) · D(v)                                            making (or buying) it
            + Σ_{v<y<w} E(v) · max(0, D(y) − D(y−1))                 what a growing demand adds, of the same kind
            + Σ_{v≤y<w} E(v) · D(y) · (H(y+1−v) − H(y−v))            what fails and is made again, H(a) = (a / scale)^shape
            + Σ_{v≤y<w} D(y) · P(v) · hours · PUE · intensity(y)     running it

    best(v) = min_w c(v, w) + best(w),   best(horizon) = 0

The fleet that stands at the start has no making of its own any more, only what is added to it. Demand D is in units of today's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.quantities import HOURS_PER_YEAR, J_PER_KWH

Floats = npt.NDArray[np.float64]
Gain = Literal["linear", "compound"]
MOST_YEARS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Future:
    """What the years bring.

    years    : of the horizon
    gain     : share by which energy of one unit of work falls from each year's machines to the next; `gains`: of the first year's ("linear") or
               of the year before's ("compound"); making_gain: the same for making them
    growth   : of demand, a year; grid_decline: of the grid's intensity, a year
    failures : (shape, scale in years) of a Weibull process, None: nothing fails. A repaired fleet is as old as before.
    carbon_usd_per_t, carbon_rise : price of carbon now, and its growth a year
    age_years : of the fleet that stands
    """

    years: int
    gain: float = 0.0
    gains: Gain = "compound"
    making_gain: float = 0.0
    growth: float = 0.0
    grid_decline: float = 0.0
    failures: tuple[float, float] | None = None
    carbon_usd_per_t: float = 0.0
    carbon_rise: float = 0.0
    age_years: float = 0.0

    def __post_init__(self) -> None:
        if isinstance(self.years, bool) or self.years != int(self.years) or self.years < 1:
            raise BadValue(f"years={self.years} is no whole number from 1 up. Give how many years are planned.")
        if self.years > MOST_YEARS:
            raise BadValue(f"years={self.years} is above {MOST_YEARS}: nobody knows machines that far ahead. Give fewer years.")
        for name, low, high in (("gain", 0, 1), ("making_gain", -1, 1), ("grid_decline", -1, 1), ("growth", -1, 10), ("carbon_rise", -1, 10)):
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value < high and value > -1):
                raise BadValue(f"{name}={value} a year is no share from {low} to below {high}. Give e.g. 0.1 for ten per cent.")
        for name in ("carbon_usd_per_t", "age_years"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise BadValue(f"{name}={getattr(self, name)} is below 0 or not a number. Give 0 or more.")
        if self.failures is not None and not all(math.isfinite(x) and x > 0 for x in self.failures):
            raise BadValue(f"failures={self.failures} is no Weibull law. Give shape and scale in years above 0, e.g. 1.5,12.")
        if self.gains == "linear" and self.gain * (self.years - 1) >= 1:
            raise BadValue(f"a linear gain of {self.gain:g} a year leaves no energy after {1 / self.gain:.1f} years. Give fewer years or a compound gain.")

    def frontier(self, year: int) -> float:
        """Energy of one unit of work by machines sold in `year`, over today's."""
        return 1 - self.gain * year if self.gains == "linear" else (1 - self.gain) ** year

    def demand(self, year: int) -> float:
        return float((1 + self.growth) ** year)

    def failing(self, age_years: float) -> float:
        """Share of a fleet of this age that fails within the year that begins."""
        if self.failures is None:
            return 0.0
        shape, scale = self.failures
        return float(((age_years + 1) / scale) ** shape - (age_years / scale) ** shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Machines for today's demand: what making them emits and costs, and the watts that they draw at the plug (PUE apart)."""

    making_gco2e: float
    power_w: float
    making_usd: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What a fleet's years come to."""

    making_gco2e: float = 0.0
    running_gco2e: float = 0.0
    energy_j: float = 0.0
    cost_usd: float = 0.0

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            making_gco2e=self.making_gco2e + other.making_gco2e, running_gco2e=self.running_gco2e + other.running_gco2e,
            energy_j=self.energy_j + other.energy_j, cost_usd=self.cost_usd + other.cost_usd,
        )  # fmt: skip

    @property
    def carbon_gco2e(self) -> float:
        return self.making_gco2e + self.running_gco2e


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleets:
    """The standing fleet, what is sold today, and the place. price_usd_per_kwh: of electricity."""

    standing: Kind
    sold: Kind
    future: Future
    intensity_gco2e_per_kwh: float
    pue: float
    price_usd_per_kwh: float = 0.0

    def serving(self, bought: int, until: int) -> Sums:
        """A fleet bought in year `bought` (−1: the one that stands) that serves until `until`."""
        return self.serving_each(bought, until)[-1]

    def serving_each(self, bought: int, until: int) -> list[Sums]:
        """What a fleet comes to by the start of its first year, its second, ... and `until`."""
        f = self.future
        kind, first = (self.standing, 0) if bought < 0 else (self.sold, bought)
        vintage, making_by = (1.0, 1.0) if bought < 0 else (f.frontier(bought), (1 - f.making_gain) ** bought)
        by_year = [Sums()]
        for year in range(first, until):
            age = year - bought if bought >= 0 else f.age_years + year
            added = f.demand(year) * f.failing(age)
            if year > first:
                added += max(0.0, f.demand(year) - f.demand(year - 1))
            elif bought >= 0:
                added += f.demand(year)
            energy_kwh = f.demand(year) * kind.power_w * vintage * HOURS_PER_YEAR / 1000 * self.pue
            running = energy_kwh * self.intensity_gco2e_per_kwh * (1 - f.grid_decline) ** year
            making = added * kind.making_gco2e * making_by
            price = f.carbon_usd_per_t * (1 + f.carbon_rise) ** year / 1e6
            usd = added * kind.making_usd * making_by + energy_kwh * self.price_usd_per_kwh + (running + making) * price
            by_year.append(by_year[-1] + Sums(making_gco2e=making, running_gco2e=running, energy_j=energy_kwh * J_PER_KWH, cost_usd=usd))
        return by_year

    def total(self, replaced: tuple[int, ...]) -> Sums:
        """Everything over the horizon, with replacements at the starts of the years `replaced` (ascending, from 0)."""
        if list(replaced) != sorted(set(replaced)) or (replaced and not 0 <= replaced[0] <= replaced[-1] < self.future.years):
            raise BadValue(f"replacements in years {replaced} do not ascend within 0 to {self.future.years - 1}. Mend them.")
        starts, ends = (-1, *replaced), (*replaced, self.future.years)
        total = Sums()
        for bought, until in zip(starts, ends, strict=True):
            total += self.serving(bought, until)
        return total


def best_replacements(fleets: Fleets, objective: Literal["carbon", "cost"] = "carbon", *, longest_years: int = 0) -> tuple[int, ...]:
    """The years in which to replace the whole fleet so that the horizon's carbon (or cost) is least; empty where keeping it is best.

    longest_years: no fleet may serve longer, 0 for no limit. Exact: dynamic programming over all sequences. Raises BadValue for an objective unknown.
    """
    if objective not in ("carbon", "cost"):
        raise BadValue(f"objective='{objective}' is none of carbon, cost. Choose one of them.")
    if longest_years < 0:
        raise BadValue(f"longest_years={longest_years} is below 0. Give the most years a machine may serve, or 0 for no limit.")
    years = fleets.future.years
    best, following = [0.0] * (years + 1), [years] * (years + 1)

    def cheapest(bought: int) -> tuple[float, int]:
        first, age = (bought, 0.0) if bought >= 0 else (0, fleets.future.age_years)
        found: list[tuple[float, int]] = []
        for until, sums in enumerate(fleets.serving_each(bought, years), start=first):
            if until > bought:
                weight = sums.carbon_gco2e if objective == "carbon" else sums.cost_usd
                found.append((math.inf if longest_years and until - first + age > longest_years else weight + best[until], until))
        # Of equal totals the later replacement is taken: what need not be made is not made.
        return min(found, key=lambda pair: (pair[0], -pair[1]))

    for bought in range(years - 1, -1, -1):
        best[bought], following[bought] = cheapest(bought)
    least, at = cheapest(-1)
    if not math.isfinite(least):
        age = fleets.future.age_years
        raise BadValue(f"no plan keeps machines for at most {longest_years} years: the standing fleet is {age:g} years old. Raise the limit.")
    chosen: list[int] = []
    while at < years:
        chosen.append(at)
        at = following[at]
    return tuple(chosen)
