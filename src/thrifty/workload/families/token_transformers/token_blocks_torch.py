"""Transformer blocks over tokens in plain torch, of which the twins of Muse, Parti, Phenaki, C-ViViT and ViT-VQGAN are made. Imported only where
torch is wanted."""

from __future__ import annotations

import torch
from torch import nn

KeysValues = tuple[torch.Tensor, torch.Tensor]
"""Keys and values, each (batch, heads, tokens, head)."""


class Attention(nn.Module):  # type: ignore[misc]
    """Attention of `dim` wide tokens to themselves, or to a context that is `context` wide."""

    def __init__(self, dim: int, heads: int, *, context: int | None = None, bias: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(dim, dim, bias=bias)
        self.k = nn.Linear(context or dim, dim, bias=bias)
        self.v = nn.Linear(context or dim, dim, bias=bias)
        self.o = nn.Linear(dim, dim, bias=bias)

    def to_heads(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, tokens, dim) → (batch, heads, tokens, head)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(
        self, x: torch.Tensor, context: torch.Tensor | None = None, *, causal: bool = False, kept: KeysValues | None = None, cache: KeysValues | None = None
    ) -> torch.Tensor:  # fmt: skip
        """x (batch, tokens, dim). kept: keys and values to read as they are; cache: to read after those of x are written into their last places."""
        q = self.to_heads(self.q(x))
        if kept is not None:
            k, v = kept
        else:
            source = x if context is None else context
            k, v = self.to_heads(self.k(source)), self.to_heads(self.v(source))
        if cache is not None:
            start = cache[0].shape[2] - x.shape[1]
            cache[0][:, :, start:] = k
            cache[1][:, :, start:] = v
            k, v = cache
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
        return self.o(mixed.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):  # type: ignore[misc]
    """down(gelu(up(x)))."""

    def __init__(self, dim: int, inner: int, *, bias: bool = False) -> None:
        super().__init__()
        self.up = nn.Linear(dim, inner, bias=bias)
        self.act = nn.GELU()
        self.down = nn.Linear(inner, dim, bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(self.act(self.up(x)))


class Block(nn.Module):  # type: ignore[misc]
    """Norms before attention, cross-attention (where there is a `context`, so many numbers wide) and feed-forward, each added to what came in."""

    def __init__(self, dim: int, heads: int, inner: int, *, context: int = 0, bias: bool = False) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = Attention(dim, heads, bias=bias)
        if context:
            self.cross_norm = nn.LayerNorm(dim)
            self.cross = Attention(dim, heads, context=context, bias=bias)
        self.feed_norm = nn.LayerNorm(dim)
        self.feed = FeedForward(dim, inner, bias=bias)

    def forward(
        self, x: torch.Tensor, context: torch.Tensor | None = None, *, causal: bool = False, kept: KeysValues | None = None, cache: KeysValues | None = None
    ) -> torch.Tensor:  # fmt: skip
        """kept: keys and values of the context, made before; cache: those of the tokens so far, with room for these."""
        x = x + self.attention(self.attention_norm(x), causal=causal, cache=cache)
        if context is not None or kept is not None:
            x = x + self.cross(self.cross_norm(x), context, kept=kept)
        return x + self.feed(self.feed_norm(x))


def sinusoids(rows: int, dim: int) -> torch.Tensor:
    """(rows, dim) fixed positions: sines of falling frequencies, then their cosines, in the default format."""
    rates = torch.exp(torch.arange(0, dim, 2, dtype=torch.float32) * (-torch.log(torch.tensor(1e4)) / dim))
    angles = torch.arange(rows, dtype=torch.float32)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :dim].to(torch.get_default_dtype())
