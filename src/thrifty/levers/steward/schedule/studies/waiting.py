""" "Let's Wait Awhile" (Wiesner et al., 2021) on grids that ship: nightly half-hours within a window, and a project's training runs.

Their series of 2020 (France, Great Britain, Germany, California, half-hourly) have no licence to ship; here the same rules run on EIA-930 of 2020, an
hour's value standing for both of its halves. So the rules are theirs and the numbers are this grid's: compare shapes, not decimals.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from thrifty.cost.carbon.series import Series
from thrifty.cost.carbon.series.grids import intensity_of_grid
from thrifty.levers.steward.schedule.asking.deadlines import deadline_by
from thrifty.levers.steward.schedule.temporal.windows import best_blocks, cheapest_slots

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
SLOT_S: Final = 1800.0
NIGHT_H: Final = 1
JOBS: Final = 3387
SHORTEST_H, LONGEST_H = 4, 90
PUBLISHED_NIGHTLY: Final = {"france": 0.076, "great britain": 0.102, "germany": 0.135}
"""Saving of nightly half-hours within ± 8 h on the paper's series."""


def half_hours(region: str) -> Series:
    """The year's intensity of a region in steps of 30 minutes; holes filled along a line."""
    return intensity_of_grid(region, fill="linear").series.stepped(SLOT_S)


def nightly_saving(series: Series, window_h: int) -> float:
    """Share saved when a half-hour of every night at 1:00 may run up to `window_h` earlier or later. Nights whose window leaves the series are left out."""
    _, hour_T = series.local()
    night = np.flatnonzero((hour_T == NIGHT_H) & (np.roll(hour_T, 1) != NIGHT_H))
    reach = round(window_h * 3600 / series.step_s)
    night = night[(night >= reach) & (night + reach < len(series))]
    _, best = best_blocks(series.values_T, night - reach, night + reach + 1, np.ones(len(night), dtype=np.int64))
    return float(1 - best.sum() / series.values_T[night].sum())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Runs:
    """Jobs on slots: release, length, and the deadline by each rule (a slot after the last)."""

    release_J: Ints
    length_J: Ints
    deadline_J: dict[str, Ints]


def project(series: Series, jobs: int = JOBS, seed: int = 0) -> Runs:
    """Training runs begun at random half-hours from 9:00 to 17:00 of workdays, 4 to 90 h long, and how long each may wait by either rule."""
    zone = ZoneInfo(series.zone)
    day_T, hour_T = series.local()
    weekday_T = (day_T + 3) % 7  # day 0 was a Thursday
    longest = round(LONGEST_H * 3600 / series.step_s)
    open_T = np.flatnonzero((weekday_T < 5) & (hour_T >= 9) & (hour_T < 17))
    open_T = open_T[open_T + longest + round(8 * 86400 / series.step_s) < len(series)]
    draw = np.random.default_rng(seed)
    release = np.sort(draw.choice(open_T, size=jobs))
    length = draw.integers(round(SHORTEST_H * 3600 / series.step_s), longest + 1, size=jobs)
    ends = [series.start + timedelta(seconds=float(slot) * series.step_s) for slot in release + length]
    rules = {rule: _slots(series, [deadline_by(rule, end, zone, "a run") for end in ends]) for rule in ("next-workday", "semi-weekly")}
    return Runs(release_J=release, length_J=length, deadline_J=rules)


def _slots(series: Series, moments: list[datetime]) -> Ints:
    return np.array([round((moment - series.start).total_seconds() / series.step_s) for moment in moments], dtype=np.int64)


def run_savings(truth_T: Floats, believed_T: Floats, runs: Runs) -> dict[str, float]:
    """Share saved by each rule, running through or pausing, when plans are made on `believed_T` and run on `truth_T`."""
    sums = np.concatenate(([0.0], np.cumsum(truth_T)))
    at_once = sums[runs.release_J + runs.length_J] - sums[runs.release_J]
    found = {}
    for rule, deadline_J in runs.deadline_J.items():
        start, _ = best_blocks(believed_T, runs.release_J, deadline_J, runs.length_J)
        found[f"{rule}, running through"] = float(1 - (sums[start + runs.length_J] - sums[start]).sum() / at_once.sum())
        _, slot_R, _ = cheapest_slots(believed_T, runs.release_J, deadline_J, runs.length_J)
        found[f"{rule}, pausing"] = float(1 - truth_T[slot_R].sum() / at_once.sum())
    return found
