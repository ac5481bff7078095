"""Chains of fused multiply-adds, k ascending, in FP32 or FP64: rows of the result by a vector of columns at a time, in vector registers, whole batches a call.

Every element is a chain of its own, so vectors across columns change no bit. For other kernels: `times` is a product of matrices that lie anywhere in
memory, in vectors of 64 bytes.
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

VECTOR_BYTES: Final = 64
"""Of a vector of columns: 16 numbers of FP32, 8 of FP64."""
_FEATURES: Final = binding.get_host_cpu_features()
FUSES: Final = _FEATURES.get("fma", False) or platform.machine().lower() in ("aarch64", "arm64")
"""The processor has a fused multiply-add; without it the compiler would call a library's, which may be slow or wrong."""
FEW_ROWS: Final = 32
"""Rows below which columns are read where they lie, not packed first."""
WIDE: Final = 8 if _FEATURES.get("avx512f") else 4
"""Rows whose sums are held in registers."""


@intrinsic  # type: ignore[untyped-decorator]
def fma(context: Any, a: Any, b: Any, c: Any) -> Any:
    """a · b + c rounded once, of three FP32 or three FP64 numbers."""
    if a not in (types.float32, types.float64) or not a == b == c:
        return None

    def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
        return builder.fma(*args)

    return a(a, a, a), generate


