"""When to upgrade once, and which price of carbon would make the money agree (after CEO-DC, 2025)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from thrifty.levers.steward.refresh.fleets import Fleets, Sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """One upgrade at the start of `year` (None: never), and what the horizon comes to with it."""

    year: int | None
    sums: Sums


def upgrades(fleets: Fleets) -> tuple[Upgrade, ...]:
    """Every year in which to upgrade once, and never."""
    years = (*range(fleets.future.years), None)
    return tuple(Upgrade(year=year, sums=fleets.total(() if year is None else (year,))) for year in years)


def needed_carbon_price(fleets: Fleets, replaced: tuple[int, ...]) -> float | None:
    """USD a tonne from which the replacements cost no more than keeping the standing fleet; 0 where they never do; None where no price makes them.

    The cost of both is linear in the price of carbon, so two evaluations of each give the crossing.
    """

    def costs(plan: tuple[int, ...]) -> tuple[float, float]:
        free, priced = (replace(fleets, future=replace(fleets.future, carbon_usd_per_t=price)).total(plan).cost_usd for price in (0.0, 1.0))
        return free, priced - free

    (kept_usd, kept_slope), (new_usd, new_slope) = costs(()), costs(replaced)
    extra, saved = new_usd - kept_usd, kept_slope - new_slope
    if extra <= 0:
        return 0.0
    return extra / saved if saved > 0 else None
