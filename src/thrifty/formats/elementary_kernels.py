"""exp, exp2 and log as compiled scalars, for loops that round what comes of them: the same bits as `elementary`, step by step.

No branches, so that a loop around them is made of vector instructions. Imported only where Numba is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from thrifty.formats import elementary
from thrifty.formats.elementary import LN2, LN2_HIGH, LN2_LOW, LOG2E, SQRT_HALF
from thrifty.formats.words import float_of, word_of
from thrifty.loops import jit

__all__ = ["exp", "exp2", "exp2_row", "exp_row", "log", "log_row"]

_series, _log_series = jit(elementary.series), jit(elementary.log_series)
_WHOLE = float(3 << 51)
"""Adding and taking off 1.5 · 2^52 rounds to a whole number, ties to even, below 2^51."""
_FRACTION, _HALF_FIELD, _FIELD = np.uint64((1 << 52) - 1), np.uint64(1022 << 52), np.uint64(0x7FF)
_SMALLEST_NORMAL, _LIFT = 2.0**-1022, 2.0**54


@jit
def _power(n: Any) -> Any:
    """2^n of an integer n from -1022 to 1023."""
    return float_of((n + np.int64(1023)) << np.int64(52))


@jit
def _put(p: Any, n: Any, x: Any) -> Any:
    whole = np.int64(n)
    rest = np.int64(-100) if whole < -1000 else (np.int64(100) if whole > 1000 else np.int64(0))
    result = p * _power(whole - rest) * _power(rest)
    return result if x == x else x


@jit
def exp(x: Any) -> Any:
    """e^x of an FP64 number."""
    held = -750.0 if x < -750.0 else (715.0 if x > 715.0 else x)
    held = held if held == held else 0.0
    n = (held * LOG2E + _WHOLE) - _WHOLE
    r = (held - n * LN2_HIGH) - n * LN2_LOW
    return _put(_series(r), n, x)


@jit
def exp2(x: Any) -> Any:
    """2^x of an FP64 number."""
    held = -1090.0 if x < -1090.0 else (1030.0 if x > 1030.0 else x)
    held = held if held == held else 0.0
    n = (held + _WHOLE) - _WHOLE
    return _put(_series((held - n) * LN2), n, x)


@jit
def log(x: Any) -> Any:
    """Natural logarithm of an FP64 number."""
    good = (x > 0.0) & (x < np.inf)
    held = x if good else 1.0
    tiny = held < _SMALLEST_NORMAL
    bits = word_of(held * _LIFT if tiny else held)
    exponent = np.int64((bits >> np.uint64(52)) & _FIELD) - (np.int64(1022 + 54) if tiny else np.int64(1022))
    mantissa = float_of((bits & _FRACTION) | _HALF_FIELD)
    low = mantissa < SQRT_HALF
    mantissa = 2.0 * mantissa if low else mantissa
    e = float(exponent - np.int64(1) if low else exponent)
    f = mantissa - 1.0
    result = e * LN2_HIGH + (_log_series(f / (2.0 + f)) + e * LN2_LOW)
    return result if good else (-np.inf if x == 0.0 else (x if x > 0.0 else np.nan))


@jit
def exp_row(x: Any, out: Any, n: int) -> None:
    """out[:n] = e^x[:n]; `out` may be x."""
    for i in range(n):
        out[i] = exp(x[i])


@jit
def exp2_row(x: Any, out: Any, n: int) -> None:
    """out[:n] = 2^x[:n]; `out` may be x."""
    for i in range(n):
        out[i] = exp2(x[i])


@jit
def log_row(x: Any, out: Any, n: int) -> None:
    """out[:n] = ln x[:n]; `out` may be x."""
    for i in range(n):
        out[i] = log(x[i])
