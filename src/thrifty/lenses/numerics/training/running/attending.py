"""The attention of a run: plain FP32 (FP64 in replays), or a policy's emulation with the backward pass that its algorithm has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from thrifty.lenses.numerics.laboratory.backward import emulated_attention
from thrifty.lenses.numerics.policy import Policy
from thrifty.lenses.numerics.training.models.layers import Attention
from thrifty.lenses.numerics.training.models.shapes import Shape

Tensor = Any


def attention_of(said: Mapping[str, Any], shape: Shape) -> Attention:
    """said: policy (None: plain, in the format that tensors come in), format, block_k."""
    if said["policy"] is None:
        return plain(shape)
    policy, format, block_k = Policy.from_dict(said["policy"]), said["format"], said["block_k"]

    def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return emulated_attention(q, k, v, policy=policy, format=format, block_k=block_k, causal=shape.causal)

    return attention


def plain(shape: Shape) -> Attention:
    """Softmax of scores written out, in the format of its inputs."""
    hidden = torch.triu(torch.ones(shape.tokens, shape.tokens, dtype=torch.bool), diagonal=1) if shape.causal else None

    def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        scores = q @ k.transpose(-1, -2) * (1 / shape.head_width**0.5)
        if hidden is not None:
            scores = scores.masked_fill(hidden, float("-inf"))
        return torch.softmax(scores, dim=-1) @ v

    return attention
