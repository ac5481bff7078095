"""CogVideoX's decoder of latents: convolutions over time that look back only, and norms that are scaled and shifted by the latent itself.

Its twin is diffusers' AutoencoderKLCogVideoX, whose `decode` goes two latent frames at a time (three the first time where their number is odd) and keeps
of every convolution's input what the next frames look back at. All of that is drawn here, one row a kernel, as is what it costs to keep things that
nobody looks back at: the whole latent, enlarged, at both convolutions of every norm.

What it does not know: decoding in tiles. An even number of latent frames gives 4 · n frames, not 4 · n − 3, as in the twin. Training steps are
exact in products, convolutions and norms; copies between frames are counted as near as reasonable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from thrifty.errors import BadValue
from thrifty.workload.families.decoders.video_latents import FRAMES, Clip, VideoDecoder, after, copied, enlarged, joined, keep, latent_sizes, window
from thrifty.workload.families.denoising_transformers import modulation
from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.layers import Grid, conv, group_norm
from thrifty.workload.families.primitives.tape import Tape, Tensor

SPLIT_GIB: Final = 2
"""An input of more 16-bit numbers than fill so many GiB is convolved in parts, one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CogvideoxDecoderShape:
    """As diffusers' class names its arguments; block_out_channels are those of the encoder's blocks, first to last. sample_*: in pixels."""

    latent_channels: int = 16
    out_channels: int = 3
    block_out_channels: tuple[int, ...] = (128, 256, 256, 512)
    layers_per_block: int = 3
    norm_num_groups: int = 32
    sample_height: int = 480
    sample_width: int = 720

    def __post_init__(self) -> None:
        if len(self.block_out_channels) != 4:
            raise BadValue(f"block_out_channels={self.block_out_channels} are not four numbers. Write one a block: the video is made 8 times as high and wide.")
        if any(channels % self.norm_num_groups for channels in self.block_out_channels):
            raise BadValue(f"norm_num_groups={self.norm_num_groups} does not divide block_out_channels={self.block_out_channels}. Choose one that does.")


@dataclass(frozen=True, slots=True, kw_only=True)
class CogvideoxDecoder(VideoDecoder):
    """One video decoded."""

    shape: CogvideoxDecoderShape

    @property
    def channels(self) -> int:
        return self.shape.latent_channels

    @property
    def usual(self) -> tuple[int, int, int]:
        return 49, self.shape.sample_height, self.shape.sample_width

    def forward(self, t: Tape, point: Mapping[str, int]) -> Tensor:
        batch, frames, height, width = latent_sizes(point)
        z = Clip(t.input(batch * self.channels * frames * height * width, t.format, "z"), batch, self.channels, frames, height, width)
        made, start, cache = [], 0, dict[str, Clip]()
        while start < frames:
            taken = min(frames, 2 + frames % 2) if start == 0 else 2
            t.views += 1
            t.calls += 1 if start else 2
            run = _Run(self.shape, t, window(t, z, start, taken), cache)
            made.append(run.decode())
            t.touch(*_tensors(cache), *_tensors(run.kept))
            cache, start = run.kept, start + taken
        t.enter("", calls=0)
        out = joined(t, made).tensor
        t.touch(*_tensors(cache))
        return out


