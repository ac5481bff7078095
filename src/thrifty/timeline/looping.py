"""The compiled loop over a graph whose layers repeat: as many iterations as it takes to become periodic, then one jump.

Ends of a body obey a max-plus recurrence: v_e(i) = max over what e waits for of v_p(i − lag) + d_e. After some iterations each end grows by the same
amount in every c-th iteration (c the cyclicity, mostly 1). Unlike in a strongly connected system the amounts δ_e may differ between streams: gradients
may fall further and further behind. So a jump is not guessed but proved from the numbers at hand: if for every task some latest predecessor grows by
δ_e, and no other that grows faster catches up within m periods, then v_e(i + m·c) = v_e(i) + m·δ_e solves the recurrence, whose solution is unique.
Where one does catch up, the loop goes on from there. Nothing else is assumed; what never becomes periodic is iterated to the end.
(F. Baccelli, G. Cohen, G. J. Olsder, J.-P. Quadrat: Synchronization and Linearity, 1992, ch. 3 gives the theory.)

Ends inside a body are counted from the latest end before it, so that rounding does not grow with what came before.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from thrifty.loops import jit

BLOCK = 128
"""Configurations at a time; 96 layers of 9 tasks take 0.28, 0.22, 0.20 and 0.19 µs each with 32, 64, 128 and 256 (one core), unrolled 0.36."""
LONGEST = 6
"""Largest cyclicity that is looked for."""
PATIENCE = 4
"""Looks at a whole block of configurations before those that are not periodic go on alone."""
ROUNDING = 8 * 2.0**-52


@jit
def _iterate(
    segment: Any, task: Any, column: Any, pointer: Any, source: Any, lag: Any, entry_pointer: Any, entry: Any, done: Any, place: int, i: int, ends: Any,
    base: Any, tile: Any, size: int, ring: int,
) -> None:  # fmt: skip
    """Iteration `i` (of those really done) of segment `place`; ends (ring, E, block)."""
    for p in range(segment[place, 0], segment[place, 1]):
        out = ends[i % ring, task[p]]
        if i == 0:
            for b in range(size):
                out[b] = -base[b]
            for j in range(entry_pointer[p], entry_pointer[p + 1]):
                other = ends[(done[entry[j, 2]] - 1 - entry[j, 1]) % ring, entry[j, 0]]
                for b in range(size):
                    out[b] = max(out[b], other[b] - base[b])
        else:
            for b in range(size):
                out[b] = -np.inf
        for j in range(pointer[p], pointer[p + 1]):
            if lag[j] <= i:
                other = ends[(i - lag[j]) % ring, source[j]]
                for b in range(size):
                    out[b] = max(out[b], other[b])
        durations = tile[column[p]]
        for b in range(size):
            out[b] += durations[b]


@jit
def _periods(
    segment: Any, task: Any, pointer: Any, source: Any, lag: Any, place: int, i: int, c: int, ends: Any, size: int, ring: int, growth: Any, space: Any,
    periods: Any,
) -> None:  # fmt: skip
    """For how many periods of `c` iterations each configuration is known to go on as it does (-1: not periodic), and `growth` (c, E, block) in one.

    growth[q] is that of iterations i − q, i − q − c, …; space (3, block) is for its own use. The inner loops run over configurations, without branches.
    """
    first, last, largest = segment[place, 0], segment[place, 1], segment[place, 3]
    tolerance, latest, held = space[0], space[1], space[2]
    for b in range(size):
        periods[b] = np.inf
        tolerance[b] = 0.0
    for p in range(first, last):
        now = ends[i % ring, task[p]]
        for b in range(size):
            tolerance[b] = max(tolerance[b], ROUNDING * abs(now[b]))
    for q in range(max(c, largest)):
        for p in range(first, last):
            now, then, grown = ends[(i - q) % ring, task[p]], ends[(i - q - c) % ring, task[p]], growth[q % c, task[p]]
            if q < c:
                for b in range(size):
                    grown[b] = now[b] - then[b]
            else:
                for b in range(size):
                    periods[b] = periods[b] if abs(now[b] - then[b] - grown[b]) <= tolerance[b] else -1.0
    for q in range(c):
        for p in range(first, last):
            mine = growth[q, task[p]]
            for b in range(size):
                latest[b] = -np.inf
                held[b] = -1.0
            for j in range(pointer[p], pointer[p + 1]):
                other = ends[(i - q - lag[j]) % ring, source[j]]
                for b in range(size):
                    latest[b] = max(latest[b], other[b])
            for j in range(pointer[p], pointer[p + 1]):
                other, theirs = ends[(i - q - lag[j]) % ring, source[j]], growth[(q + lag[j]) % c, source[j]]
                for b in range(size):
                    gap, faster = latest[b] - other[b], theirs[b] - mine[b]
                    catches_up = gap / max(faster, tolerance[b] + 5e-324)
                    periods[b] = min(periods[b], catches_up if faster > tolerance[b] else np.inf)
                    held[b] = np.inf if abs(faster) <= tolerance[b] and gap <= tolerance[b] else held[b]
            for b in range(size):
                periods[b] = min(periods[b], held[b])
    for b in range(size):
        periods[b] = np.floor(periods[b])


@jit
def _jump(segment: Any, task: Any, place: int, i: int, c: int, many: float, ends: Any, size: int, ring: int, growth: Any) -> None:
    """Every end that is remembered moves on by `many` periods."""
    for back in range(min(ring, i + 1)):
        for p in range(segment[place, 0], segment[place, 1]):
            for b in range(size):
                ends[(i - back) % ring, task[p], b] += many * growth[back % c, task[p], b]


@jit
def makespans(
    segment: Any, task: Any, column: Any, pointer: Any, source: Any, lag: Any, entry_pointer: Any, entry: Any, final: Any, seconds: Any, chosen: Any,
    result: Any, alone: Any, block: int, ring: int, first: int, last: int,
) -> None:  # fmt: skip
    """Makespans of configurations chosen[first:last]; seconds (U, C).

    block: configurations at a time; with more than one, `alone` marks those that the others would have to wait for, to be solved again by one.
    """
    columns, tasks, segments = seconds.shape[0], len(task), len(segment)
    ends, growth, tile = np.empty((ring, tasks, block)), np.empty((LONGEST, tasks, block)), np.empty((columns, block))
    base, periods, best, space = np.empty(block), np.empty(block), np.empty(block), np.empty((3, block))
    done = np.zeros(segments, dtype=np.int64)
    for start in range(first, last, block):
        size = min(block, last - start)
        for b in range(size):
            for u in range(columns):
                tile[u, b] = seconds[u, chosen[start + b]]
        for place in range(segments):
            times, largest = segment[place, 2], segment[place, 3]
            for b in range(size):
                base[b] = 0.0
            if times > 1:
                for j in range(entry_pointer[segment[place, 0]], entry_pointer[segment[place, 1]]):
                    other = ends[(done[entry[j, 2]] - 1 - entry[j, 1]) % ring, entry[j, 0]]
                    for b in range(size):
                        base[b] = max(base[b], other[b])
            i, left, looks, wait = -1, times, 0, max(largest, 1) + (1 if block > 1 else 0)  # some of many are late
            while left > 0:
                i += 1
                left -= 1
                _iterate(segment, task, column, pointer, source, lag, entry_pointer, entry, done, place, i, ends, base, tile, size, ring)
                if i < wait or left == 0:
                    continue
                looks += 1
                wait = i + 1 + looks // (4 * LONGEST)
                top = 1  # cyclicities that what is remembered can show
                while top < min(LONGEST, left) and i >= top + max(largest, top + 1):
                    top += 1
                for c in range(1, top + 1):
                    _periods(segment, task, pointer, source, lag, place, i, c, ends, size, ring, growth, space, periods)
                    needed, least = left // c, np.inf
                    for b in range(size):
                        least = min(least, periods[b])
                    given_up = block > 1 and looks == PATIENCE and c == top
                    if least < needed and not given_up and (block > 1 or least < 1.0):
                        continue
                    if given_up:
                        for b in range(size):
                            if periods[b] < needed:
                                alone[start + b] = True
                    many = needed if given_up else int(min(least, needed))
                    _jump(segment, task, place, i, c, many, ends, size, ring, growth)
                    left -= many * c
                    looks = 0
                    break
                if block > 1 and looks in (0, PATIENCE):
                    wait = i + times  # the rest of a period
            done[place] = i + 1
            if times > 1:
                for back in range(min(ring, i + 1)):
                    for p in range(segment[place, 0], segment[place, 1]):
                        for b in range(size):
                            ends[(i - back) % ring, task[p], b] += base[b]
        for b in range(size):
            best[b] = 0.0
        for k in range(len(final)):
            other = ends[(done[final[k, 1]] - 1) % ring, final[k, 0]]
            for b in range(size):
                best[b] = max(best[b], other[b])
        for b in range(size):
            result[chosen[start + b]] = best[b]
