"""Durations that are not the same every time: distributions, congestion that several tasks share, and the slowest of many ranks.

Every draw is a quantile of a uniform number from a counter-based generator (Philox) that is keyed by the seed and by the name of the task or group. A
task's draws therefore do not depend on what else is in the schedule, and more samples begin with the same ones: two plans are compared under the same luck.
The largest of n independent draws is one draw, of quantile u^(1/n); no n values are drawn.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue, unknown_name
from thrifty.timeline.graphs import TaskGraph
from thrifty.timeline.quantiles import gamma_quantile, normal_quantile
from thrifty.timeline.tasks import Floats

SHAPES: Final = ("constant", "normal", "gamma", "lognormal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """By what factor a duration varies from one iteration to the next.

    shape     : "constant", "normal" (cut off at 0: mean and cv are those before), "gamma" or "lognormal"
    mean, cv  : mean of the factor, and its standard deviation over its mean
    group     : tasks of one group draw together: the same factor in each iteration where their variation is the same, as under shared congestion
    ranks     : the task is over when the slowest of so many ranks is; each draws for itself
    straggler : probability that a rank is slow, and `slowdown`, by what factor it then takes longer
    Raises BadValue.
    """

    shape: str = "lognormal"
    mean: float = 1.0
    cv: float = 0.0
    group: str = ""
    ranks: int = 1
    straggler: float = 0.0
    slowdown: float = 1.0

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise BadValue(f"a variation of the shape '{self.shape}'. Choose one of {', '.join(SHAPES)}.")
        if not (math.isfinite(self.mean) and self.mean > 0):
            raise BadValue(f"a variation has the mean {self.mean}. Give a factor greater than 0.")
        if not (math.isfinite(self.cv) and self.cv >= 0) or (self.shape == "constant" and self.cv):
            raise BadValue(f"a {self.shape} variation has cv={self.cv}. Give 0 or more, and 0 to what is constant.")
        if self.ranks < 1 or self.ranks != int(self.ranks):
            raise BadValue(f"a variation of {self.ranks} ranks. Give a whole number of 1 or more.")
        if not 0 <= self.straggler <= 1:
            raise BadValue(f"stragglers of probability {self.straggler}. Give 0 to 1.")
        if not (math.isfinite(self.slowdown) and self.slowdown >= 1):
            raise BadValue(f"stragglers are slower by {self.slowdown}. Give a factor of 1 or more.")

    def quantile(self, below: npt.ArrayLike, above: npt.ArrayLike) -> Floats:
        """The factor of one rank that is no straggler at probability `below` = 1 − `above`; both are given, because one of them is rounded away."""
        low, high = np.asarray(below, dtype=np.float64), np.asarray(above, dtype=np.float64)
        if self.cv == 0:
            return np.full(low.shape, self.mean)
        if self.shape == "lognormal":
            width = math.sqrt(math.log1p(self.cv**2))
            return self.mean * np.exp(width * normal_quantile(low, high) - width**2 / 2)
        if self.shape == "gamma":
            return self.mean * self.cv**2 * gamma_quantile(1 / self.cv**2, low, high)
        kept = 0.5 * math.erfc(-1 / (self.cv * math.sqrt(2)))  # of the whole normal distribution, what lies above 0
        return np.maximum(self.mean * (1 + self.cv * normal_quantile(1 - kept + kept * low, kept * high)), 0.0)

    def draw(self, samples: int, seed: int, name: str) -> Floats:
        """(samples,) factors: of each iteration, the slowest rank's."""
        return self.slowest(_uniform(samples, seed, name, "fast"), _uniform(samples, seed, name, "slow"), _stragglers(self, samples, seed, name))

    def slowest(self, fast: Floats, slow: Floats, stragglers: npt.NDArray[np.int64]) -> Floats:
        """Maximum over `stragglers` slow ranks and the others, each at its uniform number."""
        result = np.zeros(len(fast))
        for uniform, ranks, factor in ((fast, self.ranks - stragglers, 1.0), (slow, stragglers, self.slowdown)):
            some = ranks > 0
            log_below = np.log(uniform[some]) / ranks[some]
            result[some] = np.maximum(result[some], factor * self.quantile(np.exp(log_below), -np.expm1(log_below)))
        return result


def sample(
    graph: TaskGraph, seconds_U: npt.ArrayLike, distributions: Mapping[str, Variation | Sequence[Variation]], *, samples: int, seed: int = 0
) -> Floats:  # fmt: skip
    """(samples, U) durations of a graph whose tasks vary, for `graph.solve`; `seconds_U` (U,) is how long they last at a factor of 1.

    distributions: by id, or by kind for all tasks of a kind that have none of their own. Several variations of one task multiply: its own noise and
    what it shares with a group. Tasks of one kind draw each for itself, unless a group is named. The iterations of a repeated body share their draws;
    give `graph.unrolled` to let each draw its own. Raises BadValue, and UnknownName for what is neither a task nor a kind.
    """
    if samples < 1:
        raise BadValue(f"{samples} samples. Give 1 or more.")
    seconds = np.asarray(seconds_U, dtype=np.float64)
    if seconds.shape != (graph.columns,):
        raise BadValue(f"durations have the shape {seconds.shape}. This graph needs ({graph.columns},).")
    known = {*graph.ids, *graph.kinds} - {""}
    for name in distributions:
        if name not in known:
            raise unknown_name("task or kind", name, known, "schedule.ids, graph.kinds")
    owners: dict[int, str] = {}
    result = np.repeat(seconds[:, None], samples, axis=1)
    for task, (name, kind) in enumerate(zip(graph.ids, graph.kinds, strict=True)):
        column = int(graph.column_E[task])
        given = distributions.get(name, distributions.get(kind))
        if column in owners:
            if name in distributions:
                raise BadValue(f"task '{name}' shares its durations with '{owners[column]}'. Give it a column of its own to vary.")
            continue
        owners[column] = name
        for number, each in enumerate([given] if isinstance(given, Variation) else given or ()):
            result[column] *= each.draw(samples, seed, f"group {each.group}" if each.group else f"task {name} {number}")
    return result.T


def _generator(seed: int, *names: str) -> np.random.Generator:
    key = hashlib.blake2b("\0".join((str(seed), *names)).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))


def _uniform(samples: int, seed: int, *names: str) -> Floats:
    """In (0, 1), neither end drawn."""
    return np.minimum(_generator(seed, *names).random(samples) + 2.0**-54, 1 - 2.0**-53)


def _stragglers(variation: Variation, samples: int, seed: int, name: str) -> npt.NDArray[np.int64]:
    if variation.straggler == 0 or variation.slowdown == 1:
        return np.zeros(samples, dtype=np.int64)
    return _generator(seed, name, "stragglers").binomial(variation.ranks, variation.straggler, samples).astype(np.int64)
