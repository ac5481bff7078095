"""Policy decisions: jobs under a carbon price or cap, or measures under a cap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from thrifty.errors import BadValue
from thrifty.footprint import Footprint, Interval
from thrifty.levers.contract import Change
from thrifty.levers.steward.decision import Certificate, Decision
from thrifty.levers.steward.policy.measures import Measure, Taken, abate, abatement_curve
from thrifty.levers.steward.policy.paying import Paid, Step, pay, plans_by_price, unmoved
from thrifty.levers.steward.policy.prices import CarbonPrice
from thrifty.levers.steward.policy.rebound import Rebound, rebound
from thrifty.levers.steward.schedule import Problem


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Policed:
    """Jobs before (no price) and after (price or cap), with every plan that some price makes best."""

    problem: Problem
    price: CarbonPrice
    before: Paid
    after: Paid
    steps: tuple[Step, ...]
    rebound: Rebound | None
    decision: Decision

    @property
    def break_even(self) -> float | None:
        """The carbon price above which the plan changes first (0: any price changes it); None where none up to the highest tried does."""
        return break_even(self.steps)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Abated:
    """Measures, what is taken of each, and the curve."""

    measures: tuple[Measure, ...]
    taken: Taken
    decision: Decision


def police(
    problem: Problem, price: CarbonPrice, *, most_t: float | None = None, scope3: bool = False, elasticity: float | None = None, seconds: float = 20.0,
    command: str = "",
) -> Policed:  # fmt: skip
    """Plans of least cost without and with a policy. Both bills are at the policy's price: before is the plan of those who don't look at it."""
    if most_t is not None and not most_t > 0:
        raise BadValue(f"a cap of {most_t:g} t cannot be. Give a number of tonnes above 0.")
    before = unmoved(problem, pay(problem, 0.0, seconds=seconds))
    most_g = None if most_t is None else most_t * 1e6
    after = pay(problem, price.usd_per_t, most_g=most_g, seconds=seconds)
    after = unmoved(problem, after, math.inf if most_g is None else most_g)
    steps = plans_by_price(problem, seconds=min(5.0, seconds))
    bills = [_bill(problem, each, price, scope3) for each in (before, after)]
    sides = [_footprint(problem, each, bill["total_usd"]) for each, bill in zip((before, after), bills, strict=True)]
    found = rebound(max(bills[1]["total_usd"], 1e-30) / max(bills[0]["total_usd"], 1e-30), after.carbon_g / before.carbon_g, elasticity) \
        if elasticity is not None and before.carbon_g > 0 and after.carbon_g > 0 else None  # fmt: skip
    notes = [*problem.notes, "prices and thresholds are scenarios with a date, not forecasts"]
    if price.note:
        notes.append(f"{price.name}: {price.note}")
    plan: dict[str, Any] = {
        "truth": "modelled", "price": price.to_dict(), "cap_t": most_t, "shadow_price_usd_per_t": after.shadow_usd_per_t, "bill_before": bills[0],
        "bill_after": bills[1], "rebound": None if found is None else found.to_dict(),
        "break_even_usd_per_t": break_even(steps),
        "plans_by_price": [{"from_usd_per_t": s.usd_per_t, "carbon_t": s.carbon_g / 1e6, "electricity_usd": s.electricity_usd} for s in steps],
        **after.plan.to_dict(problem, before.plan),
    }  # fmt: skip
    change = Change(before=sides[0], after=sides[1], artefact="", command=command)
    certificate = Certificate(value=after.value_usd, bound=after.bound_usd, unit="USD", by=after.by)
    sources = tuple(dict.fromkeys([*(place.intensity.source for place in problem.places if place.intensity.source), *([price.source] if price.source else [])]))
    decision = Decision(change=change, plan=plan, certificate=certificate, notes=tuple(notes), sources=sources)
    return Policed(problem=problem, price=price, before=before, after=after, steps=steps, rebound=found, decision=decision)


def break_even(steps: Sequence[Step]) -> float | None:
    """The price of the first change, None for none."""
    return steps[1].usd_per_t if len(steps) > 1 else None


def _bill(problem: Problem, paid: Paid, price: CarbonPrice, scope3: bool) -> dict[str, float]:
    made_g = float((paid.plan.carbon_g_J(problem, embodied=True) - paid.plan.carbon_g_J(problem)).sum()) if scope3 else 0.0
    electricity, scope2, making = paid.electricity_usd, paid.carbon_g * price.usd_per_t / 1e6, made_g * price.usd_per_t / 1e6
    return {"electricity_usd": electricity, "scope2_usd": scope2, "scope3_usd": making, "total_usd": electricity + scope2 + making}


def _footprint(problem: Problem, paid: Paid, usd: float) -> Footprint:
    first = paid.plan.footprint(problem)
    return Footprint(
        time_s=first.time_s, memory_bytes=0.0, energy_j=first.energy_j, carbon_gco2e=first.carbon_gco2e, cost_usd=usd, quality=first.quality
    )  # fmt: skip


def decide_measures(measures: Sequence[Measure], baseline_t: float, most_t: float, *, command: str = "") -> Abated:
    """The cheapest measures that bring `baseline_t` down to `most_t`."""
    if not baseline_t > 0:
        raise BadValue(f"a baseline of {baseline_t:g} t cannot be. Give what is emitted without measures, in tonnes above 0.")
    if not most_t >= 0:
        raise BadValue(f"a cap of {most_t:g} t cannot be. Give at least 0.")
    taken = abate(measures, max(0.0, baseline_t - most_t))
    if taken.abated_t > baseline_t * (1 + 1e-9):
        raise BadValue(f"the measures taken abate {taken.abated_t:g} t, above the baseline of {baseline_t:g} t. Check the baseline and what measures abate.")
    curve = abatement_curve(measures)
    plan: dict[str, Any] = {
        "truth": "given", "cap_t": most_t, "shadow_price_usd_per_t": taken.shadow_usd_per_t, "cost_usd": taken.cost_usd, "abated_t": taken.abated_t,
        "measures": [
            {"name": m.name, "usd_per_t": m.usd_per_t, "abates_t": m.abates_t, "share": share} for m, share in zip(measures, taken.shares, strict=True)
        ],
        "curve": [{"name": measure.name, "usd_per_t": measure.usd_per_t, "abated_t": total} for measure, total in curve],
    }  # fmt: skip
    # Costs below 0 are money saved; a footprint's cost cannot be, so it is stated in the plan.
    sides = [
        Footprint(time_s=0.0, memory_bytes=0.0, energy_j=0.0, carbon_gco2e=Interval.exact(grams * 1e6), cost_usd=cost)
        for grams, cost in ((baseline_t, 0.0), (max(0.0, baseline_t - taken.abated_t), taken.cost_usd if taken.cost_usd >= 0 else None))
    ]
    change = Change(before=sides[0], after=sides[1], artefact="", command=command)
    return Abated(measures=tuple(measures), taken=taken, decision=Decision(change=change, plan=plan, certificate=taken.certificate))
