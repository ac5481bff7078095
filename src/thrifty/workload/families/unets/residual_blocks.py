"""Residual blocks of image networks, as diffusers lays them: norm, SiLU and convolution twice, with a step's embedding added in between; and the
halving and doubling of sides.

Used by denoisers and decoders. `apart`: what comes in lies pixel by pixel rather than channel by channel (as attention left it), so that a norm
copies it first; a block without a shortcut convolution passes that on, and convolutions end it.
"""

from __future__ import annotations

from thrifty.workload.families.denoising_transformers import modulation
from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.layers import Grid, activation, conv, dense, group_norm
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.table import Kind, Role


def divide(t: Tape, x: Tensor) -> Tensor:
    """x by a number, which diffusers does even where that number is 1."""
    out = ops.move(t, "aten.div", (x,), x.count, format_name=x.format, kind=Kind.ELEMENTWISE, flops=x.count, needs=x.needs)
    t.later(out, lambda grad: t.give(x, ops.move(t, "aten.div", (grad,), x.count, format_name=grad.format, kind=Kind.ELEMENTWISE, flops=x.count)))
    return out


def another(t: Tape, x: Tensor) -> Tensor:
    """`x` under another name: its gradient counts as that of the module that is running now."""
    out = modulation.part(x, x.count)
    t.later(out, lambda grad: t.give(x, grad))
    return out


def residual_block(
    t: Tape, root: str, x: Grid, channels: int, groups: int, *, step: Tensor | None = None, step_width: int = 0, calls: int = 2, apart: bool = False
) -> Grid:  # fmt: skip
    """To `channels`. step (batch, step_width): what the denoising step says, projected onto the channels and added to every pixel."""
    t.enter(f"{root}.norm1", calls=calls)
    entry = x.of(modulation.gather(t, x.tensor)) if apart else x
    y = group_norm(t, f"{root}.norm1", entry, groups, calls=0)
    y = activation(t, f"{root}.nonlinearity", y, "silu")
    y = conv(t, f"{root}.conv1", y, channels, 3)
    held = [x.tensor]
    if step is not None:
        t.enter(f"{root}.nonlinearity")
        woken = ops.activation(t, step, "silu", views=0)
        shift = dense(t, f"{root}.time_emb_proj", woken, x.batch, channels, step_width, views=1)
        t.enter(root, calls=0, views=2)
        y = y.of(ops.add(t, y.tensor, shift))
        held.append(shift)
    y = group_norm(t, f"{root}.norm2", y, groups)
    y = activation(t, f"{root}.nonlinearity", y, "silu")
    y = conv(t, f"{root}.conv2", y, channels, 3, calls=2)
    short = conv(t, f"{root}.conv_shortcut", x, channels, 1) if x.channels != channels else x
    t.enter(root, calls=0)
    out = divide(t, ops.add(t, short.tensor, y.tensor))
    t.touch(*held, short.tensor, y.tensor)
    return y.of(out)


def halve(t: Tape, root: str, x: Grid) -> Grid:
    """Every second pixel of a convolution; of an odd side one more than half is left."""
    out = conv(t, f"{root}.conv", x, x.channels, 3, stride=2, padding=1, calls=2)
    t.touch(x.tensor)
    return out


def double(t: Tape, root: str, x: Grid, sides: tuple[int, ...] | None = None, *, apart: bool = False) -> Grid:
    """Pixels repeated to `sides` (twice those of x unless told otherwise), and a convolution."""
    wanted = sides or tuple(2 * side for side in x.sides)
    large = Grid(x.tensor, x.batch, x.channels, wanted)
    t.enter(root)
    large = large.of(ops.resize_nearest(t, x.tensor, large.pixels * x.channels))
    if apart:
        large = large.of(_with_kernel_copied(t, large.tensor, f"{root}.conv.weight"))
    out = conv(t, f"{root}.conv", large, x.channels, 3)
    t.touch(x.tensor)
    return out


def _with_kernel_copied(t: Tape, x: Tensor, weight: str) -> Tensor:
    """`x`; once its gradient is known, that of the convolution's weight is copied into the order in which the weight lies."""
    out = modulation.part(x, x.count)

    def backward(grad: Tensor) -> None:
        parameter = t.weights[weight]
        if parameter.grad is not None:
            copied, t.module = t.new(parameter.count, role=Role.GRADIENT, needs=False), ""
            t.row(Kind.MEMORY, "aten.copy_", (parameter.grad,), (copied,), (1, parameter.count, 0, 0), format_name=copied.format)
            parameter.grad = copied
        t.give(x, grad)

    t.later(out, backward)
    return out
