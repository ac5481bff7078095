"""Decoders of latents into images: the KL autoencoders of latent diffusion, and VQGANs, which begin with tokens.

A KL decoder's twin is diffusers' Decoder; a VQGAN's looks its tokens up in a codebook, mixes their channels and decodes the same way (`image_decoder_torch`).
Residual blocks at the latent's side, one attention over its pixels where the model has it, then doubling upon doubling, every block at a larger side
with fewer channels: most of the work is convolutions at the image's own side. Every row has the twin's, forward and backward.

What it does not know: spatial norms (MoVQ), and the 1 × 1 convolution that some KL autoencoders have before their decoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from thrifty.errors import BadValue
from thrifty.workload.families.denoising_transformers import modulation
from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.drawn import Drawn
from thrifty.workload.families.primitives.layers import Grid, activation, conv, group_norm
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.families.unets.image_attention import plain_attention
from thrifty.workload.families.unets.residual_blocks import double, residual_block
from thrifty.workload.feeds import Feed, Feeds
from thrifty.workload.model import Symbol, WorkPhase

IMAGE = 512
"""Side of the image unless told otherwise."""

_BLOCK = "UpDecoderBlock2D"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageDecoderShape:
    """As diffusers' class names its arguments: channels of every side, largest side first; the side is doubled between them.

    codebook_size : entries of the codebook in which tokens are looked up; 0 where latents are fed as they are
    """

    block_out_channels: tuple[int, ...]
    up_block_types: tuple[str, ...]
    in_channels: int = 4
    out_channels: int = 3
    layers_per_block: int = 2
    norm_num_groups: int = 32
    mid_block_add_attention: bool = True
    codebook_size: int = 0

    def __post_init__(self) -> None:
        sides = len(self.block_out_channels)
        if sides < 2:
            raise BadValue(f"{sides} block_out_channels enlarge nothing. Give two or more, one for every side.")
        if self.up_block_types != (_BLOCK,) * sides:
            raise BadValue(f"up_block_types is not {_BLOCK} for each of {sides} block_out_channels. Write it once for every side.")
        for channels in self.block_out_channels:
            if channels % self.norm_num_groups:
                raise BadValue(f"{channels} channels do not go into {self.norm_num_groups} groups of equal size. Choose a multiple.")

    @property
    def enlargement(self) -> int:
        """Pixels of the image's side that one latent becomes."""
        result: int = 2 ** (len(self.block_out_channels) - 1)
        return result


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageDecoder(Drawn):
    """Latents, or tokens, to an image."""

    shape: ImageDecoderShape

    what = "a decoder of latents"

    def sizes(self) -> tuple[Symbol, ...]:
        factor, degree = self.shape.enlargement, 4 if self.shape.mid_block_add_attention else 2
        return (
            Symbol(name="batch", default=1, meaning="batch"),
            Symbol(name="latent", default=IMAGE // factor, degree=degree, meaning="side of the latent", alias=("image", factor)),
        )

    def feeds(self, phase: WorkPhase, point: Mapping[str, int]) -> Feeds:
        """The latent, or the image's tokens row by row."""
        s, batch, side = self.shape, point["batch"], point["latent"]
        if s.codebook_size:
            return {"tokens": Feed(shape=(batch, side, side), axes=("batch", "height", "width"), fill="whole", below=s.codebook_size)}
        return {"sample": Feed(shape=(batch, s.in_channels, side, side), axes=("batch", "channel", "height", "width"))}

    def forward(self, t: Tape, point: Mapping[str, int]) -> Tensor:
        s, batch, side = self.shape, point["batch"], point["latent"]
        if s.codebook_size:
            held, x = self._looked_up(t, batch, side)
            root = "decoder."
        else:
            x, root = Grid(t.input(batch * s.in_channels * side * side, t.format, "sample"), batch, s.in_channels, (side, side)), ""
            held = x
            t.calls += 1
        fed = x
        x = conv(t, f"{root}conv_in", x, s.block_out_channels[-1], 3)
        x, apart = self._middle(t, f"{root}mid_block", x)
        for place, channels in enumerate(reversed(s.block_out_channels)):
            entry = x
            for layer in range(s.layers_per_block + 1):
                x = residual_block(t, f"{root}up_blocks.{place}.resnets.{layer}", x, channels, s.norm_num_groups, calls=2 + (layer == 0), apart=apart)
            if place < len(s.block_out_channels) - 1:
                x = double(t, f"{root}up_blocks.{place}.upsamplers.0", x, apart=apart)
                apart = False
            t.touch(entry.tensor)
        x = group_norm(t, f"{root}conv_norm_out", x, s.norm_num_groups)
        x = activation(t, f"{root}conv_act", x, "silu")
        out = conv(t, f"{root}conv_out", x, s.out_channels, 3)
        t.touch(held.tensor, fed.tensor)
        return out.tensor

    def _looked_up(self, t: Tape, batch: int, side: int) -> tuple[Grid, Grid]:
        """Tokens as rows of the codebook, and these with their channels mixed."""
        s, rows = self.shape, batch * side * side
        t.enter("codebook", calls=2)
        tokens = t.input(rows, "int64", "tokens")
        found = ops.embedding(t, tokens, t.weight("codebook.weight", s.codebook_size, s.in_channels), rows, s.in_channels, s.codebook_size)
        t.enter("", calls=0, views=1)
        latent = Grid(modulation.gather(t, found), batch, s.in_channels, (side, side))
        mixed = conv(t, "post_quant_conv", latent, s.in_channels, 1)
        t.calls += 1
        return latent, mixed

    def _middle(self, t: Tape, root: str, x: Grid) -> tuple[Grid, bool]:
        """Two residual blocks around the attention; whether the result lies pixel by pixel."""
        s, entry, channels = self.shape, x, x.channels
        x = residual_block(t, f"{root}.resnets.0", x, channels, s.norm_num_groups, calls=3)
        if s.mid_block_add_attention:
            x = plain_attention(t, f"{root}.attentions.0", x, s.norm_num_groups)
        x = residual_block(t, f"{root}.resnets.1", x, channels, s.norm_num_groups, apart=s.mid_block_add_attention)
        t.touch(entry.tensor)
        return x, s.mid_block_add_attention