@dataclass(slots=True)
class _Run:
    """Some frames on their way through the decoder. z: their latent; before, kept: what convolutions look back at, by their module."""

    shape: CogvideoxDecoderShape
    t: Tape
    z: Clip
    before: Mapping[str, Clip]
    kept: dict[str, Clip]

    def __init__(self, shape: CogvideoxDecoderShape, t: Tape, z: Clip, before: Mapping[str, Clip]) -> None:
        self.shape, self.t, self.z, self.before, self.kept = shape, t, z, before, {}

    def decode(self) -> Clip:
        """The frames in pixels."""
        s = self.shape
        widths = s.block_out_channels[::-1]
        x = self._causal("decoder.conv_in", self.z, widths[0], 3)
        x = self._resnets("decoder.mid_block", x, widths[0], 2)
        for block, channels in enumerate(widths):
            came = x
            x = self._resnets(f"decoder.up_blocks.{block}", x, channels, s.layers_per_block + 1)
            if block < len(widths) - 1:
                x = self._enlarge(f"decoder.up_blocks.{block}.upsamplers.0", x, in_time=2**block < FRAMES, changing=channels != widths[block + 1])
            self.t.touch(came.tensor)
        x = self._spatial_norm("decoder.norm_out", x, calls=1)
        self.t.enter("decoder.conv_act")
        x = x.of(ops.activation(self.t, x.tensor, "silu", views=0))
        return self._causal("decoder.conv_out", x, s.out_channels, 3)

    def _resnets(self, root: str, x: Clip, channels: int, count: int) -> Clip:
        came = x
        for index in range(count):
            x = self._resnet(f"{root}.resnets.{index}", x, channels, calls=2 if index == 0 else 1)
        self.t.touch(came.tensor)
        return x

    def _resnet(self, root: str, x: Clip, channels: int, *, calls: int) -> Clip:
        t, came = self.t, x
        for index in (1, 2):
            x = self._spatial_norm(f"{root}.norm{index}", x, calls=calls + 1 if index == 1 else 1)
            t.enter(f"{root}.nonlinearity")
            x = x.of(ops.activation(t, x.tensor, "silu", views=0))
            x = self._causal(f"{root}.conv{index}", x, channels, 3, calls=index)  # the second follows a dropout
        if came.channels != channels:
            came = self._convolve(f"{root}.conv_shortcut", came, channels, 1)
        t.enter(root, calls=0)
        return x.of(ops.add(t, x.tensor, came.tensor))

    def _spatial_norm(self, root: str, x: Clip, *, calls: int) -> Clip:
        """A group norm, scaled and shifted by two convolutions of the latent at this size."""
        t, came = self.t, x
        t.enter(root, calls=calls)
        z, *parts = self._latent_at(x)
        scale = self._causal(f"{root}.conv_y", z, x.channels, 1)
        shift = self._causal(f"{root}.conv_b", z, x.channels, 1)
        t.enter(f"{root}.norm_layer")
        if x.scattered:
            x = x.of(copied(t, x.tensor, x.count, views=0))
        normed = group_norm(t, f"{root}.norm_layer", x.grid, self.shape.norm_num_groups, calls=0).tensor
        t.enter(root, calls=0)
        scaled = modulation.factor(t, normed, scale.tensor)
        out = modulation.shift(t, scaled, shift.tensor)
        t.touch(came.tensor, normed, scale.tensor, z.tensor, *(part.tensor for part in parts))
        return x.of(out)

    def _latent_at(self, x: Clip) -> list[Clip]:
        """The latent made as long, high and wide as `x`, then what it was joined from: of an odd number of frames the first is enlarged apart."""
        t, z = self.t, self.z
        op = "aten.upsample_nearest3d"
        if x.frames == 1 or x.frames % 2 == 0:
            return [enlarged(t, z, x.frames, x.height, x.width, op=op)]
        t.views += 4
        first = enlarged(t, window(t, z, 0, 1), 1, x.height, x.width, op=op)
        rest = enlarged(t, window(t, z, 1, z.frames - 1), x.frames - 1, x.height, x.width, op=op)
        return [joined(t, (first, rest)), first, rest]

    def _causal(self, root: str, x: Clip, channels: int, kernel: int, *, calls: int = 1) -> Clip:
        """A convolution that sees, of time, only what went before."""
        t = self.t
        t.enter(root, calls=calls)
        padded = after(t, self.before.get(root), x, kernel - 1) if kernel > 1 else x
        self.kept[root] = keep(t, padded, 2 if kernel > 1 else x.frames)
        out = self._convolve(f"{root}.conv", padded, channels, kernel)
        t.touch(x.tensor)
        return out

    def _convolve(self, root: str, x: Clip, channels: int, kernel: int) -> Clip:
        """In one go, or where that is too large in parts along time, each with what it looks back at."""
        t, pads = self.t, (0, kernel // 2, kernel // 2)
        parts = 1
        if 2 * x.count > SPLIT_GIB * 2**30:
            parts = int(2 * x.count / 2**30 / SPLIT_GIB) + 1
        t.enter(root)
        if parts == 1:
            return _placed(x, _conv(t, root, x, channels, kernel, pads))
        each = -(-x.frames // parts)
        t.views += 1
        pieces = [window(t, x, 0, each)]
        for start in range(each, x.frames, each):
            back = min(kernel - 1, each)
            piece = window(t, x, start, min(each, x.frames - start))
            if back:
                t.views += 1
                piece = joined(t, (window(t, x, start - back, back), piece))
            pieces.append(piece)
        made = [_placed(piece, _conv(t, root, piece, channels, kernel, pads)) for piece in pieces]
        out = joined(t, made)
        t.touch(*(piece.tensor for piece in pieces))
        return out

    def _enlarge(self, root: str, x: Clip, *, in_time: bool, changing: bool) -> Clip:
        """Twice as high and wide, and `in_time` twice as long after a first frame of its own; then a convolution frame by frame.

        changing: whether what follows changes the channels: it then hands back a gradient that has to be put in the order of frames.
        """
        t, held, sides = self.t, [x], (2 * x.height, 2 * x.width)
        t.enter(root)
        if in_time:
            if x.frames == 1:
                t.views += 1
                x = enlarged(t, x, 1, *sides, op="aten.upsample_nearest2d")
                t.views += 1
            elif x.frames % 2 == 0:
                x = enlarged(t, x, 2 * x.frames, *sides, op="aten.upsample_nearest3d")
            else:
                t.views += 2
                first = enlarged(t, window(t, x, 0, 1, op="aten.select_backward"), 1, *sides, op="aten.upsample_nearest2d")
                rest = enlarged(t, window(t, x, 1, x.frames - 1), 2 * x.frames - 2, *sides, op="aten.upsample_nearest3d")
                held += [first, rest]
                x = joined(t, (first, rest), views=1)
            x = self._by_frames(x)
        else:
            x = self._by_frames(x)
            x = enlarged(t, x, x.frames, *sides, op="aten.upsample_nearest2d")
            t.views += 4
        images = conv(t, f"{root}.conv", Grid(x.tensor, x.batch * x.frames, x.channels, sides), x.channels, 3)
        t.enter(root, calls=0, views=2)
        t.touch(*(clip.tensor for clip in held))
        made = modulation.reordered(t, images.tensor) if changing and x.batch > 1 and x.frames > 1 else images.tensor
        return Clip(made, x.batch, x.channels, x.frames, *sides, scattered=x.frames > 1)

    def _by_frames(self, x: Clip) -> Clip:
        """As single images, which of several videos at once takes a copy."""
        if x.batch > 1 and x.frames > 1:
            x = x.of(copied(self.t, x.tensor, x.count))
            self.t.views += 1
        else:
            self.t.views += 2
        return x


def _tensors(clips: Mapping[str, Clip]) -> list[Tensor]:
    return [clip.tensor for clip in clips.values()]


def _conv(t: Tape, root: str, x: Clip, channels: int, kernel: int, pads: tuple[int, int, int]) -> Grid:
    sides = (x.frames - kernel + 1, x.height, x.width)
    weight, bias = t.weight(f"{root}.weight", channels, x.channels, kernel, kernel, kernel), t.weight(f"{root}.bias", channels)
    pixels = x.batch * sides[0] * sides[1] * sides[2]
    return Grid(ops.convolution(t, x.tensor, weight, pixels, channels, x.channels, kernel**3, bias), x.batch, channels, sides)


def _placed(x: Clip, made: Grid) -> Clip:
    return x.of(made.tensor, channels=made.channels, frames=made.sides[0])
