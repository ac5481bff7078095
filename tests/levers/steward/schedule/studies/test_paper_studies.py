"""Published rules on grids that ship, each held against a loop of its own; the published numbers are of other grids and not gated."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from thrifty.levers.steward.schedule.forecasting import noisy
from thrifty.levers.steward.schedule.studies import amdahl, half_hours, nightly_saving, project, run_savings, scaling_savings


@pytest.mark.parametrize(("region", "saving"), [("eia-cal", 0.358), ("eia-ne", 0.033), ("eia-nw", 0.118)])
def test_nightly_half_hours_equal_a_loop_over_nights(region: str, saving: float) -> None:
    series = half_hours(region)
    zone = ZoneInfo(series.zone)
    best = at_once = 0.0
    for k in range(16, len(series) - 16):
        local = (series.start + timedelta(seconds=1800 * k)).astimezone(zone)
        if (local.hour, local.minute) == (1, 0) and local.fold == 0:
            at_once += series.values_T[k]
            best += series.values_T[k - 16 : k + 17].min()
    assert nightly_saving(series, 8) == pytest.approx(1 - best / at_once, rel=1e-12)
    assert nightly_saving(series, 8) == pytest.approx(saving, abs=0.0006)
    assert 0 < nightly_saving(series, 2) < nightly_saving(series, 4) < nightly_saving(series, 8)


def test_shuffled_hours_change_what_waiting_saves() -> None:
    series = half_hours("eia-cal")
    shuffled = series.with_values(np.random.default_rng(0).permutation(series.values_T))
    assert shuffled.values_T.mean() == pytest.approx(series.values_T.mean())
    assert nightly_saving(shuffled, 8) > nightly_saving(series, 8) + 0.1


def test_training_runs_wait_by_the_rules() -> None:
    series = half_hours("eia-cal")
    runs = project(series)
    zone = ZoneInfo(series.zone)
    assert len(runs.release_J) == 3387
    for j in range(0, 3387, 97):
        release, end = (series.start + timedelta(seconds=1800 * int(s)) for s in (runs.release_J[j], runs.release_J[j] + runs.length_J[j]))
        local = release.astimezone(zone)
        assert local.weekday() < 5 and 9 <= local.hour < 17
        assert 8 <= runs.length_J[j] <= 180
        ends = end.astimezone(zone)
        due = (series.start + timedelta(seconds=1800 * int(runs.deadline_J["next-workday"][j]))).astimezone(zone)
        working = ends.weekday() < 5 and 9 * 60 <= ends.hour * 60 + ends.minute <= 17 * 60
        assert due == ends if working else (due.weekday() < 5 and (due.hour, due.minute) == (9, 0) and due > ends)
        due = (series.start + timedelta(seconds=1800 * int(runs.deadline_J["semi-weekly"][j]))).astimezone(zone)
        assert due.weekday() in (0, 3) and (due.hour, due.minute) == (9, 0) and due >= ends
    saved = run_savings(series.values_T, series.values_T, runs)
    assert saved["next-workday, running through"] < saved["next-workday, pausing"] < saved["semi-weekly, pausing"]
    for error in (0.05, 0.1):
        wrong = run_savings(series.values_T, noisy(series.values_T[None], error, 0)[0], runs)
        assert all(wrong[name] <= saved[name] + 1e-12 for name in saved)


def test_scaling_saves_against_every_policy_and_most_against_the_agnostic() -> None:
    hourly = half_hours("eia-cal").values_T[::2]
    found = scaling_savings(hourly, slack=1.5)
    assert found["agnostic"] > found["suspend-resume"] > found["best static"] > 0
    assert amdahl(0.0).tolist() == pytest.approx([1.0] * 8)
    assert np.cumsum(amdahl(0.1))[3] == pytest.approx(4 / 1.3)
