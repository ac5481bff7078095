"""Scores and weights of tiles that all queries see whole, and that need no scales beside 1/√d: every step in the carrier's own kind, in place.

What makes FP32's operations as good as FP64's is in `running`. e^x is one of three, all with the bits of e^x in FP64 rounded once at p.exp:
read from a table, where differences are rounded to few bits; to FP32 by a shorter polynomial, which says where it is not sure; as elsewhere.
Imported only where Numba is.
"""

from __future__ import annotations

from typing import Any, Final

import numba
import numpy as np
from numba.extending import overload

from thrifty.formats.elementary import LN2_HIGH, LN2_LOW, LOG2E
from thrifty.formats.words import float_of, inlined, word_of
from thrifty.lenses.numerics.laboratory.kernels.inner import apart, inner
from thrifty.lenses.numerics.laboratory.kernels.lanes import WHOLE, cubic_row, exp_row, round_chunk, settle
from thrifty.lenses.numerics.laboratory.kernels.rows import count_zeros, fma, greatest, less_row, place_of, total_row
from thrifty.lenses.numerics.laboratory.kernels.tiles import CHUNK, P_EXP, P_STORE, S_SCALE, S_STORE, S_SUB, UNDERFLOWS

IN_DOUBLE, BY_TABLE, IN_SINGLE = range(3)
"""How e^x is found."""
F2, F3, F4, F5, F6 = 1.0 / 2.0, 1.0 / 6.0, 1.0 / 24.0, 1.0 / 120.0, 1.0 / 720.0
F7, F8, F9, F10, F11 = 1.0 / 5040.0, 1.0 / 40320.0, 1.0 / 362880.0, 1.0 / 3628800.0, 1.0 / 39916800.0
_DROPPED: Final = np.uint64((1 << 29) - 1)
"""Bits that FP64 has and FP32 has not."""
_MIDDLE, _UNSURE = np.uint64((1 << 28) + (1 << 9)), np.uint64(1 << 10)
"""2^9 ulp at either side of the middle between two FP32: Taylor's series to r^11 is within 2^-46, 2^7 ulp, for |r| ≤ ln(2)/2."""


@inner
def lean_scores(s: Any, here: Any, w: int, factor: Any, sites: Any, kinds: Any, floats: Any, words: Any) -> None:
    """Products s become scores. here: their maximum, NaN where one is; factor: 0 where there is none."""
    apart()
    lanes = here.size
    for r in range(lanes):
        here[r] = -np.inf
    for start in range(0, w, CHUNK):
        count = min(CHUNK, w - start)
        n = count * lanes
        x = s[start * lanes : start * lanes + n]
        settle(x, n, S_STORE, sites, kinds, floats, words)
        if factor != 0:
            for i in range(n):
                x[i] = x[i] * factor
            settle(x, n, S_SCALE, sites, kinds, floats, words)
        greatest(x, 0, count, here, here)


@inner
def lean_weights(s: Any, chunk: Any, base: Any, total: Any, zeros: Any, tally: Any, w: int, degree: int, stores: bool, again: bool, way: int, table: Any,
                 shape: Any, sites: Any, kinds: Any, floats: Any, words: Any) -> None:  # fmt: skip
    """Scores s become P, and total their sum. stores: P is made ready for PV, rounded once more where `again` says so; table, shape: of `exps.table`."""
    apart()
    lanes = base.size
    for r in range(lanes):
        total[r] = 0
        zeros[r] = 0
    for start in range(0, w, CHUNK):
        count = min(CHUNK, w - start)
        n = count * lanes
        x = s[start * lanes : start * lanes + n]
        less_row(x, 0, count, base, base)
        settle(x, n, S_SUB, sites, kinds, floats, words)
        exps(x, chunk, n, degree, way, table, shape, sites)
        total_row(x, 0, count, total, total)
        if stores:
            if again:
                settle(x, n, P_STORE, sites, kinds, floats, words)
            count_zeros(x, 0, count, zeros, zeros)
    for r in range(lanes):
        tally[UNDERFLOWS, r] += zeros[r]


@inner
def exps_in_double(x: Any, chunk: Any, n: int, degree: int, sites: Any) -> None:
    apart()
    for i in range(n):
        chunk[i] = x[i]
    if degree == 3:
        cubic_row(chunk, n)
    else:
        exp_row(chunk, n)
    round_chunk(chunk, n, sites[P_EXP])
    for i in range(n):
        x[i] = chunk[i]


@inner
def exps_by_table(x: Any, places: Any, n: int, table: Any, shape: Any) -> None:
    """shape: (bits to drop, first index, last index, indices of one sign). Two loops: one of vectors, one that only reads."""
    apart()
    drop, low, top, half = shape[0], shape[1], shape[2], shape[3]
    for i in range(n):
        places[i] = place_of(x[i], drop, low, top, half)
    for i in range(n):
        x[i] = table[places[i]]


@inlined
def _short_exp(x: Any) -> Any:
    moved = fma(x, LOG2E, WHOLE)
    n = moved - WHOLE
    r = fma(n, -LN2_LOW, fma(n, -LN2_HIGH, x))
    p = fma(fma(fma(fma(F11, r, F10), r, F9), r, F8), r, F7)
    p = fma(fma(fma(fma(p, r, F6), r, F5), r, F4), r, F3)
    p = fma(fma(fma(p, r, F2), r, 1.0), r, 1.0)
    return float_of(word_of(p) + (word_of(moved) << np.uint64(52)))


@inner
def exps_in_single(x: Any, near: Any, n: int) -> bool:
    """near[:n] ← e^x[:n] rounded to FP32; False where one of them is too near a middle to be sure, or out of FP32's normal range."""
    apart()
    unsure = 0
    for i in range(n):
        given = x[i]
        found = _short_exp(np.float64(given))
        unsure += ((word_of(found) + _MIDDLE) & _DROPPED) < _UNSURE
        unsure += not (np.abs(given) < 87.0)
        near[i] = np.float32(found)
    return unsure == 0


def exps(x: Any, chunk: Any, n: int, degree: int, way: int, table: Any, shape: Any, sites: Any) -> None:
    """x[:n] ← e^x[:n], rounded at p.exp."""
    raise NotImplementedError  # compiled code only


@overload(exps)  # type: ignore[untyped-decorator]
def _exps(x: Any, chunk: Any, n: int, degree: int, way: int, table: Any, shape: Any, sites: Any) -> Any:
    if x.dtype == numba.float32:

        def single(x: Any, chunk: Any, n: int, degree: int, way: int, table: Any, shape: Any, sites: Any) -> None:
            if way == BY_TABLE:
                exps_by_table(x, chunk.view(np.uint32), n, table, shape)
                return
            near = chunk.view(np.float32)
            if way == IN_SINGLE and exps_in_single(x, near, n):
                for i in range(n):
                    x[i] = near[i]
            else:
                exps_in_double(x, chunk, n, degree, sites)

        return single

    def double(x: Any, chunk: Any, n: int, degree: int, way: int, table: Any, shape: Any, sites: Any) -> None:
        if degree == 3:
            cubic_row(x, n)
        else:
            exp_row(x, n)
        round_chunk(x, n, sites[P_EXP])

    return double
