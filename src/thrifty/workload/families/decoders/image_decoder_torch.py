"""The torch twin of a VQGAN's decoder: tokens are looked up in a codebook, mixed by a 1 × 1 convolution, and decoded by diffusers' Decoder."""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models.autoencoders.vae import Decoder
from torch import nn


class TokenDecoder(nn.Module):  # type: ignore[misc]
    """(batch, height, width) tokens to (batch, channels, height · 2ⁿ, width · 2ⁿ) pixels.

    codebook_size : entries of the codebook, each `in_channels` numbers wide
    other arguments are the Decoder's
    """

    def __init__(self, codebook_size: int, in_channels: int, **decoder: Any) -> None:
        super().__init__()
        self.codebook = nn.Embedding(codebook_size, in_channels)
        self.post_quant_conv = nn.Conv2d(in_channels, in_channels, 1)
        self.decoder = Decoder(in_channels=in_channels, **decoder)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Pixels of the image."""
        found = self.codebook(tokens).permute(0, 3, 1, 2).contiguous()
        return self.decoder(self.post_quant_conv(found))
