"""Imagen's denoisers: a UNet over pixels at 64, and two that enlarge an image four times each.

The twin is `imagen_torch`. Pixels attend to the text and to each other at the sides that say so; residual blocks of convolutions, told the step by
scales and shifts, are most of the work. Matrix products, convolutions, attention, norms and softmaxes have the twin's rows one to one, and so has
everything else; only where a single pixel is left of an image, a training step copies more than is known here.

What it does not know: dropping the text for guidance inside the net (the second sample of a guided step is fed an empty prompt instead), and the
resizing of the small image before it is given to a net that enlarges it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from thrifty.errors import BadValue
from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.drawn import Drawn
from thrifty.workload.families.primitives.layers import Grid, conv, dense, layer_norm
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.families.unets.imagen_blocks import Told, double, halve, residual, transformer, waves, widen
from thrifty.workload.feeds import Feed, Feeds
from thrifty.workload.model import Symbol, WorkPhase
from thrifty.workload.table import Kind

TOKENS = 128
"""Tokens of a text as T5's encoder gives it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagenUnetShape:
    """As the twin names its arguments, where they are explained. image: side in pixels that it is made for."""

    channels: int
    multipliers: tuple[int, ...]
    blocks: tuple[int, ...]
    self_attention: tuple[bool, ...]
    cross_attention: tuple[bool, ...]
    image: int
    middle_attention: bool = True
    efficient: bool = False
    low_resolution: bool = False
    text_width: int = 4096
    heads: int = 8
    head_dim: int = 64
    time_tokens: int = 2
    frequencies: int = 8
    norm_groups: int = 32

    def __post_init__(self) -> None:
        levels = len(self.multipliers)
        for name in ("blocks", "self_attention", "cross_attention"):
            if len(getattr(self, name)) != levels or not levels:
                raise BadValue(f"{name} has {len(getattr(self, name))} values for {levels} multipliers. Give one for every level.")
        if self.channels % self.norm_groups:
            raise BadValue(f"channels={self.channels} do not go into {self.norm_groups} groups of equal size. Choose a multiple of {self.norm_groups}.")
        if self.image % self.halvings:
            raise BadValue(f"image={self.image} is no multiple of {self.halvings}, by which this net makes it smaller. Choose one.")

    @property
    def halvings(self) -> int:
        """By which the side is made smaller on the way down."""
        return int(2 ** (len(self.multipliers) - (not self.efficient)))

    @property
    def step(self) -> int:
        """Numbers that say the step to every block."""
        return 4 * self.channels * (1 + self.low_resolution)

    @property
    def widths(self) -> list[tuple[int, int]]:
        """Channels into and out of each level on the way down."""
        return list(pairwise((self.channels, *(self.channels * each for each in self.multipliers))))


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagenUnet(Drawn):
    """One denoising step."""

    shape: ImagenUnetShape

    what = "a denoiser"

    def sizes(self) -> tuple[Symbol, ...]:
        s = self.shape
        degree = 4 if s.middle_attention or any(s.self_attention) else 2
        return (
            Symbol(name="batch", default=1, meaning="batch"),
            Symbol(name="image", default=s.image, modulus=s.halvings, residue=0, degree=degree, meaning="image side"),
            Symbol(name="text", default=TOKENS, meaning="text tokens"),
        )

    def feeds(self, phase: WorkPhase, point: Mapping[str, int]) -> Feeds:
        """The noisy image, the step and the text as its encoder gave it; where the net enlarges, the small image at full size, and its own noise."""
        batch, side = point["batch"], point["image"]
        image = Feed(shape=(batch, 3, side, side), axes=("batch", "channel", "height", "width"))
        time = Feed(shape=(batch,), axes=("batch",), fill="steps")
        text = Feed(shape=(batch, point["text"], self.shape.text_width), axes=("batch", "text", "channel"))
        feeds: dict[str, Feed | Feeds] = {"image": image, "time": time, "text": text}
        return {**feeds, "low_image": image, "low_time": time} if self.shape.low_resolution else feeds

    def forward(self, t: Tape, point: Mapping[str, int]) -> Tensor:
        s, batch, side = self.shape, point["batch"], point["image"]
        names = ("image", "low_image")[: 1 + s.low_resolution]
        images = [Grid(t.input(batch * 3 * side * side, t.format, name), batch, 3, (side, side)) for name in names]
        times = [t.input(batch, t.format, name) for name in ("time", "low_time")[: len(images)]]
        words = t.input(batch * point["text"] * s.text_width, t.format, "text")
        t.enter("")
        x = self._stem(t, _joined(t, images) if len(images) > 1 else images[0])
        told = self._told(t, times, words, batch, point["text"])
        groups = s.norm_groups
        if s.efficient:
            x = residual(t, "entry", x, s.channels, groups, told, gated=True)
        kept: list[Grid] = []
        for level in range(len(s.widths)):
            x = self._down(t, level, x, kept, told)
        for name in ("middle_1", "middle_2"):
            x = residual(t, name, x, x.channels, groups, told, heads=(s.heads, s.head_dim))
            if name == "middle_1" and s.middle_attention:
                x = transformer(t, "middle_transformer", x, None, s.heads, s.head_dim)
        for place, level in enumerate(reversed(range(len(s.widths)))):
            x = self._up(t, f"ups.{place}", level, x, kept, told)
        x = residual(t, "exit", x, s.channels, groups, told, gated=True)
        last = x.tensor
        if s.low_resolution:
            t.enter("", calls=0)
            x = _joined(t, [x, images[1]])
        out = conv(t, "out", x, 3, 3).tensor
        t.touch(last, told.step, told.tokens, *told.held)
        return out

    def _stem(self, t: Tape, x: Grid) -> Grid:
        """Three convolutions of growing kernels, their channels side by side."""
        n = self.shape.channels
        widths = (n // 2, n // 4, n - n // 2 - n // 4)
        parts = [conv(t, f"stem.{place}", x, width, kernel) for place, (width, kernel) in enumerate(zip(widths, (3, 7, 15), strict=True))]
        t.enter("", calls=0)
        out = _joined(t, parts)
        t.touch(x.tensor)
        return out

    def _told(self, t: Tape, times: list[Tensor], words: Tensor, batch: int, text: int) -> Told:
        """What every block is told: the step with the text in one vector, and the tokens that pixels attend to."""
        s, n = self.shape, self.shape.channels
        step, tokens = self._clock(t, "clock", times[0], batch)
        count, held = s.time_tokens, []
        if s.low_resolution:
            low_step, low_tokens = self._clock(t, "low_clock", times[1], batch)
            t.enter("", calls=0)
            before, step, tokens, count = step, ops.add(t, step, low_step), ops.concatenate(t, (tokens, low_tokens)), 2 * count
            t.touch(before)
            held += [low_step, low_tokens]
        made = dense(t, "text", words, batch * text, n, s.text_width)
        t.enter("", calls=0)
        pooled = _mean(t, made, batch * n, text)
        mean = layer_norm(t, "summary.0", pooled, batch, n, calls=2)
        mean = dense(t, "summary.1", mean, batch, s.step, n, views=1)
        t.enter("summary.2")
        mean = ops.activation(t, mean, "silu", views=0)
        mean = dense(t, "summary.3", mean, batch, s.step, s.step, views=1)
        t.touch(pooled)
        t.enter("", calls=0)
        step = ops.add(t, step, mean)
        held += [tokens, made]
        joined = ops.concatenate(t, (tokens, made))
        seen = layer_norm(t, "norm_told", joined, batch * (count + text), n)
        return Told(step, s.step, seen, count + text, n, tuple(held))

    def _clock(self, t: Tape, root: str, time: Tensor, batch: int) -> tuple[Tensor, Tensor]:
        s = self.shape
        inputs = 2 * s.frequencies + 1
        made = dense(t, f"{root}.hidden", waves(t, f"{root}.waves", time, s.frequencies), batch, s.step, inputs, views=1)
        t.enter(f"{root}.activation")
        hidden = ops.activation(t, made, "silu", views=0)
        step = dense(t, f"{root}.step", hidden, batch, s.step, s.step, views=1)
        tokens = dense(t, f"{root}.tokens", hidden, batch, s.time_tokens * s.channels, s.step, views=1)
        t.views += 1
        return step, tokens

    def _down(self, t: Tape, level: int, x: Grid, kept: list[Grid], told: Told) -> Grid:
        s, root = self.shape, f"downs.{level}"
        outputs, is_last = s.widths[level][1], level + 1 == len(s.widths)
        if s.efficient:
            x = halve(t, f"{root}.resize", x, outputs)
        x = residual(t, f"{root}.first", x, x.channels, s.norm_groups, told, heads=(s.heads, s.head_dim) if s.cross_attention[level] else None)
        for block in range(s.blocks[level]):
            x = residual(t, f"{root}.blocks.{block}", x, x.channels, s.norm_groups, told, gated=True)
            kept.append(x)
        if s.self_attention[level]:
            x = transformer(t, f"{root}.transformer", x, told, s.heads, s.head_dim)
        kept.append(x)
        if s.efficient:
            return x
        return widen(t, f"{root}.resize", x, outputs) if is_last else halve(t, f"{root}.resize", x, outputs)

    def _up(self, t: Tape, root: str, level: int, x: Grid, kept: list[Grid], told: Told) -> Grid:
        s = self.shape
        inputs, outputs = s.widths[level]
        for block in range(-1, s.blocks[level]):
            t.enter("", calls=0)
            scaled = kept[-1].of(ops.scale(t, kept[-1].tensor))
            kept.pop()
            before, x = x.tensor, _joined(t, [x, scaled])
            if block < 0:
                x = residual(t, f"{root}.first", x, outputs, s.norm_groups, told, heads=(s.heads, s.head_dim) if s.cross_attention[level] else None)
            else:
                x = residual(t, f"{root}.blocks.{block}", x, outputs, s.norm_groups, told, gated=True)
            t.touch(before)
        if s.self_attention[level]:
            x = transformer(t, f"{root}.transformer", x, told, s.heads, s.head_dim)
        return double(t, f"{root}.resize", x, inputs) if s.efficient or level else x


def _joined(t: Tape, parts: list[Grid]) -> Grid:
    """Their channels side by side."""
    tensor = ops.concatenate(t, [part.tensor for part in parts])
    tensor.needs = any(part.tensor.needs for part in parts)
    return Grid(tensor, parts[0].batch, sum(part.channels for part in parts), parts[0].sides)


def _mean(t: Tape, x: Tensor, results: int, size: int) -> Tensor:
    """Over the tokens of a text."""
    out = t.new(results, format_name=x.format)
    t.row(Kind.ELEMENTWISE, "aten.mean", (x,), (out,), (1, results, 0, 0), flops_vector=x.count + results, format_name=x.format)

    def backward(grad: Tensor) -> None:
        t.give(x, ops.move(t, "aten.div", (grad,), x.count, format_name=grad.format, kind=Kind.ELEMENTWISE, flops=x.count))

    t.later(out, backward)
    return out


