"""A plan under a cap by inserting jobs one at a time where there is room, then taking each out and putting it back better.

Jobs that draw most energy go first; the first pass looks at rates with the shadow prices on crowded slots, later ones at true rates. No promise but
that the plan holds the caps and deadlines; the bound is another's work. Elastic jobs take part on one server here.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from thrifty.levers.steward.schedule.asking.problem import Problem
from thrifty.levers.steward.schedule.plan import Plan
from thrifty.levers.steward.schedule.temporal.windows import window_sums

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
ROUNDS: Final = 6


def insert_all(
    problem: Problem, rate_PT: Floats, priced_PT: Floats, moved_JP: Floats, hourly_P: Floats, free_w_PT: Floats, *, order: Ints | None = None
) -> Plan | None:  # fmt: skip
    """The plan, or None where some job found no room."""
    free = np.array(free_w_PT, dtype=np.float64)
    energy_J = problem.power_w_J * problem.length_J
    order = np.argsort(-energy_J, kind="stable") if order is None else order
    chosen: dict[int, tuple[int, Ints]] = {}
    for j in order:
        found = _best(problem, int(j), priced_PT, moved_JP, hourly_P, free)
        if found is None:
            return None
        chosen[int(j)] = found[1], found[2]
        _draw(problem, int(j), found[1], found[2], free, -1.0)
    for _ in range(ROUNDS):
        moved = False
        for j in order:
            place, slots = chosen[int(j)]
            now = _cost(problem, int(j), place, slots, rate_PT, moved_JP, hourly_P)
            _draw(problem, int(j), place, slots, free, +1.0)
            found = _best(problem, int(j), rate_PT, moved_JP, hourly_P, free)
            if found is not None and found[0] < now - 1e-9 * abs(now):
                chosen[int(j)], moved = (found[1], found[2]), True
            _draw(problem, int(j), *chosen[int(j)], free, -1.0)
        if not moved:
            break
    job_R = np.concatenate([np.full(len(slots), j) for j, (_, slots) in chosen.items()])
    place_R = np.concatenate([np.full(len(slots), place) for place, slots in chosen.values()])
    slot_R = np.concatenate([slots for _, slots in chosen.values()])
    return Plan.of(job_R, place_R, slot_R, np.ones(len(job_R)))


def at_release_under_caps(problem: Problem) -> Plan | None:
    """First come, first served at home: every job as soon after its release as there is room; None where one finds none in time."""
    time_PT = np.broadcast_to(np.arange(problem.slots, dtype=np.float64), problem.grams_PT.shape)
    home = np.zeros_like(problem.may_JP)
    home[np.arange(len(problem.jobs)), problem.home_J] = True
    free = np.broadcast_to(problem.cap_w_P[:, None], problem.grams_PT.shape).copy()
    chosen: list[tuple[int, int, Ints]] = []
    for j in np.argsort(problem.release_J, kind="stable"):
        found = _best(problem, int(j), time_PT, np.where(home, 0.0, np.inf), np.zeros(len(problem.places)), free, first=int(problem.release_J[j]))
        if found is None:
            return None
        chosen.append((int(j), found[1], found[2]))
        _draw(problem, int(j), found[1], found[2], free, -1.0)
    rows = [np.concatenate(parts) for parts in zip(*((np.full(len(s), j), np.full(len(s), p), s) for j, p, s in chosen), strict=True)]
    return Plan.of(rows[0], rows[1], rows[2], np.ones(len(rows[0])))


def _best(
    problem: Problem, j: int, rate_PT: Floats, moved_JP: Floats, hourly_P: Floats, free_w_PT: Floats, *, first: int | None = None
) -> tuple[float, int, Ints] | None:  # fmt: skip
    first = int(problem.first_J[j]) if first is None else first
    last, length = int(problem.last_J[j]), int(problem.length_J[j])
    best: tuple[float, int, Ints] | None = None
    for p in np.flatnonzero(problem.may_JP[j] & np.isfinite(moved_JP[j])):
        power = _power_w(problem, j, int(p))
        room = free_w_PT[p, first:last] >= power * (1 - 1e-9)
        rate = rate_PT[p, first:last]
        if problem.jobs[j].pauses:
            able = np.flatnonzero(room)
            if len(able) < length:
                continue
            slots = np.sort(able[np.argsort(rate[able], kind="stable")[:length]])
            total = float(rate[slots].sum())
        else:
            if last - first < length:
                continue
            sums = np.where(window_sums(room.astype(np.float64), length) > length - 0.5, window_sums(rate, length), np.inf)
            start = int(sums.argmin())
            if not np.isfinite(sums[start]):
                continue
            slots, total = np.arange(start, start + length), float(sums[start])
        cost = total * power / 1e3 * problem.step_h + float(moved_JP[j, p]) + length * problem.step_h * float(hourly_P[p])
        if best is None or cost < best[0]:
            best = cost, int(p), slots + first
    return best


def _cost(problem: Problem, j: int, place: int, slots: Ints, rate_PT: Floats, moved_JP: Floats, hourly_P: Floats) -> float:
    power = _power_w(problem, j, place)
    return float(rate_PT[place, slots].sum() * power / 1e3 * problem.step_h + moved_JP[j, place] + len(slots) * problem.step_h * hourly_P[place])


def _draw(problem: Problem, j: int, place: int, slots: Ints, free_w_PT: Floats, sign: float) -> None:
    free_w_PT[place, slots] += sign * _power_w(problem, j, place)


def _power_w(problem: Problem, j: int, place: int) -> float:
    return problem.jobs[j].power_w * problem.places[place].power_scale
