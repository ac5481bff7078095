"""Random schedules, every method on each, and its distance from exact Shapley (Fair-CO2's first study, ISCA 2025).

A schedule has a random number of steps. At every step a number of tenants is drawn that shall be running; as many as are missing start, each with a random
size and length. Schedules of more than 22 tenants are drawn again, since the fair share could not be counted.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.cost.carbon.factors import load_pack
from thrifty.errors import BadValue
from thrifty.lenses.carbon.attribution.games.capacity import MOST_EXACT, exact_shapley
from thrifty.lenses.carbon.attribution.proportional import demand_shares, temporal_shares, time_shares

Floats = npt.NDArray[np.float64]
HELD: Mapping[str, Callable[[Floats], Floats]] = {"reserved": time_shares, "demand": demand_shares, "temporal": temporal_shares}
"""The methods that the study holds against the fair share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedules:
    """What is drawn: steps, tenants running at a step, how many steps they run at most, what they ask for. Defaults: the sheet "attribution"."""

    steps: tuple[int, int]
    running: tuple[int, int]
    longest: int
    sizes: tuple[float, ...]
    most: int

    def __post_init__(self) -> None:
        low, high = self.running
        if not (1 <= self.steps[0] <= self.steps[1] and 1 <= low <= high and self.longest >= 1 and self.sizes and min(self.sizes) > 0):
            raise BadValue("random schedules need at least one step, one running tenant, one step of length and one size above 0. Mend the set-up.")
        if not high <= self.most <= MOST_EXACT:
            raise BadValue(f"schedules of up to {self.most} tenants cannot be held against exact shares, or not be drawn. Give {high} to {MOST_EXACT}.")

    @classmethod
    def usual(cls, **changed: Any) -> Schedules:
        """As the sheet has it, but for what is `changed`."""
        pack = load_pack()

        def count(name: str) -> int:
            return round(pack.get(f"attribution:schedules.{name}", "count"))

        usual: dict[str, Any] = {
            "steps": (count("fewest_steps"), count("most_steps")), "running": (count("fewest_running"), count("most_running")),
            "longest": count("longest_steps"), "sizes": tuple(float(count(f"sizes.{name}")) for name in pack.under("attribution:schedules.sizes")),
            "most": count("most_tenants"),
        }  # fmt: skip
        return cls(**(usual | changed))

    def draw(self, random: np.random.Generator) -> Floats:
        """(T, N) demand of one schedule; at least two tenants."""
        while True:
            steps = int(random.integers(self.steps[0], self.steps[1] + 1))
            columns: list[Floats] = []
            ends: list[int] = []
            for step in range(steps):
                wanted = int(random.integers(self.running[0], self.running[1] + 1))
                for _ in range(wanted - sum(end > step for end in ends)):
                    length = int(random.integers(1, min(self.longest, steps - step) + 1))
                    column = np.zeros(steps)
                    column[step : step + length] = random.choice(self.sizes)
                    columns.append(column)
                    ends.append(step + length)
            if 2 <= len(columns) <= self.most:
                return np.stack(columns, axis=1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Study:
    """mean_KM, worst_KM : deviations of K trials by M methods, relative: of the mean tenant, and of the one that is worst off."""

    methods: tuple[str, ...]
    mean_KM: Floats = field(repr=False)
    worst_KM: Floats = field(repr=False)
    setup: str

    def mean(self, method: str) -> float:
        return float(self.mean_KM[:, self.methods.index(method)].mean())

    def worst(self, method: str) -> float:
        return float(self.worst_KM[:, self.methods.index(method)].mean())

    def error(self, method: str) -> float:
        """Standard error of `mean`."""
        column = self.mean_KM[:, self.methods.index(method)]
        return float(statistics.stdev(column) / len(column) ** 0.5)

    def to_dict(self) -> dict[str, Any]:
        found = {name: {"mean": self.mean(name), "standard_error": self.error(name), "worst": self.worst(name)} for name in self.methods}
        return {"setup": self.setup, "trials": len(self.mean_KM), "truth": "modelled", "deviation": found}


def deviations(share_N: Floats, fair_N: Floats) -> tuple[float, float]:
    """(mean, worst) of |share − fair| / fair over tenants that owe anything."""
    owing = fair_N > 0
    if not owing.any():
        raise BadValue("nobody owes anything, so no deviation can be told. Give a fair share above 0.")
    relative = np.abs(share_N - fair_N)[owing] / fair_N[owing]
    return float(relative.mean()), float(relative.max())


def study_schedules(
    setup: Schedules | None = None, *, trials: int = 1000, seed: int = 0, name: str = "as described", progress: Callable[[str, float], None] | None = None
) -> Study:
    """Draw `trials` schedules and hold every method against exact Shapley. Raises BadValue for fewer than two trials."""
    if trials < 2:
        raise BadValue(f"trials={trials} is below 2, and a mean needs its error. Draw at least 2 schedules, e.g. 1000.")
    drawn, random = setup or Schedules.usual(), np.random.default_rng(seed)
    mean_KM, worst_KM = np.empty((trials, len(HELD))), np.empty((trials, len(HELD)))
    for trial in range(trials):
        demand = drawn.draw(random)
        fair = exact_shapley(demand)
        fair /= fair.sum()
        for place, method in enumerate(HELD.values()):
            mean_KM[trial, place], worst_KM[trial, place] = deviations(method(demand), fair)
        if progress is not None and trial % 50 == 0:
            progress(f"random schedules: {name}", trial / trials)
    return Study(methods=tuple(HELD), mean_KM=mean_KM, worst_KM=worst_KM, setup=name)
