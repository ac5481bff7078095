"""The decoder of ViT-VQGAN in torch, the twin of `vit_vqgan`: written from the paper (Yu et al., 2021), small and plain."""

from __future__ import annotations

import torch
from torch import nn

from thrifty.workload.families.token_transformers.token_blocks_torch import Block, sinusoids


class VitVqganDecoder(nn.Module):  # type: ignore[misc]
    """Codes in, pixels out; sizes as in `vit_vqgan.VitVqganShape`."""

    positions: torch.Tensor

    def __init__(
        self, *, layers: int, hidden: int, heads: int, intermediate: int, vocab: int, code_width: int, image: int, patch: int, positions: int, channels: int = 3
    ) -> None:  # fmt: skip
        super().__init__()
        self.image, self.patch, self.channels = image, patch, channels
        self.codes = nn.Embedding(vocab, code_width)
        self.from_codes = nn.Linear(code_width, hidden)
        self.register_buffer("positions", sinusoids(positions, hidden), persistent=False)
        self.blocks = nn.ModuleList(Block(hidden, heads, intermediate, bias=True) for _ in range(layers))
        self.norm = nn.LayerNorm(hidden)
        self.pixels = nn.Linear(hidden, channels * patch * patch)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Images (batch, channels, height · patch, width · patch) for ids (batch, height, width)."""
        height, width = ids.shape[1:]
        x = self.from_codes(self.codes(ids)).flatten(1, 2)
        x = x + self.positions[: x.shape[1]]
        for block in self.blocks:
            x = block(x)
        x = self.pixels(self.norm(x)).unflatten(1, (height, width)).unflatten(-1, (self.channels, self.patch, self.patch))
        return x.permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)
