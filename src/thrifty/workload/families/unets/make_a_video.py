"""Make-A-Video's UNets: an image model's layers, behind each its half in time (a convolution or attention over frames).

Its twin is `make_a_video_torch`, written from the paper (Singer et al., 2022): the decoder of a video, the interpolation between its frames, and the
enlargements of them, one of which works frame by frame. All frames pass as a folded batch; what works in time is given them as rows of frames, by copies
that are rows of their own. A single frame takes the path of the image model.

What it does not know: the prior, and what the paper leaves open (the sheets say what is ours).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from thrifty.errors import BadValue
from thrifty.workload.families.denoising_transformers.modulation import chunk, modulate
from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.drawn import Drawn
from thrifty.workload.families.primitives.layers import Grid, activation, conv, dense, group_norm
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.families.token_transformers.token_blocks import Width, Words, attention, copied_back, reordered
from thrifty.workload.families.unets.unet3d_blocks import moved
from thrifty.workload.feeds import Feed, Feeds
from thrifty.workload.model import Symbol, WorkPhase
from thrifty.workload.table import Axes, Kind

TOKENS = 77
"""Of a text, as CLIP's encoder gives them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeAVideoShape:
    """Sizes of one UNet.

    image, frames     : the video that it was made for
    condition_channels: fed beside the video's own: a smaller video made large, or known frames and a mask of them
    base, multipliers : channels of the first side, and how many times that each side has; blocks, attention: of each side
    context, embedding: width of the text's tokens and of the image embedding that it is told (0: none); rates: frame rates that it tells apart (0: none)
    temporal          : whether its layers have halves in time
    """

    image: int = 64
    frames: int = 16
    in_channels: int = 3
    condition_channels: int = 0
    out_channels: int = 3
    base: int = 512
    multipliers: tuple[int, ...] = (1, 2, 3, 4)
    blocks: tuple[int, ...] = (3, 3, 3, 3)
    attention: tuple[bool, ...] = (False, True, True, True)
    head_dim: int = 64
    groups: int = 32
    context: int = 0
    embedding: int = 0
    rates: int = 0
    temporal: bool = True

    def __post_init__(self) -> None:
        for name in ("blocks", "attention"):
            if len(getattr(self, name)) != len(self.multipliers):
                raise BadValue(f"{name} has {len(getattr(self, name))} values for {len(self.multipliers)} multipliers. Give one for every side.")
        for level, multiplier in enumerate(self.multipliers):
            channels = self.base * multiplier
            if self.groups < 1 or channels % self.groups:
                raise BadValue(f"groups={self.groups} does not divide {channels} channels. Choose one that does.")
            if self.attention[level] and (self.head_dim < 1 or channels % self.head_dim):
                raise BadValue(f"head_dim={self.head_dim} does not divide {channels} channels. Choose one that does.")

    @property
    def step_width(self) -> int:
        return 4 * self.base

    @property
    def halvings(self) -> int:
        return len(self.multipliers) - 1

    def channels(self, level: int) -> int:
        return self.base * self.multipliers[level]