def micro(rows: int, on: bool) -> Any:
    """An intrinsic that multiplies so many rows. on: it goes on from what `out` holds, else from +0."""

    @intrinsic  # type: ignore[untyped-decorator]
    def product(
        context: Any, a: Any, a_at: Any, a_row: Any, a_step: Any, b: Any, b_at: Any, b_row: Any, out: Any, out_at: Any, out_row: Any, depth: Any
    ) -> Any:
        """out.flat[out_at + i·out_row + r] = Σ_k a.flat[a_at + i·a_row + k·a_step] · b.flat[b_at + k·b_row + r], k ascending, for i < rows, k < depth and
        all r of a vector."""
        if not (isinstance(a, types.Array) and a.dtype == b.dtype == out.dtype and a.dtype in (types.float32, types.float64)):
            return None
        size = a.dtype.bitwidth // 8
        lanes = VECTOR_BYTES // size

        def generate(context: Any, builder: Any, _: Any, args: Any) -> Any:
            whole, vector = ir.IntType(64), ir.VectorType(context.get_value_type(a.dtype), lanes)
            step = cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{lanes}f{a.dtype.bitwidth}")
            from_a, from_b, to = (context.make_array(kind)(context, builder, value=args[at]).data for kind, at in ((a, 0), (b, 4), (out, 7)))
            _, a_at_, a_row_, a_step_, _, b_at_, b_row_, _, out_at_, out_row_, depth_ = args

            def vector_at(data: Any, place: Any) -> Any:
                return builder.bitcast(builder.gep(data, [place]), vector.as_pointer())

            places = [vector_at(to, builder.add(out_at_, builder.mul(out_row_, whole(i)))) for i in range(rows)]
            sums = [cgutils.alloca_once(builder, vector) for _ in range(rows)]
            for held, place in zip(sums, places, strict=True):
                builder.store(builder.load(place, align=size) if on else ir.Constant(vector, [0.0] * lanes), held)
            starts = [builder.add(a_at_, builder.mul(a_row_, whole(i))) for i in range(rows)]
            undefined, zeros = ir.Constant(vector, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
            with cgutils.for_range(builder, depth_, intp=whole) as loop:
                columns = builder.load(vector_at(from_b, builder.add(b_at_, builder.mul(loop.index, b_row_))), align=size)
                along = builder.mul(loop.index, a_step_)
                for held, start in zip(sums, starts, strict=True):
                    term = builder.load(builder.gep(from_a, [builder.add(start, along)]))
                    spread = builder.shuffle_vector(builder.insert_element(undefined, term, ir.IntType(32)(0)), undefined, zeros)
                    builder.store(builder.call(step, [spread, columns, builder.load(held)]), held)
            for held, place in zip(sums, places, strict=True):
                builder.store(builder.load(held), place, align=size)
            return context.get_dummy_value()

        at = types.int64
        return types.void(a, at, at, at, b, at, at, out, at, at, at), generate

    return product


_wide, _single = micro(WIDE, on=True), micro(1, on=True)


@jit
def keep_rows(a: Any, b: Any, b_matrix: int, b_k: int, b_n: int, places: Any, out: Any, m: int, n: int, depth: int, first: int, last: int) -> None:
    """Rows first to last of all B · m rows of out += a · b; all flat.

    b : column j of row k of a matrix is at matrix · b_matrix + k · b_k + j · b_n, and one of b_k and b_n is 1
    places : (2, B) which matrices of a and of b are multiplied
    """
    lanes = 64 // a.itemsize
    panel, sums = np.zeros(depth * lanes, a.dtype), np.zeros(WIDE * lanes, a.dtype)
    for batch in range(first // m, -(-last // m)):
        top, bottom = max(first - batch * m, 0), min(last - batch * m, m)
        for left in range(0, n, lanes):
            width, at_b = min(lanes, n - left), places[1, batch] * b_matrix + left * b_n
            lies = width == lanes and b_n == 1 and bottom - top < FEW_ROWS
            columns, start, step = (b, at_b, b_k) if lies else (panel, 0, lanes)
            if not lies:
                for k in range(depth if b_n == 1 else 0):
                    row, held = b[at_b + k * b_k : at_b + k * b_k + width], panel[k * lanes : k * lanes + width]
                    for c in range(width):  # slices, whose places are never negative, are copied in vectors
                        held[c] = row[c]
                for c in range(width if b_n != 1 else 0):
                    row = b[at_b + c * b_n : at_b + c * b_n + depth]
                    for k in range(depth):
                        panel[k * lanes + c] = row[k]
            i = top
            while i < bottom:
                rows, at_a, at = WIDE if i + WIDE <= bottom else 1, (places[0, batch] * m + i) * depth, (batch * m + i) * n + left
                into, to, line = (out, at, n) if width == lanes else (sums, 0, lanes)
                if width < lanes:
                    for r in range(rows):
                        sums[r * lanes : r * lanes + width] = out[at + r * n : at + r * n + width]
                if rows > 1:
                    _wide(a, at_a, depth, 1, columns, start, step, into, to, line, depth)
                else:
                    _single(a, at_a, depth, 1, columns, start, step, into, to, line, depth)
                if width < lanes:
                    for r in range(rows):
                        out[at + r * n : at + r * n + width] = sums[r * lanes : r * lanes + width]
                i += rows


def chains(a: npt.NDArray[Any], b: npt.NDArray[Any], batch: tuple[int, ...], start: npt.NDArray[Any] | None, dtype: Any) -> npt.NDArray[Any]:
    """start (+0) + a · b, (…, M, K) by (…, K, N), of numbers that `dtype` holds, and in it. batch: the axes in front, which a's and b's broadcast to."""
    m, depth, n = a.shape[-2], a.shape[-1], b.shape[-1]
    out = np.zeros((*batch, m, n), dtype)
    if start is not None:
        out[...] = start
    if out.size == 0 or depth == 0:
        return out
    count = out.size // (m * n)
    a, b = np.ascontiguousarray(a, dtype=dtype), np.ascontiguousarray(b, dtype=dtype)
    places = np.stack([_places(x, batch) for x in (a, b)])
    left, result = a.reshape(-1, m, depth), out.reshape(count, m, n)
    if b.size == depth * n and len(left) == count:  # one right-hand side for all: one tall product
        left, result, places, m, count = left.reshape(1, -1, depth), result.reshape(1, -1, n), np.zeros((2, 1), np.int64), m * count, 1
    if n < VECTOR_BYTES // out.itemsize and n < m:  # turned over, so that vectors lie along the longer side
        turned = np.ascontiguousarray(result.swapaxes(1, 2))
        right = np.ascontiguousarray(b.reshape(-1, depth, n).swapaxes(1, 2))
        _kept(right, left, (m * depth, 1, depth), places[::-1].copy(), turned)
        result[...] = turned.swapaxes(1, 2)
    else:
        _kept(left, b, (depth * n, n, 1), places, result)
    return out


def _kept(a_AMK: npt.NDArray[Any], b: npt.NDArray[Any], steps: tuple[int, int, int], places: npt.NDArray[np.int64], out_BMN: npt.NDArray[Any]) -> None:
    (count, m, n), depth = out_BMN.shape, a_AMK.shape[2]
    left, right, out = own(a_AMK).reshape(-1), own(b).reshape(-1), out_BMN.reshape(-1)
    in_threads(lambda first, last: keep_rows(left, right, *steps, places, out, m, n, depth, first, last), count * m, n * depth, block=WIDE)


def own(x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Contiguous and not read-only, so that one compiled loop serves all."""
    held = np.ascontiguousarray(x)
    return held if held.flags.writeable else held.copy()


def _places(x: npt.NDArray[Any], batch: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Which of x's matrices takes part in each product."""
    front = x.shape[:-2]
    return np.broadcast_to(np.arange(int(np.prod(front, dtype=int))).reshape(front), batch).reshape(-1).astype(np.int64)
