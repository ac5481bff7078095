"""What decoders of latent videos have in common: their sizes in pixels and frames, what they are fed, and convolutions that look back in time."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.drawn import Drawn
from thrifty.workload.families.primitives.layers import Grid
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.feeds import Feed, Feeds
from thrifty.workload.model import Symbol, WorkPhase
from thrifty.workload.table import Kind

FRAMES: Final = 4
PIXELS: Final = 8
"""Frames, and pixels of height and width, that are made of one latent (of frames: after the first)."""


class VideoDecoder(Drawn):
    """Latent video → pixels. Subclasses are frozen, hashable dataclasses."""

    what = "a decoder of videos"

    @property
    @abc.abstractmethod
    def channels(self) -> int:
        """Of the latent."""

    @property
    @abc.abstractmethod
    def usual(self) -> tuple[int, int, int]:
        """Frames, height and width that it is looked at unless told otherwise."""

    degree: int = 1
    """Highest power of height and width in any count."""

    def sizes(self) -> tuple[Symbol, ...]:
        frames, height, width = self.usual
        return (
            Symbol(name="batch", default=1, meaning="batch"),
            Symbol(name="frames", default=frames, modulus=FRAMES, residue=1, degree=1, meaning="frames of the video"),
            Symbol(name="height", default=height, modulus=PIXELS, residue=0, degree=self.degree, meaning="height in pixels"),
            Symbol(name="width", default=width, modulus=PIXELS, residue=0, degree=self.degree, meaning="width in pixels"),
        )

    def feeds(self, phase: WorkPhase, point: Mapping[str, int]) -> Feeds:
        """The latent."""
        batch, *sides = latent_sizes(point)
        return {"z": Feed(shape=(batch, self.channels, *sides), axes=("batch", "channel", "frame", "height", "width"))}


def latent_sizes(point: Mapping[str, int]) -> tuple[int, int, int, int]:
    """Batch, frames, height and width of the latent."""
    return point["batch"], (point["frames"] - 1) // FRAMES + 1, point["height"] // PIXELS, point["width"] // PIXELS


@dataclass(frozen=True, slots=True)
class Clip:
    """Some frames of a batch of videos on their way: (batch, channels, frames, height, width)."""

    tensor: Tensor
    batch: int
    channels: int
    frames: int
    height: int
    width: int
    scattered: bool = False
    """Whether it lies frame by frame rather than channel by channel, which a norm over channels first has to put right."""

    @property
    def still(self) -> int:
        """Numbers of one frame of all videos."""
        return self.batch * self.channels * self.height * self.width

    @property
    def count(self) -> int:
        return self.frames * self.still

    @property
    def grid(self) -> Grid:
        return Grid(self.tensor, self.batch, self.channels, (self.frames, self.height, self.width))

    def of(self, tensor: Tensor, **sizes: int) -> Clip:
        """Other numbers, of the same shape unless told otherwise, in the usual order."""
        return replace(self, tensor=tensor, scattered=False, **sizes)


def window(t: Tape, x: Clip, start: int, frames: int, *, op: str = "aten.slice_backward") -> Clip:
    """`frames` of its frames from `start` on, as a view; their gradient is written into zeros of the whole."""
    if frames == x.frames:
        return x
    count = frames * x.still
    size = x.tensor.size // x.tensor.count
    out = Tensor(x.tensor.storage, count, count * size, x.tensor.format, x.tensor.needs)
    whole = x.tensor
    t.later(out, lambda grad: t.give(whole, ops.move(t, op, (grad,), whole.count, format_name=whole.format)))
    return replace(x, tensor=out, frames=frames)


def keep(t: Tape, x: Clip, frames: int) -> Clip:
    """A copy of its last frames, for the frames that come next."""
    last = window(t, x, x.frames - frames, frames)
    return last.of(copied(t, last.tensor, last.count))


def copied(t: Tape, x: Tensor, count: int, *, views: int = 1) -> Tensor:
    """A copy of `count` numbers of `x` in the usual order."""
    t.views += views
    out = ops.move(t, "aten.clone", (x,), count, format_name=x.format, sizes=(count * (x.size // x.count),), needs=x.needs)
    t.later(out, lambda grad: t.give(x, grad))
    return out


def after(t: Tape, before: Clip | None, x: Clip, times: int) -> Clip:
    """`x` behind the frames kept of what went before, or behind its own first frame, `times` over."""
    lead = [before.tensor] if before is not None else [window(t, x, 0, 1).tensor] * times
    out = concatenated(t, (*lead, x.tensor), views=before is None)
    return x.of(out, frames=x.frames + (before.frames if before is not None else times))


def enlarged(t: Tape, x: Clip, frames: int, height: int, width: int, *, op: str, sizes: Sequence[int] | None = None) -> Clip:
    """The nearest numbers repeated; `op`: the kernel that does it."""
    count = frames * x.batch * x.channels * height * width
    out = ops.move(t, op, (x.tensor,), count, format_name=x.tensor.format, sizes=sizes, needs=x.tensor.needs)
    source = x.tensor

    def backward(grad: Tensor) -> None:
        part = t.new(source.count, format_name=source.format, needs=False)
        t.row(Kind.ELEMENTWISE, f"{op}_backward", (grad,), (part,), (1, part.count, 0, 0), flops_vector=grad.count, format_name=source.format)
        t.give(source, part)

    t.later(out, backward)
    return x.of(out, frames=frames, height=height, width=width)


def joined(t: Tape, parts: Sequence[Clip], *, views: int = 0) -> Clip:
    """One after the other in time, as a copy."""
    out = concatenated(t, [part.tensor for part in parts], views=views)
    return parts[0].of(out, frames=sum(part.frames for part in parts))


def concatenated(t: Tape, parts: Sequence[Tensor], *, views: int = 0) -> Tensor:
    """The parts side by side as a copy, a part that is given several times included; the gradient of each is a view of the whole's."""
    out = t.new(sum(part.count for part in parts), format_name=parts[0].format, needs=any(part.needs for part in parts))
    t.row(Kind.MEMORY, "aten.cat", parts, (out,), (1, out.count, 0, 0), format_name=out.format, views=views)

    def backward(grad: Tensor) -> None:
        for part in parts:
            t.give(part, Tensor(grad.storage, part.count, part.size, grad.format, False))

    t.later(out, backward)
    return out