@dataclass(frozen=True, slots=True)
class _Told:
    """What every block is told: the step (images, step_width) and the text, both once for every frame."""

    frames: int
    step: Tensor
    words: Words | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeAVideoUnet(Drawn):
    """One denoising step of a video."""

    shape: MakeAVideoShape
    what = "a denoiser of videos"

    def sizes(self) -> tuple[Symbol, ...]:
        """batch, frames, the frame's side, and tokens of text where it is told one."""
        s, halvings = self.shape, self.shape.halvings
        degree, breaks = 4 if any(s.attention) else 2, tuple(2**level + 1 for level in range(1, halvings + 1))
        text = (Symbol(name="text", default=TOKENS, meaning="tokens of text"),) if s.context else ()
        return (
            Symbol(name="batch", default=1, meaning="batch"),
            Symbol(name="frames", default=s.frames, degree=2 if s.temporal else 1, meaning="frames"),
            Symbol(name="image", default=s.image, modulus=2**halvings, degree=degree, breaks=breaks, meaning="side of a frame"),
            *text,
        )

    def feeds(self, phase: WorkPhase, point: Mapping[str, int]) -> Feeds:
        """The noisy video, the step, and what the shape has room for: a condition beside the video, the text, the foreseen image, the frame rate."""
        s, batch, sides = self.shape, point["batch"], (point["frames"], point["image"], point["image"])
        feeds: dict[str, Feed | Feeds] = {
            "video": Feed(shape=(batch, s.in_channels, *sides), axes=("batch", "channel", "frame", "height", "width")),
            "step": Feed(shape=(batch,), axes=("batch",), fill="whole"),
        }
        if s.condition_channels:
            feeds["condition"] = Feed(shape=(batch, s.condition_channels, *sides), axes=("batch", "channel", "frame", "height", "width"))
        if s.context:
            feeds["words"] = Feed(shape=(batch, point["text"], s.context), axes=("batch", "text", "channel"))
        if s.embedding:
            feeds["seen"] = Feed(shape=(batch, s.embedding), axes=("batch", "channel"))
        if s.rates:
            feeds["rate"] = Feed(shape=(batch,), axes=("batch",), fill="whole", below=s.rates)
        return feeds

    def forward(self, t: Tape, point: Mapping[str, int]) -> Tensor:
        s, batch, frames, side = self.shape, point["batch"], point["frames"], point["image"]
        pixels = batch * frames * side * side
        video = t.input(pixels * s.in_channels, t.format, "video")
        condition = t.input(pixels * s.condition_channels, t.format, "condition") if s.condition_channels else None
        told = self._told(t, batch, frames, point.get("text", 0))
        inputs = s.in_channels + s.condition_channels
        t.enter("", calls=0)
        joined = video if condition is None else ops.move(t, "aten.cat", (video, condition), pixels * inputs)
        t.views += 1
        start = reordered(t, joined, copied=frames > 1)
        t.views += 1
        x = self._conv(t, "first", Grid(start, batch * frames, inputs, (side, side)), s.base, frames)
        t.touch(joined)
        kept = [x]
        for level in range(len(s.multipliers)):
            for place in range(s.blocks[level]):
                x = self._residual(t, f"down.{level}.{place}", x, s.channels(level), told)
                x = self._attend(t, f"down_attention.{level}.{place}", x, level, told)
                kept.append(x)
            if level < s.halvings:
                x = self._conv(t, f"halvings.{level}", x, x.channels, frames, stride=2)
                kept.append(x)
        x = self._residual(t, "middle.0", x, x.channels, told)
        entry = x
        x = self._attend(t, "middle.1", x, s.halvings, told)
        x = self._residual(t, "middle.2", x, x.channels, told)
        t.touch(entry.tensor)
        for place, level in enumerate(reversed(range(len(s.multipliers)))):
            x = self._up(t, place, level, x, kept, told)
        entry, x = x, group_norm(t, "norm", x, s.groups)
        x = activation(t, "act", x, "silu")
        made = self._conv(t, "last", x, s.out_channels, frames).tensor
        t.touch(entry.tensor, told.step, *(() if told.words is None else (told.words.tensor,)))
        t.enter("", calls=0, views=2)
        return copied_back(t, made, copied=frames > 1 and batch > 1)

    def _up(self, t: Tape, place: int, level: int, x: Grid, kept: list[Grid], told: _Told) -> Grid:
        """Blocks on the way up, to each of which one of those on the way down is joined, and the doubling."""
        s = self.shape
        for layer in range(s.blocks[level] + 1):
            skip = kept.pop()
            t.enter("", calls=0)
            both = Grid(ops.concatenate(t, (x.tensor, skip.tensor)), x.batch, x.channels + skip.channels, x.sides)
            entry, x = x, self._residual(t, f"up.{place}.{layer}", both, s.channels(level), told)
            t.touch(entry.tensor)
            x = self._attend(t, f"up_attention.{place}.{layer}", x, level, told)
        if level:
            sides = kept[-1].sides
            t.enter("", calls=0)
            large = ops.resize_nearest(t, x.tensor, x.batch * x.channels * sides[0] * sides[1])
            entry, x = x, self._conv(t, f"doublings.{place}", Grid(large, x.batch, x.channels, sides), x.channels, told.frames)
            t.touch(entry.tensor)
        return x

    # -- parts ------------------------------------------------------------------------------------------------------------------------

    def _told(self, t: Tape, batch: int, frames: int, text: int) -> _Told:
        s, width = self.shape, self.shape.step_width
        steps = t.input(batch, "int64", "step")
        t.enter("")
        told = dense(t, "step.0", ops.cast(t, _waves(t, steps, s.base), t.format), batch, width, s.base, calls=2, views=1)
        t.enter("step.1")
        told = ops.activation(t, told, "silu", views=0)
        told = dense(t, "step.2", told, batch, width, width, views=1)
        if s.rates:
            t.enter("rate")
            rate = ops.embedding(t, t.input(batch, "int64", "rate"), t.weight("rate.weight", s.rates, width), batch, width, s.rates)
            t.enter("", calls=0)
            told = ops.add(t, told, rate)
        if s.embedding:
            seen = dense(t, "seen", t.input(batch * s.embedding, t.format, "seen"), batch, width, s.embedding, views=1)
            t.enter("", calls=0)
            told = ops.add(t, told, seen)
        t.enter("", calls=0, views=2)
        step = _for_every_frame(t, told, frames)
        if not s.context:
            return _Told(frames, step, None)
        words = t.input(batch * text * s.context, t.format, "words")
        t.views += 3
        again = _for_every_frame(t, words, frames)
        t.views += 1
        return _Told(frames, step, Words(again, text, s.context))

    def _conv(self, t: Tape, root: str, x: Grid, channels: int, frames: int, *, stride: int = 1) -> Grid:
        """Pseudo3dConv: over every frame's pixels, then over every pixel's frames."""
        made = conv(t, f"{root}.spatial", x, channels, 3, stride=stride, padding=1, calls=2)
        if self.shape.temporal:  # there, whether a single frame needs it or not
            t.weight(f"{root}.temporal.weight", channels, channels, 3), t.weight(f"{root}.temporal.bias", channels)
        if frames == 1 or not self.shape.temporal:
            return made
        several = made.batch > frames
        t.enter(root, calls=0, views=2)
        rows = Grid(reordered(t, made.tensor, back=several), made.pixels // frames, channels, (frames,))
        t.views += 1
        turned = conv(t, f"{root}.temporal", rows, channels, 3)
        t.enter(root, calls=0, views=2)
        out = made.of(reordered(t, turned.tensor, back=several))
        t.touch(x.tensor, made.tensor, rows.tensor)
        t.views += 1
        return out

    def _residual(self, t: Tape, root: str, x: Grid, channels: int, told: _Told) -> Grid:
        s = self.shape
        y = group_norm(t, f"{root}.norm1", x, s.groups, calls=2)
        y = activation(t, f"{root}.act", y, "silu")
        y = self._conv(t, f"{root}.conv1", y, channels, told.frames)
        t.enter(f"{root}.act")
        woken = ops.activation(t, told.step, "silu", views=0)
        both = dense(t, f"{root}.step", woken, x.batch, 2 * channels, s.step_width, views=1)
        t.enter(root, calls=0, views=3)
        by, plus = chunk(t, both, 2)
        before = y
        normed = group_norm(t, f"{root}.norm2", y, s.groups)
        t.enter(root, calls=0)
        y = y.of(modulate(t, normed.tensor, by, plus))
        t.touch(before.tensor)
        scaled = y
        y = self._conv(t, f"{root}.conv2", activation(t, f"{root}.act", y, "silu"), channels, told.frames)
        t.touch(scaled.tensor)
        short = x if x.channels == channels else conv(t, f"{root}.shortcut", x, channels, 1)
        t.enter(root, calls=0)
        out = ops.add(t, short.tensor, y.tensor)
        t.touch(x.tensor, both)
        return y.of(out)

    def _attend(self, t: Tape, root: str, x: Grid, level: int, told: _Told) -> Grid:
        """Pseudo3dAttention, where the side has it."""
        s, frames = self.shape, told.frames
        if not s.attention[level]:
            return x
        entry, width = x, Width(hidden=x.channels, heads=x.channels // s.head_dim, inner=0)
        x, made = self._over_pixels(t, root, "spatial", x, width, None)
        t.touch(entry.tensor)
        if told.words is not None:
            before = made
            x, made = self._over_pixels(t, root, "cross", x, width, told.words, before)
            t.touch(entry.tensor)
        if not s.temporal:
            return x
        for name in ("q", "k", "v", "o"):
            t.weight(f"{root}.temporal.{name}.weight", x.channels, x.channels)
        if frames == 1:
            t.weight(f"{root}.temporal_norm.weight", x.channels), t.weight(f"{root}.temporal_norm.bias", x.channels)
            return x
        norm = f"{root}.temporal_norm"
        normed = group_norm(t, norm, x, s.groups)
        copied, several = x.positions > 1, x.batch > frames
        t.enter(root, calls=0, views=2)
        rows = moved(t, normed.tensor, root if several else norm, copy=copied)
        t.views += 1
        turned = attention(t, f"{root}.temporal", rows, width, x.pixels // frames, frames, axes=Axes.TEMPORAL)
        t.touch(made)
        t.enter(root, calls=0, views=3)
        back = moved(t, turned, root if several else f"{root}.temporal.o", copy=copied)
        t.views += 1
        out = ops.add(t, x.tensor, back)
        t.touch(entry.tensor, rows, turned)
        return x.of(out)

    def _over_pixels(
        self, t: Tape, root: str, name: str, x: Grid, width: Width, words: Words | None, before: Tensor | None = None
    ) -> tuple[Grid, Tensor]:  # fmt: skip
        """A norm, attention from every frame's pixels, and what it gave added; also that alone, which the twin holds for a while, as it does `before`."""
        first, axes = name == "spatial", Axes.SPATIAL if words is None else Axes.CROSS
        norm, several = f"{root}.{'norm' if first else 'cross_norm'}", x.positions > 1
        normed = group_norm(t, norm, x, self.shape.groups, calls=1 + first)
        t.enter(root, calls=0, views=2)
        rows = moved(t, normed.tensor, norm, copy=several)
        made = copied_back(t, attention(t, f"{root}.{name}", rows, width, x.batch, x.positions, axes=axes, words=words), copied=several and x.batch > 1)
        if before is not None:
            t.touch(before)
        t.enter(root, calls=0, views=3)
        return x.of(ops.add(t, x.tensor, made)), made


def _waves(t: Tape, steps: Tensor, channels: int) -> Tensor:
    """Cosines and sines of each step at `channels` / 2 frequencies, in fp32 and without a gradient."""
    half, batch = channels // 2, steps.count
    rates = ops.move(t, "aten.arange", (), half, format_name="fp32")
    t.views += 1
    wide = ops.cast(t, steps, "fp32")
    for op in ("mul", "exp"):
        rates = ops.move(t, f"aten.{op}", (rates,), half, format_name="fp32", kind=Kind.ELEMENTWISE, flops=half)
    t.views += 1
    angles = ops.move(t, "aten.mul", (wide, rates), batch * half, format_name="fp32", kind=Kind.ELEMENTWISE, flops=batch * half)
    waves = [ops.move(t, f"aten.{op}", (angles,), batch * half, format_name="fp32", kind=Kind.ELEMENTWISE, flops=batch * half) for op in ("cos", "sin")]
    return ops.move(t, "aten.cat", waves, batch * channels, format_name="fp32")


def _for_every_frame(t: Tape, x: Tensor, frames: int) -> Tensor:
    """`x` once more for every frame; its gradient is summed over them."""
    out = ops.move(t, "aten.clone", (x,), x.count * frames, format_name=x.format, needs=x.needs)

    def backward(grad: Tensor) -> None:
        summed = frames > 1
        t.give(x, ops.move(t, "aten.sum", (grad,), x.count, format_name=grad.format, kind=Kind.ELEMENTWISE, flops=grad.count) if summed else grad)

    t.later(out, backward)
    return out
