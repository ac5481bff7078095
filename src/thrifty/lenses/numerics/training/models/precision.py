"""Where a low-precision run rounds outside attention: two variants, their sites said exactly.

autocast : weights are kept and updated in FP32. Operands of every product (weights, biases, activations) are rounded, its result and the gradients at its
           result and its operands, too; GELU's result and its gradient. Norms, additions of the residual stream, the loss and AdamW stay in FP32.
pure     : weights, AdamW's moments and its update are kept in the format, and every result of every operator and its gradient is rounded, the loss's, too.

In the pure variant weights lie in the format from the start and AdamW rounds their gradients, so neither is rounded again where weights are looked up.
Products themselves are those of this machine in FP32, on rounded operands, rounded once at their end. Attention has a policy of its own in both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
import torch.nn.functional as F

from thrifty.formats import Rounding, round_to

Tensor = Any
Round = Callable[[Tensor], Tensor]
_TORCH: Final = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""Torch's own casts from FP32 to these are right (tests hold them against `thrifty.formats`); small tensors pay less for them."""


def rounder(format: str) -> Round:
    """Round FP32 to the numbers of a format, to nearest, with infinities where it has them, else to its largest; still FP32."""
    spec = Rounding.of(format, overflow="saturate").spec
    dtype = _TORCH.get(spec.name)
    if dtype is not None:
        return lambda x: x.to(dtype).to(torch.float32)
    overflow = "inf" if spec.infinities else "saturate"
    return lambda x: round_to(x, spec, overflow=overflow).to(x.dtype)


class _Rounded(torch.autograd.Function):  # type: ignore[misc]
    """The number rounded, and its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, to: Round) -> Tensor:
        ctx.to = to
        return to(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return ctx.to(grad), None


class _Product(torch.autograd.Function):  # type: ignore[misc]
    """x Wᵀ + b with rounded operands, rounded once; all gradients rounded. whole: operands are in the format already."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, to: Round, whole: bool) -> Tensor:
        if not whole:
            x, weight, bias = to(x), to(weight), to(bias)
        ctx.save_for_backward(x, weight)
        ctx.to = to
        return to(F.linear(x, weight, bias))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        x, weight = ctx.saved_tensors
        to: Round = ctx.to
        grad = to(grad)
        flat = grad.reshape(-1, grad.shape[-1])
        return to(grad @ weight), to(flat.T @ x.reshape(-1, x.shape[-1])), to(flat.sum(0)), None, None


class Arithmetic:
    """How a model computes outside attention: ``fp32`` (or FP64, as tensors come), ``autocast`` or ``pure`` in a format."""

    def __init__(self, variant: str = "fp32", format: str = "fp32") -> None:
        self.variant = variant
        self.to: Round | None = None if variant == "fp32" else rounder(format)

    def linear(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        if self.to is None:
            return F.linear(x, weight, bias)
        return _Product.apply(x, weight, bias, self.to, self.variant == "pure")

    def gelu(self, x: Tensor) -> Tensor:
        return F.gelu(x) if self.to is None else _Rounded.apply(F.gelu(x), self.to)

    def given(self, x: Tensor) -> Tensor:
        """Data as it comes in: rounded in the pure variant."""
        return self.to(x) if self.to is not None and self.variant == "pure" else x

    def kept(self, x: Tensor) -> Tensor:
        """A result of another operator (norm, sum, product of two activations, loss): rounded in the pure variant only."""
        return _Rounded.apply(x, self.to) if self.variant == "pure" else x
