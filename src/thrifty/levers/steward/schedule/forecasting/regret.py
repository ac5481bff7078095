"""How much a forecast's errors can cost at most."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from thrifty.levers.steward.schedule.asking.problem import Problem
from thrifty.levers.steward.schedule.coupled.packing import cost_of
from thrifty.levers.steward.schedule.temporal.alone import plan_alone

Floats = npt.NDArray[np.float64]


def regret_bound(problem: Problem, forecast_PT: Floats, low_PT: Floats, high_PT: Floats) -> float:
    """Grams: the plan made on the forecast costs at most this more than one that knew the truth, if the truth lies between low and high.

    Its cost is at most what it is where intensities are high; the best plan's at least the least cost where they are low.
    """
    none = np.zeros(len(problem.places))
    plan, _ = plan_alone(problem, forecast_PT, problem.moved_JP, none)
    _, least = plan_alone(problem, low_PT, problem.moved_JP, none)
    return cost_of(problem, plan, high_PT, problem.moved_JP, none) - least
