"""Operators that come along, so that an audit runs without code of one's own. Imports torch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

Inputs = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """One subject. make: gives (subject, baseline or None) for a seed; inputs: what it is called with."""

    title: str
    make: Callable[[int], tuple[Any, Any]]
    inputs: Callable[[int], Inputs]
    names: tuple[str, str]


def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q kᵀ / √d) v, written out."""
    return torch.softmax(q @ k.transpose(-1, -2) * (1.0 / math.sqrt(q.shape[-1])), -1) @ v


def fused_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return nn.functional.scaled_dot_product_attention(q, k, v)


def winograd(x: Tensor, weight: Tensor) -> Tensor:
    from thrifty.lenses.numerics.executors import winograd_convolution

    return winograd_convolution(x, weight, m=4, padding=1)


def direct(x: Tensor, weight: Tensor) -> Tensor:
    return nn.functional.conv2d(x, weight, padding=1)


def ring(x_RN: Tensor) -> Tensor:
    """Rows of ranks added one after another, every partial sum a tensor of its own."""
    total = x_RN[0]
    for row in x_RN[1:]:
        total = total + row
    return total


def tree(x_RN: Tensor) -> Tensor:
    """Rows of ranks added in pairs."""
    held = list(x_RN)
    while len(held) > 1:
        held = [held[place] + held[place + 1] if place + 1 < len(held) else held[place] for place in range(0, len(held), 2)]
    return held[0]


class Experts(nn.Module):  # type: ignore[misc]
    """Tokens go to the best two of eight two-layer experts, weighted by the softmax of their two logits."""

    def __init__(self, width: int = 32, hidden: int = 64, experts: int = 8) -> None:
        super().__init__()
        self.router = nn.Linear(width, experts, bias=False)
        self.up, self.down = (nn.Parameter(torch.randn(experts, a, b) * a**-0.5) for a, b in ((width, hidden), (hidden, width)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.router(x)
        best, chosen = logits.topk(2, dim=-1)
        weight = torch.softmax(best, -1)
        every = torch.stack([nn.functional.gelu(x @ up) @ down for up, down in zip(self.up, self.down, strict=True)], 1)
        return (every.gather(1, chosen.unsqueeze(-1).expand(-1, -1, x.shape[-1])) * weight.unsqueeze(-1)).sum(1), logits


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return nn.functional.layer_norm(x, weight.shape, weight, bias)


def one_pass(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """E[x²] − E[x]²: one pass over the row, and terms that cancel."""
    mean = x.mean(-1, keepdim=True)
    var = (x * x).mean(-1, keepdim=True) - mean * mean
    return (x - mean) * (var + 1e-5).rsqrt() * weight + bias


def _mlp(seed: int) -> tuple[Any, Any]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Linear(64, 128), nn.GELU(), nn.Linear(128, 64), nn.SiLU(), nn.Linear(64, 10))

    return net, None


def _experts(seed: int) -> tuple[Any, Any]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Experts(), None


def _drawn(*shapes: tuple[int, ...], uniform: bool = False) -> Callable[[int], Inputs]:
    def make(seed: int) -> Inputs:
        generator = torch.Generator().manual_seed(seed)
        draw = torch.rand if uniform else torch.randn
        return tuple(draw(shape, generator=generator, dtype=torch.float64) for shape in shapes)

    return make


_QKV: Final = _drawn((2, 128, 64), (2, 128, 64), (2, 128, 64), uniform=True)
SUBJECTS: Final[dict[str, Known]] = {
    "attention": Known("attention written out, uniform inputs of 2 heads, 128 tokens, head dimension 64", lambda _: (attention, None), _QKV, ("attention", "")),
    "sdpa": Known("torch's fused attention call, the same inputs; fuse it with --fuse scaled_dot_product_attention", lambda _: (fused_attention, attention),
                  _QKV, ("sdpa", "attention written out")),
    "winograd": Known("Winograd's F(4×4, 3×3) against the direct convolution, 16 channels, 16 × 16", lambda _: (winograd, direct),
                      _drawn((1, 16, 16, 16), (16, 16, 3, 3)), ("winograd", "direct convolution")),
    "allreduce": Known("gradients of 64 ranks added along a ring against a tree", lambda _: (ring, tree), _drawn((64, 4096)), ("ring", "tree")),
    "moe": Known("512 tokens to the best two of eight experts: output and router logits", _experts, _drawn((512, 32)), ("experts", "")),
    "layernorm": Known("layer norm by E[x²] − E[x]² against torch's, rows with a mean of 8", lambda _: (one_pass, layer_norm),
                       lambda seed: (8.0 + _drawn((64, 256))(seed)[0], torch.ones(256, dtype=torch.float64), torch.zeros(256, dtype=torch.float64)),
                       ("one-pass layer norm", "layer norm")),
    "mlp": Known("three linear layers with GELU and SiLU, 64 rows", _mlp, _drawn((64, 64)), ("mlp", "")),
}  # fmt: skip
"""Name → subject. Shapes are small, so that every one takes seconds."""
