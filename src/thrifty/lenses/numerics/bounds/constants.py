"""Error constants of sums in closed form: worst case, probable, for data about zero, and of stochastic rounding; where exponentials stay in range."""

from __future__ import annotations

import math
from dataclasses import dataclass

from thrifty.errors import BadValue
from thrifty.formats import FloatSpec, float_spec


def gamma(n: int, u: float) -> float:
    """n·u / (1 - n·u): the worst relative error of n roundings in a row, each at most u; infinite once n·u reaches 1 (Higham 2002, lemma 3.1)."""
    _check(n, u)
    return n * u / (1 - n * u) if n * u < 1 else math.inf


def lambda_of(confidence: float, events: int = 1) -> float:
    """λ with 2·events·exp(-λ²/2) = 1 - confidence: what Azuma's inequality needs so that `events` sums stay within λ deviations, all of them."""
    if not 0 < confidence < 1:
        raise BadValue(f"confidence={confidence!r} must lie between 0 and 1.")
    return math.sqrt(2 * math.log(2 * max(events, 1) / (1 - confidence)))


def gamma_probable(n: int, u: float, confidence: float = 0.95, *, events: int = 1) -> float:
    """exp(λ·√n·u + n·u²/(1 - u)) - 1: holds with `confidence` where roundings are independent and of mean zero (Higham and Mary 2019, theorem 2.4).

    λ solves 2·events·exp(-λ²(1 - u)²/2) = 1 - confidence; n terms of an inner product are n events.
    """
    _check(n, u)
    return _expm1(lambda_of(confidence, events) / (1 - u) * math.sqrt(n) * u + n * u * u / (1 - u))


def gamma_stochastic(n: int, u: float, confidence: float = 0.95, *, events: int = 1) -> float:
    """The same of stochastic rounding, whose error is up to 2u and of mean zero whatever the data are (Connolly, Higham, Mary 2021): nothing is assumed."""
    return gamma_probable(n, 2 * u, confidence, events=events) if 2 * u < 1 else math.inf


def zero_mean_error(n: int, u: float, mean: float, size: float, confidence: float = 0.95) -> float:
    """Error of adding up n independent numbers of that mean within ±size of it, in order: λ·u·√Σ(k·|mean| + λ·size·√k)², first order.

    Partial sum k lies within λ·size·√k of k·mean (Hoeffding), and roundings are of mean zero (Azuma): 2n events in all. With mean 0 this grows as n, where
    sums of positive numbers grow as n·√n: relative to Σ|x| the length is lost (Higham and Mary 2020).
    """
    _check(n, u)
    lam = lambda_of(confidence, 2 * n)
    return lam * u * math.sqrt(math.fsum((k * abs(mean) + lam * size * math.sqrt(k)) ** 2 for k in range(1, n + 1)))


def _expm1(x: float) -> float:
    return math.expm1(x) if x < 700 else math.inf


def _check(n: int, u: float) -> None:
    if isinstance(n, bool) or not isinstance(n, int) or n < 0:
        raise BadValue(f"n={n!r} must be a whole number of roundings, at least 0.")
    if not 0 < u < 1:
        raise BadValue(f"u={u!r} must lie between 0 and 1; 2^-8 for BF16.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpRange:
    """Arguments at which e^x is the largest, the smallest normal and the smallest number of a format (Blanchard, Higham and Higham 2021, table 2.1)."""

    format: str
    largest: float
    smallest_normal: float
    smallest: float

    def to_dict(self) -> dict[str, float | str]:
        return {"format": self.format, "largest": self.largest, "smallest_normal": self.smallest_normal, "smallest": self.smallest}


def exp_range(format: str | FloatSpec) -> ExpRange:
    """Where softmax's exponentials stay in range: shifted by the row's maximum, arguments below `smallest` become zero (half of it: below by ln 2 more)."""
    spec = float_spec(format)
    return ExpRange(
        format=spec.name, largest=math.log(spec.largest), smallest_normal=spec.emin * math.log(2),
        smallest=(spec.emin - (spec.mantissa_bits if spec.subnormals else 0)) * math.log(2),
    )  # fmt: skip
