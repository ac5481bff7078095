"""What users call: matrix products and sums kept by a named accumulator."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.formats.accumulators.specs import Accumulator, parse_accumulator
from thrifty.formats.accumulators.stages import product
from thrifty.formats.floats import float_spec
from thrifty.formats.rounding.arrays import take

Floats = npt.NDArray[np.float64]


def matmul(a: Any, b: Any, accumulator: str | Accumulator = "fma:fp32", *, scale_a: Any = None, scale_b: Any = None) -> Any:
    """a @ b with every sum along K kept as `accumulator` says, bit for bit the same on every machine.

    a, b    : (…, M, K) and (…, K, N) as for numpy.matmul, vectors too; arrays or tensors of floats. A tensor core takes numbers that its operands hold
    scale_a : (…, M, K / block) numbers of the scales' format, and scale_b (…, K / block, N), for tensor cores that scale blocks (MX, NVFP4)

    The result is float32 where a and b are no wider and that holds the sum's format, else float64; a tensor where a or b is one, without gradient.
    Raises BadValue for shapes that do not meet and operands or scales that a tensor core does not take; UnknownName.
    """
    how, left, right = parse_accumulator(accumulator), take(a, "a"), take(b, "b")
    x, y = np.asarray(left.values, dtype=np.float64), np.asarray(right.values, dtype=np.float64)
    if x.ndim == 0 or y.ndim == 0 or x.shape[-1] != y.shape[-2 if y.ndim > 1 else 0]:
        raise BadValue(f"a is {x.shape} and b is {y.shape}; the last axis of a and the last but one of b must have the same length.")
    row, column = x.ndim == 1, y.ndim == 1
    x, y = (x[None] if row else x), (y[:, None] if column else y)
    try:
        batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    except ValueError:
        raise BadValue(f"a is {x.shape} and b is {y.shape}; the axes before the last two must be equal or 1.") from None
    scales = _scales(scale_a, scale_b, x, y, batch)
    out = product(x, y, how, batch, scales)
    out = out[..., 0, :] if row else out
    out = out[..., 0] if column else out
    narrow = left.values.dtype == right.values.dtype == np.float32 and float_spec("fp32").holds(how.spec)
    back = left.back if type(a).__module__.split(".")[0] == "torch" else right.back
    return back(np.ascontiguousarray(out.astype(np.float32 if narrow else np.float64)))


def accumulate(x: Any, accumulator: str | Accumulator = "fma:fp32", axis: int = -1) -> Any:
    """Sums of x along one axis, kept as `accumulator` says: what `matmul` gives with ones. Same kinds, dtypes and errors."""
    given = take(x, "x")
    if given.values.ndim == 0 or not -given.values.ndim <= axis < given.values.ndim:
        raise BadValue(f"axis={axis} is none of x, which is {given.values.shape}.")
    moved = np.moveaxis(given.values, axis, -1)
    return given.back(np.asarray(matmul(moved, np.ones(moved.shape[-1], dtype=given.values.dtype), accumulator)))


def _scales(scale_a: Any, scale_b: Any, x: Floats, y: Floats, batch: tuple[int, ...]) -> tuple[Floats, Floats] | None:
    if scale_a is None and scale_b is None:
        return None
    if scale_a is None or scale_b is None:
        raise BadValue(f"scale_{'a' if scale_a is None else 'b'} is missing. Give the scales of both operands.")
    held = [np.asarray(take(scale, f"scale_{name}").values, dtype=np.float64) for name, scale in (("a", scale_a), ("b", scale_b))]
    held = [held[0][None] if held[0].ndim == 1 else held[0], held[1][:, None] if held[1].ndim == 1 else held[1]]
    for name, scale, size, axis in (("a", held[0], x.shape[-2], -2), ("b", held[1], y.shape[-1], -1)):
        if scale.ndim < 2 or scale.shape[axis] != size:
            raise BadValue(f"scale_{name} is {scale.shape}; it needs {size} along its {'last but one' if axis == -2 else 'last'} axis.")
    return held[0], held[1]
