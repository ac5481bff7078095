"""The "truncated" fused addition (see catalogue/tensor_cores.toml), a row of the result by blocks of columns.

Significands are not cut out: a product of operands is exact in FP64, and so is it times the power of two that brings the chosen last bit to 1, whose whole
part is then what truncation toward zero leaves. Whole numbers below 2^53 add exactly in FP64. Exponents stand beside the operands, since products are aligned
by the sum of their operands' exponents, not by their own; as FP32, so that vectors of them are added and compared.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numba import types
from numba.extending import intrinsic

from thrifty.formats.accumulators.cores.catalogue import TensorCore
from thrifty.formats.accumulators.plain.cores import Scales, keep_core
from thrifty.formats.floats import FloatSpec
from thrifty.formats.words import float_of, inlined, word_of
from thrifty.loops import in_threads, jit

Floats = npt.NDArray[np.float64]
_COLUMNS: Final = 128
NONE: Final = -(1 << 14)
"""Exponent of a zero operand: below every other sum of exponents."""


@inlined
def power(exponent: Any) -> Any:
    """2^exponent, FP64, within its range."""
    return float_of(np.int64(exponent + 1023) << 52)


@inlined
def larger(x: Any, y: Any) -> Any:
    return x if x > y else y


@inlined
def exponent_of(c: Any, emin: Any, zero: Any) -> Any:
    """Exponent of an FP64 number that stands for one of a narrower format."""
    field = ((np.int64(word_of(c)) >> 52) & 0x7FF) - 1023
    return zero if c == 0.0 else max(field, emin)


@inlined
def _toward_zero(v: Any, spare: Any) -> Any:
    """v cut toward zero to FP32 with its `spare` low bits zero; infinite from 2^128 on; zero is +0."""
    near = np.float32(v)
    word = word_of(near)
    word = word - np.uint32(1) if abs(np.float64(near)) > abs(v) else word
    cut = np.float64(float_of(np.uint32(word & spare)))
    return (math.copysign(np.inf, v) if abs(v) >= 2.0**128 else cut) + 0.0


@inlined
def _to_fp16(v: Any) -> Any:
    """v to the nearest FP16, ties to even, by an addition whose last place is FP16's; infinite from 65520 on; zero is +0."""
    field = max((np.int64(word_of(v)) >> 52) & 0x7FF, np.int64(1023 - 14))
    large = float_of((field + np.int64(42)) << 52) * 1.5
    near = (v + large) - large
    return (math.copysign(np.inf, v) if abs(near) > 65504.0 else near) + 0.0


@intrinsic  # type: ignore[untyped-decorator]
def _whole(context: Any, x: Any) -> Any:
    """The whole part of an FP64 number."""
    if x != types.float64:
        return None

    def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
        return builder.call(builder.module.declare_intrinsic("llvm.trunc", [args[0].type]), args)

    return x(x), generate


@jit
def add_products(
    a_K: Any, ea_K: Any, b_KC: Any, eb_KC: Any, c_C: Any, top: Any, scale: Any, held: Any, start: int, end: int, fraction: int, emin: int, zero: int
) -> None:
    """held: the sum of the products from start to end (four at a time) and c, cut, in units of 1 / scale; top: the largest exponent."""
    for j in range(c_C.shape[0]):
        top[j] = np.float32(exponent_of(c_C[j], np.int64(emin), np.int64(zero)))
    for k in range(start, end, 4):
        e0, e1, e2, e3 = ea_K[k], ea_K[k + 1], ea_K[k + 2], ea_K[k + 3]
        f0, f1, f2, f3 = eb_KC[k], eb_KC[k + 1], eb_KC[k + 2], eb_KC[k + 3]
        for j in range(c_C.shape[0]):
            top[j] = larger(top[j], larger(larger(e0 + f0[j], e1 + f1[j]), larger(e2 + f2[j], e3 + f3[j])))
    for j in range(c_C.shape[0]):
        scale[j] = power(np.int64(fraction) - np.int64(top[j]))
        held[j] = _whole(c_C[j] * scale[j])
    for k in range(start, end, 4):
        a0, a1, a2, a3 = a_K[k], a_K[k + 1], a_K[k + 2], a_K[k + 3]
        b0, b1, b2, b3 = b_KC[k], b_KC[k + 1], b_KC[k + 2], b_KC[k + 3]
        for j in range(c_C.shape[0]):
            s = scale[j]
            held[j] += (_whole(a0 * b0[j] * s) + _whole(a1 * b1[j] * s)) + (_whole(a2 * b2[j] * s) + _whole(a3 * b3[j] * s))


@jit
def _store(c_C: Any, top: Any, held: Any, fraction: int, spare: Any, nearest: bool) -> None:
    if nearest:
        for j in range(c_C.shape[0]):
            v = held[j] * power(np.int64(top[j]) - np.int64(fraction))
            c_C[j] = _to_fp16(v) if abs(c_C[j]) < np.inf else c_C[j]
    else:
        for j in range(c_C.shape[0]):
            v = held[j] * power(np.int64(top[j]) - np.int64(fraction))
            c_C[j] = _toward_zero(v, spare) if abs(c_C[j]) < np.inf else c_C[j]


