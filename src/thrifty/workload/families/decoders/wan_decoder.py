"""Wan 2.1's decoder of latents: one latent frame after the other, each convolution with the two frames before it that it kept.

Its twin is diffusers' AutoencoderKLWan, whose `decode` runs the whole decoder once a latent frame: the first gives one frame, every other four. All of that is
drawn here, one row a kernel: the copies that are kept, the paddings (of nothing, too), norms spelled out as six kernels, and the video so
far, copied whole each time that frames are added.

What it does not know: 2.2's decoder (residual blocks between levels, patches of pixels), and decoding in tiles. Training steps are exact in
products, convolutions and attention; copies of what is kept, and their gradients, as near as reasonable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from thrifty.errors import BadValue
from thrifty.workload.families.decoders.video_latents import Clip, VideoDecoder, copied, enlarged, joined, latent_sizes, window
from thrifty.workload.families.denoising_transformers import modulation
from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.layers import Grid, conv
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.table import Axes, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class WanDecoderShape:
    """As diffusers' class names its arguments; dim_mult and temperal_downsample (its spelling) are the encoder's, first to last."""

    base_dim: int = 96
    z_dim: int = 16
    dim_mult: tuple[int, ...] = (1, 2, 4, 4)
    num_res_blocks: int = 2
    temperal_downsample: tuple[bool, ...] = (False, True, True)
    out_channels: int = 3

    def __post_init__(self) -> None:
        if len(self.dim_mult) != 4 or sorted(self.temperal_downsample) != [False, True, True]:
            raise BadValue(
                f"dim_mult={self.dim_mult}, temperal_downsample={self.temperal_downsample} are not four blocks, of which two make time longer. "
                "Write four and three values: a video is made 8 times as high and wide, and 4 times as long."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class WanDecoder(VideoDecoder):
    """One video decoded."""

    shape: WanDecoderShape

    degree = 2

    @property
    def channels(self) -> int:
        return self.shape.z_dim

    @property
    def usual(self) -> tuple[int, int, int]:
        return 81, 480, 832

    def forward(self, t: Tape, point: Mapping[str, int]) -> Tensor:
        batch, frames, height, width = latent_sizes(point)
        z = Clip(t.input(batch * self.channels * frames * height * width, t.format, "z"), batch, self.channels, frames, height, width)
        t.calls += 1
        z = _convolved(t, "post_quant_conv", z, self.channels, (1, 1, 1))
        run = _Run(self.shape, t)
        t.enter("", calls=0, views=1)
        video = made = run.decode(window(t, z, 0, 1), first=True)
        t.enter("", calls=0)
        for frame in range(1, frames):
            t.views += 1
            before, made = made, run.decode(window(t, z, frame, 1), first=False)
            t.touch(before.tensor)
            t.enter("", calls=0)
            video = joined(t, (video, made))
        whole = video.tensor
        out = ops.move(t, "aten.clamp", (whole,), whole.count, kind=Kind.ELEMENTWISE, flops=2 * whole.count, needs=whole.needs)
        t.later(out, lambda grad: t.give(whole, _passed(t, grad, whole)))
        t.touch(z.tensor, made.tensor, *(clip.tensor for clip in run.kept.values()))
        return out


class _Run:
    """A decoder on its way through the frames. kept: what convolutions look back at, by their module."""

    def __init__(self, shape: WanDecoderShape, t: Tape) -> None:
        self.shape, self.t = shape, t
        self.kept: dict[str, Clip] = {}

    def decode(self, z: Clip, *, first: bool) -> Clip:
        """The frames that one latent frame gives."""
        s, t = self.shape, self.t
        widths = [s.base_dim * factor for factor in s.dim_mult[::-1]]
        t.enter("decoder")
        x = self._remembered("decoder", "decoder.conv_in", z, widths[0])
        held = x
        x = self._resnet("decoder.mid_block.resnets.0", x, widths[0], calls=2)
        x = self._attend("decoder.mid_block.attentions.0", x)
        x = self._resnet("decoder.mid_block.resnets.1", x, widths[0], calls=1)
        t.touch(held.tensor)
        for block, channels in enumerate(widths):
            held, root = x, f"decoder.up_blocks.{block}"
            for index in range(s.num_res_blocks + 1):
                x = self._resnet(f"{root}.resnets.{index}", x, channels, calls=2 if index == 0 else 1)
            if block < len(widths) - 1:
                x = self._enlarge(f"{root}.upsamplers.0", x, in_time=s.temperal_downsample[::-1][block], first=first)
            t.touch(held.tensor)
        x = self._normed("decoder.norm_out", x, calls=1)
        t.enter("decoder.nonlinearity")
        x = x.of(ops.activation(t, x.tensor, "silu", views=0))
        t.enter("decoder", calls=0)
        return self._remembered("decoder", "decoder.conv_out", x, s.out_channels)

    def _remembered(self, owner: str, root: str, x: Clip, channels: int) -> Clip:
        """A convolution over three frames, which keeps the last two of what it was given; `owner`: the module that does the keeping."""
        t, before = self.t, self.kept.get(root)
        self.kept[root] = self._last_two(x, before)
        out = _convolved(t, root, x, channels, (3, 3, 3), before=before)
        t.touch(x.tensor)
        if before is not None:
            t.touch(before.tensor)
        return out

    def _last_two(self, x: Clip, before: Clip | None) -> Clip:
        """A copy of the last two frames; of a single one, behind the last that was kept."""
        t, taken = self.t, min(2, x.frames)
        last = window(t, x, x.frames - taken, taken)
        copy = last.of(copied(t, last.tensor, last.count))
        if taken == 2 or before is None:
            return copy
        t.views += 2
        both = joined(t, (window(t, before, before.frames - 1, 1), copy))
        t.touch(copy.tensor)
        return both

    def _resnet(self, root: str, x: Clip, channels: int, *, calls: int) -> Clip:
        t, came = self.t, x
        if x.channels != channels:
            t.calls += calls
            came, calls = _convolved(t, f"{root}.conv_shortcut", x, channels, (1, 1, 1)), 0
        else:
            calls += 1  # the shortcut is a module too
        given = x
        for index in (1, 2):
            x = self._normed(f"{root}.norm{index}", x, calls=calls + 1 if index == 1 else 1)
            if index == 1:
                t.touch(given.tensor)
            t.enter(f"{root}.nonlinearity")
            x = x.of(ops.activation(t, x.tensor, "silu", views=0))
            t.enter(root, calls=index - 1)  # the second follows a dropout
            x = self._remembered(root, f"{root}.conv{index}", x, channels)
        t.enter(root, calls=0)
        out = x.of(ops.add(t, x.tensor, came.tensor))
        t.touch(given.tensor)
        return out

    def _normed(self, root: str, x: Clip, *, calls: int) -> Clip:
        """Every pixel's channels divided by their length, then scaled: six kernels, in fp32 where numbers are narrower."""
        t = self.t
        t.enter(root, calls=calls)
        out = _unit_length(t, root, x)
        t.touch(x.tensor)
        return Clip(out, x.batch, x.channels, x.frames, x.height, x.width)

    def _attend(self, root: str, x: Clip) -> Clip:
        """Every frame's pixels attend to each other, in one head as wide as the channels."""
        t, pixels = self.t, x.height * x.width
        t.views += 2
        normed = self._normed(f"{root}.norm", x, calls=2)
        grid = Grid(normed.tensor, x.batch * x.frames, x.channels, (x.height, x.width))
        qkv = conv(t, f"{root}.to_qkv", grid, 3 * x.channels, 1)
        t.enter(root, calls=0, views=1)
        ordered = copied(t, qkv.tensor, qkv.tensor.count) if pixels > 1 else qkv.tensor
        t.views += 1
        mixed = ops.attention(
            t, ordered, ordered, ordered, batch=x.batch * x.frames, seq_q=pixels, seq_k=pixels, heads=1, kv_heads=1, head_dim=x.channels,
            value_dim=x.channels, joint=True, axes=Axes.SPATIAL,
        )  # fmt: skip
        t.touch(normed.tensor)
        t.views += 3
        made = conv(t, f"{root}.proj", Grid(mixed, x.batch * x.frames, x.channels, (x.height, x.width)), x.channels, 1)
        t.touch(ordered, mixed)
        t.enter(root, calls=0, views=2)
        out = x.of(ops.add(t, made.tensor, x.tensor))
        t.touch(ordered)
        return out

    def _enlarge(self, root: str, x: Clip, *, in_time: bool, first: bool) -> Clip:
        """Twice as high and wide with half the channels; `in_time`, from the second latent frame on, twice as long before that."""
        t, held = self.t, x
        t.calls += 1
        if in_time:
            t.weight(f"{root}.time_conv.weight", 2 * x.channels, x.channels, 3, 1, 1)
            t.weight(f"{root}.time_conv.bias", 2 * x.channels)
        if in_time and not first:
            x = self._lengthened(root, x)
        t.enter(root, calls=0)
        if x.batch > 1 and x.frames > 1:
            x = x.of(copied(t, x.tensor, x.count))
            t.views += 1
        else:
            t.views += 2
        narrow = x
        t.enter(f"{root}.resample.0", calls=2)
        wide = x.of(ops.cast(t, x.tensor, "fp32"))
        big = enlarged(t, wide, x.frames, 2 * x.height, 2 * x.width, op="aten._upsample_nearest_exact2d")
        t.touch(narrow.tensor, wide.tensor)
        tensor = ops.cast(t, big.tensor, t.format)
        images = conv(t, f"{root}.resample.1", Grid(tensor, x.batch * x.frames, x.channels, (big.height, big.width)), x.channels // 2, 3)
        t.touch(held.tensor, narrow.tensor)
        t.enter(root, calls=0, views=2)
        return Clip(images.tensor, x.batch, x.channels // 2, x.frames, big.height, big.width)

    def _lengthened(self, root: str, x: Clip) -> Clip:
        """Two frames of each, by a convolution over time that gives twice the channels."""
        t, name = self.t, f"{root}.time_conv"
        t.enter(root, calls=0)
        before, taken = self.kept.get(name), min(2, x.frames)
        if before is None and taken < 2:
            last = window(t, x, x.frames - taken, taken)
            copy = last.of(copied(t, last.tensor, last.count))
            blank = copy.of(ops.move(t, "aten.zeros_like", (), copy.count, needs=False))
            self.kept[name] = joined(t, (blank, copy))
        else:
            self.kept[name] = self._last_two(x, before)
        made = _convolved(t, name, x, 2 * x.channels, (3, 1, 1), before=before)
        t.enter(root, calls=0, views=3)
        half = made.tensor.size // 2
        out = t.new(made.count, needs=made.tensor.needs)
        t.row(Kind.MEMORY, "aten.stack", (made.tensor,), (out,), (1, made.count, 0, 0), sizes=(half,))
        t.later(out, lambda grad: t.give(made.tensor, _unstacked(t, grad, made.count)))
        t.touch(x.tensor)
        t.views += 1
        return x.of(out, frames=2 * x.frames)


def _unstacked(t: Tape, grad: Tensor, count: int) -> Tensor:
    """The gradients of two halves, each written into zeros of the whole, and their sum."""
    parts = [ops.move(t, "aten.select_backward", (modulation.part(grad, count // 2),), count, format_name=grad.format) for _ in range(2)]
    return ops.move(t, "aten.add", parts, count, format_name=grad.format, kind=Kind.ELEMENTWISE, flops=count)


def _passed(t: Tape, grad: Tensor, x: Tensor) -> Tensor:
    """The gradient where a bounded number was within its bounds, else zero."""
    zero = ops.move(t, "aten.scalar_tensor", (), 1, format_name=x.format)
    inside = [ops.move(t, f"aten.{op}", (x,), x.count, format_name="int8", kind=Kind.ELEMENTWISE, flops=x.count) for op in ("ge", "le")]
    both = ops.move(t, "aten.logical_and_", inside, x.count, format_name="int8", kind=Kind.ELEMENTWISE)
    return ops.move(t, "aten.where", (both, grad, zero), x.count, format_name=grad.format, kind=Kind.ELEMENTWISE)


def _convolved(t: Tape, root: str, x: Clip, channels: int, kernel: tuple[int, int, int], *, before: Clip | None = None) -> Clip:
    """Behind the frames kept before, padded with zeros (a kernel of its own, even of none), then convolved."""
    t.enter(root)
    pads = (kernel[0] - 1, 2 * (kernel[1] // 2), 2 * (kernel[2] // 2))
    if before is not None:
        x = joined(t, (before, x))
        pads = (pads[0] - before.frames, *pads[1:])
    sides = (x.frames + pads[0], x.height + pads[1], x.width + pads[2])
    source, count = x.tensor, x.batch * x.channels * prod(sides)
    padded = ops.move(t, "aten.constant_pad_nd", (source,), count, format_name=source.format, needs=source.needs)
    t.later(padded, lambda grad: t.give(source, ops.move(t, "aten.constant_pad_nd", (grad,), source.count, format_name=source.format)))
    weight, bias = t.weight(f"{root}.weight", channels, x.channels, *kernel), t.weight(f"{root}.bias", channels)
    frames, height, width = (side - size + 1 for side, size in zip(sides, kernel, strict=True))
    made = ops.convolution(t, padded, weight, x.batch * frames * height * width, channels, x.channels, prod(kernel), bias)
    return Clip(made, x.batch, channels, frames, height, width)


def _unit_length(t: Tape, root: str, x: Clip) -> Tensor:
    """x / max(|x|, ε) over channels, times √channels, times a weight, plus zero."""
    n, m, came = x.count, x.count // x.channels, x.tensor
    gamma = t.weight(f"{root}.gamma", x.channels, *(1,) * (2 if root.endswith("attentions.0.norm") else 3))
    wide = ops.cast(t, came, "fp32")
    form = wide.format

    def step(op: str, reads: tuple[Tensor, ...], count: int, flops: int, sizes: tuple[int, ...] | None = None) -> Tensor:
        return ops.move(t, f"aten.{op}", reads, count, format_name=form, kind=Kind.ELEMENTWISE, flops=flops, sizes=sizes)

    length = step("linalg_vector_norm", (wide,), m, 2 * n)
    bounded = step("clamp_min", (length,), m, m)
    t.views += 1
    divided = step("div", (wide, bounded), n, n)
    divided.needs = t.keep and wide.needs

    def backward(grad: Tensor) -> None:
        part, other = step("div", (grad, bounded), n, n), step("div", (wide, bounded), n, n)
        other = step("div", (step("mul", (step("neg", (other,), n, n), grad), n, n), bounded), n, n)
        t.give(wide, part)
        total = step("sum", (other,), m, n)
        bound = ops.move(t, "aten.scalar_tensor", (), 1, format_name=form)
        above = ops.move(t, "aten.ge", (length,), m, format_name="int8", kind=Kind.ELEMENTWISE, flops=m)
        total = step("where", (above, total, bound), m, 0)
        unit = step("div", (wide, length), n, n)
        zero = ops.move(t, "aten.eq", (length,), m, format_name="int8", kind=Kind.ELEMENTWISE, flops=m)
        t.row(Kind.ELEMENTWISE, "aten.masked_fill_", (unit, zero), (unit,), (1, n, 0, 0), format_name=form)
        t.give(wide, step("mul", (unit, total), n, n))

    t.later(divided, backward)
    unit = ops.cast(t, divided, came.format)
    out = ops.plain(t, "aten.add", modulation.factor(t, ops.scale(t, unit), gamma), 1)
    t.touch(unit)
    return out
