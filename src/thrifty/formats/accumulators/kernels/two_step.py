"""The "two_step" fused addition (see catalogue/tensor_cores.toml): products as in `truncated`, then their sum and the sum so far once more, rounded down."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.formats.accumulators.cores.catalogue import TensorCore
from thrifty.formats.accumulators.kernels.truncated import NONE, add_products, exponent_of, larger, panels, power, spread
from thrifty.formats.accumulators.plain.cores import FINER, KEPT, keep_core
from thrifty.loops import in_threads, jit

Floats = npt.NDArray[np.float64]
NOTHING: Final = -900
"""Exponent of a sum of zeros: below every other, and within FP64 with the bits behind it."""


@jit
def keep_rows(
    a_MK: Any, ea_MK: Any, b_PKC: Any, eb_PKC: Any, out_PMC: Any, chunk: int, halves: int, fraction: int, sum_bits: int, emin: int, first: int, last: int
) -> None:
    """Rows first to last, going on from what out holds; K is a multiple of chunk, and within each chunk the products of a half stand together."""
    columns = b_PKC.shape[2]
    zeros, scale = np.zeros(columns), np.empty(columns)
    tops, sums = np.empty((2, columns), dtype=np.float32), np.empty((2, columns))
    part, bits = chunk // halves, sum_bits + FINER
    for panel in range(b_PKC.shape[0]):
        for start in range(0, a_MK.shape[1], chunk):
            for i in range(first, last):
                for half in range(halves):
                    begin = start + half * part
                    add_products(
                        a_MK[i], ea_MK[i], b_PKC[panel], eb_PKC[panel], zeros, tops[half], scale, sums[half], begin, begin + part, fraction, emin, NOTHING
                    )  # fmt: skip
                c_C = out_PMC[panel, i]
                for j in range(columns):
                    inner, held = np.int64(tops[0, j]), sums[0, j]
                    if halves > 1:
                        inner = np.int64(larger(tops[0, j], tops[1, j]))
                        held = math.floor(sums[0, j] * power(np.int64(tops[0, j]) - inner)) + math.floor(sums[1, j] * power(np.int64(tops[1, j]) - inner))
                    c = c_C[j]
                    own = exponent_of(c, np.int64(emin), np.int64(NOTHING))
                    top = max(inner, own)
                    counts = halves == 1 or own >= top - KEPT
                    total = np.float64(math.floor(held * power(inner - top + bits - fraction)))
                    total += math.floor(c * power(fraction - top)) * 2.0 ** (bits - fraction) if counts and abs(c) < np.inf else 0.0
                    lost = max(exponent_of(total, np.int64(0), np.int64(0)) - sum_bits, 0)
                    total = math.floor(total * power(-lost)) * power(np.int64(lost))
                    c_C[j] = np.float64(np.float32(total * power(top - bits))) if abs(c) < np.inf else c


def keep_two_step(a_MK: Floats, b_KN: Floats, core: TensorCore, start: Floats) -> Floats | None:
    """start + a · b as `plain.keep_core` gives it; None where a product might be too large for FP32. Infinite and NaN operands are done by that."""
    bad_rows, bad_columns = np.asarray(~np.isfinite(a_MK).all(axis=1)), np.asarray(~np.isfinite(b_KN).all(axis=0))
    a, b_NK = np.where(bad_rows[:, None], 0.0, a_MK), np.where(bad_columns[:, None], 0.0, b_KN.T)
    if np.abs(a).max(initial=0.0) * np.abs(b_NK).max(initial=0.0) >= 2.0 ** (core.spec.emax + 1):
        return None
    more = -a.shape[1] % core.chunk
    (a, ea), (b_NK, eb_NK) = spread(a, core.a, None, 0, more), spread(b_NK, core.b, None, 0, more)
    order = np.arange(a.shape[1]).reshape(-1, core.chunk // core.halves, core.halves).swapaxes(1, 2).reshape(-1)
    a, ea = np.ascontiguousarray(a[:, order]), np.ascontiguousarray(ea[:, order])
    b_PKC, eb_PKC, out = panels(b_NK[:, order].T, 0.0), panels(eb_NK[:, order].T, NONE), panels(start, 0.0)
    constants = (core.chunk, core.halves, core.fraction_bits, core.sum_bits, core.spec.emin)
    in_threads(lambda first, last: keep_rows(a, ea, b_PKC, eb_PKC, out, *constants, first, last), a.shape[0], 4 * b_PKC[..., 0].size, block=4)
    made = np.ascontiguousarray(out.transpose(1, 0, 2).reshape(start.shape[0], -1)[:, : start.shape[1]])
    if bad_rows.any():
        made[bad_rows] = keep_core(a_MK[bad_rows], b_KN, core, start[bad_rows])
    if bad_columns.any():
        made[:, bad_columns] = keep_core(a_MK, b_KN[:, bad_columns], core, start[:, bad_columns])
    return made
