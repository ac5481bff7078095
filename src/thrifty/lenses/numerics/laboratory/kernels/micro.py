"""A small product of matrices in vector registers: chains of fused multiply-adds, k ascending, for 32 columns at once. Imported only where Numba is.

Every element of the product is a chain of its own, so that vectors across columns give the very bits of the chain written out: one rounding a term, in
FP32 or FP64, whichever the pointers hold (accumulators ``fma:fp32`` and ``fma:fp64``).
"""

from __future__ import annotations

from typing import Any, Final

import llvmlite.binding as binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES: Final = 32
"""Columns of a product: queries that are computed together."""
VECTOR_BYTES: Final = 64
WIDE: Final = 8 if binding.get_host_cpu_features().get("avx512f") else 2
"""Rows whose sums are held in registers: as many as a processor with 32 long vector registers has room for, or one with 16 shorter ones."""


def _micro(rows: int) -> Any:
    @intrinsic  # type: ignore[untyped-decorator]
    def product(context: Any, a: Any, a_at: Any, a_row: Any, a_step: Any, b: Any, out: Any, out_at: Any, depth: Any) -> Any:
        """out.flat[out_at + i·LANES + r] = Σ_k a.flat[a_at + i·a_row + k·a_step] · b.flat[k·LANES + r], for i < rows, all r < LANES, k < depth."""
        if not (isinstance(a, types.Array) and a.dtype == b.dtype == out.dtype and a.dtype in (types.float32, types.float64)):
            return None
        lanes = VECTOR_BYTES // (a.dtype.bitwidth // 8)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            element = context.get_value_type(a.dtype)
            vector = ir.VectorType(element, lanes)
            count = LANES // lanes
            fma = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{lanes}f{a.dtype.bitwidth}"
            )  # fmt: skip
            data = [context.make_array(kind)(context, builder, value=value).data for kind, value in ((a, args[0]), (b, args[4]), (out, args[5]))]
            whole = ir.IntType(64)
            zero, first_lane = ir.Constant(vector, [0.0] * lanes), ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
            _, a_at_, a_row_, a_step_, _, _, out_at_, depth_ = args
            at_once = rows if a.dtype == types.float32 else -(-rows // 2)  # rows whose sums fit the registers
            for first in range(0, rows, at_once):
                group = range(first, min(first + at_once, rows))
                sums = {(i, c): cgutils.alloca_once(builder, vector) for i in group for c in range(count)}
                for place in sums.values():
                    builder.store(zero, place)
                starts = {i: builder.add(a_at_, builder.mul(a_row_, whole(i))) for i in group}
                with cgutils.for_range(builder, depth_, intp=whole) as loop:
                    k = loop.index
                    base = builder.gep(data[1], [builder.mul(k, whole(LANES))])
                    held = builder.bitcast(base, vector.as_pointer())
                    columns = [builder.load(builder.gep(held, [whole(c)]), align=a.dtype.bitwidth // 8) for c in range(count)]
                    offset = builder.mul(k, a_step_)
                    for i in group:
                        term = builder.load(builder.gep(data[0], [builder.add(starts[i], offset)]))
                        spread = builder.insert_element(ir.Constant(vector, ir.Undefined), term, ir.IntType(32)(0))
                        spread = builder.shuffle_vector(spread, ir.Constant(vector, ir.Undefined), first_lane)
                        for c in range(count):
                            builder.store(builder.call(fma, [spread, columns[c], builder.load(sums[i, c])]), sums[i, c])
                for i in group:
                    target = builder.gep(data[2], [builder.add(out_at_, whole(i * LANES))])
                    held = builder.bitcast(target, vector.as_pointer())
                    for c in range(count):
                        builder.store(builder.load(sums[i, c]), builder.gep(held, [whole(c)]), align=a.dtype.bitwidth // 8)
            return context.get_dummy_value()

        return types.void(a, types.int64, types.int64, types.int64, b, out, types.int64, types.int64), generate

    return product


wide, narrow = _micro(WIDE), _micro(1)
