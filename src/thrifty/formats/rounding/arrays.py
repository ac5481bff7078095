"""Arrays of NumPy and tensors of torch in and out: any strides, any dtype; what comes out is of the kind that came in."""

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
    """An array as it came. values: contiguous, float32 or float64, exactly what came; back: turns a result into the kind that came."""

    values: npt.NDArray[Any]
    spec: FloatSpec | None
    back: Callable[[npt.NDArray[Any]], Any]

    def result_dtype(self, spec: FloatSpec) -> type[np.float32] | type[np.float64]:
        """float32 where that holds the format and what came was no wider, else float64."""
        return np.float32 if self.values.dtype == np.float32 and float_spec("fp32").holds(spec) else np.float64


def take(x: Any, name: str = "x") -> Given:
    """x as NumPy floats. Raises BadValue for complex numbers, text, objects and numbers wider than 64 bits."""
    if type(x).__module__.split(".")[0] == "torch":
        return _take_torch(x, name)
    values = np.asarray(x)
    kept = None
    if values.dtype == np.float16:
        kept, values = float_spec("fp16"), values.astype(np.float32)
    elif values.dtype.kind in "iub":
        if values.dtype.itemsize == 8 and values.size and np.abs(values.astype(np.float64)).max() > 2.0**53:
            raise BadValue(f"{name} holds whole numbers above 2^53, which FP64 does not hold exactly. Give floats.")
        values = values.astype(np.float64)
    elif values.dtype not in (np.float32, np.float64):
        values = _other(values, name)
    return Given(np.ascontiguousarray(values).reshape(values.shape), kept, lambda result: result)


def _other(values: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    """Small floats of ml_dtypes and swapped byte orders; all else is refused."""
    if values.dtype.kind == "f" and values.dtype.itemsize <= 8:
        return values.astype(values.dtype.newbyteorder("="))
    if values.dtype.kind == "V" and values.dtype.names is None and type(values.dtype.type).__name__ == "type" and values.dtype.itemsize <= 2:
        try:
            return values.astype(np.float32)
        except (TypeError, ValueError):
            pass
    raise BadValue(f"{name} has dtype {values.dtype}, which is no real number of at most 64 bits. Give floats or whole numbers.")


def _take_torch(x: Any, name: str) -> Given:
    import torch

    if not isinstance(x, torch.Tensor):
        raise BadValue(f"{name} is a {type(x).__name__}. Give an array or a tensor.")
    if x.is_complex() or x.is_quantized or x.layout != torch.strided:
        raise BadValue(f"{name} has dtype {x.dtype} and layout {x.layout}; dense real numbers are needed.")
    kept, device, held = None, x.device, x.detach()
    if held.dtype not in (torch.float32, torch.float64):
        if held.dtype.is_floating_point:
            from thrifty.formats.registry import format_of_torch

            kept, held = float_spec(format_of_torch(held.dtype).name), held.to(torch.float32)
        else:
            held = held.to(torch.float64)
    values = held.cpu().contiguous().numpy()

    def back(result: npt.NDArray[Any]) -> Any:
        return torch.from_numpy(np.ascontiguousarray(result).reshape(result.shape)).to(device)

    return Given(values, kept, back)
