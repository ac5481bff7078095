"""Numbers of about 106 bits as unevaluated sums of two FP64, high part first (Dekker 1971; Hida, Li, Bailey 2001), on arrays."""

from __future__ import annotations

import functools
from decimal import Context, Decimal
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_STEP: Final = 512
_CONTEXT: Final = Context(prec=60)
_SPLITTER: Final = 134217729.0  # 2^27 + 1


class Pair(NamedTuple):
    """high + low, |low| ≤ ulp(high)/2."""

    high: Floats
    low: Floats


def exact_sum(a: Floats, b: Floats) -> Pair:
    """a + b without error."""
    s = a + b
    t = s - a
    return Pair(s, (a - (s - t)) + (b - t))


def exact_product(a: Floats, b: Floats) -> Pair:
    """a · b without error, away from overflow and underflow."""
    p = a * b
    a1, b1 = _SPLITTER * a, _SPLITTER * b
    a1, b1 = a1 - (a1 - a), b1 - (b1 - b)
    a2, b2 = a - a1, b - b1
    return Pair(p, ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2)


def normal(high: Floats, low: Floats) -> Pair:
    s = high + low
    return Pair(s, low - (s - high))


def add(x: Pair, y: Pair) -> Pair:
    s, e = exact_sum(x.high, y.high)
    t, f = exact_sum(x.low, y.low)
    s, e = normal(s, e + t)
    return normal(s, e + f)


def multiply(x: Pair, y: Pair) -> Pair:
    p, e = exact_product(x.high, y.high)
    return normal(p, e + (x.high * y.low + x.low * y.high))


def divide(x: Pair, y: Pair) -> Pair:
    first = x.high / y.high
    rest = add(x, negative(multiply(y, single(first))))
    second = rest.high / y.high
    rest = add(rest, negative(multiply(y, single(second))))
    third = rest.high / y.high
    return add(normal(first, second), single(third))


def negative(x: Pair) -> Pair:
    return Pair(-x.high, -x.low)


def single(x: Floats) -> Pair:
    return Pair(x, np.zeros_like(x))


def parted(value: Decimal) -> tuple[float, float]:
    """A decimal number as high and low part."""
    high = float(value)
    return high, float(value - Decimal(high))


@functools.cache
def _tables() -> tuple[Pair, tuple[float, float], Floats]:
    """e^(i/512) for |i| ≤ 256, ln 2, and 1/2! to 1/11! in FP64 pairs as rows (high, low)."""
    steps = [parted(_CONTEXT.exp(_CONTEXT.divide(Decimal(i), Decimal(_STEP)))) for i in range(-_STEP // 2, _STEP // 2 + 1)]
    powers = np.array(steps)
    inverse, factorial = [], 1
    for n in range(2, 12):
        factorial *= n
        inverse.append(parted(_CONTEXT.divide(Decimal(1), Decimal(factorial))))
    return Pair(powers[:, 0].copy(), powers[:, 1].copy()), parted(_CONTEXT.ln(Decimal(2))), np.array(inverse)


def exp(x: Pair) -> Pair:
    """e^x for finite x ≤ 700; 0 below -690 or so, where low parts would be subnormal."""
    powers, (ln2_high, ln2_low), inverse = _tables()
    held = np.clip(x.high, -1000.0, 700.0)
    n = np.rint(held / ln2_high)
    r = add(Pair(held, np.where(held == x.high, x.low, 0.0)), negative(multiply(single(n), Pair(np.full_like(n, ln2_high), np.full_like(n, ln2_low)))))
    place = np.rint(r.high * _STEP)
    r = add(r, single(-place / _STEP))
    tail = np.zeros_like(n)  # terms of r^5 and above: FP64 is enough, r < 2^-10
    for row in inverse[:2:-1]:
        tail = (tail + row[0]) * r.high
    made = single(tail)
    for row in inverse[2::-1]:
        made = multiply(add(made, Pair(np.full_like(n, row[0]), np.full_like(n, row[1]))), r)
    made = multiply(add(made, single(np.ones_like(n))), r)
    index = np.clip(place, -_STEP // 2, _STEP // 2).astype(np.int64) + _STEP // 2
    made = add(multiply(made, Pair(powers.high[index], powers.low[index])), Pair(powers.high[index], powers.low[index]))
    whole = np.clip(n, -1000, 1010).astype(np.int32)
    alive = x.high > -690.0
    return Pair(np.where(alive, np.ldexp(made.high, whole), 0.0), np.where(alive, np.ldexp(made.low, whole), 0.0))
