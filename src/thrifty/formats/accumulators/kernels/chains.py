"""Sums of any format, a row of the result in blocks of columns: each operation is a loop over the block, then one that rounds it. All in FP64, as `plain`."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.formats.accumulators.specs import Accumulator
from thrifty.formats.rounding.kernels import parameters, round_row
from thrifty.formats.rounding.modes import Rounding
from thrifty.formats.words import float_of, inlined, word_of
from thrifty.loops import in_threads, jit

SEQUENTIAL, FMA, KAHAN, PAIRWISE, TREE = range(5)
KINDS: Final = {"sequential": SEQUENTIAL, "fma": FMA, "kahan": KAHAN, "pairwise": PAIRWISE, "tree": TREE}
_BLOCK: Final = 256
_LEVELS: Final = 64


@inlined
def _odd_sum(p: Any, c: Any) -> Any:
    """p + c rounded to odd: what is rounded to fewer bits later is then rounded as if once."""
    total = p + c
    other = total - p
    error = (p - (total - other)) + (c - other)
    word = np.int64(word_of(total))
    move = (error != 0.0) & (total - total == 0.0) & ((word & 1) == 0)
    away = (error > 0.0) == (total > 0.0)
    return float_of(word + (np.int64(move) if away else -np.int64(move)))


@jit
def _product(a: float, b_N: Any, out: Any, count: int, params: Any) -> None:
    for j in range(count):
        out[j] = a * b_N[j]
    round_row(out, count, params, 0)


@jit
def _add(x: Any, y: Any, out: Any, count: int, params: Any) -> None:
    for j in range(count):
        out[j] = x[j] + y[j]
    round_row(out, count, params, 0)


@jit
def _subtract(x: Any, y: Any, out: Any, count: int, params: Any) -> None:
    for j in range(count):
        out[j] = x[j] - y[j]
    round_row(out, count, params, 0)


@jit
def _fused(a: float, b_N: Any, out: Any, count: int, params: Any) -> None:
    for j in range(count):
        out[j] = _odd_sum(a * b_N[j], out[j])
    round_row(out, count, params, 0)


@jit
def keep_rows(a_MK: Any, b_KN: Any, out_MN: Any, kind: int, fan: int, params: Any, first: int, last: int) -> None:
    """Rows first to last, going on from what out holds (0 but for SEQUENTIAL and FMA). fan: leaf of PAIRWISE, radix of TREE."""
    depth, n = b_KN.shape
    t, y, z = np.empty(_BLOCK), np.empty(_BLOCK), np.empty(_BLOCK)
    held = np.empty((depth if kind == TREE else _LEVELS if kind == PAIRWISE else 1, _BLOCK))
    levels = np.zeros(_LEVELS, dtype=np.int64)
    for i in range(first, last):
        for left in range(0, n, _BLOCK):
            count = min(_BLOCK, n - left)
            right = left + count
            total = out_MN[i, left:right]
            if kind == FMA:
                for k in range(depth):
                    _fused(a_MK[i, k], b_KN[k, left:right], total, count, params)
            elif kind == SEQUENTIAL:
                for k in range(depth):
                    _product(a_MK[i, k], b_KN[k, left:right], t, count, params)
                    _add(total, t, total, count, params)
            elif kind == KAHAN:
                z[:] = 0.0
                for k in range(depth):
                    _product(a_MK[i, k], b_KN[k, left:right], t, count, params)
                    _subtract(t, z, y, count, params)
                    _add(total, y, t, count, params)
                    _subtract(t, total, z, count, params)
                    _subtract(z, y, z, count, params)
                    total[:] = t[:count]
            elif kind == PAIRWISE:
                top = 0
                for start in range(0, depth, fan):
                    t[:] = 0.0
                    for k in range(start, min(start + fan, depth)):
                        _product(a_MK[i, k], b_KN[k, left:right], y, count, params)
                        _add(t, y, t, count, params)
                    level = 0
                    while top > 0 and levels[top - 1] == level:
                        top -= 1
                        level += 1
                        _add(held[top], t, t, count, params)
                    held[top] = t
                    levels[top] = level
                    top += 1
                if top > 0:
                    top -= 1
                    t[:] = held[top]
                    while top > 0:
                        top -= 1
                        _add(held[top], t, t, count, params)
                    total[:] = t[:count]
            else:
                for k in range(depth):
                    _product(a_MK[i, k], b_KN[k, left:right], held[k], count, params)
                terms = depth
                while terms > 1:
                    stride = -(-terms // fan)
                    for place in range(stride):
                        for other in range(place + stride, terms, stride):
                            _add(held[place], held[other], held[place], count, params)
                    terms = stride
                for j in range(count if depth > 0 else 0):
                    total[j] = held[0, j] + 0.0


def keep_chain(a_MK: npt.NDArray[np.float64], b_KN: npt.NDArray[np.float64], how: Accumulator, start: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """start + a · b by a kind of KINDS; for "fma" all operands are FP32."""
    spec, out = how.spec_inside, start.copy()
    params = parameters(Rounding.of(spec, overflow="inf" if spec.infinities else "saturate"))
    a, b = np.ascontiguousarray(a_MK), np.ascontiguousarray(b_KN)
    fan = how.leaf if how.kind == "pairwise" else how.radix
    in_threads(lambda first, last: keep_rows(a, b, out, KINDS[how.kind], fan, params, first, last), out.shape[0], 4 * max(b.size, 1), block=1)
    return out