@jit
def keep_rows(
    a_MK: Any, ea_MK: Any, b_PKC: Any, eb_PKC: Any, out_PMC: Any, chunk: int, fraction: int, emin: int, zero: int, spare: Any, nearest: bool,
    first: int, last: int,
) -> None:  # fmt: skip
    """Rows first to last, going on from what out holds; K is a multiple of chunk."""
    columns = b_PKC.shape[2]
    top, scale, held = np.empty(columns, dtype=np.float32), np.empty(columns), np.empty(columns)
    for panel in range(b_PKC.shape[0]):
        for start in range(0, a_MK.shape[1], chunk):
            for i in range(first, last):
                add_products(a_MK[i], ea_MK[i], b_PKC[panel], eb_PKC[panel], out_PMC[panel, i], top, scale, held, start, start + chunk, fraction, emin, zero)
                _store(out_PMC[panel, i], top, held, fraction, spare, nearest)


def keep_truncated(a_MK: Floats, b_KN: Floats, core: TensorCore, start: Floats, scales: Scales) -> Floats:
    """start + a · b as `plain.keep_core` gives it. Rows and columns with infinite or NaN operands are done by that."""
    bad_rows, bad_columns = np.asarray(~np.isfinite(a_MK).all(axis=1)), np.asarray(~np.isfinite(b_KN).all(axis=0))
    if scales is not None:
        bad_rows, bad_columns = bad_rows | np.isnan(scales[0]).any(axis=1), bad_columns | np.isnan(scales[1]).any(axis=0)
    more = -a_MK.shape[1] % core.chunk
    a, ea = spread(np.where(bad_rows[:, None], 0.0, a_MK), core.a, None if scales is None else scales[0], core.scale_block, more)
    b_NK, eb_NK = spread(np.where(bad_columns[:, None], 0.0, b_KN.T), core.b, None if scales is None else scales[1].T, core.scale_block, more)
    spec = core.spec
    b_PKC, eb_PKC = panels(b_NK.T, 0.0), panels(eb_NK.T, NONE)
    out = panels(start, 0.0)
    spare = np.uint32(0xFFFFFFFF << (23 - spec.mantissa_bits) & 0xFFFFFFFF)
    constants = (core.chunk, core.fraction_bits, spec.emin, core.zero_exponent, spare, core.result == "fp16")
    in_threads(lambda first, last: keep_rows(a, ea, b_PKC, eb_PKC, out, *constants, first, last), a.shape[0], 2 * b_PKC[..., 0].size, block=4)
    made = np.ascontiguousarray(out.transpose(1, 0, 2).reshape(start.shape[0], -1)[:, : start.shape[1]])
    for bad, rows in ((bad_rows, True), (bad_columns, False)):
        if bad.any():
            x, y, c = (a_MK[bad], b_KN, start[bad]) if rows else (a_MK, b_KN[:, bad], start[:, bad])
            held = None if scales is None else (scales[0][bad], scales[1]) if rows else (scales[0], scales[1][:, bad])
            slow = keep_core(x, y, core, c, held)
            if rows:
                made[bad] = slow
            else:
                made[:, bad] = slow
    return made


def spread(x_RK: Floats, spec: FloatSpec, scale_RB: Any, block: int, more: int) -> tuple[Floats, npt.NDArray[np.float32]]:
    """Operands along rows with their scales multiplied in, and their exponents; K brought up with `more` zeros."""
    exponent = np.maximum(np.frexp(x_RK)[1] - 1, spec.emin).astype(np.int32)
    if scale_RB is not None:
        scale = np.repeat(np.where(np.isnan(scale_RB), 1.0, scale_RB), block, axis=1)[:, : x_RK.shape[1]]
        exponent = exponent + np.frexp(scale)[1].astype(np.int32) - 1
        exponent, x_RK = np.where(x_RK == 0, NONE, exponent), x_RK * scale
    else:
        exponent = np.where(x_RK == 0, NONE, exponent)
    if more:
        exponent, x_RK = np.pad(exponent, ((0, 0), (0, more)), constant_values=NONE), np.pad(x_RK, ((0, 0), (0, more)))
    return np.ascontiguousarray(x_RK), np.ascontiguousarray(exponent, dtype=np.float32)


def panels(x_KN: npt.NDArray[Any], fill: float) -> npt.NDArray[Any]:
    """(P, K, C): panels of columns, the last filled up."""
    k, n = x_KN.shape
    panels = -(-n // _COLUMNS)
    held = np.full((k, panels * _COLUMNS), fill, dtype=x_KN.dtype)
    held[:, :n] = x_KN
    return np.ascontiguousarray(held.reshape(k, panels, _COLUMNS).transpose(1, 0, 2))
