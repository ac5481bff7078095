"""What users call: matrix products and sums kept by a named accumulator."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.formats.accumulators.operands import block_scales, core_operands, starting
from thrifty.formats.accumulators.specs import Accumulator, parse_accumulator
from thrifty.formats.accumulators.stages import product
from thrifty.formats.floats import float_spec
from thrifty.formats.rounding.arrays import is_tensor, take

Floats = npt.NDArray[np.float64]


def matmul(a: Any, b: Any, accumulator: str | Accumulator = "fma:fp32", *, start: Any = None, scale_a: Any = None, scale_b: Any = None) -> Any:
    """a @ b with every sum along K kept as `accumulator` says, bit for bit the same on every machine.

    a, b    : (…, M, K) and (…, K, N) as for numpy.matmul, vectors too; arrays or tensors of floats. A tensor core takes numbers that its operands hold
              (TF32: FP32, of which it reads the high bits, as the hardware does)
    start   : sums to go on from instead of +0, of the result's shape and numbers of the sum's format: sequential, fma, tensor cores and promoted sums
    scale_a : (…, M, K / block) numbers of the scales' format, and scale_b (…, K / block, N), for tensor cores that scale blocks (MX, NVFP4)

    The result is float32 where a and b are no wider and that holds the sum's format, else float64; a tensor where a or b is one, without gradient.
    Raises BadValue for shapes that do not meet and for operands, sums or scales that are not numbers of the format meant; UnknownName.
    """
    how, left, right = parse_accumulator(accumulator), take(a, "a"), take(b, "b")
    x, y = left.values, right.values
    if x.ndim == 0 or y.ndim == 0 or x.shape[-1] != y.shape[-2 if y.ndim > 1 else 0]:
        raise BadValue(f"a is {x.shape} and b is {y.shape}; the last axis of a and the last but one of b must have the same length.")
    row, column = x.ndim == 1, y.ndim == 1
    x, y = (x[None] if row else x), (y[:, None] if column else y)
    try:
        batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    except ValueError:
        raise BadValue(f"a is {x.shape} and b is {y.shape}; the axes before the last two must be equal or 1.") from None
    scales = block_scales(scale_a, scale_b, x, y, batch, how)
    shape = (*batch, *(() if row else x.shape[-2:-1]), *(() if column else y.shape[-1:]))
    begin = starting(start, how, shape)
    begin = None if begin is None else begin.reshape(*batch, x.shape[-2], y.shape[-1])
    x, y = core_operands(x, y, how)
    out = product(x, y, how, batch, begin, scales)
    out = out.reshape(shape)
    narrow = left.values.dtype == right.values.dtype == np.float32 and float_spec("fp32").holds(how.spec)
    back = left.back if is_tensor(a) else right.back
    return back(np.ascontiguousarray(out.astype(np.float32 if narrow else np.float64, copy=False)).reshape(shape))


def accumulate(x: Any, accumulator: str | Accumulator = "fma:fp32", axis: int = -1) -> Any:
    """Sums of x along one axis, kept as `accumulator` says: what `matmul` gives with ones. Same kinds, dtypes and errors."""
    given = take(x, "x")
    if isinstance(axis, bool) or not isinstance(axis, int | np.integer) or not -given.values.ndim <= axis < given.values.ndim:
        raise BadValue(f"axis={axis!r} is none of x, which is {given.values.shape}.")
    moved = np.moveaxis(given.values, axis, -1)
    return given.back(np.asarray(matmul(moved, np.ones(moved.shape[-1], dtype=given.values.dtype), accumulator)))
