"""Other hardware under the same question: each resource times 1 to 10, other systems, other numbers of devices; and plans side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from thrifty.cost.plans.evaluation import Evaluation
from thrifty.cost.plans.plan import Plan
from thrifty.errors import BadValue, ThriftyError
from thrifty.footprint import Footprint
from thrifty.levers.parallelize.asking.explaining import resources, seconds_with
from thrifty.levers.parallelize.asking.questions import Job, Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """speedup_RF : of every resource at every factor, relative to the hardware as it is"""

    resources: tuple[str, ...]
    factors: tuple[float, ...]
    iteration_s: float
    speedup_RF: tuple[tuple[float, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        rows = {name: dict(zip(map(str, self.factors), row, strict=True)) for name, row in zip(self.resources, self.speedup_RF, strict=True)}
        return {"iteration_s": self.iteration_s, "factors": list(self.factors), "speedup": rows}


def sweep_hardware(question: Question, plan: Plan, factors: Sequence[float] = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)) -> Sweep:
    """How much faster `plan` runs with each resource alone, and with all together, times each of `factors`. Raises BadValue."""
    for factor in factors:
        if not (math.isfinite(factor) and factor > 0):
            raise BadValue(f"factor {factor} is no hardware. Give finite factors above 0.")
    names = (*resources(question.system), "all")
    asked: list[dict[str, float]] = [{}] + [{name: float(factor)} for name in names for factor in factors]
    now, *times = seconds_with(question, plan, asked)
    rows = tuple(tuple(now / times[index * len(factors) + f] for f in range(len(factors))) for index in range(len(names)))
    return Sweep(resources=names, factors=tuple(float(f) for f in factors), iteration_s=now, speedup_RF=rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One answer beside others, in both modes where both know the plan; `refusal` where the mode asked for does not."""

    title: str
    plan: Plan
    evaluation: Evaluation | None
    other: Evaluation | None
    footprint: Footprint | None
    job: Job | None
    refusal: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {
            "title": self.title, "plan": str(self.plan), "evaluation": self.evaluation.to_dict() if self.evaluation else None,
            "other_mode": self.other.to_dict() if self.other else None, "footprint": self.footprint.to_dict() if self.footprint else None,
            "job": self.job.to_dict() if self.job else None, "refusal": self.refusal,
        }  # fmt: skip


def side_by_side(questions: Sequence[tuple[str, Question]], plans: Sequence[Plan], *, samples: float = 0.0) -> tuple[Side, ...]:
    """Every plan under every question; the other mode's answer stands beside. A plan that a system cannot take is shown with its reason."""
    found = []
    for title, question in questions:
        for plan in plans:
            name = f"{title}: {plan}" if len(questions) > 1 and len(plans) > 1 else title if len(plans) == 1 else str(plan)
            evaluation, refusal = _try(question, plan)
            other, _ = _try(question.in_mode("compat" if question.mode == "physical" else "physical"), plan)
            footprint = question.footprint(evaluation, plan) if evaluation else None
            job = Job.of(question, evaluation, footprint, samples) if evaluation and footprint and samples else None
            found.append(Side(title=name, plan=plan, evaluation=evaluation, other=other, footprint=footprint, job=job, refusal=refusal))
    if all(side.evaluation is None for side in found):
        raise BadValue(found[0].refusal)
    return tuple(found)


def _try(question: Question, plan: Plan) -> tuple[Evaluation | None, str]:
    try:
        return question.answer(plan), ""
    except ThriftyError as error:  # the published model also lacks systems by name
        return None, str(error)
