"""a · b + c with one rounding, without a fused instruction.

The product is held exactly as a sum of two FP64 numbers (Veltkamp 1968, Dekker 1971), c is added with all errors kept (Knuth's TwoSum), and what remains
is put together with rounding to odd, whose later rounding to fewer bits is as good as one rounding (Boldo and Melquiond 2008).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.formats.accumulators.plain.integers import each, fused_whole
from thrifty.formats.floats import FloatSpec, float_spec

Floats = npt.NDArray[np.float64]
_SPLITTER: Final = 134217729.0  # 2^27 + 1
_APART: Final = 300
"""Exponents further apart than this differ by more than any rounding here can see."""


def two_sum(a: Any, b: Any) -> tuple[Any, Any]:
    """a + b rounded, and its error, exactly (Knuth)."""
    total = a + b
    other = total - a
    return total, (a - (total - other)) + (b - other)


def to_odd(total: Floats, error: Floats) -> Floats:
    """total + error rounded to odd, where total is their sum rounded to nearest; total where that is not finite."""
    bits = total.view(np.int64)
    move = (error != 0) & np.isfinite(total) & ((bits & 1) == 0)
    away = (error > 0) == (total > 0)
    return np.asarray((bits + np.where(move, np.where(away, 1, -1), 0)).view(np.float64))


def fits(x: Floats) -> bool:
    """All numbers are FP32, so that products are exact in FP64 and far from its ends."""
    with np.errstate(over="ignore", invalid="ignore"):  # NaN that signal
        return bool(((x.astype(np.float32) == x) | np.isnan(x)).all())


def fused_step(spec: FloatSpec, narrow: bool, finish: Callable[[Floats], Floats]) -> Callable[[Floats, Floats, Floats], Floats]:
    """The step c ← a · b + c, rounded once to `spec`. narrow: all operands are FP32; finish: rounds FP64 to spec."""
    if narrow and float_spec("fp32").holds(spec):
        return lambda a, b, c: finish(to_odd(*two_sum(a * b, c)))
    return lambda a, b, c: _fused_wide(a, b, c, spec, finish)


def _fused_wide(a: Floats, b: Floats, c: Floats, spec: FloatSpec, finish: Callable[[Floats], Floats]) -> Floats:
    a, b, c = (np.ascontiguousarray(x) for x in np.broadcast_arrays(a, b, c))
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        plain = np.where(np.isinf(c) & np.isfinite(a) & np.isfinite(b), c, a * b + c)  # an exact product of finite numbers is finite
    good = np.isfinite(a) & np.isfinite(b) & np.isfinite(c) & (a != 0) & (b != 0)
    (ma, ea), (mb, eb), (mc, ec) = (np.frexp(np.where(good, x, 1.0)) for x in (a, b, c))
    product = ea + eb
    apart = np.clip(ec - product, -_APART, _APART)
    scale = np.where((mc != 0) & (ec - product > _APART), ec - _APART, product)
    high = ma * mb
    low = _product_error(ma, mb, high)
    held = np.ldexp(mc, apart)
    th, tl = two_sum(held, low)
    vh, vl = two_sum(high, th)
    rest = to_odd(*two_sum(tl, vl))
    total, error = two_sum(vh, rest)
    whole_width = spec.mantissa_bits == 52
    value = total if whole_width else to_odd(total, error)
    with np.errstate(over="ignore", under="ignore"):
        result = finish(np.ldexp(value, scale))
    _, exponent = np.frexp(value)
    end = -1021 if whole_width else -950  # below it FP64 itself would round once more
    slow = good & ((exponent + scale < end) | (exponent + scale > 1022)) & (value != 0)
    if slow.any():
        result[slow] = each(lambda x, y, z: fused_whole(x, y, z, spec), a[slow], b[slow], c[slow])
    zero = good & (value == 0)
    return np.where(good & ~zero, result, np.where(zero, 0.0, finish(plain)))


def _product_error(a: Floats, b: Floats, product: Floats) -> Floats:
    """a · b minus its rounding, exactly (Dekker), for factors in [1/2, 1)."""
    ta, tb = a * _SPLITTER, b * _SPLITTER
    ah, bh = ta - (ta - a), tb - (tb - b)
    al, bl = a - ah, b - bh
    return np.asarray(((ah * bh - product) + ah * bl + al * bh) + al * bl)
