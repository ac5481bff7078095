"""A transformer's block over parameters by name, every operator through the arithmetic of the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch.nn.functional as F

from thrifty.lenses.numerics.training.models.precision import Arithmetic
from thrifty.lenses.numerics.training.models.shapes import Shape

Tensor = Any
Weights = Mapping[str, Tensor]
Attention = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(batch, heads, tokens, head_width) queries, keys, values → the same."""


def attend(x: Tensor, weights: Weights, at: str, shape: Shape, attention: Attention, how: Arithmetic) -> Tensor:
    """Self-attention of a block with its four projections."""
    batch = x.shape[0]
    q, k, v = (
        how.linear(x, weights[f"{at}{name}.weight"], weights[f"{at}{name}.bias"]).view(batch, shape.tokens, shape.heads, shape.head_width).transpose(1, 2)
        for name in ("query", "key", "value")
    )
    mixed = attention(q, k, v).transpose(1, 2).reshape(batch, shape.tokens, shape.width)
    return how.linear(mixed, weights[f"{at}out.weight"], weights[f"{at}out.bias"])


def feed(x: Tensor, weights: Weights, at: str, how: Arithmetic) -> Tensor:
    """The feed-forward part."""
    up = how.gelu(how.linear(x, weights[f"{at}up.weight"], weights[f"{at}up.bias"]))
    return how.linear(up, weights[f"{at}down.weight"], weights[f"{at}down.bias"])


def norm(x: Tensor, weights: Weights, at: str, how: Arithmetic) -> Tensor:
    """LayerNorm with factor and bias."""
    return how.kept(F.layer_norm(x, (x.shape[-1],), weights[f"{at}.weight"], weights[f"{at}.bias"]))
