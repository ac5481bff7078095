"""Random neighbours, shares of carbon with and without regard for who slows down whom (after Fair-CO2's second study, ISCA 2025).

The paper ran pairs of programs on a machine; those measurements are not shipped. Here how sensitive work i is (a_i) and how much it presses others (b_j) are
drawn, and i beside j takes a_i·b_j longer. The mean slowdown is set so that paying for time is as far off as published: only the other figure is a finding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from thrifty.cost.carbon.factors import load_pack
from thrifty.errors import BadValue
from thrifty.lenses.carbon.attribution.colocation import interference_shares, paid_for_time, seating_shares
from thrifty.lenses.carbon.attribution.studies.schedules import Study, deviations

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """How many share machines two by two (an even number is drawn), how many pairs of each are measured, and how much they slow each other down."""

    count: tuple[int, int]
    samples: tuple[int, int]
    mean_slowdown: float
    spread: float

    @classmethod
    def usual(cls) -> Neighbours:
        """As the sheet "attribution" has it."""
        pack = load_pack()

        def value(name: str) -> float:
            return pack.get(f"attribution:neighbours.{name}", "count")

        return cls(
            count=(round(value("fewest")), round(value("most"))), samples=(round(value("fewest_samples")), round(value("most_samples"))),
            mean_slowdown=value("mean_slowdown"), spread=value("spread"),
        )  # fmt: skip

    def draw(self, random: np.random.Generator) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
        """(times, slowdowns, pairs that are measured); every piece of work takes the same time alone."""
        count = 2 * int(random.integers((self.count[0] + 1) // 2, self.count[1] // 2 + 1))
        sensitivity, pressure = random.uniform(1 - self.spread, 1 + self.spread, (2, count))
        known = np.zeros((count, count), dtype=bool)
        samples = min(int(random.integers(self.samples[0], self.samples[1] + 1)), count - 1)
        for work in range(count):
            others = np.delete(np.arange(count), work)
            known[work, random.choice(others, samples, replace=False)] = True
        return np.ones(count), self.mean_slowdown * np.outer(sensitivity, pressure), known


def study_neighbours(setup: Neighbours | None = None, *, trials: int = 1000, seed: int = 0) -> Study:
    """Draw `trials` sets of neighbours and hold both ways against the fair shares. Raises BadValue for fewer than two trials."""
    if trials < 2:
        raise BadValue(f"trials={trials} is below 2, and a mean needs its error. Draw at least 2 sets of neighbours, e.g. 1000.")
    drawn, random = setup or Neighbours.usual(), np.random.default_rng(seed)
    mean_KM, worst_KM = np.empty((trials, 2)), np.empty((trials, 2))
    for trial in range(trials):
        time_s, slowdown, known = drawn.draw(random)
        fair = seating_shares(time_s, slowdown)
        pairs = random.permutation(len(time_s)).reshape(-1, 2)
        for place, share in enumerate((paid_for_time(time_s, slowdown, pairs), interference_shares(time_s, slowdown, known))):
            mean_KM[trial, place], worst_KM[trial, place] = deviations(share, fair)
    return Study(methods=("reserved", "interference"), mean_KM=mean_KM, worst_KM=worst_KM, setup="random neighbours")
