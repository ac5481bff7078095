"""Where and when a job's electricity comes from: a site's yearly average, or its grid hour by hour from a start."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from thrifty.cost.carbon.series import Intensity, Series
from thrifty.errors import BadValue, UnknownName
from thrifty.hardware import Site, load_site
from thrifty.quantities import HOUR_S, J_PER_KWH


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A site, and where the hour counts the intensity of its grid from `start`."""

    site: Site
    start: datetime | None = None
    grid: Intensity | None = None

    @classmethod
    def of(cls, site: Site | str, start: str = "", pue: float | None = None) -> Place:
        """start: an instant such as 2020-06-01T00:00-08:00, "" for the yearly average; without an offset it is local time of the grid. pue: None: the site's.

        Raises UnknownName for a site; BadValue for a PUE below 1, for a start that is none, or of a site whose hours nobody ships.
        """
        place = load_site(site) if isinstance(site, str) else site
        if pue is not None:
            if not (math.isfinite(pue) and pue >= 1):
                raise BadValue(f"pue={pue} is below 1. A building draws at least what its machines draw.")
            place = replace(place, pue=pue)
        if not start:
            return cls(site=place)
        grid = hourly_grid(place)
        if grid is None:
            raise BadValue(f"site '{place.name}' has no grid by the hour, so start={start} says nothing. Leave it out, or choose us-california or us-oregon.")
        return cls(site=place, start=_instant(start, grid.series), grid=grid)

    def mean_g_per_kwh(self, time_s: float) -> float:
        """Intensity over the `time_s` from the start, each hour by its part; the yearly average without a start.

        Raises BadValue where the job runs beyond the series.
        """
        if self.grid is None or self.start is None:
            return self.site.intensity_gco2e_per_kwh
        return mean_over(self.grid.series, self.start, time_s)

    def operational_g(self, energy_j: float, time_s: float) -> float:
        """Grams of `energy_j` that machines draw evenly over `time_s`: energy × PUE × intensity."""
        return energy_j / J_PER_KWH * self.site.pue * self.mean_g_per_kwh(time_s)

    def hours(self, time_s: float) -> tuple[npt.NDArray[np.datetime64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Of a job of `time_s`: (H,) hours in UTC, (H,) the part of each that it runs, (H,) gCO2e/kWh in it.

        Raises BadValue without a start, or for a grid in other steps.
        """
        if self.grid is None or self.start is None or self.grid.series.step_s != HOUR_S:
            raise BadValue("the grid is not known hour by hour. Give a start, and a site with such a grid.")
        series = self.grid.series
        low, part, values = _steps(series, self.start, time_s)
        first = np.datetime64(series.start.replace(tzinfo=None), "h") + low
        return first + np.arange(len(part)), part, values

    @property
    def scope(self) -> str:
        """What the intensity counts: direct or life-cycle."""
        return self.site.intensity_scope if self.grid is None else self.grid.boundary

    @property
    def said(self) -> str:
        """Which intensity was taken, as a reader would say it."""
        if self.grid is None or self.start is None:
            return f"average of {self.site.year} of {self.site.title}, {self.scope}"
        return f"{self.grid.series.name} by the hour from {self.start:%Y-%m-%d %H:%M}Z, {self.scope}"


def hourly_grid(site: Site | str) -> Intensity | None:
    """The grid of a site by the hour where it ships, None where only a yearly average is known."""
    from thrifty.cost.carbon.series.grids import intensity_of_grid

    try:
        grid = intensity_of_grid(site, boundary=None)
    except UnknownName:  # a site of the user's own, or one that states no mix
        return None
    return None if grid.flat else grid


def mean_over(series: Series, start: datetime, time_s: float) -> float:
    """Mean of `series` over [start, start + time_s), each step by the part of it that lies inside. Raises BadValue beyond its ends, or over a hole."""
    _, part, values = _steps(series, start, time_s)
    return float(part @ values / part.sum())


def _steps(series: Series, start: datetime, time_s: float) -> tuple[int, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The first step, the part of each that lies inside, and the value in each."""
    if not (math.isfinite(time_s) and time_s > 0):
        raise BadValue(f"a job of {time_s} s takes no time. Give one above 0.")
    first = (start - series.start) / timedelta(seconds=series.step_s)
    last = first + time_s / series.step_s
    if first < 0 or last > len(series):
        raise BadValue(
            f"{series.name} runs from {series.start:%Y-%m-%d %H:%MZ} to {series.end:%Y-%m-%d %H:%MZ}; a job of {time_s / 3600:.4g} h from "
            f"{start:%Y-%m-%d %H:%MZ} leaves it. Start inside, or leave start out for the yearly average."
        )
    low, high = math.floor(first), math.ceil(last)
    part = np.ones(high - low)
    part[0] -= first - low
    part[-1] -= high - last
    values = series.values_T[low:high]
    if np.isnan(values[part > 0]).any():
        raise BadValue(f"{series.name} has a step without a value while the job runs. Start at another time.")
    return low, part, np.nan_to_num(values)


def _instant(text: str, series: Series) -> datetime:
    from thrifty.cost.carbon.series.series import time_zone

    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadValue(f"start='{text}' is no instant. Write e.g. 2020-06-01T00:00-08:00.") from error
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=time_zone(series.zone))).astimezone(UTC)
