"""The UNet of latent diffusion: Stable Diffusion 1.x and 2.x, SDXL and their like.

Its twin is diffusers' UNet2DConditionModel. The image is halved down to the middle and doubled up again, every residual block told the step, pixels
attending to each other and to the text at the sides that say so; what went down is joined to what comes up. Side, channels and kinds of blocks
are free, and so are sides that do not halve evenly: they are rounded up, and doubled to what they were. Every row has the twin's, forward and backward.

What it does not know: other kinds of blocks (simple cross attention, attention without text), class labels, images as conditions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from thrifty.errors import BadValue
from thrifty.workload.families.denoising_transformers import modulation
from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.drawn import Drawn
from thrifty.workload.families.primitives.layers import Grid, activation, conv, dense, group_norm
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.families.unets.image_attention import Text, transformer
from thrifty.workload.families.unets.residual_blocks import double, halve, residual_block
from thrifty.workload.feeds import Feed, Feeds
from thrifty.workload.model import Symbol, WorkPhase

PIXELS = 8
"""Pixels of the image's side that its decoder makes of one latent."""

TOKENS = 77
"""Tokens of a text as CLIP's encoders give it."""

SIZES_AND_CROPS = 6
"""Numbers that tell a net with `text_time` of the image: height and width before and after, top and left of the crop."""

