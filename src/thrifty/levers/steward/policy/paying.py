"""Schedules that pay: electricity plus a price on carbon, or a cap on it with the price that the cap is worth.

    cost = sum over slots of energy * (electricity price + carbon price * intensity)

Making machines that exist is sunk and moves no job; with `scope3` the bill names it, the plan does not change.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.levers.steward.schedule import Plan, Problem
from thrifty.levers.steward.schedule.coupled.inserting import at_release_under_caps
from thrifty.levers.steward.schedule.coupled.packing import check_seconds, cost_of, plan_under_caps
from thrifty.levers.steward.schedule.coupled.solving import Budget
from thrifty.levers.steward.schedule.temporal.alone import at_release, plan_alone

Floats = npt.NDArray[np.float64]
MOST_CHANGES: Final = 64
HIGHEST: Final = 1e4
"""USD a tonne, at which a plan is taken to be that of least carbon."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Paid:
    """A plan: value_usd what it was chosen by (electricity and carbon at the price), bound_usd what none is below; shadow_usd_per_t: of a cap on carbon"""

    plan: Plan = field(repr=False)
    usd_per_t: float
    electricity_usd: float
    carbon_g: float
    value_usd: float
    bound_usd: float
    by: str
    shadow_usd_per_t: float = 0.0


def check_prices(problem: Problem) -> None:
    """Raises BadValue where a place has no price of electricity."""
    for place, usd_T in zip(problem.places, problem.usd_PT, strict=True):
        if np.isnan(usd_T).any():
            raise BadValue(f"place '{place.name}' states no price of electricity. Give --prices FILE, or a site of the catalogue.")


def pay(problem: Problem, usd_per_t: float, *, most_g: float | None = None, seconds: float = 20.0) -> Paid:
    """The plan of least cost at a carbon price, emitting at most `most_g` where given. Raises BadValue where nothing emits so little."""
    check_prices(problem)
    check_seconds(seconds)
    per_g = usd_per_t / 1e6
    rate, moved, none = problem.usd_PT + per_g * problem.grams_PT, per_g * problem.moved_JP, np.zeros(len(problem.places))
    if most_g is None and not np.isfinite(problem.cap_w_P).any():
        plan, value = plan_alone(problem, rate, moved, none)
        bound, by, shadow = value, "every job's own best (exchange argument)", 0.0
    else:
        budget = None if most_g is None else Budget(rate_PT=problem.grams_PT, moved_JP=problem.moved_JP, most=most_g)
        if budget is not None and most_g is not None:
            least = float(plan_alone(problem, problem.grams_PT, problem.moved_JP, none)[1])
            if least > most_g * (1 + 1e-9):
                said = f"no schedule emits at most {most_g / 1e6:g} t: the least is {least / 1e6:.4g} t"
                raise BadValue(f"{said}. Raise the cap, or give jobs more time or places.")
        plan, value, bound, by, shadow = plan_under_caps(problem, rate, moved, none, seconds=seconds, budget=budget)
    return Paid(
        plan=plan, usd_per_t=usd_per_t, electricity_usd=cost_of(problem, plan, problem.usd_PT, np.zeros_like(problem.moved_JP), none),
        carbon_g=cost_of(problem, plan, problem.grams_PT, problem.moved_JP, none), value_usd=value, bound_usd=min(bound, value), by=by,
        shadow_usd_per_t=shadow * 1e6,
    )  # fmt: skip


def unmoved(problem: Problem, paid: Paid, most_g: float = math.inf) -> Paid:
    """The same, or running at release where that costs no more, is in time and emits at most `most_g`: without a reason to move nobody does."""
    capped = bool(np.isfinite(problem.cap_w_P).any())
    plan = at_release_under_caps(problem) if capped else at_release(problem)
    if plan is None or (plan.end_J(problem) > problem.last_J * problem.step_h + 1e-9).any():
        return paid
    none = np.zeros(len(problem.places))
    usd = cost_of(problem, plan, problem.usd_PT, np.zeros_like(problem.moved_JP), none)
    grams = cost_of(problem, plan, problem.grams_PT, problem.moved_JP, none)
    value = usd + paid.usd_per_t * grams / 1e6
    if value > paid.value_usd + 1e-9 * abs(paid.value_usd) or grams > most_g:
        return paid
    return replace(paid, plan=plan, electricity_usd=usd, carbon_g=grams, value_usd=value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From this carbon price on, the best plan emits this much and pays this much for electricity."""

    usd_per_t: float
    carbon_g: float
    electricity_usd: float


def plans_by_price(problem: Problem, *, seconds: float = 5.0) -> tuple[Step, ...]:
    """Every plan that is best at some carbon price from 0 to `HIGHEST`, in order: the marginal abatement cost curve of the schedule.

    Between two plans the price at which both cost the same is tried; if a third costs less there, it stands between them (Eisner & Severance, 1976).
    At most `MOST_CHANGES` changes are found.
    """
    ends = [unmoved(problem, pay(problem, price, seconds=seconds)) for price in (0.0, HIGHEST)]
    found: list[tuple[float, Paid]] = [(0.0, ends[0])]

    def between(low: Paid, high: Paid) -> None:
        saved_t = (low.carbon_g - high.carbon_g) / 1e6
        if saved_t <= 1e-9 * max(low.carbon_g / 1e6, 1e-12) or len(found) > MOST_CHANGES:
            return
        price = max(0.0, (high.electricity_usd - low.electricity_usd) / saved_t)
        middle = pay(problem, price, seconds=seconds)
        line = low.electricity_usd + price * low.carbon_g / 1e6
        if middle.value_usd < line - 1e-9 * max(abs(line), 1e-9) and price > 0:
            between(low, middle)
            between(middle, high)
        else:
            found.append((price, high))

    between(*ends)
    return tuple(Step(usd_per_t=price, carbon_g=each.carbon_g, electricity_usd=each.electricity_usd) for price, each in found)
