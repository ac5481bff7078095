"""Muse's masked transformer in torch, the twin of `muse`: written from the paper (Chang et al., 2023), small and plain."""

from __future__ import annotations

import torch
from torch import nn

from thrifty.workload.families.token_transformers.token_blocks_torch import Block, FeedForward, sinusoids


class Muse(nn.Module):  # type: ignore[misc]
    """Logits of every code at every token; sizes as in `muse.MuseShape`."""

    positions: torch.Tensor

    def __init__(
        self, *, layers: int, hidden: int, heads: int, intermediate: int, vocab: int, text_width: int, positions: int, low_vocab: int = 0,
        self_conditioning: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        if self_conditioning:
            self.self_condition = FeedForward(hidden, intermediate)
        self.tokens = nn.Embedding(vocab + 1, hidden)
        self.register_buffer("positions", sinusoids(positions, hidden), persistent=False)
        self.text_projection = nn.Linear(text_width, hidden, bias=False)
        if low_vocab:
            self.low_tokens = nn.Embedding(low_vocab, hidden)
        self.blocks = nn.ModuleList(Block(hidden, heads, intermediate, context=hidden) for _ in range(layers))
        self.norm = nn.LayerNorm(hidden)
        self.head = nn.Linear(hidden, vocab, bias=False)

    def forward(
        self, ids: torch.Tensor, text: torch.Tensor, low: torch.Tensor | None = None, before: torch.Tensor | None = None
    ) -> torch.Tensor:  # fmt: skip
        """Logits (batch, tokens, vocab) for ids (batch, tokens) and text (batch, text, text_width).

        low: (batch, low) low-resolution codes; before: (batch, tokens, hidden) what the pass before made, where it was made for that
        """
        x = self.tokens(ids) + self.positions[: ids.shape[1]]
        if before is not None:
            x = x + self.self_condition(before)
        context = self.text_projection(text)
        if low is not None:
            context = torch.cat([context, self.low_tokens(low)], dim=1)
        for block in self.blocks:
            x = block(x, context)
        return self.head(self.norm(x))