_WITH_ATTENTION = {"CrossAttnDownBlock2D": True, "DownBlock2D": False, "CrossAttnUpBlock2D": True, "UpBlock2D": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class UnetShape:
    """As diffusers' class names its arguments; attention_head_dim is the number of heads, as it is there. One of each tuple's for every side, largest first.

    addition_embed_type : "text_time" where the step's embedding takes in the text as one vector and the image's sizes and crop, "" where not
    """

    block_out_channels: tuple[int, ...]
    down_block_types: tuple[str, ...]
    up_block_types: tuple[str, ...]
    attention_head_dim: tuple[int, ...]
    cross_attention_dim: int
    sample_size: int
    in_channels: int = 4
    out_channels: int = 4
    layers_per_block: int = 2
    transformer_layers_per_block: tuple[int, ...] = ()
    norm_num_groups: int = 32
    use_linear_projection: bool = False
    addition_embed_type: str = ""
    addition_time_embed_dim: int = 0
    projection_class_embeddings_input_dim: int = 0

    def __post_init__(self) -> None:
        if not self.transformer_layers_per_block:
            object.__setattr__(self, "transformer_layers_per_block", (1,) * len(self.block_out_channels))
        sides = len(self.block_out_channels)
        for name in ("down_block_types", "up_block_types", "attention_head_dim", "transformer_layers_per_block"):
            if len(getattr(self, name)) != sides or not sides:
                raise BadValue(f"{name} has {len(getattr(self, name))} values for {sides} block_out_channels. Give one for every side.")
        for kind in (*self.down_block_types, *self.up_block_types):
            if kind not in _WITH_ATTENTION:
                raise BadValue(f"Block '{kind}' of a UNet is unknown here. Choose from: {', '.join(_WITH_ATTENTION)}.")
        for channels, heads in zip(self.block_out_channels, self.attention_head_dim, strict=True):
            if heads < 1 or channels % heads or channels % self.norm_num_groups:
                raise BadValue(
                    f"{channels} channels do not go into {heads} heads and {self.norm_num_groups} groups of equal size. "
                    "Choose a multiple of both for every side."
                )
        if self.addition_embed_type not in ("", "text_time"):
            raise BadValue(f"addition_embed_type='{self.addition_embed_type}' is unknown. Write text_time, or leave it out.")
        if self.addition_embed_type and self.pooled < 1:
            raise BadValue(
                f"projection_class_embeddings_input_dim={self.projection_class_embeddings_input_dim} leaves no room for a text beside "
                f"{SIZES_AND_CROPS} x {self.addition_time_embed_dim} numbers of sizes. Choose more."
            )

    @property
    def step_width(self) -> int:
        return 4 * self.block_out_channels[0]

    @property
    def pooled(self) -> int:
        """Numbers of the text as one vector."""
        return self.projection_class_embeddings_input_dim - SIZES_AND_CROPS * self.addition_time_embed_dim


@dataclass(frozen=True, slots=True)
class _Told:
    """What every block is told: the step's embedding and the text."""

    step: Tensor
    text: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Unet(Drawn):
    """One denoising step."""

    shape: UnetShape

    what = "a denoiser"

    def sizes(self) -> tuple[Symbol, ...]:
        halvings: int = 2 ** (len(self.shape.block_out_channels) - 1)
        side, factor = self.shape.sample_size, PIXELS
        return (
            Symbol(name="batch", default=1, meaning="batch"),
            Symbol(name="latent", default=side, modulus=halvings, degree=4, meaning="side of the latent", alias=("image", factor)),
            Symbol(name="text", default=TOKENS, meaning="text tokens"),
        )

    def feeds(self, phase: WorkPhase, point: Mapping[str, int]) -> Feeds:
        """The noisy latent, the step, the text as its encoder gave it, and where the net takes them the text as one vector and the image's sizes."""
        s, batch, side = self.shape, point["batch"], point["latent"]
        feeds: dict[str, Feed | Feeds] = {
            "sample": Feed(shape=(batch, s.in_channels, side, side), axes=("batch", "channel", "height", "width")),
            "timestep": Feed(shape=(batch,), axes=("batch",), fill="whole"),
            "encoder_hidden_states": Feed(shape=(batch, point["text"], s.cross_attention_dim), axes=("batch", "text", "channel")),
        }
        if s.addition_embed_type:
            feeds["added_cond_kwargs"] = {
                "text_embeds": Feed(shape=(batch, s.pooled), axes=("batch", "channel")),
                "time_ids": Feed(shape=(batch, SIZES_AND_CROPS), axes=("batch", "channel"), fill="steps"),
            }
        return feeds

    def forward(self, t: Tape, point: Mapping[str, int]) -> Tensor:
        s, batch, side = self.shape, point["batch"], point["latent"]
        sample = t.input(batch * s.in_channels * side * side, t.format, "sample")
        words = t.input(batch * point["text"] * s.cross_attention_dim, t.format, "encoder_hidden_states")
        step, held = self._step(t, batch)
        told = _Told(step, Text(words, point["text"], s.cross_attention_dim))
        x = conv(t, "conv_in", Grid(sample, batch, s.in_channels, (side, side)), s.block_out_channels[0], 3)
        kept = [x]
        for place in range(len(s.block_out_channels)):
            x = self._down(t, place, x, kept, told)
        entry = x
        x = self._residual(t, "mid_block.resnets.0", x, s.block_out_channels[-1], told, calls=3)
        x = self._attend(t, "mid_block.attentions.0", x, told, -1)
        x = self._residual(t, "mid_block.resnets.1", x, s.block_out_channels[-1], told)
        t.touch(entry.tensor)
        joined: list[Grid] = []
        for place in range(len(s.block_out_channels)):
            count = s.layers_per_block + 1
            joined, kept = kept[-count:], kept[:-count]
            x = self._up(t, place, x, joined, kept[-1].sides if kept else None, told)
        x = group_norm(t, "conv_norm_out", x, s.norm_num_groups)
        x = activation(t, "conv_act", x, "silu")
        out = conv(t, "conv_out", x, s.out_channels, 3)
        t.touch(*held, step, *(skip.tensor for skip in joined))
        return out.tensor

    def _step(self, t: Tape, batch: int) -> tuple[Tensor, list[Tensor]]:
        """The step's embedding, and what the net's own call holds until it ends."""
        s = self.shape
        t.views += 1
        waves = modulation.step_waves(t, "time_proj", t.input(batch, "int64", "timestep"), s.block_out_channels[0])
        t.enter("", calls=0)
        waves = ops.cast(t, waves, t.format)
        step = self._two_layers(t, "time_embedding", waves, batch, s.block_out_channels[0])
        if not s.addition_embed_type:
            return step, [waves]
        sizes = t.input(batch * SIZES_AND_CROPS, t.format, "time_ids")
        text = t.input(batch * s.pooled, t.format, "text_embeds")
        t.calls -= 1  # the waves' own module is the only one entered, the net was before
        t.views += 1
        told = modulation.step_waves(t, "add_time_proj", sizes, s.addition_time_embed_dim)
        t.enter("", calls=0, views=1)
        both = ops.move(t, "aten.cat", (text, told), batch * s.projection_class_embeddings_input_dim, format_name="fp32")
        t.touch(told)
        both = ops.cast(t, both, t.format)
        t.touch(told)
        more = self._two_layers(t, "add_embedding", both, batch, s.projection_class_embeddings_input_dim)
        t.touch(told, both)
        t.enter("", calls=0)
        total = ops.add(t, step, more)
        return total, [waves, more]

    def _two_layers(self, t: Tape, root: str, x: Tensor, rows: int, inputs: int) -> Tensor:
        width = self.shape.step_width
        made = dense(t, f"{root}.linear_1", x, rows, width, inputs, views=1, calls=2)
        t.enter(f"{root}.act")
        made = ops.activation(t, made, "silu", views=0)
        return dense(t, f"{root}.linear_2", made, rows, width, width, views=1)

    def _residual(self, t: Tape, root: str, x: Grid, channels: int, told: _Told, *, calls: int = 2) -> Grid:
        s = self.shape
        return residual_block(t, root, x, channels, s.norm_num_groups, step=told.step, step_width=s.step_width, calls=calls)

    def _attend(self, t: Tape, root: str, x: Grid, told: _Told, place: int) -> Grid:
        s = self.shape
        return transformer(
            t, root, x, told.text, heads=s.attention_head_dim[place], layers=s.transformer_layers_per_block[place], groups=s.norm_num_groups,
            linear=s.use_linear_projection,
        )  # fmt: skip

    def _down(self, t: Tape, place: int, x: Grid, kept: list[Grid], told: _Told) -> Grid:
        """Residual blocks at one side, each followed by attention where the side has it, and the halving. What it makes is `kept` for the way up."""
        s, root = self.shape, f"down_blocks.{place}"
        for layer in range(s.layers_per_block):
            x = self._residual(t, f"{root}.resnets.{layer}", x, s.block_out_channels[place], told, calls=2 + (layer == 0))
            if _WITH_ATTENTION[s.down_block_types[place]]:
                x = self._attend(t, f"{root}.attentions.{layer}", x, told, place)
            kept.append(x)
        if place < len(s.block_out_channels) - 1:
            x = halve(t, f"{root}.downsamplers.0", x)
            kept.append(x)
        return x

    def _up(self, t: Tape, place: int, x: Grid, skips: list[Grid], sides: tuple[int, ...] | None, told: _Told) -> Grid:
        """The same on the way up: what was kept is joined to every block's input, last first; then doubled to `sides`."""
        s, root, entry = self.shape, f"up_blocks.{place}", x
        there = len(s.block_out_channels) - 1 - place
        t.calls += 1
        for layer, skip in enumerate(reversed(skips)):
            t.enter(root, calls=0)
            x = Grid(ops.concatenate(t, (x.tensor, skip.tensor)), x.batch, x.channels + skip.channels, x.sides)
            x = self._residual(t, f"{root}.resnets.{layer}", x, s.block_out_channels[there], told)
            if _WITH_ATTENTION[s.up_block_types[place]]:
                x = self._attend(t, f"{root}.attentions.{layer}", x, told, there)
        if sides is not None:
            x = double(t, f"{root}.upsamplers.0", x, sides)
        t.touch(entry.tensor, *(skip.tensor for skip in skips))
        return x
