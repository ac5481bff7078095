"""Shapley's value of the capacity game for many tenants, from drawn orders, with error bars.

An order of arrival gives every tenant what it adds to the peak when it comes. Orders are drawn in blocks: one at random, and all its rotations, so that
in a block every tenant comes once at every place (the strata), and what all add sums to the peak. Blocks are independent of each other, so the spread of
their means is an honest error (Student's t); nothing is assumed of how orders within a block depend on each other.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.lenses.carbon.attribution.games.capacity import checked_demand

Floats = npt.NDArray[np.float64]
FEWEST = 10
"""Blocks below which the expansion of Student's t is not to be trusted."""
MOST = 1_000_000
_CELLS = 4_000_000  # of one table of orders by steps: 32 MB


@dataclass(frozen=True, slots=True, eq=False)
class Sampled:
    """share_N: estimates, which sum to the peak; half_N: half the width of the interval around each; level: how often such an interval holds the value."""

    share_N: Floats = field(repr=False)
    half_N: Floats = field(repr=False)
    blocks: int
    level: float


def sampled_shapley(demand_TN: npt.ArrayLike, *, blocks: int = 64, seed: int = 0, level: float = 0.95) -> Sampled:
    """Estimate with intervals of `level`. Raises BadValue for fewer than `FEWEST` blocks, a level outside (0, 1), or demand as `exact_shapley` refuses it."""
    demand = checked_demand(demand_TN)
    if blocks < FEWEST:
        raise BadValue(f"{blocks} blocks of orders are too few for an error bar. Draw {FEWEST} or more.")
    if blocks > MOST:
        raise BadValue(f"{blocks} blocks of orders are above {MOST}. Draw fewer: the error falls with the root of their number.")
    if seed < 0:
        raise BadValue(f"seed={seed} is below 0. Choose a whole number from 0 up.")
    if not 0 < level < 1:
        raise BadValue(f"a level of {level} is not between 0 and 1. Give e.g. 0.95.")
    active = np.flatnonzero(demand.max(axis=0) > 0)
    share_N, half_N = np.zeros(demand.shape[1]), np.zeros(demand.shape[1])
    if len(active):
        scale = float(demand.max())
        mean_BN = _block_means(np.ascontiguousarray(demand[:, active].T) / scale, blocks, np.random.default_rng(seed))
        share_N[active] = mean_BN.mean(axis=0) * scale
        half_N[active] = student_t(level, blocks - 1) * mean_BN.std(axis=0, ddof=1) / math.sqrt(blocks) * scale
    return Sampled(share_N, half_N, blocks, level)


def _block_means(demand_NT: Floats, blocks: int, random: np.random.Generator) -> Floats:
    count, steps = demand_NT.shape
    turned = (np.arange(count)[None, :] + np.arange(count)[:, None]) % count  # row r: the order from its place r on
    together = max(1, _CELLS // (count * steps))
    means = np.empty((blocks, count))
    for block in range(blocks):
        order = random.permutation(count)
        added = np.zeros(count)
        for first in range(0, count, together):
            orders = order[turned[first : first + together]]
            peaks = np.cumsum(demand_NT[orders], axis=1).max(axis=2)
            np.add.at(added, orders, np.diff(peaks, axis=1, prepend=0.0))
        means[block] = added / count
    return means


def student_t(level: float, freedom: int) -> float:
    """Two-sided quantile of Student's t, by its expansion in 1 / freedom around the normal one; within 0.1 % from 9 degrees on at a level of 0.95."""
    z = statistics.NormalDist().inv_cdf((1 + level) / 2)
    terms = ((z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384)
    return float(z + sum(term / freedom ** (power + 1) for power, term in enumerate(terms)))
