"""Rounding of buffers that hold FP32 or FP64, in place, and e^x by a cubic. Imported only where Numba is.

FP64 is rounded by the loops of `thrifty.formats`. FP32 is rounded in its own arithmetic: as it is (FP32), on its words (BF16 and its kin, which share its
exponents), or by adding and taking off a power of two (all else that is narrower).
"""

from __future__ import annotations

from typing import Any, Final

import numba
import numpy as np
from numba.extending import overload

from thrifty.formats.elementary import LOG2E
from thrifty.formats.rounding.kernels import round_row
from thrifty.formats.words import float_of, inlined, narrowed, shifted, word_of
from thrifty.lenses.numerics.laboratory.polynomials import CUBIC
from thrifty.loops import jit

STAYS, ALIGNED, NEAREST = range(3)
"""Kinds of rounding in FP32."""
C0, C1, C2, C3 = CUBIC
_QUIET: Final = np.uint32(1 << 22)


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


@jit
def cubic_row(x: Any, n: int) -> None:
    """x[:n] ← e^x[:n]."""
    for i in range(n):
        x[i] = cubic(x[i])


@jit
def _settle32(x: Any, n: int, kind: int, f: Any, w: Any) -> None:
    if kind == ALIGNED:
        drop, clip = w[0], w[1]
        mask = (np.uint32(1) << drop) - np.uint32(1)
        for i in range(n):
            word = word_of(x[i])
            size = narrowed(word & np.uint32(0x7FFFFFFF), word)
            kept = narrowed((size + (mask >> np.uint32(1)) + (shifted(size, drop) & np.uint32(1))) & ~mask, word)
            kept = kept if kept < clip else clip
            kept = narrowed(size | _QUIET, word) if size > np.uint32(0x7F800000) else kept
            x[i] = float_of(narrowed(kept | (word & np.uint32(0x80000000)), word))
    elif kind == NEAREST:
        normal, step, clip_, largest, lost = f[0], f[1], f[2], f[3], f[4]
        for i in range(n):
            size = np.abs(x[i])
            held = size if size < clip_ else clip_
            power = float_of(narrowed(word_of(held if held > normal else normal) & np.uint32(0x7F800000), np.uint32(0))) * step
            held = (held + power) - power
            held = lost if held > largest else held
            held = float_of(narrowed(word_of(held) | (word_of(x[i]) & np.uint32(0x80000000)), np.uint32(0)))
            x[i] = x[i] if size != size else held


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
        round_row(x, n, sites[site])

    return whole
