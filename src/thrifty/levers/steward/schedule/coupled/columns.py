"""The choices of a problem as columns of a linear program.

    a job that runs through : one binary column a place and start
    a job that may pause    : one column a place, slot and group of servers (one group for a job of one size), between 0 and 1
    a pausing job of several places : one binary column a place besides, so that it stays at one

    rows: every job is done once; what runs in a slot draws at most the place's cap; a budget holds (carbon, where policy gives one)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.levers.steward.schedule.asking.problem import Problem
from thrifty.levers.steward.schedule.elastic.scaling import hull_groups
from thrifty.levers.steward.schedule.temporal.windows import window_sums

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
BLOCK, PART, PLACE = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Columns:
    """C columns. kind_C: BLOCK, PART or PLACE; slot_C: the start of a block, the slot of a part; servers_C, work_C: of a part in full"""

    kind_C: Ints = field(repr=False)
    job_C: Ints = field(repr=False)
    place_C: Ints = field(repr=False)
    slot_C: Ints = field(repr=False)
    servers_C: Floats = field(repr=False)
    work_C: Floats = field(repr=False)

    def __len__(self) -> int:
        return len(self.kind_C)

    @property
    def binaries(self) -> int:
        return int((self.kind_C != PART).sum())

    def costs(self, problem: Problem, rate_PT: Floats, moved_JP: Floats, hourly_P: Floats) -> Floats:
        """(C,) cost of every column in full: `rate_PT` a kWh, `moved_JP` a job at a place, `hourly_P` an hour of a server."""
        kwh_C = problem.power_w_J[self.job_C] * problem.power_scale_P[self.place_C] / 1e3 * problem.step_h
        cost = np.zeros(len(self))
        part = self.kind_C == PART
        hours = hourly_P[self.place_C] * problem.step_h
        cost[part] = (self.servers_C * (kwh_C * rate_PT[self.place_C, np.minimum(self.slot_C, problem.slots - 1)] + hours))[part]
        for p in range(len(problem.places)):
            for length in np.unique(problem.length_J[self.job_C[(self.kind_C == BLOCK) & (self.place_C == p)]]):
                at = (self.kind_C == BLOCK) & (self.place_C == p) & (problem.length_J[self.job_C] == length)
                cost[at] = kwh_C[at] * window_sums(rate_PT[p], int(length))[self.slot_C[at]] + length * hours[at]
        once = (self.kind_C == PLACE) | (self.kind_C == BLOCK)
        cost[once] += moved_JP[self.job_C[once], self.place_C[once]]
        lone = ~np.isin(self.job_C, self.job_C[self.kind_C == PLACE]) & part
        # A pausing job of one place has no column for it: its copy, if any, is spread over its work.
        cost[lone] += (self.work_C / problem.length_J[self.job_C] * moved_JP[self.job_C, self.place_C])[lone]
        return cost


def columns_of(problem: Problem) -> Columns:
    """All choices."""
    found: list[tuple[Any, ...]] = []
    for j, job in enumerate(problem.jobs):
        first, last, length = int(problem.first_J[j]), int(problem.last_J[j]), int(problem.length_J[j])
        places = np.flatnonzero(problem.may_JP[j])
        for p in (int(place) for place in places):
            if not job.pauses:
                starts = np.arange(first, last - length + 1)
                found.append(_columns(BLOCK, j, p, starts, 1.0, float(length)))
                continue
            for servers, work in zip(*hull_groups(job.elastic or (1.0,)), strict=True):
                found.append(_columns(PART, j, p, np.arange(first, last), float(servers), float(work)))
            if len(places) > 1:
                found.append(_columns(PLACE, j, p, np.zeros(1, dtype=np.int64), 0.0, 0.0))
    joined = [np.concatenate([each[column] for each in found]) for column in range(6)]
    return Columns(kind_C=joined[0], job_C=joined[1], place_C=joined[2], slot_C=joined[3], servers_C=joined[4], work_C=joined[5])


def _columns(kind: int, job: int, place: int, slots: Ints, servers: float, work: float) -> tuple[Any, ...]:
    n = len(slots)
    return (np.full(n, kind), np.full(n, job), np.full(n, place), slots, np.full(n, servers), np.full(n, work))


def done_rows(problem: Problem, columns: Columns) -> tuple[Any, Floats]:
    """Sparse equalities: every job is done, at one place. (rows x C), right side."""
    import scipy.sparse

    jobs, places = problem.may_JP.shape
    cells: list[tuple[Ints, Ints, Floats]] = []
    at = np.arange(len(columns))
    block, part, place = (columns.kind_C == kind for kind in (BLOCK, PART, PLACE))
    choosing = np.isin(np.arange(jobs), columns.job_C[place])
    once = block | place
    cells.append((columns.job_C[once], at[once], np.ones(int(once.sum()))))
    lone = part & ~choosing[columns.job_C]
    cells.append((columns.job_C[lone], at[lone], columns.work_C[lone]))
    at_place = part & choosing[columns.job_C]
    cells.append((jobs + columns.job_C[at_place] * places + columns.place_C[at_place], at[at_place], columns.work_C[at_place]))
    cells.append((jobs + columns.job_C[place] * places + columns.place_C[place], at[place], -problem.length_J[columns.job_C[place]].astype(np.float64)))
    row, column, value = (np.concatenate([cell[k] for cell in cells]) for k in range(3))
    right = np.concatenate([np.where(problem.pauses_J & ~choosing, problem.length_J, 1).astype(np.float64), np.zeros(jobs * places)])
    used, dense = np.unique(row, return_inverse=True)
    return scipy.sparse.csr_array((value, (dense, column)), shape=(len(used), len(columns))), right[used]


def cap_rows(problem: Problem, columns: Columns, free_w_PT: Floats) -> tuple[Any, Floats, Ints, Ints]:
    """Sparse: what every column draws in each capped slot. (rows x C), watts free, and place and slot of each row."""
    import scipy.sparse

    block = np.flatnonzero(columns.kind_C == BLOCK)
    part = np.flatnonzero(columns.kind_C == PART)
    length = problem.length_J[columns.job_C[block]]
    column = np.concatenate([part, np.repeat(block, length)])
    within = np.arange(int(length.sum())) - np.repeat(np.cumsum(length) - length, length)
    slot = np.concatenate([columns.slot_C[part], np.repeat(columns.slot_C[block], length) + within])
    place = columns.place_C[column]
    draw = problem.power_w_J[columns.job_C[column]] * problem.power_scale_P[place] * np.where(columns.kind_C[column] == PART, columns.servers_C[column], 1.0)
    keep = np.isfinite(free_w_PT[place, slot])
    row, inverse = np.unique(place[keep] * problem.slots + slot[keep], return_inverse=True)
    matrix = scipy.sparse.csr_array((draw[keep], (inverse, column[keep])), shape=(len(row), len(columns)))
    place_R, slot_R = np.divmod(row, problem.slots)
    return matrix, free_w_PT[place_R, slot_R], place_R, slot_R
