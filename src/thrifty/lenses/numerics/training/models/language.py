"""A byte-level language model: the next byte from those before it."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from thrifty.lenses.numerics.training.models.data import Batch
from thrifty.lenses.numerics.training.models.layers import Attention, Weights, attend, feed, norm
from thrifty.lenses.numerics.training.models.precision import Arithmetic
from thrifty.lenses.numerics.training.models.shapes import BYTES, Shape

Tensor = Any


def loss(weights: Weights, batch: Batch, shape: Shape, attention: Attention, how: Arithmetic) -> Tensor:
    """Mean cross entropy of the next byte in nats: ln 256 = 5.55 for a model that knows nothing."""
    x = how.kept(F.embedding(torch.from_numpy(batch.inputs), weights["byte"]) + weights["position"])
    for block in range(shape.blocks):
        at = f"block{block}."
        x = how.kept(x + attend(norm(x, weights, f"{at}norm1", how), weights, at, shape, attention, how))
        x = how.kept(x + feed(norm(x, weights, f"{at}norm2", how), weights, at, how))
    logits = how.linear(norm(x, weights, "norm", how), weights["head.weight"], weights["head.bias"])
    return how.kept(F.cross_entropy(logits.reshape(-1, BYTES), torch.from_numpy(batch.targets).reshape(-1)))
