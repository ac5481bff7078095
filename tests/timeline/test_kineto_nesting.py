"""Nesting of intervals: parents, depths and self times, by levels and one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thrifty.timeline.kineto.columns import EVENT
from thrifty.timeline.kineto.nesting import Nesting, nest


def events(*rows: tuple[int, int, int]) -> np.ndarray[Any, Any]:
    """(lane, start, duration) each."""
    found = np.zeros(len(rows), dtype=EVENT)
    for i, (lane, start, duration) in enumerate(rows):
        found["lane"][i], found["start_ns"][i], found["duration_ns"][i] = lane, start, duration
    return found


def nested(*rows: tuple[int, int, int]) -> Nesting:
    return nest(events(*rows), np.ones(len(rows), dtype=bool))


def test_formula_calls_inside_calls() -> None:
    found = nested((0, 0, 100), (0, 10, 30), (0, 15, 5), (0, 40, 20), (1, 12, 5), (0, 100, 10))
    assert found.parent.tolist() == [-1, 0, 1, 0, -1, -1]
    assert found.depth.tolist() == [0, 1, 2, 1, 0, 0]
    assert found.self_ns.tolist() == [50, 25, 5, 20, 5, 10]


def test_formula_events_of_no_length_hold_nothing_and_lie_inside() -> None:
    found = nested((0, 0, 10), (0, 5, 0), (0, 10, 0), (0, 0, 0))
    assert found.parent.tolist() == [-1, 0, -1, 0]
    assert found.self_ns.tolist() == [10, 0, 0, 0]


def test_formula_events_that_overlap() -> None:
    found = nested((0, 0, 10), (0, 5, 10), (0, 11, 9), (0, 30, 1))
    assert found.parent.tolist() == [-1, 0, 1, -1]
    assert found.self_ns.tolist() == [5, 6, 9, 1]
    assert found.self_ns.sum() == 20 + 1


def test_nearest_wanted_ancestor() -> None:
    found = nested((0, 0, 100), (0, 10, 30), (0, 15, 5), (0, 40, 20), (1, 12, 5))
    assert found.nearest(np.array([False, True, False, False, False])).tolist() == [-1, 1, 1, -1, -1]
    assert found.nearest(np.array([True, False, True, False, False])).tolist() == [0, 0, 2, 0, -1]
    assert nested().nearest(np.zeros(0, dtype=bool)).tolist() == []


def test_events_that_were_not_asked_for_take_no_part() -> None:
    found = nest(events((0, 0, 100), (0, 10, 30), (0, 15, 5)), np.array([True, False, True]))
    assert found.parent.tolist() == [-1, -1, 0]
    assert found.self_ns.tolist() == [95, 0, 5]


def by_hand(rows: list[tuple[int, int, int]]) -> list[int]:
    """Self times: every instant goes to the latest of the events that run then."""
    spent = [0] * len(rows)
    order = sorted(range(len(rows)), key=lambda i: (rows[i][1], -rows[i][2]))
    for lane in {row[0] for row in rows}:
        for instant in range(45):
            stack: list[int] = []
            for i in order:
                if rows[i][0] == lane and rows[i][1] <= instant:
                    while stack and rows[stack[-1]][1] + rows[stack[-1]][2] <= rows[i][1]:
                        stack.pop()
                    stack.append(i)
            while stack and rows[stack[-1]][1] + rows[stack[-1]][2] <= instant:
                stack.pop()
            if stack:
                spent[stack[-1]] += 1
    return spent


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=10))
@settings(max_examples=150)
def test_property_self_times_cover_each_instant_once(rows: list[tuple[int, int, int]]) -> None:
    found = nested(*rows)
    covered = {(lane, instant) for lane, start, length in rows for instant in range(start, start + length)}
    assert int(found.self_ns.sum()) == len(covered)
    assert found.self_ns.tolist() == by_hand(rows)


@given(st.integers(0, 2**32))
@settings(max_examples=25)
def test_property_levels_and_single_steps_agree(seed: int) -> None:
    """Calls that really nest, some of no length: both ways to the parents give the same."""
    from thrifty.timeline.kineto.nesting import _by_levels, _one_by_one

    draw, rows = np.random.default_rng(seed), list[tuple[int, int]]()

    def call(start: int, end: int, depth: int) -> None:
        rows.append((start * 2, max(end * 2, start * 2 + 1)))
        while depth < 6 and start < end and draw.random() < 0.8:
            start = int(draw.integers(start, end + 1))
            until = int(draw.integers(start, end + 1))
            call(start, until, depth + 1)
            start = max(until, start + 1)

    call(0, 500, 0)
    start, end = np.array(rows).T
    order = np.lexsort((-end, start))
    for one, other in zip(_by_levels(start[order], end[order]), _one_by_one(start[order], end[order]), strict=False):
        assert one.tolist() == other.tolist()


def test_formula_many_calls_ten_deep() -> None:
    count = 200_000
    rows = np.zeros(count, dtype=EVENT)
    rows["start_ns"], rows["duration_ns"] = np.arange(count) // 10 * 100 + np.arange(count) % 10, 90 - 2 * (np.arange(count) % 10)
    found = nest(rows, np.ones(count, dtype=bool))
    assert found.depth.max() == 9
    assert int(found.self_ns.sum()) == pytest.approx(90 * count / 10)
