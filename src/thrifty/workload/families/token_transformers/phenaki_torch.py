"""Phenaki's masked transformer in torch, the twin of `phenaki`: written from the paper (Villegas et al., 2022), small and plain."""

from __future__ import annotations

import torch
from torch import nn

from thrifty.workload.families.token_transformers.token_blocks_torch import Block, sinusoids


class Phenaki(nn.Module):  # type: ignore[misc]
    """Logits of every code at every token of a video; sizes as in `phenaki.PhenakiShape`."""

    positions: torch.Tensor

    def __init__(
        self, *, layers: int, hidden: int, heads: int, intermediate: int, vocab: int, text_width: int, positions: int, patch: int, frames_per_token: int
    ) -> None:  # fmt: skip
        super().__init__()
        self.patch, self.frames_per_token = patch, frames_per_token
        self.tokens = nn.Embedding(vocab + 1, hidden)
        self.register_buffer("positions", sinusoids(positions, hidden), persistent=False)
        self.blocks = nn.ModuleList(Block(hidden, heads, intermediate, context=text_width) for _ in range(layers))
        self.norm = nn.LayerNorm(hidden)
        self.head = nn.Linear(hidden, vocab, bias=False)

    def forward(self, ids: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """Logits (batch, frames · height · width, vocab) for ids (batch, frames, height, width) and text (batch, text, text_width)."""
        x = self.tokens(ids).flatten(1, 3)
        x = x + self.positions[: x.shape[1]]
        for block in self.blocks:
            x = block(x, text)
        return self.head(self.norm(x))
