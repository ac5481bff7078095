"""Jobs under a cap: the plan, and a bound that is computed here from the solver's shadow prices.

For any prices of at least 0 on the watts of capped slots, the cost of the best plan is at least: each job's best at rates raised by the prices, less prices
times caps (Lagrange). Each job's best is what `temporal` finds exactly, so the bound holds whatever the solver did; at the linear program's own
prices it is that program's value, as the choices of each job by itself are integral.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.levers.steward.schedule.asking.problem import Problem
from thrifty.levers.steward.schedule.coupled.columns import columns_of
from thrifty.levers.steward.schedule.coupled.inserting import insert_all
from thrifty.levers.steward.schedule.coupled.solving import Budget, plan_of, relax, solve_whole
from thrifty.levers.steward.schedule.plan import Plan
from thrifty.levers.steward.schedule.temporal.alone import plan_alone

Floats = npt.NDArray[np.float64]
MOST_BINARIES: Final = 40_000
"""Above this the integer program is not tried: insertion and the bound are the answer."""
FEW_BINARIES, CLOSE = 2_000, 1e-4
"""From so many on it is not tried either where insertion is already this close to the bound."""


def plan_under_caps(
    problem: Problem, rate_PT: Floats, moved_JP: Floats, hourly_P: Floats, *, seconds: float = 20.0, budget: Budget | None = None
) -> tuple[Plan, float, float, str, float]:  # fmt: skip
    """(plan, its cost, bound, how the bound was proved, shadow price of the budget). Raises BadValue where no plan is found."""
    check_seconds(seconds)
    free_w_PT = np.broadcast_to(problem.cap_w_P[:, None], problem.grams_PT.shape)
    alone, cost = plan_alone(problem, rate_PT, moved_JP, hourly_P)
    if _fits(problem, alone, free_w_PT) and (budget is None or _spent(problem, alone, budget) <= budget.most * (1 + 1e-12)):
        return alone, cost, cost, "every job's own best, and together they stay under the cap", 0.0
    columns = columns_of(problem)
    cost_C = columns.costs(problem, rate_PT, moved_JP, hourly_P)
    relaxed = relax(problem, columns, cost_C, free_w_PT, budget)
    bound = lagrangian(problem, rate_PT, moved_JP, hourly_P, relaxed.price_w_PT, free_w_PT, budget, relaxed.price_budget)
    if not columns.binaries:
        by = "linear program, its dual recomputed job by job"
        return plan_of(problem, columns, relaxed.x_C), relaxed.cost, min(bound, relaxed.cost), by, relaxed.price_budget
    found: list[tuple[float, Plan]] = []
    priced_PT = rate_PT + relaxed.price_w_PT * 1e3 / problem.step_h
    inserted = insert_all(problem, rate_PT, priced_PT, moved_JP, hourly_P, free_w_PT) if budget is None else None
    if inserted is not None:
        found.append((cost_of(problem, inserted, rate_PT, moved_JP, hourly_P), inserted))
    by = "Lagrange dual"
    close = 1e-9 if columns.binaries <= FEW_BINARIES else CLOSE
    if columns.binaries <= MOST_BINARIES and not (found and found[0][0] - bound <= close * abs(bound)):
        whole = solve_whole(problem, columns, cost_C, free_w_PT, seconds, budget)
        if whole.plan is not None:
            found.append((cost_of(problem, whole.plan, rate_PT, moved_JP, hourly_P), whole.plan))
        if whole.bound is not None and whole.bound > bound:
            bound, by = whole.bound, "branch and bound" + ("" if whole.proved else f", stopped after {seconds:g} s")
    if not found:
        raise BadValue("no plan under the cap was found in the time given. Raise the cap, give a longer --time-limit, or let jobs pause.")
    value, plan = min(found, key=lambda each: each[0])
    return plan, value, min(bound, value), by, relaxed.price_budget


def check_seconds(seconds: float) -> None:
    """Raises BadValue for a limit of time that is none."""
    if not (math.isfinite(seconds) and seconds > 0):
        raise BadValue(f"time limit {seconds:g} s is not above 0. Give finite seconds above 0.")


def lagrangian(
    problem: Problem, rate_PT: Floats, moved_JP: Floats, hourly_P: Floats, price_w_PT: Floats, free_w_PT: Floats, budget: Budget | None = None,
    price_budget: float = 0.0,
) -> float:  # fmt: skip
    """A bound that no plan is below, from any prices of at least 0."""
    priced = rate_PT + price_w_PT * 1e3 / problem.step_h
    moved = moved_JP
    if budget is not None:
        priced, moved = priced + price_budget * budget.rate_PT, moved_JP + price_budget * budget.moved_JP
    capped = price_w_PT > 0
    _, least = plan_alone(problem, priced, moved, hourly_P)
    return least - float((price_w_PT[capped] * free_w_PT[capped]).sum()) - (price_budget * budget.most if budget is not None else 0.0)


def cost_of(problem: Problem, plan: Plan, rate_PT: Floats, moved_JP: Floats, hourly_P: Floats) -> float:
    """What a plan costs at given rates."""
    energy = plan.energy_kwh_R(problem)
    jobs = np.arange(len(problem.jobs))
    hours = float((plan.share_R * problem.step_h * hourly_P[plan.place_R]).sum())
    return float((energy * rate_PT[plan.place_R, plan.slot_R]).sum() + moved_JP[jobs, plan.place_J(problem)].sum()) + hours


def _fits(problem: Problem, plan: Plan, free_w_PT: Floats) -> bool:
    return bool((plan.load_w_PT(problem) <= free_w_PT * (1 + 1e-9)).all())


def _spent(problem: Problem, plan: Plan, budget: Budget) -> float:
    return cost_of(problem, plan, budget.rate_PT, budget.moved_JP, np.zeros(len(problem.places)))
