"""Rounding of buffers that hold FP32 or FP64, in place, and e^x by a cubic. Imported only where Numba is.

To nearest only, in the buffer's own arithmetic: by adding and taking off a power of two whose spacing is the format's (see `formats.rounding.kernels`), or
on FP32's words for BF16 and its kin, which share its exponents. Fewer kinds than there is room for: each is compiled into every loop.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba.extending import overload

from thrifty.formats.elementary import LN2_HIGH, LN2_LOW, LOG2E, series
from thrifty.formats.elementary_kernels import exp
from thrifty.formats.words import HALVES, float_of, inlined, narrowed, shifted, word_of
from thrifty.lenses.numerics.laboratory.kernels.inner import apart, inner
from thrifty.lenses.numerics.laboratory.kernels.rows import to_half, to_short
from thrifty.lenses.numerics.laboratory.polynomials import CUBIC

STAYS, ALIGNED, NEAREST, SINGLE, CLIPPED, HALF = range(6)
"""Kinds of rounding: none; on FP32's word; by an addition; FP64 to FP32; on FP32's word, sizes clipped; FP16 by the processor."""
C0, C1, C2, C3 = CUBIC
_series = inlined(series)
WHOLE = float(3 << 51)
"""Adding and taking off 1.5 · 2^52 rounds to a whole number, which is then in the last bits."""
_QUIET, _INFINITE = np.uint32(1 << 22), np.uint32(0xFF << 23)
_INFINITE64, _SIGN64 = np.uint64(0x7FF << 52), np.uint64(1 << 63)


@inlined
def _power_of(n: Any) -> Any:
    return float_of((n + np.int64(1023)) << np.int64(52))


@inlined
def cubic(x: Any) -> Any:
    """e^x as `polynomials.exp_cubic` has it."""
    held = -750.0 if x < -750.0 else (715.0 if x > 715.0 else x)
    held = (held if held == held else 0.0) * LOG2E
    whole = np.floor(held)
    f = held - whole
    p = ((C3 * f + C2) * f + C1) * f + C0
    n = np.int64(whole)
    rest = np.int64(-100) if n < -1000 else (np.int64(100) if n > 1000 else np.int64(0))
    result = p * _power_of(n - rest) * _power_of(rest)
    return result if x == x else x


@inlined
def _nearest64(x: Any, normal: Any, step: Any, clip: Any, largest: Any, lost: Any) -> Any:
    word = word_of(x)
    size = np.abs(x)
    held = size if size < clip else clip
    power = float_of(word_of(held if held > normal else normal) & _INFINITE64) * step
    held = (held + power) - power
    held = lost if held > largest else held
    held = float_of(word_of(held) | (word & _SIGN64))
    return x if size != size else held


@inner
def round_chunk(x: Any, n: int, rule: Any) -> None:
    """x[:n] of FP64, rounded in place. rule: (kind, smallest normal, 2^(52 - mantissa bits), clip, largest, what lies beyond)."""
    apart()
    if rule[0] == SINGLE:
        for i in range(n):
            x[i] = np.float64(np.float32(x[i]))
    elif rule[0] == NEAREST:
        f0, f1, f2, f3, f4 = rule[1], rule[2], rule[3], rule[4], rule[5]
        for i in range(n):
            x[i] = _nearest64(x[i], f0, f1, f2, f3, f4)


@inlined
def _near_exp(x: Any) -> Any:
    """e^x as `exp` has it where no power of two is out of range: the product with it is an addition to the exponent."""
    moved = x * LOG2E + WHOLE
    n = moved - WHOLE
    p = _series((x - n * LN2_HIGH) - n * LN2_LOW)
    return float_of(word_of(p) + (word_of(moved) << np.uint64(52)))


@inner
def exp_row(x: Any, n: int) -> None:
    """x[:n] ← e^x[:n]."""
    apart()
    far = 0
    for i in range(n):
        far += not (np.abs(x[i]) < 700.0)
    if far == 0:
        for i in range(n):
            x[i] = _near_exp(x[i])
        return
    for i in range(n):
        x[i] = exp(x[i])


@inner
def cubic_row(x: Any, n: int) -> None:
    """x[:n] ← e^x[:n]."""
    apart()
    for i in range(n):
        x[i] = cubic(x[i])


@inlined
def aligned(x: Any, drop: Any, clip: Any) -> Any:
    """FP32 to nearest in a format with its exponents: on the word. clip: the word that sizes are clipped at."""
    word = word_of(x)
    mask = (np.uint32(1) << drop) - np.uint32(1)
    size = narrowed(word & np.uint32(0x7FFFFFFF), word)
    kept = narrowed((size + (mask >> np.uint32(1)) + (shifted(size, drop) & np.uint32(1))) & ~mask, word)
    kept = kept if kept < clip else clip
    kept = narrowed(size | _QUIET, word) if size > _INFINITE else kept
    return float_of(narrowed(kept | (word & np.uint32(0x80000000)), word))


@inlined
def nearest(x: Any, normal: Any, step: Any, clip: Any, largest: Any, lost: Any) -> Any:
    """FP32 to nearest in a narrower format, by an addition."""
    word = word_of(x)
    size = np.abs(x)
    held = size if size < clip else clip
    power = float_of(narrowed(word_of(held if held > normal else normal) & _INFINITE, word)) * step
    held = (held + power) - power
    held = lost if held > largest else held
    held = float_of(narrowed(word_of(held) | (word & np.uint32(0x80000000)), word))
    return x if size != size else held


@inner
def _settle32(x: Any, n: int, kind: int, f: Any, w: Any) -> None:
    apart()
    if kind == ALIGNED:
        bits = w[0]
        for i in range(n):
            x[i] = to_short(x[i], bits)
    elif HALVES and kind == HALF:
        for i in range(n):
            x[i] = to_half(x[i])
    elif kind == CLIPPED:
        drop, clip = w[0], w[1]
        for i in range(n):
            x[i] = aligned(x[i], drop, clip)
    elif kind == NEAREST:
        f0, f1, f2, f3, f4 = f[0], f[1], f[2], f[3], f[4]
        for i in range(n):
            x[i] = nearest(x[i], f0, f1, f2, f3, f4)


def settle(x: Any, n: int, site: int, sites: Any, kinds: Any, floats: Any, words: Any) -> None:
    """x[:n] rounded as a site says, in place."""
    raise NotImplementedError  # compiled code only


@overload(settle)  # type: ignore[untyped-decorator]
def _settle(x: Any, n: int, site: int, sites: Any, kinds: Any, floats: Any, words: Any) -> Any:
    if x.dtype == numba.float32:

        def narrow(x: Any, n: int, site: int, sites: Any, kinds: Any, floats: Any, words: Any) -> None:
            if kinds[site] != STAYS:
                _settle32(x, n, kinds[site], floats[site], words[site])

        return narrow

    def whole(x: Any, n: int, site: int, sites: Any, kinds: Any, floats: Any, words: Any) -> None:
        round_chunk(x, n, sites[site])

    return whole
