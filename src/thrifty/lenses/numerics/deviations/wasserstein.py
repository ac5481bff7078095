"""W1, the earth mover's distance of two samples, exactly: the area between their distribution functions.

Samples of one size: the mean of |sorted a - sorted b|, which is the same area. No grid of quantiles, no interpolation: [0, 1] and [0.5, 1] lie 0.25 apart.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.formats.rounding.arrays import take

Floats = npt.NDArray[np.float64]
Reals = npt.NDArray[Any]
"""float32 or float64, as they came: FP32 sorts in half the time."""


def w1(a: Any, b: Any, weights_a: Any = None, weights_b: Any = None) -> float:
    """Least mean distance over which one sample's mass must be moved to become the other's; where a value stands in its array does not count.

    a, b : finite numbers, any shapes and sizes, at least one each
    weights_a, weights_b : of each number, at least 0, not all 0; without, all weigh the same

    inf over couplings of E|x - y| (Villani 2003, eq. 2.48: the integral of |F_a - F_b|). Exact but for FP64's rounding of sums, and symmetric.
    Raises BadValue.
    """
    left, right = _values(a, "a"), _values(b, "b")
    if weights_a is None and weights_b is None:
        return _of_samples(left, right)
    return _weighted(left.astype(np.float64), right.astype(np.float64), _weights(weights_a, left, "weights_a"), _weights(weights_b, right, "weights_b"))


def _of_samples(left: Reals, right: Reals) -> float:
    with ThreadPoolExecutor(2) as pool:  # sorting releases Python's lock
        one, other = pool.map(np.sort, (left, right))
    if one.size == other.size:
        apart = one.astype(np.float64)
        with np.errstate(over="ignore"):
            np.subtract(apart, other, out=apart)
        return float(np.abs(apart, out=apart).mean())
    # The same area by its other axis: the integral over t in [0, 1] of |quantile_a - quantile_b|. Both change only at t = i/n and j/m, in whole
    # numbers at i·m and j·n of n·m, so where a step begins says which elements it lies between.
    n, m = one.size, other.size
    begins = np.concatenate((np.arange(n, dtype=np.int64) * m, np.arange(1, m, dtype=np.int64) * n))
    begins.sort(kind="stable")
    apart = np.abs(one[begins // m].astype(np.float64) - other[begins // n])
    return float((apart * np.diff(begins, append=n * m)).sum() / (n * m))


def _weighted(left: Floats, right: Floats, weights_left: Floats, weights_right: Floats) -> float:
    rank_left, rank_right = np.argsort(left, kind="stable"), np.argsort(right, kind="stable")
    order, steps = _merged(left[rank_left], right[rank_right])
    mass = np.concatenate((weights_left[rank_left] / weights_left.sum(), -weights_right[rank_right] / weights_right.sum()))
    return float((np.abs(np.cumsum(mass[order])[:-1]) * steps).sum())


def _merged(one: Floats, other: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
    """Order of both sorted samples as one, and the gaps between neighbours. The stable sort of NumPy merges runs, so this takes one pass."""
    both = np.concatenate((one, other))
    order = np.argsort(both, kind="stable")
    return order, np.diff(both[order])


def _values(x: Any, name: str) -> Reals:
    values = take(x, name).values.ravel()
    if values.size == 0:
        raise BadValue(f"{name} holds no numbers, and W1 needs one at least.")
    lost = values.size - int(np.isfinite(values).sum())
    if lost:
        raise BadValue(f"{name} holds {lost} numbers that are NaN or infinite, and W1 needs finite ones. Leave them out and count them apart.")
    return values


def _weights(weights: Any, values: Reals, name: str) -> Floats:
    if weights is None:
        return np.ones(values.size)
    held = np.asarray(take(weights, name).values, dtype=np.float64).ravel()
    if held.size != values.size:
        raise BadValue(f"{name} has {held.size} numbers for {values.size} values. Give one each.")
    if not (np.isfinite(held).all() and (held >= 0).all() and held.sum() > 0):
        raise BadValue(f"{name} must be finite, at least 0 and not all 0.")
    return held
