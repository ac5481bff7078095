"""Arrays of NumPy and tensors of torch in and out: any strides, any dtype; what comes out is of the kind that came in.

Contiguous FP32 and FP64, tensors on the CPU too, are read where they lie and results are written where they are to be: nothing is copied.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.formats.floats import FloatSpec, float_spec


@dataclass(frozen=True, slots=True)
class Given:
    """An array as it came. values: contiguous, float32 or float64, exactly what came, and maybe the caller's own memory: not to be written to.

    spec : format of what came, where its numbers were fewer bits wide than `values`
    back : turns a result into the kind that came, on its device
    """

    values: npt.NDArray[Any]
    spec: FloatSpec | None
    back: Callable[[npt.NDArray[Any]], Any]

    def result_dtype(self, spec: FloatSpec) -> type[np.float32] | type[np.float64]:
        """float32 where that holds the format and what came was no wider, else float64."""
        return np.float32 if self.values.dtype == np.float32 and float_spec("fp32").holds(spec) else np.float64


def is_tensor(x: Any) -> bool:
    """x is of torch, which is not imported to know it."""
    return any(each.__module__.partition(".")[0] == "torch" for each in type(x).__mro__)


def take(x: Any, name: str = "x") -> Given:
    """x as NumPy floats. Raises BadValue for complex numbers, text, objects and numbers wider than 64 bits."""
    if is_tensor(x):
        return _take_torch(x, name)
    with np.errstate(invalid="ignore"):  # signalling NaN
        return _take_numpy(x, name)


def _take_numpy(x: Any, name: str) -> Given:
    try:
        values = np.asarray(x)
    except ValueError:
        raise BadValue(f"{name} is no array of numbers: its rows differ in length. Give rows of one length.") from None
    kept = None
    if values.dtype == np.float16:
        kept, values = float_spec("fp16"), values.astype(np.float32)
    elif values.dtype.kind in "iub":
        if values.dtype.itemsize == 8 and values.size and (int(values.max()) > 1 << 53 or int(values.min()) < -(1 << 53)):
            raise BadValue(f"{name} holds whole numbers above 2^53, which FP64 does not hold exactly. Give floats.")
        values = values.astype(np.float64)
    elif values.dtype not in (np.float32, np.float64):
        kept, values = _other(values, name)
    return Given(np.ascontiguousarray(values).reshape(values.shape), kept, lambda result: result)


def _other(values: npt.NDArray[Any], name: str) -> tuple[FloatSpec | None, npt.NDArray[Any]]:
    """Small floats of ml_dtypes and swapped byte orders; all else is refused."""
    if values.dtype.type in (np.float16, np.float32, np.float64):
        values = values.astype(values.dtype.newbyteorder("="))
        return (float_spec("fp16"), values.astype(np.float32)) if values.dtype == np.float16 else (None, values)
    if values.dtype.kind in "Vf" and values.dtype.names is None and values.dtype.type is not np.void and values.dtype.itemsize <= 2:
        from thrifty.formats.registry import find_format

        name_there = values.dtype.name
        known = find_format(name_there[len("float4_") :].removesuffix("fn") if name_there.startswith(("float4_", "float6_")) else name_there)
        try:
            return float_spec(known.name) if known is not None and known.family == "float" else None, values.astype(np.float32)
        except (TypeError, ValueError):
            pass
    raise BadValue(f"{name} has dtype {values.dtype}, which is no real number of at most 64 bits. Give floats or whole numbers.")


def take_tensor(x: Any, name: str = "x") -> tuple[FloatSpec | None, Any]:
    """(format of what came, as in `Given`; x as FP32 or FP64 on its device, contiguous and without gradient). Raises BadValue as `take` does."""
    import torch

    if not isinstance(x, torch.Tensor):
        raise BadValue(f"{name} is a {type(x).__name__}. Give an array or a tensor.")
    if x.is_complex() or x.is_quantized or x.layout != torch.strided:
        raise BadValue(f"{name} has dtype {x.dtype} and layout {x.layout}; dense real numbers are needed.")
    if x.is_meta:
        raise BadValue(f"{name} is a tensor on the meta device, which holds no numbers. Give one with data.")
    kept, held = None, x.detach()
    if held.dtype not in (torch.float32, torch.float64):
        if held.dtype.is_floating_point:
            from thrifty.formats.registry import format_of_torch

            kept, held = float_spec(format_of_torch(held.dtype).name), held.to(torch.float32)
        else:
            held = held.to(torch.float64)
            if x.element_size() == 8 and held.numel() and (held.abs().max() > 2.0**53 or (held.to(torch.int64) != x.to(torch.int64)).any()):
                raise BadValue(f"{name} holds whole numbers above 2^53, which FP64 does not hold exactly. Give floats.")
    return kept, held.resolve_neg().contiguous()


def _take_torch(x: Any, name: str) -> Given:
    kept, held = take_tensor(x, name)

    def back(result: npt.NDArray[Any]) -> Any:
        import torch

        return torch.from_numpy(np.ascontiguousarray(result).reshape(result.shape)).to(x.device)

    return Given(held.cpu().numpy(), kept, back)


def place(out: Any, x: Any, given: Given, dtype: npt.DTypeLike) -> tuple[npt.NDArray[Any], Callable[[], Any]]:
    """Memory for a result of x's shape, C-contiguous, and what makes the answer of it once it is filled. `out`: None, or where the caller wants it.

    Raises BadValue where `out` is of another kind, shape or dtype than the result, or cannot be written.
    """
    dtype, shape = np.dtype(dtype), given.values.shape
    if out is None:
        fresh = np.empty(shape, dtype)
        return fresh, lambda: given.back(fresh)
    check_out(out, x, shape, dtype.name)
    held = out.detach() if is_tensor(out) else out
    if is_tensor(out) and out.device.type != "cpu":
        fresh = np.empty(shape, dtype)
        return fresh, lambda: _copied(out, held, given.back(fresh))
    view = held.numpy() if is_tensor(out) else out
    if not view.flags.writeable or (view.size and any(stride == 0 and size > 1 for stride, size in zip(view.strides, view.shape, strict=True))):
        raise BadValue("out cannot be written to: it is read-only, or some of its elements are one in memory. Give an array of your own.")
    same = view.ctypes.data == given.values.ctypes.data and dtype == given.values.dtype
    if view.flags.c_contiguous and (same or not np.may_share_memory(view, given.values)):
        return view, lambda: out
    fresh = np.empty(shape, dtype)
    return fresh, lambda: _copied(out, view, fresh)


def _copied(out: Any, view: Any, fresh: Any) -> Any:
    view[...] = fresh
    return out


def check_out(out: Any, x: Any, shape: tuple[int, ...], dtype: str) -> None:
    """Raises BadValue where `out` cannot take a result of x."""
    if is_tensor(out) != is_tensor(x):
        raise BadValue(f"out is a {type(out).__name__} and x a {type(x).__name__}: both must be arrays or both tensors.")
    if is_tensor(out) and out.device != x.device:
        raise BadValue(f"out is on {out.device} and x on {x.device}. Give both on one device.")
    if not is_tensor(out) and not isinstance(out, np.ndarray):
        raise BadValue(f"out is a {type(out).__name__}. Give an array.")
    if tuple(out.shape) != shape or str(out.dtype).removeprefix("torch.") != dtype:
        raise BadValue(f"out has shape {tuple(out.shape)} and dtype {out.dtype}; the result has {shape} and {dtype}.")
