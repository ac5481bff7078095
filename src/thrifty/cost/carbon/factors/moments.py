"""Moments of distributions, exact: E[X^k] for any whole k, negative ones where they exist, and the variance.

A yield divides, so E[1/Y] is asked for as often as E[X]: for Beta(a, b) on 0 to 1 it is (a + b − 1) / (a − 1), which is above 1 / E[Y].
"""

from __future__ import annotations

import functools
import math
from typing import Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue

Parameters = tuple[float, ...]
Floats = npt.NDArray[np.float64]
_NODES: Final = 64
"""Of a Gauss rule: exact for powers below 128; for 1/X the error falls as (1 − low/high)^128 or faster."""


def variance(kind: str, p: Parameters) -> float:
    """Mean squared deviation from the mean."""
    match kind:
        case "exact":
            return 0.0
        case "uniform":
            return (p[1] - p[0]) ** 2 / 12
        case "triangular":
            low, mode, high = p
            return ((mode - low) ** 2 + (high - mode) ** 2 + (mode - low) * (high - mode)) / 18
        case "normal":
            return p[1] ** 2
        case "lognormal":
            return p[0] ** 2 * math.expm1(p[1] ** 2)
        case "beta":
            a, b = p[:2]
            return (p[3] - p[2]) ** 2 * a * b / ((a + b) ** 2 * (a + b + 1))
        case _:
            mean = math.fsum(p) / len(p)
            return math.fsum((x - mean) ** 2 for x in p) / len(p)


def raw_moment(kind: str, p: Parameters, power: int) -> float:
    """E[X^power]. Raises BadValue where that is not finite: a negative power of a number that may be 0."""
    match kind:
        case "exact" | "empirical":
            if power < 0 and 0.0 in p:
                raise _undefined(kind, p, power)
            return math.fsum(x**power for x in p) / len(p)
        case "lognormal":
            return float(p[0] ** power * math.exp(power * (power - 1) * p[1] ** 2 / 2))
        case "normal":
            if power < 0 and p[1] > 0:
                raise _undefined(kind, p, power)
            return p[0] ** power if p[1] == 0 else _gauss(*_hermite_rule(), p[0], p[1], power)
    low = p[2] if kind == "beta" else p[0]
    high = p[-1]
    thin = {"uniform": 1.0, "triangular": 2.0 if kind == "triangular" and p[1] > low else 1.0, "beta": p[0]}[kind]  # density near low is (x - low)^(thin - 1)
    if power < 0 and (low < 0 < high or low < 0 == high or (low == 0 and power + thin <= 0)):
        raise _undefined(kind, p, power)
    if kind == "uniform":
        if power == -1 and low > 0:
            return math.log(high / low) / (high - low)
        return _beta_moment(1.0, 1.0, low, high - low, power)
    if kind == "triangular":
        mode, total = p[1], 0.0
        if mode > low:  # the rising side is a share of the whole, with its own end as the heavy one
            total += (mode - low) / (high - low) * _beta_moment(2.0, 1.0, low, mode - low, power)
        if high > mode:
            total += (high - mode) / (high - low) * _beta_moment(1.0, 2.0, mode, high - mode, power)
        return total
    return _beta_moment(p[0], p[1], low, high - low, power)


def _beta_moment(a: float, b: float, low: float, width: float, power: int) -> float:
    """E[(low + width · B)^power] of B ~ Beta(a, b); a uniform is Beta(1, 1), the sides of a triangle are Beta(2, 1) and Beta(1, 2)."""
    if low == 0:  # B(a + power, b) / B(a, b)
        over = math.prod((a + i) / (a + b + i) for i in range(power)) if power >= 0 else math.prod((a + b - i) / (a - i) for i in range(1, 1 - power))
        return float(width**power * over)
    return _gauss(*_jacobi_rule(a, b), low, width, power)


def _undefined(kind: str, p: Parameters, power: int) -> BadValue:
    return BadValue(f"the mean of X^{power} is not finite for {kind}{p}, which may come to 0. Give a range that stays above 0.")


def _gauss(nodes: Floats, weights: Floats, start: float, width: float, power: int) -> float:
    return math.fsum((weights * (start + width * nodes) ** float(power)).tolist())


@functools.lru_cache(maxsize=256)
def _jacobi_rule(a: float, b: float) -> tuple[Floats, Floats]:
    """Gauss rule of the Beta(a, b) density on 0 to 1 (Golub & Welsch 1969: eigenvalues of the recurrence's matrix); weights add up to 1."""
    alpha, beta = b - 1.0, a - 1.0  # the classical weight (1 - t)^alpha (1 + t)^beta on -1 to 1
    n = np.arange(_NODES, dtype=np.float64)
    both = alpha + beta
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = (beta**2 - alpha**2) / ((2 * n + both) * (2 * n + both + 2))
        middle[0] = (beta - alpha) / (both + 2)
        k = n[1:]
        beside = 4 * k * (k + alpha) * (k + beta) * (k + both) / ((2 * k + both) ** 2 * (2 * k + both + 1) * (2 * k + both - 1))
        beside[0] = 4 * (1 + alpha) * (1 + beta) / ((2 + both) ** 2 * (3 + both))
    middle[~np.isfinite(middle)] = 0.0  # 0/0 of the symmetric cases
    nodes, weights = _rule(middle, np.sqrt(beside))
    return (1 + nodes) / 2, weights


@functools.cache
def _hermite_rule() -> tuple[Floats, Floats]:
    """Gauss rule of the standard normal density."""
    return _rule(np.zeros(_NODES), np.sqrt(np.arange(1.0, _NODES)))


def _rule(middle: Floats, beside: Floats) -> tuple[Floats, Floats]:
    nodes, vectors = np.linalg.eigh(np.diag(middle) + np.diag(beside, 1) + np.diag(beside, -1))
    return nodes, vectors[0] ** 2
