"""Residual convolution nets of bottleneck blocks: ResNet-50 and its like.

Sides are halved with floors, so counts are one polynomial of the image's side for sides that leave the same remainder of all halvings together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from thrifty.errors import BadValue
from thrifty.workload.counts import batch_norm_inference_flops, layer_norm_flops
from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.phases import refuse_generation
from thrifty.workload.families.primitives.tape import Parameter, Tape, Tensor
from thrifty.workload.model import Symbol, WorkPhase
from thrifty.workload.table import Kind, OperatorTable, Role

REDUCTION = 4
"""A block's inner channels are a quarter of its outer ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResnetShape:
    """Sizes of a residual net. widths: channels that each stage gives; depths: blocks of each stage; stem: channels of the first convolution."""

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    stem: int
    image: int
    classes: int
    channels: int = 3

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", tuple(self.widths))
        object.__setattr__(self, "depths", tuple(self.depths))
        if len(self.widths) != len(self.depths) or not self.widths:
            raise BadValue(f"{len(self.widths)} widths and {len(self.depths)} depths do not make stages. Give one of each for every stage.")


@dataclass(frozen=True, slots=True)
class Image:
    """A batch of feature maps: its tensor, images, channels and side."""

    tensor: Tensor
    batch: int
    channels: int
    side: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Resnet:
    """A residual convolution net with a classifier."""

    shape: ResnetShape

    phases = ("forward", "training")

    def symbols(self, phase: WorkPhase) -> tuple[Symbol, ...]:
        """batch, and the image's side, which is halved by the stem, the pool and every stage but the first."""
        refuse_generation(phase, "a convolution net")
        halvings: int = 2 ** (len(self.shape.depths) + 1)
        return (
            Symbol(name="batch", default=1, meaning="batch"),
            Symbol(name="image", default=self.shape.image, modulus=halvings, degree=2, meaning="image side"),
        )  # fmt: skip

    def parameters(self) -> Iterator[Parameter]:
        """Name and shape of every parameter, in the order of the twin's."""
        shape = self.shape
        yield from _convolution("resnet.embedder.embedder", shape.stem, shape.channels, 7)
        inputs = shape.stem
        for stage, (width, depth) in enumerate(zip(shape.widths, shape.depths, strict=True)):
            for block in range(depth):
                root = f"resnet.encoder.stages.{stage}.layers.{block}"
                if block == 0 and (inputs != width or stage > 0):
                    yield from _convolution(f"{root}.shortcut", width, inputs, 1)
                inner = width // REDUCTION
                yield from _convolution(f"{root}.layer.0", inner, inputs, 1)
                yield from _convolution(f"{root}.layer.1", inner, inner, 3)
                yield from _convolution(f"{root}.layer.2", width, inner, 1)
                inputs = width
        yield "classifier.1.weight", (shape.classes, inputs)
        yield "classifier.1.bias", (shape.classes,)

    def table(self, phase: WorkPhase, format_name: str, point: Mapping[str, int]) -> OperatorTable:
        """Every operator of one step at `point`."""
        refuse_generation(phase, "a convolution net")
        shape, batch, side = self.shape, point["batch"], point["image"]
        t = Tape(self.parameters(), format_name, keep=phase == "training")
        pixels = t.input(batch * shape.channels * side * side, t.format, "pixel_values")
        t.calls += 4
        x = self._convolve(t, "resnet.embedder.embedder", Image(pixels, batch, shape.channels, side), shape.stem, 7, 2)
        t.enter("resnet.embedder.pooler")
        x = _max_pool(t, x)
        for stage, (width, depth) in enumerate(zip(shape.widths, shape.depths, strict=True)):
            t.calls += 3
            for block in range(depth):
                x = self._block(t, f"resnet.encoder.stages.{stage}.layers.{block}", x, width, 2 if stage > 0 and block == 0 else 1)
        t.enter("resnet.pooler")
        pooled = ops.pool_all(t, x.tensor, batch * x.channels)
        t.touch(x.tensor)
        t.enter("classifier.1", calls=3)
        logits = ops.linear(t, pooled, t.weights["classifier.1.weight"], batch, shape.classes, x.channels, t.weights["classifier.1.bias"])
        t.touch(x.tensor)
        t.enter("", calls=0)
        if phase == "training":
            ops.cross_entropy(t, logits, batch, shape.classes)
            t.backward()
            t.optimizer_step()
        return t.build()

    def _convolve(self, t: Tape, root: str, x: Image, channels: int, kernel: int, stride: int, *, activate: bool = True) -> Image:
        """Convolution, batch norm and (unless the residual comes first) ReLU."""
        t.enter(f"{root}.convolution", calls=2)
        side = (x.side + 2 * (kernel // 2) - kernel) // stride + 1
        weight = t.weights[f"{root}.convolution.weight"]
        made = ops.convolution(t, x.tensor, weight, x.batch * side * side, channels, x.channels, kernel * kernel)
        t.touch(x.tensor)
        normed = _batch_norm(t, f"{root}.normalization", made, channels)
        t.touch(x.tensor)
        if activate:
            t.enter(f"{root}.activation")
            normed = ops.activation(t, normed, "relu", views=0)
            t.touch(x.tensor)
        return Image(normed, x.batch, channels, side)

    def _block(self, t: Tape, root: str, x: Image, width: int, stride: int) -> Image:
        """Narrow, convolve, widen; plus the input, by a convolution of its own where its shape differs."""
        t.calls += 2
        inner = width // REDUCTION
        y = self._convolve(t, f"{root}.layer.0", x, inner, 1, 1)
        y = self._convolve(t, f"{root}.layer.1", y, inner, 3, stride)
        y = self._convolve(t, f"{root}.layer.2", y, width, 1, 1, activate=False)
        t.touch(x.tensor)
        short = x
        if f"{root}.shortcut.convolution.weight" in t.weights:
            short = self._convolve(t, f"{root}.shortcut", x, width, 1, stride, activate=False)
        t.enter(root, calls=0)
        out = _add_into(t, y.tensor, short.tensor)
        t.enter(f"{root}.activation")
        active = ops.activation(t, out, "relu", views=0)
        t.touch(short.tensor, x.tensor)
        return Image(active, y.batch, width, y.side)


def _convolution(root: str, outputs: int, inputs: int, kernel: int) -> Iterator[Parameter]:
    yield f"{root}.convolution.weight", (outputs, inputs, kernel, kernel)
    yield f"{root}.normalization.weight", (outputs,)
    yield f"{root}.normalization.bias", (outputs,)


def _batch_norm(t: Tape, root: str, x: Tensor, channels: int) -> Tensor:
    """With the statistics of the batch in training (a count of batches goes with it), with stored ones else."""
    t.enter(root)
    weight, bias = t.weights[f"{root}.weight"], t.weights[f"{root}.bias"]
    kept = [t.new(channels, role=Role.BUFFER, needs=False, name=f"{root}.running_{part}") for part in ("mean", "var")]
    size = x.count // channels
    count = t.new(1, format_name="int64", role=Role.BUFFER, needs=False, name=f"{root}.num_batches_tracked")
    # In training the stored statistics are updated too: a lerp of each, 3 a channel and statistic.
    flops = layer_norm_flops(channels, size) + 6 * channels if t.keep else batch_norm_inference_flops(x.count, channels)
    if t.keep:
        t.row(Kind.ELEMENTWISE, "aten.add_", (count,), (count,), (1, 1, 0, 0), flops_vector=1, format_name="int64")
    out = t.new(x.count)
    stats = [t.new(channels, format_name="fp32", needs=False) for _ in range(2)] if t.keep else []
    written = (out, *stats, *kept) if t.keep else (out,)
    t.row(Kind.NORM, "aten.native_batch_norm", (x, weight, bias, *kept), written, (1, channels, size, 0), flops_vector=flops, views=1)

    def backward(grad: Tensor) -> None:
        dx, dw, db = t.new(x.count, needs=False), t.gradient_like(weight), t.gradient_like(bias)
        t.row(
            Kind.NORM, "aten.native_batch_norm_backward", (grad, x, weight, *stats), (dx, dw, db), (1, channels, size, 0), flops_vector=13 * x.count
        )  # fmt: skip
        t.give(weight, dw)
        t.give(bias, db)
        t.give(x, dx)

    t.later(out, backward)
    return out


def _add_into(t: Tape, x: Tensor, other: Tensor) -> Tensor:
    """x += other, in place."""
    out = Tensor(x.storage, x.count, x.size, x.format, x.needs)
    t.row(Kind.ELEMENTWISE, "aten.add_", (x, other), (out,), (1, x.count, 0, 0), flops_vector=x.count)

    def backward(grad: Tensor) -> None:
        t.give(x, grad)
        t.give(other, grad)

    t.later(out, backward)
    return out


def _max_pool(t: Tape, x: Image) -> Image:
    """The largest of 3 × 3 pixels, every second one; where it was is kept."""
    side = (x.side + 2 - 3) // 2 + 1
    out = t.new(x.batch * x.channels * side * side)
    where = t.new(out.count, format_name="int64", needs=False)
    t.row(Kind.ELEMENTWISE, "aten.max_pool2d_with_indices", (x.tensor,), (out, where), (1, out.count, 0, 0), flops_vector=9 * out.count, views=1)

    def backward(grad: Tensor) -> None:
        part = t.new(x.tensor.count, needs=False)
        t.row(
            Kind.ELEMENTWISE, "aten.max_pool2d_with_indices_backward", (grad, x.tensor, where), (part,), (1, part.count, 0, 0), flops_vector=part.count,
            sizes=(grad.size, 0, where.size),
        )  # fmt: skip
        t.give(x.tensor, part)

    t.later(out, backward)
    return Image(out, x.batch, x.channels, side)
