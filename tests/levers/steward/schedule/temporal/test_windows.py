"""The best slots against plain loops over everything."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.levers.steward.schedule.problems import job, place, problem

from thrifty.levers.steward.schedule.temporal import windows
from thrifty.levers.steward.schedule.temporal.alone import at_release, plan_alone
from thrifty.levers.steward.schedule.temporal.windows import best_blocks, cheapest_slots


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rate = np.array(draw(st.lists(st.integers(0, 9), min_size=3, max_size=14)), dtype=float)
    jobs = []
    for _ in range(draw(st.integers(1, 5))):
        first = draw(st.integers(0, len(rate) - 1))
        last = draw(st.integers(first + 1, len(rate)))
        jobs.append((first, last, draw(st.integers(1, last - first))))
    return rate, *(np.array(column, dtype=np.int64) for column in zip(*jobs, strict=True))


@settings(max_examples=150, deadline=None)
@given(cases())
def test_property_blocks_are_the_least_of_all_windows_and_the_earliest(case: tuple[np.ndarray, ...]) -> None:
    rate, first, last, length = case
    start, total = best_blocks(rate, first, last, length)
    for j in range(len(first)):
        sums = {s: rate[s : s + length[j]].sum() for s in range(first[j], last[j] - length[j] + 1)}
        assert total[j] == pytest.approx(min(sums.values()))
        assert start[j] == min(s for s, value in sums.items() if value == min(sums.values()))


@settings(max_examples=100, deadline=None)
@given(cases())
def test_property_slots_are_the_least_of_all_subsets(case: tuple[np.ndarray, ...]) -> None:
    rate, first, last, length = case
    job_R, slot_R, total = cheapest_slots(rate, first, last, length)
    for j in range(len(first)):
        mine = slot_R[job_R == j]
        assert len(set(mine)) == length[j]
        assert first[j] <= mine.min() and mine.max() < last[j]
        window = range(first[j], last[j])
        best = min((rate[list(each)].sum() for each in itertools.combinations(window, length[j])), default=0.0) if len(window) <= 10 else None
        assert total[j] == pytest.approx(np.sort(rate[first[j] : last[j]])[: length[j]].sum() if best is None else best)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    rate = draw.uniform(size=200)
    first = draw.integers(0, 150, size=60)
    length = draw.integers(1, 10, size=60)
    last = first + length + draw.integers(0, 40, size=60)
    whole = best_blocks(rate, first, last, length), cheapest_slots(rate, first, last, length)
    monkeypatch.setattr(windows, "_CELLS", 97)
    parts = best_blocks(rate, first, last, length), cheapest_slots(rate, first, last, length)
    for one, other in zip((*whole[0], *whole[1]), (*parts[0], *parts[1]), strict=True):
        assert np.array_equal(one, other)


def test_formula_a_job_of_90_minutes_is_placed_to_the_half_hour() -> None:
    # Hours at 9, 1, 4, 9: the best 90 minutes begin at 1:00, the whole of the 1 and half of the 4.
    p = problem([job("a", 1.5, 0, 4)], place([9, 1, 4, 9]))
    assert p.step_s == 1800
    plan, cost = plan_alone(p, p.grams_PT, p.moved_JP, np.zeros(1))
    assert plan.slot_R.tolist() == [2, 3, 4]
    assert cost == pytest.approx(1 + 2)


def test_property_no_start_between_slots_is_better() -> None:
    draw = np.random.default_rng(1)
    for _ in range(20):
        grams = draw.uniform(0, 10, size=12)
        p = problem([job("a", 2.5, 0, 12)], place(grams))
        _, cost = plan_alone(p, p.grams_PT, p.moved_JP, np.zeros(1))
        integral = np.concatenate(([0.0], np.cumsum(grams)))
        starts = draw.uniform(0, 9.5, size=2000)
        any_start = np.interp(starts + 2.5, np.arange(13), integral) - np.interp(starts, np.arange(13), integral)
        assert cost <= any_start.min() + 1e-9


def test_nobody_cares_runs_at_release_on_as_few_servers_as_meet_the_deadline() -> None:
    p = problem([job("plain", 2, 1, 9), job("wide", 4, 0, 3, elastic=(1.0, 0.5))], place([5] * 10))
    plan = at_release(p)
    assert plan.slot_R[plan.job_R == 0].tolist() == [1, 2]
    # 4 hours of one server in 3: two servers do 1.5 an hour, so 2 hours and two thirds.
    assert plan.share_R[plan.job_R == 1].tolist() == pytest.approx([2, 2, 4 / 3])
