"""A product of matrices in stages: batches, splits of K, promotions; what keeps each stretch of K is plain or compiled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.formats.accumulators.plain import finish_of
from thrifty.formats.accumulators.plain import keep as keep_plain
from thrifty.formats.accumulators.specs import Accumulator
from thrifty.loops import has_numba

Floats = npt.NDArray[np.float64]
Scales = tuple[Floats, Floats] | None
ONWARD = ("sequential", "fma", "tensor_core")
"""Kinds that can go on from a sum."""


def product(
    a: npt.NDArray[Any], b: npt.NDArray[Any], how: Accumulator, batch: tuple[int, ...], start: Floats | None = None, scales: Scales = None
) -> npt.NDArray[Any]:
    """(…, M, K) by (…, K, N), FP32 or FP64, from `start` (+0): the whole batch at once where a compiled loop takes it, else product by product."""
    if has_numba():
        from thrifty.formats.accumulators.kernels.dispatch import batches

        made = batches(a, b, how, batch, start)
        if made is not None:
            return made
    a, b = wide(a), wide(b)
    m, n = a.shape[-2], b.shape[-1]
    out = np.zeros((*batch, m, n))
    if out.size == 0:
        return out
    a, b = np.broadcast_to(a, (*batch, *a.shape[-2:])), np.broadcast_to(b, (*batch, *b.shape[-2:]))
    begin = None if start is None else np.broadcast_to(start, out.shape)
    held = None if scales is None else [np.broadcast_to(scale, (*batch, *scale.shape[-2:])) for scale in scales]
    for place in np.ndindex(*batch):
        out[place] = matrix(
            np.ascontiguousarray(a[place]), np.ascontiguousarray(b[place]), how, None if begin is None else np.ascontiguousarray(begin[place]),
            None if held is None else (held[0][place], held[1][place]),
        )  # fmt: skip
    return out


def wide(x: npt.NDArray[Any]) -> Floats:
    """x as FP64."""
    with np.errstate(invalid="ignore"):  # NaN that signal
        return np.asarray(x, dtype=np.float64)


def matrix(a_MK: Floats, b_KN: Floats, how: Accumulator, start: Floats | None = None, scales: Scales = None) -> Floats:
    """One product, splits and promotions included."""
    if how.kind == "split_k":
        assert how.inner is not None and how.outer is not None
        k = a_MK.shape[1]
        parts = [matrix(a_MK[:, first:last], b_KN[first:last], how.inner) for first, last in runs(k, max(-(-k // how.splits), 1))]
        return _sum_of(parts, how.outer, (a_MK.shape[0], b_KN.shape[1]))
    begin = np.zeros((a_MK.shape[0], b_KN.shape[1])) if start is None else start
    if not how.promote:
        return keep(a_MK, b_KN, how, begin, scales)
    total, zero, finish = begin, np.zeros_like(begin), finish_of(how.spec)
    with np.errstate(invalid="ignore", over="ignore"):
        for first, last in runs(a_MK.shape[1], how.promote):
            held = None if scales is None else _scales_of(scales, first, last, how)
            total = finish(total + keep(a_MK[:, first:last], b_KN[first:last], how, zero, held))
    return total


def keep(a_MK: Floats, b_KN: Floats, how: Accumulator, start: Floats, scales: Scales = None) -> Floats:
    """One stretch of K: compiled where Numba is and has a loop for it, else by the definition; the bits are the same."""
    if has_numba():
        from thrifty.formats.accumulators.kernels.dispatch import compiled

        made = compiled(a_MK, b_KN, how, start, scales)
        if made is not None:
            return made
    return keep_plain(a_MK, b_KN, how, start, scales)


def runs(count: int, length: int) -> Iterator[tuple[int, int]]:
    """Ranges of `length` that cover count; the last may be shorter."""
    return ((first, min(first + length, count)) for first in range(0, count, length))


def _scales_of(scales: tuple[Floats, Floats], first: int, last: int, how: Accumulator) -> Scales:
    block = how.tensor_core.scale_block
    low, high = first // block, -(-last // block)
    return scales[0][:, low:high], scales[1][low:high]


def _sum_of(parts: list[Floats], how: Accumulator, shape: tuple[int, int]) -> Floats:
    """Sums of equal places of some matrices, by an accumulator."""
    if not parts:
        return np.zeros(shape)
    flat = np.stack(parts, axis=-1).reshape(-1, len(parts))
    return matrix(flat, np.ones((len(parts), 1)), how).reshape(shape)
