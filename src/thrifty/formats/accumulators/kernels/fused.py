"""Chains of fused multiply-adds, k ascending, in FP32 or FP64: a block of rows by 32 columns at a time in vector registers.

Every element is a chain of its own, so vectors across columns change no bit. For other kernels: `fma` is one step, `dot` a chain along two rows, `block` a
product with a packed right-hand side (`pack`) that goes on from what `out` holds.
"""

from __future__ import annotations

import platform
from typing import Any, Final

import llvmlite.binding as binding
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from thrifty.loops import in_threads, jit

LANES: Final = 32
"""Columns of a panel."""
_VECTOR_BYTES: Final = 64
_FEATURES: Final = binding.get_host_cpu_features()
FUSES: Final = _FEATURES.get("fma", False) or platform.machine().lower() in ("aarch64", "arm64")
"""The processor has a fused multiply-add; without it the compiler would call a library's, which may be slow or wrong."""
WIDE: Final = 8 if _FEATURES.get("avx512f") else 2
"""Rows whose sums are held in registers."""


@intrinsic  # type: ignore[untyped-decorator]
def fma(context: Any, a: Any, b: Any, c: Any) -> Any:
    """a · b + c rounded once, of three FP32 or three FP64 numbers."""
    if a not in (types.float32, types.float64) or not a == b == c:
        return None

    def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
        return builder.fma(*args)

    return a(a, a, a), generate


def _micro(rows: int) -> Any:
    @intrinsic  # type: ignore[untyped-decorator]
    def go_on(context: Any, a: Any, a_at: Any, a_row: Any, b: Any, b_at: Any, out: Any, out_at: Any, depth: Any) -> Any:
        """out.flat[out_at + i·LANES + r] += Σ_k a.flat[a_at + i·a_row + k] · b.flat[b_at + k·LANES + r], k ascending, for i < rows, r < LANES, k < depth."""
        if not (isinstance(a, types.Array) and a.dtype == b.dtype == out.dtype and a.dtype in (types.float32, types.float64)):
            return None
        size = a.dtype.bitwidth // 8
        lanes = _VECTOR_BYTES // size
        vectors = LANES // lanes

        def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
            whole, vector = ir.IntType(64), ir.VectorType(context.get_value_type(a.dtype), lanes)
            step = cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{lanes}f{a.dtype.bitwidth}")
            from_a, from_b, to = (context.make_array(kind)(context, builder, value=args[at]).data for kind, at in ((a, 0), (b, 3), (out, 5)))
            _, a_at_, a_row_, _, b_at_, _, out_at_, depth_ = args

            def vectors_at(data: Any, place: Any) -> list[Any]:
                first = builder.bitcast(builder.gep(data, [place]), vector.as_pointer())
                return [builder.gep(first, [whole(v)]) for v in range(vectors)]

            sums = [[cgutils.alloca_once(builder, vector) for _ in range(vectors)] for _ in range(rows)]
            places = [vectors_at(to, builder.add(out_at_, whole(i * LANES))) for i in range(rows)]
            for held, row in zip(sums, places, strict=True):
                for v in range(vectors):
                    builder.store(builder.load(row[v], align=size), held[v])
            starts = [builder.add(a_at_, builder.mul(a_row_, whole(i))) for i in range(rows)]
            undefined, zeros = ir.Constant(vector, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
            with cgutils.for_range(builder, depth_, intp=whole) as loop:
                columns = [builder.load(place, align=size) for place in vectors_at(from_b, builder.add(b_at_, builder.mul(loop.index, whole(LANES))))]
                for i in range(rows):
                    term = builder.load(builder.gep(from_a, [builder.add(starts[i], loop.index)]))
                    spread = builder.shuffle_vector(builder.insert_element(undefined, term, ir.IntType(32)(0)), undefined, zeros)
                    for v in range(vectors):
                        builder.store(builder.call(step, [spread, columns[v], builder.load(sums[i][v])]), sums[i][v])
            for held, row in zip(sums, places, strict=True):
                for v in range(vectors):
                    builder.store(builder.load(held[v]), row[v], align=size)
            return context.get_dummy_value()

        return types.void(a, types.int64, types.int64, b, types.int64, out, types.int64, types.int64), generate

    return go_on


_wide, _single = _micro(WIDE), _micro(1)


@jit
def block(a_MK: Any, b_PKL: Any, out_PML: Any, first: int, last: int) -> None:
    """Rows first to last of out += a · b, each element a chain of fused multiply-adds, k ascending; all C-contiguous, of one dtype.

    b_PKL : panels of LANES columns, as `pack` lays them out; out_PML likewise
    """
    depth, rows = a_MK.shape[1], a_MK.shape[0]
    for panel in range(b_PKL.shape[0]):
        i = first
        while i + WIDE <= last:
            _wide(a_MK, i * depth, depth, b_PKL, panel * depth * LANES, out_PML, (panel * rows + i) * LANES, depth)
            i += WIDE
        while i < last:
            _single(a_MK, i * depth, depth, b_PKL, panel * depth * LANES, out_PML, (panel * rows + i) * LANES, depth)
            i += 1


@jit
def dot(a: Any, b: Any, start: Any) -> Any:
    """start + a · b along two rows of one dtype, a chain of fused multiply-adds, k ascending."""
    total = start
    for k in range(a.shape[0]):
        total = fma(a[k], b[k], total)
    return total


def pack(b_KN: npt.NDArray[Any], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """(P, K, LANES): panels of columns, the last filled up with zeros."""
    k, n = b_KN.shape
    panels = -(-n // LANES)
    held = np.zeros((k, panels * LANES), dtype=dtype)
    held[:, :n] = b_KN
    return np.ascontiguousarray(held.reshape(k, panels, LANES).transpose(1, 0, 2))


def chain(a_MK: npt.NDArray[np.float64], b_KN: npt.NDArray[np.float64], start: npt.NDArray[np.float64], dtype: npt.DTypeLike) -> npt.NDArray[np.float64]:
    """start + a · b, FP64 that `dtype` holds."""
    m, n = start.shape
    a, b, out = np.ascontiguousarray(a_MK, dtype=dtype), pack(b_KN, dtype), pack(start, dtype)
    in_threads(lambda first, last: block(a, b, out, first, last), m, max(b.shape[0] * b.shape[1], 1), block=WIDE)
    return out.transpose(1, 0, 2).reshape(m, -1)[:, :n].astype(np.float64)
