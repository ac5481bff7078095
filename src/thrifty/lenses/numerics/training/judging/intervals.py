"""Slopes over steps, and bootstrap intervals over seeds, with or without tensors.

Few seeds make a bootstrap too narrow: it draws from five values as if they were all. Percentiles are therefore widened as Hesterberg (2015, section 4.2)
has it: the share left at each end is Φ(−√(n/(n−1)) t), with t the quantile of Student's distribution of n − 1 degrees of freedom. For a mean of normal values
that makes them as wide as Student's interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
LEVEL: Final = 0.95
DRAWS: Final = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with its interval of 95 %."""

    value: float
    low: float
    high: float

    def overlaps(self, other: Estimate) -> bool:
        return self.low <= other.high and other.low <= self.high

    def to_dict(self) -> dict[str, float | None]:
        return {name: value if math.isfinite(value) else None for name, value in (("value", self.value), ("low", self.low), ("high", self.high))}


def slopes(steps: Sequence[int], values: Floats) -> Floats:
    """Least-squares slope a step along axis 1 of (pairs, snapshots, tensors) → (pairs, tensors); NaN where fewer than two snapshots are finite."""
    x = np.asarray(steps[: values.shape[1]], dtype=np.float64)[None, :, None]
    good = np.isfinite(values)
    count = good.sum(axis=1)
    enough = np.maximum(count, 1)
    mean_x = (good * x).sum(axis=1) / enough
    y = np.where(good, values, 0.0)
    away = good * (x - mean_x[:, None, :])
    below = np.square(away).sum(axis=1)
    return np.where((count > 1) & (below > 0), (away * y).sum(axis=1) / np.where(below > 0, below, 1.0), np.nan)


def student_tail(t: float, freedom: int) -> float:
    """P(|T| > t) of Student's distribution, by its closed forms for whole degrees of freedom."""
    angle = math.atan(t / math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    term, total = (1.0, 1.0) if freedom % 2 == 0 else (cosine, cosine)
    for k in range(2 if freedom % 2 == 0 else 3, freedom, 2):
        term *= cosine**2 * (k - 1) / k
        total += term
    inside = sine * total if freedom % 2 == 0 else 2 / math.pi * (angle + (sine * total if freedom > 1 else 0.0))
    return 1.0 - inside


def student_quantile(tail: float, freedom: int) -> float:
    """t with P(|T| > t) = tail, by bisection."""
    low, high = 0.0, 1.0
    while student_tail(high, freedom) > tail:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if student_tail(middle, freedom) > tail else (low, middle)
    return (low + high) / 2


def tail_share(seeds: int, level: float = LEVEL) -> float:
    """Share of bootstrap values left out at each end, widened for few seeds."""
    return NormalDist().cdf(-math.sqrt(seeds / (seeds - 1)) * student_quantile(1 - level, seeds - 1))


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Resamples, shared by everything that is compared, so that what is paired stays paired. seeds: (draws, seeds) how often each was taken; tensors alike."""

    seeds: npt.NDArray[np.int64]
    tensors: npt.NDArray[np.int64] | None
    share: float

    @classmethod
    def of(cls, seeds: int, tensors: int = 0, *, draws: int = DRAWS, seed: int = 0) -> Draws:
        """tensors=0: those of the model are all there are, and are not drawn."""
        made = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 0xB007])))
        taken = made.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws)
        # A resample of one seed only has no pair of different ones.
        while (alone := (taken.max(axis=1) == seeds)).any():
            taken[alone] = made.multinomial(seeds, np.full(seeds, 1 / seeds), size=int(alone.sum()))
        drawn = made.multinomial(tensors, np.full(tensors, 1 / tensors), size=draws) if tensors else None
        return cls(taken, drawn, tail_share(seeds))

    def means(self, values_PT: Floats, pairs: Sequence[tuple[int, int]]) -> Floats:
        """(draws,) mean of (pairs, tensors) under each resample; a pair of two seeds counts as often as both were taken together."""
        first, second = (np.array(each) for each in zip(*pairs, strict=True))
        weight = np.where(first == second, self.seeds[:, first], self.seeds[:, first] * self.seeds[:, second]).astype(np.float64)
        over_tensors = values_PT.mean(axis=1) if self.tensors is None else values_PT @ (self.tensors.T / self.tensors.sum(axis=1))
        if self.tensors is None:
            return np.asarray(weight @ over_tensors / weight.sum(axis=1))
        return np.asarray(np.einsum("dp,pd->d", weight, over_tensors) / weight.sum(axis=1))

    def interval(self, value: float, drawn: Floats) -> Estimate:
        """Widened percentiles of what was drawn. Draws that are no numbers (a ratio over zero) leave no interval."""
        if not math.isfinite(value) or not np.isfinite(drawn).all():
            return Estimate(value=value, low=math.nan, high=math.nan)
        low, high = np.quantile(drawn, [self.share, 1 - self.share])
        return Estimate(value=value, low=float(low), high=float(high))


def estimate(values_PT: Floats, pairs: Sequence[tuple[int, int]], draws: Draws) -> Estimate:
    """Mean of (pairs, tensors) with its interval."""
    return draws.interval(float(values_PT.mean()), draws.means(values_PT, pairs))


def ratio(above: tuple[Floats, Sequence[tuple[int, int]]], below: tuple[Floats, Sequence[tuple[int, int]]], draws: Draws) -> Estimate:
    """Ratio of two means; both take the same resample at each draw."""
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.float64(above[0].mean()) / np.float64(below[0].mean())
        return draws.interval(float(value), draws.means(*above) / draws.means(*below))


