"""The decoder of C-ViViT in torch, the twin of `cvivit`: written from the paper (Villegas et al., 2022), small and plain."""

from __future__ import annotations

import torch
from torch import nn

from thrifty.workload.families.token_transformers.token_blocks_torch import Block, sinusoids


class CvivitDecoder(nn.Module):  # type: ignore[misc]
    """Codes of a video in, pixels out; sizes as in `cvivit.CvivitShape`."""

    positions: torch.Tensor

    def __init__(
        self, *, temporal_layers: int, spatial_layers: int, hidden: int, heads: int, intermediate: int, vocab: int, code_width: int, positions: int, patch: int,
        frames_per_token: int, channels: int = 3,
    ) -> None:  # fmt: skip
        super().__init__()
        self.patch, self.frames_per_token, self.channels = patch, frames_per_token, channels
        self.codes = nn.Embedding(vocab, code_width)
        self.from_codes = nn.Linear(code_width, hidden)
        self.register_buffer("positions", sinusoids(positions, hidden), persistent=False)
        self.temporal = nn.ModuleList(Block(hidden, heads, intermediate) for _ in range(temporal_layers))
        self.temporal_norm = nn.LayerNorm(hidden)
        self.spatial = nn.ModuleList(Block(hidden, heads, intermediate) for _ in range(spatial_layers))
        self.spatial_norm = nn.LayerNorm(hidden)
        self.first_pixels = nn.Linear(hidden, channels * patch * patch)
        self.pixels = nn.Linear(hidden, channels * frames_per_token * patch * patch)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Videos (batch, channels, 1 + frames_per_token · (frames − 1), height · patch, width · patch) for ids (batch, frames, height, width).

        Each place attends to its own past, then each frame to itself.
        """
        batch, frames, height, width = ids.shape
        x = self.from_codes(self.codes(ids))
        x = x.permute(0, 2, 3, 1, 4).contiguous().flatten(0, 2) + self.positions[:frames]
        for block in self.temporal:
            x = block(x, causal=True)
        x = self.temporal_norm(x).unflatten(0, (batch, height * width))
        x = x.permute(2, 0, 1, 3).contiguous().flatten(0, 1) + self.positions[: height * width]
        for block in self.spatial:
            x = block(x)
        x = self.spatial_norm(x).unflatten(1, (height, width)).unflatten(0, (frames, batch))
        first = self.to_video(self.first_pixels(x[:1]), 1)
        if frames == 1:
            return first
        return torch.cat([first, self.to_video(self.pixels(x[1:]), self.frames_per_token)], dim=2)

    def to_video(self, x: torch.Tensor, deep: int) -> torch.Tensor:
        """(frames, batch, height, width, channels · deep · patch · patch) → (batch, channels, frames · deep, height · patch, width · patch)."""
        x = x.unflatten(-1, (self.channels, deep, self.patch, self.patch))
        return x.permute(1, 4, 0, 5, 2, 6, 3, 7).flatten(6, 7).flatten(4, 5).flatten(2, 3)
