"""Decoders of latent videos as modules of their own: a call is what `decode` of diffusers' autoencoder does, and no encoder is held."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import AutoencoderKLCogVideoX, AutoencoderKLWan


class CogvideoxDecoder(AutoencoderKLCogVideoX):  # type: ignore[misc]
    """CogVideoX's: two latent frames at a time (three the first time where their number is odd), what convolutions need of earlier ones kept."""

    def __init__(self, *, block_out_channels: tuple[int, ...], **config: Any) -> None:
        count = len(block_out_channels)
        super().__init__(
            block_out_channels=tuple(block_out_channels), down_block_types=("CogVideoXDownBlock3D",) * count,
            up_block_types=("CogVideoXUpBlock3D",) * count, **config,
        )  # fmt: skip
        del self.encoder

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """z (batch, channel, frame, height, width) latent → a video in the same layout."""
        video: torch.Tensor = self.decode(z).sample
        return video


class WanDecoder(AutoencoderKLWan):  # type: ignore[misc]
    """Wan 2.1's: one latent frame at a time, what convolutions need of the two before kept."""

    def __init__(self, **config: Any) -> None:
        super().__init__(**{name: list(value) if isinstance(value, tuple) else value for name, value in config.items()})
        del self.encoder, self.quant_conv

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """z (batch, channel, frame, height, width) latent → a video in the same layout."""
        video: torch.Tensor = self.decode(z).sample
        return video
