"""Grams of CO2e a kilowatt-hour over time, by what they count. Different counts are different types, so that they cannot be added by mistake.

    direct     what power plants emit themselves         life-cycle  with their building, fuel supply and end of life
    production average of what is generated here         consumption with imports        residual  what no contract claims
    marginal   what one more kilowatt-hour would emit (estimated, never measured)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import ClassVar, Literal

import numpy as np

from thrifty.cost.carbon.series.series import Series
from thrifty.errors import BadValue

Boundary = Literal["direct", "life-cycle"]
Signal = Literal["production", "consumption", "residual", "marginal"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Intensity:
    """An intensity series of one kind. Use `DirectIntensity` or `LifeCycleIntensity`.

    series : gCO2e/kWh; flat: True where one yearly average stands for every step
    signal : what is averaged; estimated: True for one that a model inferred; source: key of a source
    notes  : what was mended or assumed on the way
    """

    boundary: ClassVar[Boundary]
    series: Series
    signal: Signal
    source: str
    flat: bool = False
    estimated: bool = False
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if type(self) is Intensity:
            raise BadValue("an intensity is direct or life-cycle. Use DirectIntensity or LifeCycleIntensity.")
        if self.series.unit != "gCO2e/kWh":
            raise BadValue(f"intensity {self.series.name} is in {self.series.unit}. Give gCO2e/kWh.")
        if np.nanmin(self.series.values_T, initial=0.0) < 0 and self.signal != "marginal":
            raise BadValue(f"intensity {self.series.name} falls below 0 gCO2e/kWh. Mend the series.")

    def must_match(self, other: Intensity) -> None:
        """Raises BadValue unless `other` counts the same: boundary and signal."""
        if (self.boundary, self.signal) != (other.boundary, other.signal):
            raise BadValue(
                f"{self.series.name} is {self.boundary}, {self.signal}; {other.series.name} is {other.boundary}, {other.signal}. "
                "They count different things: choose series of one kind."
            )

    def over(self, start: datetime, end: datetime, step_s: float) -> Series:
        """The series from `start` to `end` in steps of `step_s`; a flat one covers any time. Raises BadValue for uncovered time or holes."""
        start, end = start.astimezone(UTC), end.astimezone(UTC)  # differences of local times forget daylight saving
        if self.flat:
            count = round((end - start).total_seconds() / step_s)
            return replace(self.series, start=start, step_s=step_s, values_T=np.full(count, self.series.values_T[0]))
        return self.series.within(start, end).whole().stepped(step_s)


class DirectIntensity(Intensity):
    """What power plants emit themselves."""

    boundary = "direct"


class LifeCycleIntensity(Intensity):
    """With building the plants, supplying their fuel and taking them down."""

    boundary = "life-cycle"
