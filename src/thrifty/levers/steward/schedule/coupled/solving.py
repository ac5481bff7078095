"""HiGHS through SciPy: the linear program with its shadow prices, the integer one with its bound."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue, missing_extra
from thrifty.levers.steward.schedule.asking.problem import Problem
from thrifty.levers.steward.schedule.coupled.columns import BLOCK, PART, Columns, cap_rows, done_rows
from thrifty.levers.steward.schedule.plan import Plan

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Budget:
    """At most `most` of what columns spend (carbon under a cap): rate_PT a kWh, moved_JP a job at a place."""

    rate_PT: Floats = field(repr=False)
    moved_JP: Floats = field(repr=False)
    most: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Relaxed:
    """x_C : of the linear program; cost: its value; price_w_PT: what one more watt of cap would save; price_budget: one more unit of budget"""

    x_C: Floats = field(repr=False)
    cost: float
    price_w_PT: Floats = field(repr=False)
    price_budget: float


def solver() -> Any:
    """scipy.optimize. Raises MissingExtra."""
    try:
        import scipy.optimize
    except ImportError as error:
        raise missing_extra("scheduling under a cap", "scipy", "optimize") from error
    return scipy.optimize


def relax(problem: Problem, columns: Columns, cost_C: Floats, free_w_PT: Floats, budget: Budget | None = None) -> Relaxed:
    """The linear program. Raises BadValue, naming the job that is short of most, where not even parts of jobs fit."""
    optimize = solver()
    import scipy.sparse

    done, right = done_rows(problem, columns)
    caps, free, place_R, slot_R = cap_rows(problem, columns, free_w_PT)
    # Rows in units of their own right side, costs in units of their mean: HiGHS' tolerances are absolute.
    scale, unit = np.maximum(free, 1.0), max(float(np.abs(cost_C).mean()), 1e-30)
    caps_scaled = scipy.sparse.diags_array(1 / scale) @ caps
    rows, limits = caps_scaled, free / scale
    if budget is not None:
        spent_C = columns.costs(problem, budget.rate_PT, budget.moved_JP, np.zeros(len(problem.places)))
        worth = max(abs(budget.most), 1e-30)
        rows, limits = scipy.sparse.vstack([rows, scipy.sparse.csr_array(spent_C[None, :] / worth)]), np.append(limits, budget.most / worth)
    found = optimize.linprog(cost_C / unit, A_ub=rows, b_ub=limits, A_eq=done, b_eq=right, bounds=(0, 1), method="highs")
    if found.status == 2:
        raise _why_not(problem, columns, free_w_PT, budget)
    if found.status != 0:
        raise BadValue(f"the linear program of this schedule ended without an answer: {found.message} Give a longer step or fewer jobs.")
    price = np.zeros(problem.grams_PT.shape)
    marginal = np.maximum(0.0, -np.asarray(found.ineqlin.marginals)) * unit
    price[place_R, slot_R] = marginal[: len(scale)] / scale
    return Relaxed(x_C=found.x, cost=float(found.fun * unit), price_w_PT=price, price_budget=float(marginal[-1] / worth) if budget is not None else 0.0)


def _why_not(problem: Problem, columns: Columns, free_w_PT: Floats, budget: Budget | None) -> BadValue:
    """Which job is short of most when as much as possible is done."""
    import scipy.sparse

    if budget is not None:
        return BadValue(f"no schedule stays within the budget of {budget.most:g}. Raise it, or give more time or places.")
    done, right = done_rows(problem, columns)
    caps, free, _, _ = cap_rows(problem, columns, free_w_PT)
    lacking = scipy.sparse.eye_array(len(right), format="csr")
    cost = np.concatenate([np.zeros(len(columns)), 1 / np.maximum(right, 1.0)])
    rows = scipy.sparse.hstack([caps, scipy.sparse.csr_array((caps.shape[0], len(right)))])
    limits = [(0, 1)] * len(columns) + [(0, None)] * len(right)
    found = solver().linprog(cost, A_ub=rows, b_ub=free, A_eq=scipy.sparse.hstack([done, lacking]), b_eq=right, bounds=limits, method="highs")
    short = np.asarray(found.x[len(columns) :]) / np.maximum(right, 1.0)
    worst = int(short.argmax())
    job = int(columns.job_C[done[[worst], :].indices[0]])
    return BadValue(
        f"job '{problem.jobs[job].name}' cannot be done before its deadline beside the others: {short[worst]:.0%} of it does not fit under the cap. "
        "Raise the cap, give later deadlines, or drop jobs."
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Whole:
    """plan : None where none was found in time; bound: that no plan is below, None where HiGHS gave none"""

    plan: Plan | None
    bound: float | None
    proved: bool


def solve_whole(problem: Problem, columns: Columns, cost_C: Floats, free_w_PT: Floats, seconds: float, budget: Budget | None = None) -> Whole:
    """The integer program, for at most `seconds`."""
    optimize = solver()
    done, right = done_rows(problem, columns)
    caps, free, _, _ = cap_rows(problem, columns, free_w_PT)
    unit = max(float(np.abs(cost_C).mean()), 1e-30)
    rows = [optimize.LinearConstraint(done, right, right)]
    if len(free):
        scale = np.maximum(free, 1.0)
        import scipy.sparse

        rows.append(optimize.LinearConstraint(scipy.sparse.diags_array(1 / scale) @ caps, -np.inf, free / scale))
    if budget is not None:
        spent_C = columns.costs(problem, budget.rate_PT, budget.moved_JP, np.zeros(len(problem.places)))
        rows.append(optimize.LinearConstraint(spent_C[None, :] / abs(budget.most), -np.inf, 1.0))
    found = optimize.milp(
        cost_C / unit, constraints=rows, bounds=optimize.Bounds(0, 1), integrality=(columns.kind_C != PART).astype(int),
        options={"time_limit": seconds, "mip_rel_gap": 1e-9},
    )  # fmt: skip
    if found.status == 2:
        raise BadValue("no starts of the jobs that run through fit under the cap, though parts of them would. Raise the cap, or let jobs pause.")
    bound = None if found.mip_dual_bound is None or not np.isfinite(found.mip_dual_bound) else float(found.mip_dual_bound * unit)
    return Whole(plan=None if found.x is None else plan_of(problem, columns, found.x), bound=bound, proved=found.status == 0)


def plan_of(problem: Problem, columns: Columns, x_C: Floats) -> Plan:
    """Rows of the columns that a solution takes."""
    block = np.flatnonzero((columns.kind_C == BLOCK) & (x_C > 0.5))
    part = np.flatnonzero((columns.kind_C == PART) & (x_C > 1e-9))
    length = problem.length_J[columns.job_C[block]]
    long = np.repeat(block, length)
    within = np.arange(len(long)) - np.repeat(np.cumsum(length) - length, length)
    # Groups of servers of one job in one slot become one row.
    key = (columns.job_C[part] * len(problem.places) + columns.place_C[part]) * problem.slots + columns.slot_C[part]
    unique, inverse = np.unique(key, return_inverse=True)
    servers = np.bincount(inverse, weights=x_C[part] * columns.servers_C[part], minlength=len(unique))
    job_place, slot = np.divmod(unique, problem.slots)
    job, place = np.divmod(job_place, len(problem.places))
    return Plan.of(
        np.concatenate([columns.job_C[long], job]), np.concatenate([columns.place_C[long], place]), np.concatenate([columns.slot_C[long] + within, slot]),
        np.concatenate([np.ones(len(long)), servers]),
    )  # fmt: skip
