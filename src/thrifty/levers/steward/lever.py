"""The lever as `assess` sees it: the same work in the greenest hours of its grid, and the same device kept for longer.

    in the greenest hours   operational carbon of a unit times (mean of each day's greenest hours / mean of all hours)
    kept longer             embodied carbon of a unit times (life / longer life)

The rest of a unit's price stays as the case has it, so that the estimate stands beside other levers' on one ground.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from thrifty.cost import Case
from thrifty.cost.carbon import CarbonModel
from thrifty.cost.carbon.series.library import region_of
from thrifty.errors import ThriftyError
from thrifty.footprint import Footprint
from thrifty.levers.contract import Estimate, Refusal
from thrifty.quantities import YEAR_S

HOURS: Final = (4, 8)
"""Device-hours of work a day that may wait within it."""
LONGER_YEARS: Final = 2.0
NEWER: Final = ("h200-sxm", "b200")
"""What a longer life is weighed against in the command that shows it: the first that is another device."""


@dataclass(frozen=True, slots=True)
class Steward:
    """When to run, and how long to keep the device."""

    name: str = "steward"

    def estimate(self, case: Case) -> Sequence[Estimate] | Refusal:
        """The shift to the greenest hours of a day where the site's grid is known by the hour, and a longer life of the device; most carbon saved first."""
        try:
            model = CarbonModel.of(case.device, case.site)
        except ThriftyError as error:
            return Refusal(self.name, str(error))
        before = case.per_unit
        found = [*self._shifts(case, model, before), *self._longer(case, model, before)]
        found = [each for each in found if (each.factor("carbon") or 0.0) > 1.01]
        if not found:
            return Refusal(self.name, f"the grid of {case.site.name} is known by its yearly average only, and making the device is a small part of a unit")
        return sorted(found, key=lambda e: -(e.factor("carbon") or 0.0))

    def _shifts(self, case: Case, model: CarbonModel, before: Footprint) -> list[Estimate]:
        region = region_of(case.site.name)
        if region is None:
            return []
        running, making = model.g_per_j * before.energy_j, model.g_per_s * before.time_s
        found = []
        for hours in HOURS:
            after = replace(before, carbon_gco2e=running * green_share(region, hours) + making)
            found.append(Estimate(
                lever=self.name, change=f"any hour → the greenest {hours} of each day", before=before, after=after, unit=case.job.unit,
                command=f'thrifty steward schedule --site {case.site.name} --job "name={case.job.name},power={max(1.0, before.energy_j / before.time_s):.0f} W,'
                f'duration={hours} h,release=2020-01-06T00:00,slack={24 - hours} h,every=day,times=300,interruptible"',
                caveat=f"work that can wait within its day, at most {hours} device-hours of it; hours of 2020, average of what is generated",
            ))  # fmt: skip
        return found

    def _longer(self, case: Case, model: CarbonModel, before: Footprint) -> list[Estimate]:
        years = model.life_s.mid / YEAR_S
        ratio = years / (years + LONGER_YEARS)
        after = replace(before, carbon_gco2e=model.g_per_j * before.energy_j + model.g_per_s * before.time_s * ratio)
        return [
            Estimate(
                lever=self.name, change=f"{case.device.name} kept {years:.3g} → {years + LONGER_YEARS:.3g} years", before=before, after=after,
                unit=case.job.unit, command=f"thrifty steward refresh --old {case.device.name} "
                f"--new {next(name for name in NEWER if name != case.device.name)} --site {case.site.name} --years {years + LONGER_YEARS:.0f}",
                caveat="in use as much of the time; a newer device would take less energy: see thrifty steward refresh",
            )
        ]  # fmt: skip


@functools.cache
def green_share(region: str, hours: int) -> float:
    """Mean intensity of each day's `hours` greenest hours over the mean of all; days with holes left out."""
    from thrifty.cost.carbon.series.grids import intensity_of_grid

    series = intensity_of_grid(region).series
    # Series begin an hour before local midnight: each 24 hours are a day, an hour early; daylight saving moves that by one more.
    whole = len(series) // 24 * 24
    days_D24 = series.values_T[:whole].reshape(-1, 24)
    days_D24 = days_D24[~np.isnan(days_D24).any(axis=1)]
    return float(np.sort(days_D24, axis=1)[:, :hours].mean() / days_D24.mean())


STEWARD: Final = Steward()
