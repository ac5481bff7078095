"""Plans of jobs that don't disturb each other: each takes its own best, and that is the best of all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from thrifty.levers.steward.schedule.asking.problem import Problem
from thrifty.levers.steward.schedule.elastic.scaling import scale_out
from thrifty.levers.steward.schedule.plan import Plan
from thrifty.levers.steward.schedule.temporal.windows import best_blocks, block_slots, cheapest_slots

Floats = npt.NDArray[np.float64]


def at_release(problem: Problem) -> Plan:
    """What happens if nobody cares: every job begins at its release, at home, and runs through; an elastic one on as few servers as meet its deadline."""
    length_J, servers_J = problem.length_J.copy(), np.ones(len(problem.jobs))
    part_J = np.ones(len(problem.jobs))
    for j, job in enumerate(problem.jobs):
        if job.elastic:
            room = int(problem.last_J[j] - problem.release_J[j])
            work_K = np.cumsum(job.elastic)
            enough = np.flatnonzero(work_K * room >= length_J[j] - 1e-9)
            best = int(enough[0]) if len(enough) else int(work_K.argmax())
            needed = length_J[j] / work_K[best]
            servers_J[j], length_J[j] = best + 1, int(np.ceil(needed - 1e-9))
            part_J[j] = needed - (length_J[j] - 1)
    job_R, slot_R = block_slots(problem.release_J, length_J)
    last_R = np.append(job_R[1:] != job_R[:-1], True)
    share_R = servers_J[job_R] * np.where(last_R, part_J[job_R], 1.0)
    return Plan.of(job_R, problem.home_J[job_R], slot_R, share_R)


def plan_alone(problem: Problem, rate_PT: Floats, moved_JP: Floats, hourly_P: Floats) -> tuple[Plan, float]:
    """The plan of least cost without caps, and its cost.

    rate_PT : cost of a kWh at the machine; moved_JP: of running a job at a place; hourly_P: of an hour of one server there
    """
    jobs = len(problem.jobs)
    cost_JP = np.full((jobs, len(problem.places)), np.inf)
    rows: dict[tuple[int, int], tuple[npt.NDArray[np.int64], Floats]] = {}
    block = np.flatnonzero(~problem.pauses_J)
    pause = np.array([j for j, job in enumerate(problem.jobs) if job.interruptible and not job.elastic], dtype=np.int64)
    elastic = [j for j, job in enumerate(problem.jobs) if job.elastic]
    per_slot = problem.power_w_J[:, None] * problem.power_scale_P / 1e3 * problem.step_h
    spans = {}
    for p in range(len(problem.places)):
        fixed_J = moved_JP[:, p] + hourly_P[p] * problem.length_J * problem.step_h
        for chosen, solve in ((block, _blocks), (pause, _pauses)):
            able = chosen[problem.may_JP[chosen, p]]
            if len(able):
                spans[p, solve], sum_J = solve(problem, rate_PT[p], able)
                cost_JP[able, p] = fixed_J[able] + per_slot[able, p] * sum_J
        for j in elastic:
            if problem.may_JP[j, p]:
                first, last = int(problem.first_J[j]), int(problem.last_J[j])
                price_T = per_slot[j, p] * rate_PT[p, first:last] + hourly_P[p] * problem.step_h
                found = scale_out(price_T, problem.jobs[j].elastic, float(problem.length_J[j]))
                rows[j, p] = (first + np.flatnonzero(found.servers_T), found.servers_T[found.servers_T > 0])
                cost_JP[j, p] = moved_JP[j, p] + found.cost
    place_J = cost_JP.argmin(axis=1)
    parts = [_rows_of(p, job_R, slot_R, place_J) for (p, _), (job_R, slot_R) in spans.items()]
    for j in elastic:
        slots, servers = rows[j, int(place_J[j])]
        parts.append((np.full(len(slots), j), np.full(len(slots), place_J[j]), slots, servers))
    plan = Plan.of(*(np.concatenate([part[column] for part in parts]) for column in range(4)))
    return plan, float(cost_JP[np.arange(jobs), place_J].sum())


def _rows_of(
    place: int, job_R: npt.NDArray[np.int64], slot_R: npt.NDArray[np.int64], place_J: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64], Floats]:
    keep = place_J[job_R] == place
    return job_R[keep], np.full(int(keep.sum()), place), slot_R[keep], np.ones(int(keep.sum()))


def _blocks(problem: Problem, rate_T: Floats, able: npt.NDArray[np.int64]) -> tuple[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]], Floats]:
    start, total = best_blocks(rate_T, problem.first_J[able], problem.last_J[able], problem.length_J[able])
    job_R, slot_R = block_slots(start, problem.length_J[able])
    return (able[job_R], slot_R), total


def _pauses(problem: Problem, rate_T: Floats, able: npt.NDArray[np.int64]) -> tuple[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]], Floats]:
    job_R, slot_R, total = cheapest_slots(rate_T, problem.first_J[able], problem.last_J[able], problem.length_J[able])
    return (able[job_R], slot_R), total
