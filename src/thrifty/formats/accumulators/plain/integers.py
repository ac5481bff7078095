"""Sums in whole numbers of any length: exact, slow, the last word on every other path."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from thrifty.formats.floats import FloatSpec

Floats = npt.NDArray[np.float64]


def whole(x: float) -> tuple[int, int]:
    """(n, s) with x = n · 2^s, for a finite x."""
    mantissa, exponent = math.frexp(x)
    return int(mantissa * 2.0**53), exponent - 53


def round_whole(n: int, s: int, spec: FloatSpec) -> float:
    """n · 2^s rounded once to the nearest number of the format, ties to even; beyond the largest: infinite where the format has it, else the largest."""
    size, length = abs(n), abs(n).bit_length()
    if not size:
        return 0.0
    t = max(length - 1 + s, spec.emin) - spec.mantissa_bits
    shift = t - s
    if shift <= 0:
        q = size << -shift
    else:
        q, dropped, half = size >> shift, size & ((1 << shift) - 1), 1 << (shift - 1)
        q += dropped > half or (dropped == half and q & 1)
    try:
        result = math.ldexp(q, t)
    except OverflowError:
        result = math.inf
    if result > spec.largest:
        result = math.inf if spec.infinities else spec.largest
    return -result if n < 0 and (result or spec.no_number != "minus_zero") else result


def exact(a_MK: Floats, b_KN: Floats, spec: FloatSpec) -> Floats:
    """Products summed exactly, rounded once. An exact zero is +0. Infinite and NaN operands give what IEEE 754's products and sums give."""
    special = unusual(a_MK, b_KN)
    sizes = [float(np.abs(x[np.isfinite(x) & (x != 0)]).min(initial=np.inf)) for x in (a_MK, b_KN)]
    scale_a, scale_b = (0 if size == np.inf else whole(size)[1] for size in sizes)
    a, b = _wholes(a_MK, scale_a), _wholes(b_KN, scale_b)
    out = np.empty((a_MK.shape[0], b_KN.shape[1]))
    for i in range(out.shape[0]):
        row = a[i] @ b if a.shape[1] else [0] * out.shape[1]
        for j in range(out.shape[1]):
            out[i, j] = round_whole(int(row[j]), scale_a + scale_b, spec)
    return with_unusual(out, special, spec)


def with_unusual(out: Floats, special: Floats, spec: FloatSpec) -> Floats:
    """Sums, and what is infinite or NaN instead of them; the largest instead of infinite in a format that has none, as other kinds of sums have it."""
    held = special if spec.infinities else np.clip(special, -spec.largest, spec.largest)
    return np.asarray(np.where(np.isfinite(special), out, held))


def unusual(a_MK: Floats, b_KN: Floats) -> Floats:
    """Infinite or NaN where an exact sum of the products is so, else something finite: signs stand for finite operands."""
    if np.isfinite(a_MK).all() and np.isfinite(b_KN).all():
        return np.zeros((a_MK.shape[0], b_KN.shape[1]))
    with np.errstate(invalid="ignore"):
        held = [np.where(np.isfinite(x), np.sign(x), x) for x in (a_MK, b_KN)]
        out = np.zeros((a_MK.shape[0], b_KN.shape[1]))
        for k in range(a_MK.shape[1]):  # not by a library's product: that may leave out zeros
            out = out + held[0][:, k, None] * held[1][k]
        return out


def fused_whole(a: float, b: float, c: float, spec: FloatSpec) -> float:
    """a · b + c rounded once, for finite numbers."""
    (na, sa), (nb, sb), (nc, sc) = whole(a), whole(b), whole(c)
    low = min(sa + sb, sc)
    n = (na * nb << (sa + sb - low)) + (nc << (sc - low))
    return round_whole(n, low, spec) if n else a * b + c


def each(function: Callable[..., float], *arrays: Floats) -> Floats:
    """function over the elements of flat arrays."""
    return np.array([function(*map(float, items)) for items in zip(*arrays, strict=True)], dtype=np.float64)


def _wholes(x: Floats, scale: int) -> npt.NDArray[np.object_]:
    held = np.empty(x.shape, dtype=object)
    for place, value in np.ndenumerate(x):
        n, s = whole(value) if math.isfinite(value) else (0, scale)
        held[place] = n << (s - scale) if s >= scale else n >> (scale - s) if n else 0
    return held
