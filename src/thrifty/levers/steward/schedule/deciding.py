"""From a problem to a decision: before (nobody cares), after (the plan), and how far from the best it can be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.levers.contract import Change
from thrifty.levers.steward.decision import Certificate, Decision
from thrifty.levers.steward.schedule.asking.problem import Problem
from thrifty.levers.steward.schedule.coupled.inserting import at_release_under_caps
from thrifty.levers.steward.schedule.coupled.packing import check_seconds, cost_of, plan_under_caps
from thrifty.levers.steward.schedule.elastic.scaling import hull_groups
from thrifty.levers.steward.schedule.plan import Plan
from thrifty.levers.steward.schedule.temporal.alone import at_release, plan_alone

Floats = npt.NDArray[np.float64]
SUNK = "making of machines enters this placement because you asked for it; it is spent whatever is decided (sunk): don't choose existing machines by it"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scheduled:
    """A decision with what a page draws of it.

    regret_g : what the forecast's errors cost against a plan that knew the truth, None where it planned on the truth
    """

    problem: Problem
    before: Plan = field(repr=False)
    after: Plan = field(repr=False)
    decision: Decision
    believed_PT: Floats | None = field(default=None, repr=False)
    regret_g: float | None = None

    @property
    def saving(self) -> float:
        """Share of the carbon of `before` that is saved."""
        was, now = (each.carbon_gco2e.mid for each in (self.decision.change.before, self.decision.change.after))
        return (was - now) / was if was else 0.0

    def to_dict(self) -> dict[str, Any]:
        return self.decision.to_dict()


def decide(
    problem: Problem, *, believed_PT: Floats | None = None, embodied: bool = False, seconds: float = 20.0, command: str = "",
    extra: dict[str, Any] | None = None,
) -> Scheduled:  # fmt: skip
    """The schedule of least carbon. Raises BadValue where the jobs don't fit, MissingExtra where a cap needs SciPy.

    believed_PT : the intensities that the plan is made on (a forecast); it is priced by the problem's own
    embodied    : also count making the machines (a warning says why one should not); seconds: most for an integer program
    """
    check_seconds(seconds)
    notes = list(problem.notes)
    hourly_P = problem.embodied_P if embodied else np.zeros(len(problem.places))
    if embodied:
        notes.append(SUNK)
    elif problem.embodied_P.any():
        notes.append("making of machines that exist is left out of the placement (sunk); --count-embodied shows what it would change")
    capped = bool(np.isfinite(problem.cap_w_P).any())
    before = at_release_under_caps(problem) if capped else at_release(problem)
    if before is None:
        before = at_release(problem)
        notes.append("run at release, the jobs would not fit under the cap: before ignores it")
    seen = problem if believed_PT is None else problem.with_grams(believed_PT)
    after, value, bound, by = _solve(seen, hourly_P, capped, seconds)
    regret = None
    if believed_PT is not None:
        value = cost_of(problem, after, problem.grams_PT, problem.moved_JP, hourly_P)
        _, best, bound, by = _solve(problem, hourly_P, capped, seconds)
        regret, by = value - best, f"plan on the true series; {by}"
    if capped and problem.pauses_J.any():
        notes.append("a job that may pause may also run a part of a slot, throttled")
        grouped = [job.name for job in problem.jobs if job.elastic and hull_groups(job.elastic)[0].max() > 1]
        if grouped:
            notes.append(f"servers of {', '.join(grouped[:3])} come in groups that share slots in time: for them the cap holds on average over a slot")
    first = before.footprint(problem, embodied=embodied)
    plan = {"saving": 0.0, **after.to_dict(problem, before), **(extra or {})}
    change = Change(before=first, after=after.footprint(problem, embodied=embodied), artefact="", command=command)
    was, now = first.carbon_gco2e.mid, change.after.carbon_gco2e.mid
    plan["saving"] = (was - now) / was if was else 0.0
    if regret is not None:
        plan["regret_gco2e"] = regret
    sources = tuple(dict.fromkeys(place.intensity.source for place in problem.places if place.intensity.source))
    certificate = Certificate(value=value, bound=min(bound, value), unit="gCO2e", by=by)
    decision = Decision(change=change, plan=plan, certificate=certificate, notes=tuple(notes), sources=sources)
    return Scheduled(problem=problem, before=before, after=after, decision=decision, believed_PT=believed_PT, regret_g=regret)


def _solve(problem: Problem, hourly_P: Floats, capped: bool, seconds: float) -> tuple[Plan, float, float, str]:
    if not capped:
        plan, cost = plan_alone(problem, problem.grams_PT, problem.moved_JP, hourly_P)
        return plan, cost, cost, "every job takes its best slots, and no job disturbs another (exchange argument)"
    plan, cost, bound, by, _ = plan_under_caps(problem, problem.grams_PT, problem.moved_JP, hourly_P, seconds=seconds)
    return plan, cost, bound, by
