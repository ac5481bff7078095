"""The best plans of a space, exactly: all of them are evaluated, in columns, and ranked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.cost.plans.answering import evaluate_many
from thrifty.cost.plans.configurations import Configurations, Evaluations
from thrifty.cost.plans.evaluation import Evaluation, Mode
from thrifty.cost.plans.plan import Plan
from thrifty.cost.plans.pricing import Costs, costs_of, refuse_unpriced
from thrifty.errors import BadValue, NoRoom, unknown_name
from thrifty.footprint import Footprint, pareto_front
from thrifty.levers.parallelize.asking.questions import Question
from thrifty.levers.parallelize.asking.space import Space
from thrifty.progress import Progress

OBJECTIVES: Final = ("time", "cost", "energy", "carbon")
MOST_WEIGHT: Final = 1e9
"""Beside more than this the other objectives are lost in rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an answer must keep to; None: no limit. Memory is always that of the device.

    deadline_s : of a job of `samples`; power_w: of all devices and hosts, on average; p95 of the iteration is not looked at here
    """

    deadline_s: float | None = None
    samples: float | None = None
    power_w: float | None = None

    def __post_init__(self) -> None:
        for name in ("deadline_s", "samples", "power_w"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise BadValue(f"{name}={value} is no limit. Give a finite number above 0.")
        if self.deadline_s is not None and self.samples is None:
            raise BadValue("a deadline needs the samples that must be done by then. Give --samples.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One plan of the answer, with what an iteration costs."""

    plan: Plan
    evaluation: Evaluation
    footprint: Footprint
    score: float

    def to_dict(self) -> dict[str, Any]:
        return {"plan": str(self.plan), "score": self.score, "evaluation": self.evaluation.to_dict(), "footprint": self.footprint.to_dict()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search found.

    best      : the best plans that fit and keep to the limits, best first; front: those that no other beats in time, energy, carbon and cost together
    baseline  : FSDP over all devices, what most would start with; None where it breaks a rule
    unlimited : the best plan if memory were no limit, where it is another one
    asked, legal, fitting : plans of the space, those that break no rule, those that fit and keep to the limits
    points_PX : (P, 5) of every plan that fits: time, energy, carbon, cost, memory, for pictures
    """

    objective: str
    mode: Mode
    best: tuple[Candidate, ...]
    front: tuple[Candidate, ...]
    baseline: Candidate | None
    unlimited: Candidate | None
    asked: int
    legal: int
    fitting: int
    points_PX: npt.NDArray[np.float64] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        return {
            "objective": self.objective, "mode": self.mode, "truth": "modelled",
            "best": [each.to_dict() for each in self.best], "front": [each.to_dict() for each in self.front],
            "baseline": self.baseline.to_dict() if self.baseline else None, "unlimited": self.unlimited.to_dict() if self.unlimited else None,
            "asked": self.asked, "legal": self.legal, "fitting": self.fitting, "exact": True,
        }  # fmt: skip


def read_objective(text: str) -> dict[str, float]:
    """``time``, or ``time=1,carbon=0.5``: weights of what is minimised. Raises UnknownName, BadValue."""
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if name not in OBJECTIVES:
            raise unknown_name("objective", name, OBJECTIVES, "thrifty parallelize search --help")
        if name in weights:
            raise BadValue(f"{name} stands twice in objective={text}. Say it once.")
        try:
            weights[name] = float(value or 1.0)
        except ValueError as error:
            raise BadValue(f"{name}={value} is no weight. Give a number above 0.") from error
        if not 0 < weights[name] <= MOST_WEIGHT:
            raise BadValue(f"{name}={value} is no weight. Give a number above 0, at most {MOST_WEIGHT:g}.")
    return weights


def search(
    question: Question, *, objective: str = "time", space: Space | None = None, limits: Limits | None = None, top: int = 5, progress: Progress | None = None
) -> Found:  # fmt: skip
    """The best plans for what is asked, every plan of `space` evaluated.

    objective : time, cost, energy or carbon of an iteration, or weights of several, each relative to the best of its kind: ``time=1,carbon=0.5``

    Raises NoRoom where no legal plan fits, with the one that comes nearest and what it lacks; BadValue where no plan is legal.
    """
    limits, mode, system, batch = limits or Limits(), question.mode, question.system, question.batch
    weights = read_objective(objective)
    space = space or Space(published=mode == "compat")
    plans = list(space.plans(question.layers, system, batch, question.task))
    if not plans:
        wanted = f" with cp={','.join(map(str, space.context))}" if tuple(space.context) != (1,) else ""
        raise BadValue(
            f"no degrees of tensor, data and pipeline parallelism{wanted} multiply to {system.devices} devices and divide batch {batch} and "
            f"'{question.layers.name}'. Choose other devices, or another batch."
        )
    baseline = Plan.parse("dense=fsdp") if system.devices > 1 else Plan(levels={"dense": ()})
    asked = Configurations.product([question.layers], [system], [*plans, baseline], [batch], question.task)
    if progress:
        progress(f"evaluate {len(plans):,} plans", 0.1)
    found = evaluate_many(asked, mode)
    costs = costs_of(found, question.site)
    for name in weights:
        refuse_unpriced(costs, name, system)
    legal = found.valid_C.copy()
    legal[-1] = False  # the baseline is no answer of its own
    if not legal.any():
        reason = first_reason(question, plans[0])
        raise BadValue(f"none of {len(plans):,} plans is legal for '{question.layers.name}' on {system.devices} devices with batch {batch}: {reason}")
    allowed = legal & found.fits_C & _within(costs, limits, batch)
    score = _score(costs, weights, legal, found.valid_C)
    ranked = np.flatnonzero(allowed)[np.argsort(score[allowed], kind="stable")]

    def candidate(index: int) -> Candidate:
        plan = asked.plans[int(asked.plan_C[index])]
        one = question.answer(plan)
        return Candidate(plan=plan, evaluation=one, footprint=question.footprint(one, plan), score=float(score[index]))

    if not len(ranked):
        raise _no_room(found, legal, costs, limits, batch, asked)
    costs_PX = _points(costs, found)[allowed]
    priced = [column for column in range(4) if not np.isnan(costs_PX[:, column]).all()]
    front = np.flatnonzero(allowed)[_front(costs_PX[:, priced])]
    front = front[np.argsort(score[front], kind="stable")]
    best_of_all = int(np.flatnonzero(legal)[np.argmin(score[legal])])
    return Found(
        objective=objective, mode=mode, best=tuple(candidate(int(index)) for index in ranked[:top]), front=tuple(candidate(int(i)) for i in front[:12]),
        baseline=candidate(len(plans)) if found.valid_C[-1] else None,
        unlimited=candidate(best_of_all) if best_of_all != ranked[0] and score[best_of_all] < score[ranked[0]] else None,
        asked=len(plans), legal=int(legal.sum()), fitting=int(allowed.sum()), points_PX=costs_PX,
    )  # fmt: skip


def first_reason(question: Question, plan: Plan) -> str:
    """Which rule `plan` breaks."""
    try:
        question.answer(plan)
    except BadValue as error:
        return str(error)
    return "see thrifty parallelize evaluate"


def _within(costs: Costs, limits: Limits, batch: int) -> npt.NDArray[np.bool_]:
    ok = np.ones(len(costs.time_s_C), dtype=bool)
    with np.errstate(invalid="ignore"):
        if limits.deadline_s is not None and limits.samples is not None:
            ok &= costs.time_s_C * (limits.samples / batch) <= limits.deadline_s
        if limits.power_w is not None:
            ok &= costs.energy_j_C / costs.time_s_C <= limits.power_w
    return ok


def _score(
    costs: Costs, weights: Mapping[str, float], legal: npt.NDArray[np.bool_], valid: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:  # fmt: skip
    """Weighted sum of costs, each relative to the best legal one; a single objective is its own value's ratio."""
    total = np.zeros(len(costs.time_s_C))
    for name, weight in weights.items():
        column = costs.column(name)
        total += weight * column / np.nanmin(column[legal])
    return np.where(valid, total, np.inf)


def _points(costs: Costs, found: Evaluations) -> npt.NDArray[np.float64]:
    return np.stack([costs.time_s_C, costs.energy_j_C, costs.carbon_gco2e_C, costs.usd_C, found.memory_bytes_C], axis=1)


def _front(points_PX: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The Pareto front; of plans that cost the same the first stands for all."""
    _, first = np.unique(points_PX, axis=0, return_index=True)
    return np.sort(first[pareto_front(points_PX[first])])


def _no_room(
    found: Evaluations, legal: npt.NDArray[np.bool_], costs: Costs, limits: Limits, batch: int, asked: Configurations
) -> NoRoom | BadValue:  # fmt: skip
    short = np.where(legal, found.memory_bytes_C - found.capacity_bytes_C, np.inf)
    nearest = int(np.argmin(short))
    plan = asked.plans[int(asked.plan_C[nearest])]
    if short[nearest] > 0:
        return NoRoom(
            f"no plan of {int(legal.sum()):,} fits: the nearest, {plan}, needs {found.memory_bytes_C[nearest] / 1e9:.1f} GB of "
            f"{found.capacity_bytes_C[nearest] / 1e9:.1f} GB a device and lacks {short[nearest]:,.0f} bytes. Use more devices, or a smaller batch."
        )
    fits = legal & found.fits_C
    fastest = float(np.nanmin(np.where(fits, costs.time_s_C, np.nan)))
    said = []
    if limits.deadline_s is not None and limits.samples is not None:
        said.append(f"the fastest takes {fastest * limits.samples / batch:,.0f} s of {limits.deadline_s:,.0f} s")
    if limits.power_w is not None:
        least = float(np.nanmin(np.where(fits, costs.energy_j_C / costs.time_s_C, np.nan)))
        said.append(f"the least draws {least / 1e3:,.1f} kW of {limits.power_w / 1e3:,.1f} kW")
    return BadValue(f"no plan of {int(fits.sum()):,} that fit keeps to the limits: {'; '.join(said)}. Loosen them, or use another system.")
