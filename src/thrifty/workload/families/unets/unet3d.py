"""A video UNet (ModelScope's text-to-video): an image UNet whose every block is followed by convolutions and attention in time.

Its twin is diffusers' UNet3DConditionModel. All frames pass through the image layers as a folded batch; a pixel's frames then form a sequence of their
own, so that spatial attention grows with the fourth power of the side and temporal attention with the square of the frames.

What it does not know: a step's own condition (time_cond_proj_dim), and heads that differ from block to block.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from thrifty.errors import BadValue
from thrifty.workload.families.denoising_transformers.modulation import step_waves
from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.drawn import Drawn
from thrifty.workload.families.primitives.layers import Grid, activation, conv, dense, group_norm
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.families.unets.residual_blocks import double, halve, residual_block
from thrifty.workload.families.unets.unet3d_blocks import Step, convolutions_in_time, moved, transformer_over_frames, transformer_over_pixels
from thrifty.workload.feeds import Feed, Feeds
from thrifty.workload.model import Symbol
from thrifty.workload.table import Kind

PIXELS: Final = 8
"""Pixels of height and width that its decoder makes of one latent."""
STEM_HEADS: Final = 8
"""Of the transformer over frames behind the first convolution."""
_DOWN: Final = {"CrossAttnDownBlock3D": True, "DownBlock3D": False}
_UP: Final = {"CrossAttnUpBlock3D": True, "UpBlock3D": False}
"""Whether a block of that name has transformers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unet3dShape:
    """As diffusers' class names its arguments. attention_head_dim: width of a head (that class takes it for a number of heads and turns it round)."""

    in_channels: int = 4
    out_channels: int = 4
    down_block_types: tuple[str, ...] = ("CrossAttnDownBlock3D", "CrossAttnDownBlock3D", "CrossAttnDownBlock3D", "DownBlock3D")
    up_block_types: tuple[str, ...] = ("UpBlock3D", "CrossAttnUpBlock3D", "CrossAttnUpBlock3D", "CrossAttnUpBlock3D")
    block_out_channels: tuple[int, ...] = (320, 640, 1280, 1280)
    layers_per_block: int = 2
    norm_num_groups: int = 32
    cross_attention_dim: int = 1024
    attention_head_dim: int = 64

    def __post_init__(self) -> None:
        levels = len(self.block_out_channels)
        for name, known in (("down_block_types", _DOWN), ("up_block_types", _UP)):
            types: tuple[str, ...] = getattr(self, name)
            if len(types) != levels:
                raise BadValue(f"{name} names {len(types)} blocks, block_out_channels {levels}. Name one for each.")
            for each in types:
                if each not in known:
                    raise BadValue(f"{name} has no '{each}'. Choose from: {', '.join(known)}.")
        for channels in self.block_out_channels:
            for name in ("norm_num_groups", "attention_head_dim"):
                if not getattr(self, name) or channels % getattr(self, name):
                    raise BadValue(f"{name}={getattr(self, name)} does not divide {channels} channels. Choose one that does.")

    @property
    def halvings(self) -> int:
        return len(self.block_out_channels) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Unet3d(Drawn):
    """The denoiser of a latent video."""

    shape: Unet3dShape
    what = "a denoiser of videos"

    def sizes(self) -> tuple[Symbol, ...]:
        """batch, frames, the latent's side and tokens of text."""
        halvings = self.shape.halvings
        return (
            Symbol(name="batch", default=1, meaning="batch"),
            Symbol(name="frames", default=16, degree=2, meaning="frames"),
            Symbol(
                name="latent", default=32, modulus=2**halvings, degree=4, breaks=tuple(2**level + 1 for level in range(1, halvings + 1)),
                meaning="side of the latent", alias=("image", PIXELS),
            ),
            Symbol(name="text", default=77, meaning="tokens of text"),
        )  # fmt: skip

    def feeds(self, phase: str, point: Mapping[str, int]) -> Feeds:
        batch, side = point["batch"], point["latent"]
        return {
            "sample": Feed(
                shape=(batch, self.shape.in_channels, point["frames"], side, side), axes=("batch", "channel", "frame", "height", "width")
            ),
            "timestep": Feed(shape=(batch,), axes=("batch",), fill="whole"),
            "encoder_hidden_states": Feed(shape=(batch, point["text"], self.shape.cross_attention_dim), axes=("batch", "text", "channel")),
        }  # fmt: skip

    def forward(self, t: Tape, point: Mapping[str, int]) -> Tensor:
        shape, batch, frames, side = self.shape, point["batch"], point["frames"], point["latent"]
        sample = t.input(batch * shape.in_channels * frames * side * side, t.format, "sample")
        s, waves = self._step(t, batch, frames, point["text"])
        several = batch > 1 and frames > 1
        t.enter("", calls=0, views=2)
        start = moved(t, sample, copy=several)
        t.views += 1
        x = conv(t, "conv_in", Grid(start, s.images, shape.in_channels, (side, side)), shape.block_out_channels[0], 3)
        x = transformer_over_frames(s, "transformer_in", x, STEM_HEADS)
        skips = [x]
        for level, kind in enumerate(shape.down_block_types):
            x = self._down(s, level, x, skips, has_transformers=_DOWN[kind])
        x = self._middle(s, x)
        for level, kind in enumerate(shape.up_block_types):
            x = self._up(s, level, x, skips, has_transformers=_UP[kind])
        x = group_norm(t, "conv_norm_out", x, shape.norm_num_groups)
        x = activation(t, "conv_act", x, "silu")
        made = conv(t, "conv_out", x, shape.out_channels, 3).tensor
        t.touch(waves)
        t.enter("", calls=0, views=2)
        return _seen(t, made, copy=several)

    def _step(self, t: Tape, batch: int, frames: int, text: int) -> tuple[Step, Tensor]:
        """The step's waves through two layers, and the text, both once more for every frame; also the waves, which are held to the end."""
        shape, channels = self.shape, self.shape.block_out_channels[0]
        width = 4 * channels
        steps = t.input(batch, "int64", "timestep")
        words = t.input(batch * text * shape.cross_attention_dim, t.format, "encoder_hidden_states")
        t.views += 1
        waves = step_waves(t, "time_proj", steps, channels)
        t.enter("", calls=0)
        narrow = ops.cast(t, waves, t.format)
        h = dense(t, "time_embedding.linear_1", narrow, batch, width, channels, calls=2, views=1)
        t.enter("time_embedding.act")
        h = ops.activation(t, h, "silu", views=0)
        h = dense(t, "time_embedding.linear_2", h, batch, width, width, views=1)
        t.enter("", calls=0, views=2)
        each = ops.move(t, "aten.clone", (h,), h.count * frames, format_name=h.format, needs=h.needs)

        def backward(grad: Tensor) -> None:
            t.views += 3
            summed = frames > 1
            t.give(h, ops.move(t, "aten.sum", (grad,), h.count, format_name=grad.format, kind=Kind.ELEMENTWISE, flops=grad.count) if summed else grad)

        t.later(each, backward)
        t.views += 3
        told = ops.move(t, "aten.clone", (words,), words.count * frames, format_name=words.format)
        step = Step(
            t=t, batch=batch, frames=frames, groups=shape.norm_num_groups, head_dim=shape.attention_head_dim, step=each, step_width=width, words=told,
            words_width=shape.cross_attention_dim, text=text,
        )  # fmt: skip
        return step, narrow

    def _down(self, s: Step, level: int, x: Grid, skips: list[Grid], *, has_transformers: bool) -> Grid:
        root = f"down_blocks.{level}"
        for layer in range(self.shape.layers_per_block):
            x = self._layer(s, root, layer, x, self.shape.block_out_channels[level], has_transformers=has_transformers)
            skips.append(x)
        if level < self.shape.halvings:
            x = halve(s.t, f"{root}.downsamplers.0", x)
            skips.append(x)
        return x

    def _middle(self, s: Step, x: Grid) -> Grid:
        x = self._residual(s, "mid_block.resnets.0", x, x.channels, calls=3)
        x = convolutions_in_time(s, "mid_block.temp_convs.0", x)
        x = transformer_over_pixels(s, "mid_block.attentions.0", x)
        x = transformer_over_frames(s, "mid_block.temp_attentions.0", x)
        x = self._residual(s, "mid_block.resnets.1", x, x.channels)
        return convolutions_in_time(s, "mid_block.temp_convs.1", x)

    def _up(self, s: Step, level: int, x: Grid, skips: list[Grid], *, has_transformers: bool) -> Grid:
        root, t, channels = f"up_blocks.{level}", s.t, self.shape.block_out_channels[-1 - level]
        held = [x, *skips[-self.shape.layers_per_block - 1 :]]
        for layer in range(self.shape.layers_per_block + 1):
            skip = skips.pop()
            t.enter(root, calls=layer == 0)
            joined = ops.concatenate(t, (x.tensor, skip.tensor))
            both = Grid(joined, x.batch, x.channels + skip.channels, x.sides)
            x = self._layer(s, root, layer, both, channels, has_transformers=has_transformers, calls=0)
        if level < self.shape.halvings:
            x = double(t, f"{root}.upsamplers.0", x, skips[-1].sides)
        t.touch(*(each.tensor for each in held))
        return x

    def _residual(self, s: Step, root: str, x: Grid, channels: int, *, calls: int = 2) -> Grid:
        return residual_block(s.t, root, x, channels, s.groups, step=s.step, step_width=s.step_width, calls=calls)

    def _layer(self, s: Step, root: str, layer: int, x: Grid, channels: int, *, has_transformers: bool, calls: int = 1) -> Grid:
        x = self._residual(s, f"{root}.resnets.{layer}", x, channels, calls=2 + (calls if layer == 0 else 0))
        x = convolutions_in_time(s, f"{root}.temp_convs.{layer}", x)
        if has_transformers:
            x = transformer_over_pixels(s, f"{root}.attentions.{layer}", x)
            x = transformer_over_frames(s, f"{root}.temp_attentions.{layer}", x)
        return x


def _seen(t: Tape, x: Tensor, *, copy: bool) -> Tensor:
    """`x` as a view in another order; its gradient is copied into the old one where torch has to."""
    if not copy:
        return x
    out = Tensor(x.storage, x.count, x.size, x.format, x.needs)
    t.later(out, lambda grad: t.give(x, ops.move(t, "aten.clone", (grad,), x.count, format_name=grad.format)))
    return out
