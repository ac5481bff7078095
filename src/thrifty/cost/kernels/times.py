"""Seconds of kernels for users: arrays of sizes that broadcast, checked at the door; a device by name or as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.cost.kernels.compiled import functions
from thrifty.cost.kernels.parameters import FloatArray, kernel_parameters
from thrifty.errors import BadValue
from thrifty.hardware import load
from thrifty.hardware.device import Device


def gemm_time(m: npt.ArrayLike, n: npt.ArrayLike, k: npt.ArrayLike, format_name: str, device: Device | str, *, batch: npt.ArrayLike = 1) -> FloatArray:
    """Seconds of `batch` products (m, k) · (k, n) in one kernel, in the broadcast shape of the sizes.

    Operands come from memory. On GPUs of a measured family within 6 to 12 % of measured BF16 products on average (`validate_gemm`); `kernel_ground` says
    what the answer rests on. Raises BadValue for a size that is NaN, infinite or below 1 and for sizes that do not broadcast, UnknownName for an unknown
    device or format.
    """
    row = kernel_parameters(_device(device), format_name)
    shape, sizes = _sizes(m=m, n=n, k=k, batch=batch)
    out = np.empty(int(np.prod(shape)))
    functions().gemm_many(*sizes, row, out)
    return out.reshape(shape)


def attention_time(
    batch: npt.ArrayLike, heads: npt.ArrayLike, queries: npt.ArrayLike, keys: npt.ArrayLike, head_dim: npt.ArrayLike, format_name: str,
    device: Device | str, *, kv_heads: npt.ArrayLike | None = None, value_dim: npt.ArrayLike | None = None, causal: bool = True, backward: bool = False,
) -> FloatArray:  # fmt: skip
    """Seconds of one fused attention, in the broadcast shape of the sizes.

    kv_heads: heads of keys and values (default: as many as queries have); value_dim: default head_dim; causal: the last query sees all keys, each
    before it one less; backward: the backward pass alone. Raises BadValue for a size that is NaN, infinite or below 1, kv_heads that do not divide
    heads, or more causal queries than keys.
    """
    row = kernel_parameters(_device(device), format_name)
    kv, value = heads if kv_heads is None else kv_heads, head_dim if value_dim is None else value_dim
    shape, sizes = _sizes(batch=batch, heads=heads, kv_heads=kv, queries=queries, keys=keys, head_dim=head_dim, value_dim=value)
    if (odd := np.flatnonzero(sizes[1] % sizes[2])).size:
        raise BadValue(f"kv_heads={sizes[2][odd[0]]:g} does not divide heads={sizes[1][odd[0]]:g}. Choose a divisor.")
    if causal and (short := np.flatnonzero(sizes[3] > sizes[4])).size:
        raise BadValue(f"queries={sizes[3][short[0]]:g} are more than keys={sizes[4][short[0]]:g}. Causal attention needs a key for every query.")
    out = np.empty(int(np.prod(shape)))
    functions().attention_many(*sizes, causal, backward, row, out)
    return out.reshape(shape)


def stream_time(moved_bytes: npt.ArrayLike, device: Device | str, *, format_name: str = "bf16") -> FloatArray:
    """Seconds of kernels that read and write `moved_bytes` in all and compute next to nothing. Raises BadValue for bytes that are NaN or below 1."""
    row = kernel_parameters(_device(device), format_name)
    shape, (moved,) = _sizes(moved_bytes=moved_bytes)
    return np.asarray(functions().stream(moved, row), dtype=np.float64).reshape(shape)


def _device(device: Device | str) -> Device:
    return load(device) if isinstance(device, str) else device


def _sizes(**named: npt.ArrayLike) -> tuple[tuple[int, ...], list[Any]]:
    """The broadcast shape, and every size as a flat float64 array of it."""
    arrays = []
    for name, value in named.items():
        try:
            array = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError):
            raise BadValue(f"{name}={value!r} is not a number. Give numbers from 1 up.") from None
        wrong = array[~(np.isfinite(array) & (array >= 1.0))]
        if wrong.size:
            raise BadValue(f"{name}={wrong.flat[0]:g} is below 1 or not a finite number. Give numbers from 1 up.")
        arrays.append(array)
    try:
        shape = np.broadcast_shapes(*(array.shape for array in arrays))
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in zip(named, arrays, strict=True))
        raise BadValue(f"sizes of shapes {shapes} do not broadcast. Give arrays of one shape, or single numbers.") from None
    return shape, [np.ascontiguousarray(np.broadcast_to(array, shape)).reshape(-1) for array in arrays]
