"""Quantiles of the normal and gamma distributions in NumPy, accurate in both tails (the largest of 10⁵ ranks lies far out in one)."""

from __future__ import annotations

import functools
import math
from typing import Final

import numpy as np

from thrifty.errors import BadValue
from thrifty.timeline.tasks import Floats

# M. J. Wichura, Algorithm AS 241: The Percentage Points of the Normal Distribution, Applied Statistics 37 (1988), routine PPND16:
# numerator and denominator from the highest power down, near the middle, in the tails, and far out in them.
MIDDLE: Final = (
    (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457, 13731.693765509461125, 1971.5909503065514427,
     133.14166789178437745, 3.387132872796366608),
    (5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867, 5394.1960214247511077, 687.1870074920579083,
     42.313330701600911252, 1.0),
)  # fmt: skip
NEAR: Final = (
    (7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258, 3.64784832476320460504, 5.7694972214606914055,
     4.6303378461565452959, 1.42343711074968357734),
    (1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.14810397642748007459, 0.68976733498510000455,
     1.6763848301838038494, 2.05319162663775882187, 1.0),
)  # fmt: skip
FAR: Final = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386, 0.026532189526576123093, 0.29656057182850489123,
     1.7848265399172913358, 5.4637849111641143699, 6.6579046435011037772),
    (2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5, 7.868691311456132591e-4, 0.0148753612908506148525,
     0.13692988092273580531, 0.59983220655588793769, 1.0),
)  # fmt: skip
_NODES: Final = 4096


def normal_quantile(below: Floats, above: Floats) -> Floats:
    """Standard normal value with probability `below` under it and `above` over it, to 1e-15 relative."""
    q = np.where(below < above, below - 0.5, 0.5 - above)
    r = 0.180625 - q * q
    middle = q * np.polyval(MIDDLE[0], r) / np.polyval(MIDDLE[1], r)
    s = np.sqrt(-np.log(np.maximum(np.minimum(below, above), 5e-324)))
    near = np.polyval(NEAR[0], s - 1.6) / np.polyval(NEAR[1], s - 1.6)
    far = np.polyval(FAR[0], s - 5.0) / np.polyval(FAR[1], s - 5.0)
    return np.where(np.abs(q) <= 0.425, middle, np.sign(q) * np.where(s <= 5.0, near, far))


def gamma_quantile(shape: float, below: Floats, above: Floats) -> Floats:
    """Value of a gamma distribution of that shape and scale 1, to 1e-8 relative for probabilities down to 1e-30, 1e-6 beyond.

    Interpolated: log x is a smooth function of the logit of the probability. The table is integrated once for a shape. Raises BadValue.
    """
    logits, logs, slopes = _gamma_table(shape)
    at = np.log(below) - np.log(above)
    place = np.clip(np.searchsorted(logits, at) - 1, 0, len(logits) - 2)
    step = logits[place + 1] - logits[place]
    t = np.clip((at - logits[place]) / step, 0.0, 1.0)
    left, right = logs[place], logs[place + 1]
    cubic = (1 + 2 * t) * (1 - t) ** 2 * left + t**2 * (3 - 2 * t) * right + step * t * (1 - t) * ((1 - t) * slopes[place] - t * slopes[place + 1])
    return np.exp(cubic)


@functools.lru_cache(maxsize=64)
def _gamma_table(shape: float) -> tuple[Floats, Floats, Floats]:
    """(logit of the probability, log x, slope) at nodes: the density in log x, integrated from both ends."""
    if not 0.01 <= shape <= 1e8:
        raise BadValue(f"a gamma distribution of shape {shape:g}. Give a cv between 0.0001 and 10.")
    width = 1 / math.sqrt(shape)
    low, high = math.log(shape) - 12 * width - 70 / shape, math.log(shape + 40 * math.sqrt(shape) + 700)
    nodes, weights = np.polynomial.legendre.leggauss(6)
    edges = np.linspace(low, high, _NODES + 1)
    half = (edges[1] - edges[0]) / 2

    def density(log_x: Floats) -> Floats:
        y = log_x - math.log(shape)  # x = shape · e^y, so that nothing large cancels
        constant = shape * math.log(shape) - shape - math.lgamma(shape) if shape < 1e3 else 0.5 * math.log(shape / (2 * math.pi)) - 1 / (12 * shape)
        return np.exp(constant - shape * (np.expm1(y) - y))

    parts = half * (density(edges[:-1, None] + half * (1 + nodes)) @ weights)
    start = density(edges[:1]) / shape  # ∫ of x^(shape−1) from 0, where e^−x is 1
    below, above = start + np.concatenate([[0.0], np.cumsum(parts)]), np.concatenate([np.cumsum(parts[::-1])[::-1], [0.0]])
    inside = (below > 1e-300) & (above > 1e-305)
    below, above, logs = below[inside], above[inside], edges[inside]
    return np.log(below) - np.log(above), logs, below * above / ((below + above) * density(logs))
