"""Old machines and the new ones that would do their work: counts, watts, and when the making of the new is paid back."""

from __future__ import annotations

import math
from dataclasses import dataclass

from thrifty.errors import BadValue
from thrifty.footprint import Interval
from thrifty.quantities import HOURS_PER_YEAR


def break_even_h(
    new_gco2e: float, intensity_gco2e_per_kwh: float, pue: float, old_w: float, new_w: float, *, old_count: float = 1.0, new_count: float = 1.0
) -> float:  # fmt: skip
    """Hours of use after which `new_count` new machines have saved what making them emitted; infinite where they never do.

        t* = m · E_new / (intensity · PUE · (k · P_old − m · P_new) / 1000)

    What making the old machines emitted is spent whatever is decided, and stands nowhere here (Sunk Carbon Fallacy, 2024).
    new_gco2e: of making one new machine; old_w, new_w: of one machine at its load. Raises BadValue for numbers that cannot be.
    """
    for name, value in (("new_gco2e", new_gco2e), ("intensity", intensity_gco2e_per_kwh), ("old_w", old_w), ("new_w", new_w)):
        if not (math.isfinite(value) and value >= 0):
            raise BadValue(f"{name}={value} is below 0 or not a number. Give 0 or more.")
    for name, value in (("old_count", old_count), ("new_count", new_count)):
        if not (math.isfinite(value) and value > 0):
            raise BadValue(f"{name}={value} is not above 0. Give how many machines there are.")
    if not (math.isfinite(pue) and pue >= 1):
        raise BadValue(f"pue={pue} is below 1. A building draws at least what its machines draw.")
    saved_w = old_count * old_w - new_count * new_w
    saved_g_per_h = intensity_gco2e_per_kwh * pue * saved_w / 1000
    if saved_g_per_h <= 0:
        return math.inf
    return new_count * new_gco2e / saved_g_per_h


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """One unit of work, done by `old_count` old machines or by `new_count` new ones.

    old_w, new_w : watts of one machine at its load
    old_gco2e, new_gco2e : of making one; the old one's counts only for machines still to be bought (growth, failures)
    old_usd, new_usd : price of one; None where nobody says
    ratio, ratio_ground : work of a new machine over that of an old one, and who says so
    """

    old: str
    new: str
    old_count: float
    new_count: float
    old_w: float
    new_w: float
    old_gco2e: Interval
    new_gco2e: Interval
    ratio: float
    ratio_ground: str
    old_usd: float | None = None
    new_usd: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def old_power_w(self) -> float:
        return self.old_count * self.old_w

    @property
    def new_power_w(self) -> float:
        return self.new_count * self.new_w

    def break_even_years(self, intensity_gco2e_per_kwh: float, pue: float) -> tuple[float, float, float]:
        """Years to pay back for the low, middle and high estimate of making the new machines; infinite where they never do."""
        low, mid, high = (
            break_even_h(
                end, intensity_gco2e_per_kwh, pue, self.old_w, self.new_w, old_count=self.old_count, new_count=self.new_count
            ) / HOURS_PER_YEAR
            for end in (self.new_gco2e.low, self.new_gco2e.mid, self.new_gco2e.high)
        )  # fmt: skip
        return low, mid, high

    def paying_intensity(self, years: float, pue: float) -> tuple[float, float, float]:
        """gCO2e/kWh above which new machines pay back within `years`, for the low, middle and high estimate of making them; infinite where never.

        Over `years` this is the boundary between longer life and new efficient machines. Raises BadValue for years not above 0.
        """
        if not (math.isfinite(years) and years > 0):
            raise BadValue(f"years={years} is not above 0. Give how long the new machines would serve.")
        saved_kwh = (self.old_power_w - self.new_power_w) / 1000 * pue * years * HOURS_PER_YEAR
        ends = (self.new_gco2e.low, self.new_gco2e.mid, self.new_gco2e.high)
        low, mid, high = (self.new_count * end / saved_kwh if saved_kwh > 0 else math.inf for end in ends)
        return low, mid, high
