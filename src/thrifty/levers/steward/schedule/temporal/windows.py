"""The best slots of jobs that don't disturb each other, all jobs at once.

A job that must run through takes the window of least sum: with prefix sums one subtraction a start. One that may pause takes its k cheapest slots. Both
are optimal (the first by enumeration, the second by exchange). Ties go to the earliest.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_CELLS: Final = 4_000_000
"""Candidates held at once: 32 MB of sums."""


def _chunks(width_J: Ints) -> Iterator[slice]:
    """Jobs in blocks whose padded table stays below `_CELLS`. Jobs come in any order; the widest of a block counts."""
    at = 0
    while at < len(width_J):
        end = at + 1
        widest = int(width_J[at])
        while end < len(width_J) and (end + 1 - at) * max(widest, int(width_J[end])) <= _CELLS:
            widest = max(widest, int(width_J[end]))
            end += 1
        yield slice(at, end)
        at = end


def window_sums(rate_T: Floats, length: int) -> Floats:
    """(T - length + 1,) sums over every window of `length` slots."""
    sums = np.concatenate(([0.0], np.cumsum(rate_T)))
    return np.asarray(sums[length:] - sums[:-length] if length else np.zeros(len(sums)))


def best_blocks(rate_T: Floats, first_J: Ints, last_J: Ints, length_J: Ints) -> tuple[Ints, Floats]:
    """Per job the start in [first, last - length] of the window of least sum, and that sum. (J,), (J,)."""
    sums = np.concatenate(([0.0], np.cumsum(rate_T)))
    # What prefix sums round differently is a tie: the earliest is taken, so that a flat rate moves nothing.
    tie = 1e-14 * len(rate_T) ** 0.5 * float(np.abs(sums).max())
    start_J, sum_J = np.empty(len(first_J), dtype=np.int64), np.empty(len(first_J))
    width_J = last_J - length_J - first_J + 1
    for part in _chunks(width_J):
        offset = np.arange(int(width_J[part].max()))
        starts = np.minimum(first_J[part, None] + offset, (last_J - length_J)[part, None])  # repeats of the last start change no minimum
        total = sums[starts + length_J[part, None]] - sums[starts]
        least = total.min(axis=1)
        best = (total <= least[:, None] + tie).argmax(axis=1)
        start_J[part], sum_J[part] = starts[np.arange(len(best)), best], least
    return start_J, sum_J


def cheapest_slots(rate_T: Floats, first_J: Ints, last_J: Ints, length_J: Ints) -> tuple[Ints, Ints, Floats]:
    """Per job its `length` cheapest slots of [first, last): rows (job_R, slot_R) in order of job and time, and each job's sum (J,)."""
    jobs, slots = [], []
    sum_J = np.empty(len(first_J))
    width_J = last_J - first_J
    for part in _chunks(width_J):
        offset = np.arange(int(width_J[part].max()))
        at = first_J[part, None] + offset
        inside = offset < width_J[part, None]
        cost = np.where(inside, rate_T[np.minimum(at, len(rate_T) - 1)], np.inf)
        # Sorting values alone is far faster than sorting places: all below the dearest one taken, and of its equals the earliest.
        ordered = np.sort(cost, axis=1)
        dearest = np.take_along_axis(ordered, length_J[part, None] - 1, axis=1)
        taken, equal = cost < dearest, cost == dearest
        lacking = length_J[part] - taken.sum(axis=1)
        taken |= equal & (np.cumsum(equal, axis=1, dtype=np.int32) <= lacking[:, None])
        sum_J[part] = np.where(taken, cost, 0.0).sum(axis=1)
        job, column = np.nonzero(taken)
        jobs.append(job + part.start)
        slots.append(at[job, column])
    return np.concatenate(jobs).astype(np.int64), np.concatenate(slots), sum_J


def block_slots(start_J: Ints, length_J: Ints) -> tuple[Ints, Ints]:
    """Rows (job_R, slot_R) of jobs that run through from their start."""
    job_R = np.repeat(np.arange(len(start_J)), length_J)
    begun = np.cumsum(length_J) - length_J
    return job_R, start_J[job_R] + np.arange(len(job_R)) - begun[job_R]
