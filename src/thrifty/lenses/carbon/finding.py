"""What the carbon lens sees of a case: running against making, who disagrees about making, hours of the day, and when one outweighs the other."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from thrifty.cost import Case
from thrifty.cost.carbon import CarbonModel
from thrifty.footprint import Interval
from thrifty.lenses.carbon.ledger import Ledger
from thrifty.lenses.carbon.workloads.places import hourly_grid
from thrifty.quantities import J_PER_KWH, YEAR_S
from thrifty.report import Block, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class HoursOfDay:
    """A grid's mean intensity by local hour of the day, over all that the series covers.

    g_per_kwh_H : 24 means; name: of the series; scope: direct or life-cycle; years: that it covers
    """

    g_per_kwh_H: tuple[float, ...]
    name: str
    scope: str
    years: str

    @property
    def least(self) -> int:
        """The hour with the lowest mean."""
        return int(np.argmin(self.g_per_kwh_H))

    @property
    def most(self) -> int:
        return int(np.argmax(self.g_per_kwh_H))

    def to_dict(self) -> dict[str, Any]:
        return {"g_per_kwh": list(self.g_per_kwh_H), "series": self.name, "scope": self.scope, "years": self.years, "least": self.least, "most": self.most}


@functools.lru_cache(maxsize=16)
def hours_of_day(site_name: str) -> HoursOfDay | None:
    """Of a site of the catalogue; None where its grid is known by the year only."""
    grid = hourly_grid(site_name)
    if grid is None:
        return None
    series = grid.series
    _, hour_T = series.local()
    known = ~np.isnan(series.values_T)
    total = np.bincount(hour_T[known], weights=series.values_T[known], minlength=24)
    mean = total / np.maximum(np.bincount(hour_T[known], minlength=24), 1)
    return HoursOfDay(g_per_kwh_H=tuple(mean.tolist()), name=series.name, scope=grid.boundary, years=f"{series.start:%Y-%m-%d} to {series.end:%Y-%m-%d}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CarbonFinding:
    """A case, seen. All grams are of the whole job.

    operational_gco2e, embodied_gco2e : of running it, and the share of having made the device
    making, by_model : grams of making one device, by part as an interval, and what each public model says of a part
    power_w     : mean over the job
    equal_years : of such work around the clock until running has emitted as much as making did; None on a grid without carbon
    equal_g_per_kwh : intensity at which running for the whole service life emits as much as making
    hours       : of the site's grid, None where only a yearly average is known
    """

    case: Case
    operational_gco2e: float
    embodied_gco2e: Interval
    making: Mapping[str, Interval]
    by_model: Mapping[str, Mapping[str, float]]
    power_w: float
    equal_years: Interval | None
    equal_g_per_kwh: Interval
    hours: HoursOfDay | None
    notes: tuple[str, ...]

    @classmethod
    def of(cls, case: Case) -> CarbonFinding:
        """Look at `case`; nothing runs."""
        carbon, foot, site = CarbonModel.of(case.device, case.site), case.footprint, case.site
        made, power_w = carbon.embodied, foot.energy_j / foot.time_s
        total, g_per_s = made.total_gco2e, carbon.g_per_j.mid * power_w
        years = None if g_per_s <= 0 else Interval(total.low / g_per_s / YEAR_S, total.mid / g_per_s / YEAR_S, total.high / g_per_s / YEAR_S)
        kwh_per_s, life = power_w * site.pue / J_PER_KWH, carbon.life_s
        equal = Interval(total.low / life.high / kwh_per_s, total.mid / life.mid / kwh_per_s, total.high / life.low / kwh_per_s)
        return cls(
            case=case, operational_gco2e=carbon.g_per_j.mid * foot.energy_j, embodied_gco2e=carbon.g_per_s * foot.time_s,
            making={"die": made.die_gco2e, "package": made.package_gco2e, "memory": made.memory_gco2e, "board": made.board_gco2e}, by_model=made.models,
            power_w=power_w, equal_years=years, equal_g_per_kwh=equal, hours=hours_of_day(site.name), notes=carbon.notes,
        )  # fmt: skip

    @property
    def making_gco2e(self) -> Interval:
        """Of one device."""
        return functools.reduce(lambda one, other: one + other, self.making.values())

    @property
    def embodied_share(self) -> Interval:
        """Share of making in all carbon of the job."""
        e, o = self.embodied_gco2e, self.operational_gco2e
        return Interval(*(end / (end + o) if end + o else 0.0 for end in (e.low, e.mid, e.high)))

    def by_hour(self) -> list[float]:
        """Grams of running one unit in each hour of the day; empty where hours are not known."""
        kwh = self.case.footprint.energy_j / J_PER_KWH * self.case.site.pue / self.case.job.units
        return [] if self.hours is None else [kwh * intensity for intensity in self.hours.g_per_kwh_H]

    def disagreement(self, part: str) -> float | None:
        """Most over least that public models say of a part; None where fewer than two say something."""
        said = [value for value in self.by_model.get(part, {}).values() if value > 0]
        return max(said) / min(said) if len(said) > 1 else None

    def ledger(self) -> Ledger:
        """Rows of the whole job: electricity as scope 2 by location, making as scope 3, part by part at the middle of its interval."""
        whole = self.making_gco2e.mid
        rows: list[dict[str, Any]] = [
            {"asset": self.case.device.name, "phase": "use", "scope": 2, "method": "location", "carbon_gco2e": self.operational_gco2e}
        ]
        rows += [
            {"asset": f"{self.case.device.name}: {part}", "phase": "manufacture", "scope": 3, "carbon_gco2e": self.embodied_gco2e.mid * made.mid / whole}
            for part, made in self.making.items() if whole and made.mid
        ]  # fmt: skip
        return Ledger.of(rows)

    def to_dict(self) -> dict[str, Any]:
        units = self.case.job.units
        return {
            "truth": "modelled", "device": self.case.device.name, "site": self.case.site.name, "unit": self.case.job.unit, "units": units,
            "operational_gco2e": self.operational_gco2e, "embodied_gco2e": self.embodied_gco2e.to_dict(), "embodied_share": self.embodied_share.to_dict(),
            "per_unit": {"operational_gco2e": self.operational_gco2e / units, "embodied_gco2e": (self.embodied_gco2e * (1 / units)).to_dict()},
            "making_gco2e": {part: made.to_dict() for part, made in self.making.items()},
            "by_model_gco2e": {part: dict(models) for part, models in self.by_model.items()}, "power_w": self.power_w,
            "equal_after_years": None if self.equal_years is None else self.equal_years.to_dict(), "equal_at_g_per_kwh": self.equal_g_per_kwh.to_dict(),
            "intensity": {"g_per_kwh": self.case.site.intensity_gco2e_per_kwh, "scope": self.case.site.intensity_scope, "year": self.case.site.year},
            "hours": None if self.hours is None else self.hours.to_dict(), "ledger": self.ledger().rows(), "notes": list(self.notes),
        }  # fmt: skip

    def sections(self) -> Sequence[Section]:
        from thrifty.lenses.carbon.pages.finding import sections_of

        return sections_of(self)

    def brief(self) -> Sequence[Block]:
        from thrifty.lenses.carbon.pages.finding import brief_of

        return brief_of(self)
