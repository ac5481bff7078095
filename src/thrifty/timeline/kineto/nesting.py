"""Which event ran inside which, and how long each ran itself: intervals of one thread, nested.

Events of a thread nest like calls: sorted by start (the longer first), an event's depth is the number of those before it that have not ended, and its
parent is the last event before it that lies one level up. That takes a few array operations a level. Where two events overlap without one holding the other
(clocks that slip, ranges that are closed out of order), the later one counts as inside the earlier, the time that both run is the later one's, and the
thread is done one event at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nesting:
    """(E,) each: the event that holds each one (-1: none does), the number of events around it, and its time outside of those that it holds.

    Events that were not asked for have parent -1, depth 0 and self time 0. Self times of one thread add up to the time that any of its events ran.
    """

    parent: Ints = field(repr=False)
    depth: Ints = field(repr=False)
    self_ns: Ints = field(repr=False)

    def nearest(self, wanted: npt.NDArray[np.bool_]) -> Ints:
        """(E,) the event itself where `wanted`, else the innermost wanted one around it, else -1."""
        found = np.where(wanted, np.arange(len(wanted)), -1)
        order = np.argsort(self.depth, kind="stable")
        bounds = np.searchsorted(self.depth[order], np.arange(int(self.depth.max(initial=0)) + 2))
        for level in range(1, len(bounds) - 1):
            rows = order[bounds[level] : bounds[level + 1]]
            rows = rows[found[rows] < 0]
            found[rows] = found[self.parent[rows]]
        return found


def nest(events: npt.NDArray[Any], chosen: npt.NDArray[np.bool_]) -> Nesting:
    """Nest the `chosen` ones of `events` (a trace's), lane by lane."""
    count = len(events)
    parent, depth = np.full(count, -1, dtype=np.int64), np.zeros(count, dtype=np.int64)
    spent = np.zeros(count, dtype=np.int64)
    rows = np.flatnonzero(chosen)
    rows = rows[np.argsort(events["lane"][rows], kind="stable")]
    lanes = events["lane"][rows]
    for part in np.split(rows, np.flatnonzero(np.diff(lanes)) + 1) if len(rows) else ():
        # Half nanoseconds, so that an event of no length still holds its own instant.
        start = events["start_ns"][part] * 2
        end = np.maximum(start + events["duration_ns"][part] * 2, start + 1)
        order = np.lexsort((-end, start))
        part, start, end = part[order], start[order], end[order]
        above, level = _by_levels(start, end)
        held = np.flatnonzero(above >= 0)
        if (end[above[held]] < end[held]).any():
            above, level, own = _one_by_one(start, end)
            held = np.flatnonzero(above >= 0)
        else:
            length = events["duration_ns"][part]
            own = length - np.bincount(above[held], weights=length[held], minlength=len(part)).astype(np.int64)
        parent[part[held]], depth[part], spent[part] = part[above[held]], level, own
    return Nesting(parent=parent, depth=depth, self_ns=spent)


def _by_levels(start: Ints, end: Ints) -> tuple[Ints, Ints]:
    """(parent, depth) of intervals that nest; sorted as `nest` does."""
    depth = np.arange(len(start)) - np.searchsorted(np.sort(end), start, side="right")
    parent = np.full(len(start), -1, dtype=np.int64)
    order = np.argsort(depth, kind="stable")
    bounds = np.searchsorted(depth[order], np.arange(int(depth.max(initial=0)) + 2))
    for level in range(1, len(bounds) - 1):
        here, above = order[bounds[level] : bounds[level + 1]], order[bounds[level - 1] : bounds[level]]
        parent[here] = above[np.searchsorted(above, here) - 1]
    return parent, depth


def _one_by_one(start: Ints, end: Ints) -> tuple[Ints, Ints, Ints]:
    """(parent, depth, self ns) of any intervals: an event's parent is the latest one before it that has not ended, and each instant is the latest's."""
    parent, depth, stack = np.full(len(start), -1, dtype=np.int64), np.zeros(len(start), dtype=np.int64), list[int]()
    starts, ends, spent, now = start.tolist(), end.tolist(), [0] * len(start), 0

    def run_until(then: int) -> int:
        """Give the time from `now` on to what is on the stack; what ends by `then` leaves it."""
        reached = now
        while stack and ends[stack[-1]] <= then:
            row = stack.pop()
            until = ends[row] // 2 * 2  # an event of no length ends where it begins
            if until > reached:
                spent[row] += until - reached
                reached = until
        if stack and then > reached:
            spent[stack[-1]] += then - reached
        return max(then, reached)

    for row, begun in enumerate(starts):
        now = run_until(begun)
        if stack:
            parent[row], depth[row] = stack[-1], depth[stack[-1]] + 1
        stack.append(row)
    run_until(max(ends, default=0))
    return parent, depth, np.array(spent, dtype=np.int64) // 2
