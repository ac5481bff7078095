"""Layers by their path: each enters the module that it is, mentions its weights under the twin's names, and appends its operators."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.tape import Tape, Tensor


@dataclass(frozen=True, slots=True)
class Grid:
    """A batch of images, videos or rows of frames: (batch, channels, *sides)."""

    tensor: Tensor
    batch: int
    channels: int
    sides: tuple[int, ...]

    @property
    def positions(self) -> int:
        """Of one member of the batch."""
        return prod(self.sides)

    @property
    def pixels(self) -> int:
        """Of all of them."""
        return self.batch * self.positions

    def of(self, tensor: Tensor) -> Grid:
        """Other numbers of the same shape."""
        return replace(self, tensor=tensor)


def dense(t: Tape, root: str, x: Tensor, rows: int, outputs: int, inputs: int, *, bias: bool = True, views: int = 2, calls: int = 1) -> Tensor:
    """torch.nn.Linear: (rows, inputs) → (rows, outputs)."""
    t.enter(root, calls=calls)
    weight = t.weight(f"{root}.weight", outputs, inputs)
    return ops.linear(t, x, weight, rows, outputs, inputs, t.weight(f"{root}.bias", outputs) if bias else None, views=views)


def conv(
    t: Tape, root: str, x: Grid, channels: int, kernel: int | tuple[int, ...], *, stride: int | tuple[int, ...] = 1,
    padding: int | tuple[int, ...] | None = None, groups: int = 1, bias: bool = True, calls: int = 1,
) -> Grid:  # fmt: skip
    """torch.nn.Conv1d, Conv2d or Conv3d, by the number of sides. padding: on both ends of every side, half the kernel unless told otherwise."""
    axes = len(x.sides)
    kernels, strides = ((value,) * axes if isinstance(value, int) else value for value in (kernel, stride))
    pads = tuple(k // 2 for k in kernels) if padding is None else (padding,) * axes if isinstance(padding, int) else padding
    sides = tuple((side + 2 * p - k) // s + 1 for side, k, s, p in zip(x.sides, kernels, strides, pads, strict=True))
    t.enter(root, calls=calls)
    weight = t.weight(f"{root}.weight", channels, x.channels // groups, *kernels)
    made = ops.convolution(
        t, x.tensor, weight, x.batch * prod(sides), channels, x.channels, prod(kernels), t.weight(f"{root}.bias", channels) if bias else None, groups=groups
    )  # fmt: skip
    return Grid(made, x.batch, channels, sides)


def group_norm(t: Tape, root: str, x: Grid, groups: int, *, calls: int = 1) -> Grid:
    """torch.nn.GroupNorm over (batch, channels, *sides)."""
    t.enter(root, calls=calls)
    weight, bias = t.weight(f"{root}.weight", x.channels), t.weight(f"{root}.bias", x.channels)
    return x.of(ops.group_norm(t, x.tensor, weight, bias, x.batch * groups, x.channels // groups * x.positions))


def layer_norm(t: Tape, root: str, x: Tensor, rows: int, size: int, *, affine: bool = True, calls: int = 1) -> Tensor:
    """torch.nn.LayerNorm over the last axis."""
    t.enter(root, calls=calls)
    weight, bias = (t.weight(f"{root}.weight", size), t.weight(f"{root}.bias", size)) if affine else (None, None)
    return ops.layer_norm(t, x, weight, bias, rows, size)


def activation(t: Tape, root: str, x: Grid, name: str) -> Grid:
    """An elementary function of every pixel and channel, in a module of its own."""
    t.enter(root)
    return x.of(ops.activation(t, x.tensor, name, views=0))
