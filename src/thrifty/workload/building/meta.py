"""Lets whole models run on meta tensors where torch or a model asks a question that only values could answer.

Two such questions stand in the way of today's models. Is every element true? Models ask it of masks and positions, to see whether sequences are
padded or packed; the inputs that are made here never are, so `all` is true and `any` is false. And a grouped matrix product, whose meta rule
takes bfloat16 only although its kernels take every float. Anything else that needs values still fails, and the caller falls back to
fake or real tensors.
"""

from __future__ import annotations

from typing import Any, Final

import torch
from torch.utils._python_dispatch import TorchDispatchMode

_TRUTHS: Final = {"aten.all": True, "aten.any": False}


class MetaAnswers(TorchDispatchMode):  # type: ignore[misc]
    """Open it around a recorder: what is recorded are the calls as the model made them."""

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        name = str(func.overloadpacket)
        if name == "aten._local_scalar_dense" and args[0].device.type == "meta":
            truth = getattr(args[0], "_thrifty_truth", None)
            return func(*args, **kwargs) if truth is None else truth
        if name == "aten._grouped_mm" and args[0].device.type == "meta" and args[0].dtype != torch.bfloat16:
            return grouped_result(*args, **kwargs)
        out = func(*args, **kwargs)
        if name in _TRUTHS and out.device.type == "meta":
            out._thrifty_truth = _TRUTHS[name]
        return out


def grouped_result(
    left: torch.Tensor, right: torch.Tensor, offs: torch.Tensor | None = None, bias: torch.Tensor | None = None, out_dtype: torch.dtype | None = None
) -> torch.Tensor:
    """An unset result of a grouped product: (T, k) × (E, k, n), (E, m, k) × (k, T), (m, T) × (T, n) in E groups, or (E, m, k) × (E, k, n)."""
    if left.dim() == 2 and right.dim() == 3:
        shape: tuple[int, ...] = (left.shape[0], right.shape[2])
    elif left.dim() == 3 and right.dim() == 2:
        shape = (left.shape[1], right.shape[1])
    elif left.dim() == 2:
        assert offs is not None
        shape = (offs.shape[0], left.shape[0], right.shape[1])
    else:
        shape = (left.shape[0], left.shape[1], right.shape[2])
    return left.new_empty(shape, dtype=out_dtype or left.dtype)
