"""exp, exp2 and log in FP64, the same bits on every machine, with and without Numba.

A library's exp differs between processors in its last bit, so results rounded from it would, too. These use additions and products in a fixed order only
(no fused ones) and are within 1.5 ulp (exp, exp2) and 2 ulp (log) of the true value (tested against mpmath). `series` and `log_series` serve arrays and
compiled scalars alike. The argument is reduced as in Tang 1989, with fdlibm's split of ln 2.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LOG2E: Final = 1.4426950408889634
LN2: Final = 0.6931471805599453
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
"""ln 2 in two parts, the high one with 21 zero bits at its end, so that n · LN2_HIGH is exact for |n| < 2^20."""
OVERFLOW_AT, UNDERFLOW_AT = 709.782712893384, -745.1332191019412
SQRT_HALF: Final = 0.7071067811865476


def series(r: Any) -> Any:
    """exp(r) for |r| ≤ ln(2)/2: Taylor's series to r^13, whose rest is below 2^-57."""
    p = r * (1.0 / 6227020800.0) + 1.0 / 479001600.0
    p = p * r + 1.0 / 39916800.0
    p = p * r + 1.0 / 3628800.0
    p = p * r + 1.0 / 362880.0
    p = p * r + 1.0 / 40320.0
    p = p * r + 1.0 / 5040.0
    p = p * r + 1.0 / 720.0
    p = p * r + 1.0 / 120.0
    p = p * r + 1.0 / 24.0
    p = p * r + 1.0 / 6.0
    p = p * r + 0.5
    return (p * r) * r + r + 1.0


def log_series(s: Any) -> Any:
    """2 atanh(s) for |s| ≤ 0.172: odd powers to s^21."""
    z = s * s
    p = z * (1.0 / 21.0) + 1.0 / 19.0
    p = p * z + 1.0 / 17.0
    p = p * z + 1.0 / 15.0
    p = p * z + 1.0 / 13.0
    p = p * z + 1.0 / 11.0
    p = p * z + 1.0 / 9.0
    p = p * z + 1.0 / 7.0
    p = p * z + 1.0 / 5.0
    p = p * z + 1.0 / 3.0
    return 2.0 * s * (p * z) + 2.0 * s


def exp(x: npt.ArrayLike) -> Floats:
    """e^x, elementwise: inf above 709.78, 0 below -745.13, NaN for NaN."""
    x = np.asarray(x, dtype=np.float64)
    held = np.clip(np.nan_to_num(x, nan=0.0), -750.0, 715.0)
    n = np.rint(held * LOG2E)
    r = (held - n * LN2_HIGH) - n * LN2_LOW
    return _put(series(r), n, x)


def exp2(x: npt.ArrayLike) -> Floats:
    """2^x, elementwise."""
    x = np.asarray(x, dtype=np.float64)
    held = np.clip(np.nan_to_num(x, nan=0.0), -1090.0, 1030.0)
    n = np.rint(held)
    return _put(series((held - n) * LN2), n, x)


def _put(p: Floats, n: Floats, x: Floats) -> Floats:
    """p · 2^n in two steps, so that neither power is out of range; a subnormal result is rounded once, in the second."""
    whole = n.astype(np.int32)
    first = np.where(whole < -1000, whole + 100, np.where(whole > 1000, whole - 100, whole))
    with np.errstate(over="ignore", under="ignore"):
        result = np.ldexp(np.ldexp(p, first), whole - first)
    return np.asarray(np.where(np.isnan(x), x, result))


def log(x: npt.ArrayLike) -> Floats:
    """Natural logarithm, elementwise: -inf for 0, NaN for negative numbers."""
    x = np.asarray(x, dtype=np.float64)
    good = (x > 0) & np.isfinite(x)
    mantissa, exponent = np.frexp(np.where(good, x, 1.0))
    low = mantissa < SQRT_HALF
    mantissa, exponent = np.where(low, 2.0 * mantissa, mantissa), exponent - low
    f = mantissa - 1.0
    result = exponent * LN2_HIGH + (log_series(f / (2.0 + f)) + exponent * LN2_LOW)
    return np.asarray(np.where(good, result, np.where(x == 0, -np.inf, np.where(x > 0, x, np.nan))))
