"""Why a plan takes as long as it does, and what the hardware would have to have.

The share of a resource is the elasticity of the iteration time: by how many per cent it shrinks for one per cent more of the resource, all else equal.
Shares add up to 1 where nothing but these resources costs time; what is missing is latency, launches and idle stages. They are taken from the model
itself, evaluated again with each resource one per cent larger.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from thrifty.cost.plans.answering import evaluate_many
from thrifty.cost.plans.configurations import Configurations
from thrifty.cost.plans.plan import Plan
from thrifty.errors import BadValue
from thrifty.hardware.device import System
from thrifty.levers.parallelize.asking.questions import Question

STEP: Final = 1.01
MOST: Final = 1000.0
"""Beyond a thousand times the hardware an answer is "never"."""


def resources(system: System) -> tuple[str, ...]:
    """What can be scaled: arithmetic, memory bandwidth, and every tier of the network."""
    return ("compute", "memory bandwidth", *(tier.name for tier in system.tiers if tier.count > 1))


def scaled(system: System, factors: dict[str, float]) -> System:
    """`system` with each named resource times its factor; ``all`` means every one of them."""
    every = factors.get("all", 1.0)
    links = {tier.name: factors.get(tier.name, 1.0) * every for tier in system.tiers}
    return system.scaled(compute=factors.get("compute", 1.0) * every, bandwidth=factors.get("memory bandwidth", 1.0) * every, links=links)


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """shares : elasticity of the iteration time to every resource, largest first; binding: the first of them"""

    shares: dict[str, float]

    @property
    def binding(self) -> str:
        return next(iter(self.shares))

    def to_dict(self) -> dict[str, Any]:
        return {"binding": self.binding, "shares": self.shares, "rest": 1.0 - sum(self.shares.values())}


def why(question: Question, plan: Plan) -> Why:
    """The share of every resource in the iteration time of `plan`."""
    names = resources(question.system)
    times = seconds_with(question, plan, [{}, *({name: STEP} for name in names)])
    shares = {name: float(-math.log(after / times[0]) / math.log(STEP)) for name, after in zip(names, times[1:], strict=True)}
    return Why(shares=dict(sorted(shares.items(), key=lambda item: -item[1])))


def seconds_with(question: Question, plan: Plan, factors: list[dict[str, float]]) -> list[float]:
    """Iteration seconds of `plan` with the hardware scaled by each of `factors`. Raises BadValue where the plan breaks a rule."""
    question.answer(plan)  # says what is wrong with the plan, if anything
    systems = [scaled(question.system, each) for each in factors]
    asked = Configurations.product([question.layers], systems, [plan], [question.batch], question.task)
    return [float(value) for value in evaluate_many(asked, question.mode).iteration_s_C]


def reach(question: Question, plan: Plan, speedup: float) -> dict[str, float | None]:
    """By which factor each resource alone, and all of them together, must grow for `plan` to run `speedup` times as fast; None: no factor will do.

    The iteration time only falls as a resource grows, so the smallest factor is found by bisection, of all resources at once. Raises BadValue.
    """
    if not (math.isfinite(speedup) and speedup > 1):
        raise BadValue(f"a speed-up of {speedup} asks for nothing more. Give a number above 1.")
    names = (*resources(question.system), "all")
    now = seconds_with(question, plan, [{}])[0]
    low, high = np.zeros(len(names)), np.full(len(names), math.log(MOST))
    ends = np.array(seconds_with(question, plan, [{name: MOST} for name in names]))
    target = now / speedup
    for _ in range(40):
        middle = (low + high) / 2
        times = np.array(seconds_with(question, plan, [{name: math.exp(m)} for name, m in zip(names, middle, strict=True)]))
        enough = times <= target
        high, low = np.where(enough, middle, high), np.where(enough, low, middle)
    return {name: float(math.exp(h)) if end <= target else None for name, h, end in zip(names, high, ends, strict=True)}
