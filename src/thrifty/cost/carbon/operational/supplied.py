"""The clean supply of one site over one period: rated powers times hourly shares, and a battery."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np

from thrifty.cost.carbon.series import Series, load_generation, load_weather, region_of, same_steps
from thrifty.cost.carbon.series.series import Floats
from thrifty.cost.carbon.supply import Battery
from thrifty.errors import BadValue
from thrifty.quantities import HOUR_S


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Supply:
    """Rated solar and wind power (MW), shares of it in each step, and a battery that starts at `start_share` of its capacity."""

    solar_mw: float
    wind_mw: float
    solar_share: Series
    wind_share: Series
    battery: Battery = field(default_factory=lambda: Battery.of(0.0))
    start_share: float = 0.0

    def __post_init__(self) -> None:
        same_steps(self.solar_share, self.wind_share)
        for name in ("solar_mw", "wind_mw"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise BadValue(f"{name}={getattr(self, name)} is not a finite power of at least 0 MW. Mend it.")
        if not 0 <= self.start_share <= 1:
            raise BadValue(f"start_share={self.start_share} is not between 0 and 1. Give the share of its capacity that the battery holds at the start.")

    def generated(self) -> tuple[Floats, Floats]:
        """(T,) MW of sun and of wind."""
        return self.solar_mw * self.solar_share.values_T, self.wind_mw * self.wind_share.values_T


def regional_shares(name: str) -> tuple[Series, Series]:
    """Solar and wind of a region with hourly generation over their own greatest hour, as Carbon Explorer takes them; negatives count as 0.

    The share is of the greatest hour seen, not of rated power, and a region's mean is smoother than one farm. Raises UnknownName, BadValue.
    """
    region = region_of(name)
    generation = load_generation(region or name)
    made = []
    for fuel in ("solar", "wind"):
        series = generation.of(fuel)
        values = np.maximum(series.values_T, 0.0)
        most = float(np.nanmax(values))
        if most <= 0:
            raise BadValue(f"{generation.name} states no {fuel} power. Use --weather with a place.")
        made.append(series.with_values(values / most, unit="dimensionless", name=f"{fuel} share of {generation.name}"))
    return made[0], made[1]


def weather_shares(place: str, like: Series) -> tuple[Series, Series]:
    """Solar and wind shares of rated power in the steps of `like`, from the typical year of `place`, which repeats in every year.

    A typical year has 365 days of standard time: 29 February takes the values of the 28th. Raises UnknownName; BadValue for steps that do not fit an hour.
    """
    weather = load_weather(place)
    if HOUR_S % like.step_s:
        raise BadValue(f"{like.name} has steps of {like.step_s:g} s, and weather is hourly. Use steps that an hour holds a whole number of.")
    first = like.start + timedelta(hours=weather.zone_h)
    hours = []
    for step in range(len(like)):
        moment = first + timedelta(seconds=like.step_s * step)
        day = moment.timetuple().tm_yday - 1
        leap = moment.year % 4 == 0 and (moment.year % 100 != 0 or moment.year % 400 == 0)
        hours.append((day - (1 if leap and day >= 59 else 0)) * 24 + moment.hour)
    at = np.array(hours)
    solar, wind = weather.solar_share_T[at], weather.wind_share_T[at]
    made = [like.with_values(each, unit="dimensionless", name=f"{what} share of {place}") for what, each in (("solar", solar), ("wind", wind))]
    return made[0], made[1]
