"""A small decoder, run to learn what the framework costs around operators whose own time is known already."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import nn

from thrifty.cost.columns import Columns
from thrifty.cost.sustained import Sustained
from thrifty.measure.timing import time_call
from thrifty.workload import Kind
from thrifty.workload.building.modules import quiet
from thrifty.workload.tracing import record

LAYERS: Final = 6
WIDTH: Final = 480
"""Wide enough that a run's weights (60 MB) push everything else out of the caches, as real models do: Python is slower then than in a tight loop."""
HOT_WIDTH: Final = 48
"""Narrow enough that nothing leaves the caches."""


class _Block(nn.Module):  # type: ignore[misc]
    """Attention and a gated feed-forward layer, written as public models write them: one module a projection, keyword arguments passed down."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.q, self.k, self.v, self.out = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.gate, self.up, self.down = nn.Linear(width, 3 * width), nn.Linear(width, 3 * width), nn.Linear(3 * width, width)
        self.act = nn.SiLU()

    def forward(self, x: torch.Tensor, *, mask: torch.Tensor | None = None, **keywords: Any) -> torch.Tensor:
        y = self.norm(x)
        shape = (*y.shape[:-1], self.heads, -1)
        q, k, v = (layer(y).view(shape).transpose(1, 2) for layer in (self.q, self.k, self.v))
        a = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.out(a.transpose(1, 2).reshape(x.shape))
        y = self.norm_2(x)
        return x + self.down(self.act(self.gate(y)) * self.up(y))


class _Toy(nn.Module):  # type: ignore[misc]
    def __init__(self, width: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_Block(width, 8) for _ in range(LAYERS))

    def forward(self, x: torch.Tensor, **keywords: Any) -> torch.Tensor:
        for block in self.blocks:
            x = block(x, **keywords)
        return x


def _decoder(width: int = WIDTH) -> tuple[nn.Module, dict[str, Any]]:
    """A tiny LLaMA of the installed transformers, where there is one: its Python is what most language models run through; else our own."""
    try:
        from transformers import LlamaConfig, LlamaForCausalLM
    except ImportError:
        return _Toy(width).eval(), {"x": torch.randn(1, 3, width)}
    config = LlamaConfig(
        hidden_size=width, intermediate_size=3 * width, num_hidden_layers=LAYERS, num_attention_heads=8, num_key_value_heads=8, vocab_size=900,
        max_position_embeddings=64, use_cache=True,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval(), {"input_ids": torch.zeros(1, 3, dtype=torch.long)}


def decoder_seconds(clock: Callable[..., float], width: int) -> tuple[float, float]:
    """Seconds of a plain run of the small decoder, and of the matrix products in it."""
    module, inputs = _decoder(width)
    with torch.no_grad(), quiet():
        whole = clock(lambda: module(**inputs), budget_s=0.4, least=20)
        recorded = [record(lambda: module(**inputs), module, clock=True) for _ in range(7)]
    linear = recorded[0].table.rows["kind"] == Kind.LINEAR
    return whole, statistics.median(float(r.seconds[linear].sum()) for r in recorded if r.seconds is not None)


def call_seconds(sustained: Sustained, width: int, whole_s: float, products_s: float) -> float:
    """Seconds a module call adds: the small decoder's run less its matrix products as they took and all else as priced; at least 0."""
    module, inputs = _decoder(width)
    with torch.no_grad(), quiet():
        columns = Columns.of(record(lambda: module(**inputs), module).table)
    others = columns.kind != Kind.LINEAR
    priced = float(sustained.seconds(columns)[others].sum() + sustained.host_seconds(columns).sum())
    return max(0.0, whole_s - products_s - priced) / max(1.0, float(columns.calls.sum()))


def probe_seconds() -> float:
    """What recording with a clock adds to one operator call beyond what the recorder times itself: the small decoder recorded, less its plain run.

    In inference mode, as `running` runs models.
    """
    module, inputs = _decoder()
    with torch.inference_mode(), quiet():
        plain = time_call(lambda: module(**inputs), budget_s=0.3, least=20, warmup=5).seconds
        recorded = [record(lambda: module(**inputs), module, clock=True) for _ in range(15)]
    return max(0.0, statistics.median(r.total_seconds - r.own_seconds for r in recorded) - plain) / recorded[0].dispatches
