"""Parts of Imagen's denoisers, as their twin lays them: residual blocks with attention to the text and a gate, transformers over pixels, changes of side.

Pixels become tokens, and tokens pixels, by copies.
"""

from __future__ import annotations

from dataclasses import dataclass

from thrifty.workload.counts import matmul_flops, softmax_flops
from thrifty.workload.families.denoising_transformers import modulation
from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.layers import Grid, activation, conv, dense, group_norm, layer_norm
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.table import Axes, Kind


@dataclass(frozen=True, slots=True)
class Told:
    """What every block is told: the step in one vector, and tokens (of times and text) to attend to."""

    step: Tensor
    step_width: int
    tokens: Tensor
    count: int
    width: int
    held: tuple[Tensor, ...]
    """What they were made of, kept as long as they are."""


def waves(t: Tape, root: str, time: Tensor, frequencies: int) -> Tensor:
    """Each time as itself, and as sines and cosines of it at learned frequencies."""
    t.enter(root, calls=2, views=1)
    angles = ops.scale(t, _outer(t, time, t.weight(f"{root}.weight", frequencies)))
    joined = ops.concatenate(t, (time, *(_wave(t, op, angles) for op in ("sin", "cos"))))
    t.touch(angles)
    return joined


def _outer(t: Tape, time: Tensor, weight: Tensor) -> Tensor:
    """Every time by every frequency; of times no gradient is wanted."""
    count = time.count * weight.count
    out = ops.move(t, "aten.mul", (time, weight), count, format_name=time.format, kind=Kind.ELEMENTWISE, flops=count, needs=True)

    def backward(grad: Tensor) -> None:
        part = ops.move(t, "aten.mul", (grad, time), count, format_name=grad.format, kind=Kind.ELEMENTWISE, flops=count)
        total = t.gradient_like(weight)
        t.row(Kind.ELEMENTWISE, "aten.sum", (part,), (total,), (1, weight.count, 0, 0), flops_vector=count, views=1)
        t.give(weight, total)

    t.later(out, backward)
    return out


def _wave(t: Tape, op: str, x: Tensor) -> Tensor:
    out = ops.move(t, f"aten.{op}", (x,), x.count, format_name=x.format, kind=Kind.ELEMENTWISE, flops=x.count, needs=x.needs)
    other = {"sin": "cos", "cos": "sin"}[op]

    def backward(grad: Tensor) -> None:
        slope = ops.move(t, f"aten.{other}", (x,), x.count, format_name=x.format, kind=Kind.ELEMENTWISE, flops=x.count)
        if op == "cos":
            slope = ops.move(t, "aten.neg", (slope,), x.count, format_name=x.format, kind=Kind.ELEMENTWISE, flops=x.count)
        t.give(x, ops.move(t, "aten.mul", (grad, slope), x.count, format_name=x.format, kind=Kind.ELEMENTWISE, flops=x.count))

    t.later(out, backward)
    return out


def residual(
    t: Tape, root: str, x: Grid, channels: int, groups: int, told: Told, *, heads: tuple[int, int] | None = None, gated: bool = False
) -> Grid:  # fmt: skip
    """To `channels`. heads: their number and width where pixels attend to the text between the convolutions; gated: each channel times a factor."""
    t.enter(f"{root}.activation", calls=2)
    woken = ops.activation(t, told.step, "silu", views=0)
    made = dense(t, f"{root}.step", woken, x.batch, 2 * channels, told.step_width, views=1)
    t.enter(root, calls=0, views=2)
    scale, shift = modulation.chunk(t, made, 2)
    t.views += 1
    y = group_norm(t, f"{root}.norm_1", x, groups)
    y = activation(t, f"{root}.activation", y, "silu")
    y = conv(t, f"{root}.conv_1", y, channels, 3)
    held = [x.tensor, made]
    if heads is not None:
        before = y.tensor
        t.enter(root, calls=0, views=2)
        tokens = _in_order(t, y)
        mixed = _attend(t, f"{root}.cross", tokens, y, told, *heads, own=False)
        t.enter(root, calls=0)
        summed = ops.add(t, mixed, tokens)
        t.views += 1
        y = y.of(_in_order(t, y.of(summed)))
        t.touch(before)
        t.views += 1
        held.append(tokens)
    before = y.tensor
    y = group_norm(t, f"{root}.norm_2", y, groups)
    t.enter(root, calls=0)
    y = activation(t, f"{root}.activation", y.of(modulation.modulate(t, y.tensor, scale, shift)), "silu")
    y = conv(t, f"{root}.conv_2", y, channels, 3)
    t.touch(before)
    if gated:
        factor = _gate(t, f"{root}.gate", y)
        t.enter(root, calls=0)
        y = y.of(modulation.factor(t, y.tensor, factor))
    short = conv(t, f"{root}.shortcut", x, channels, 1) if x.channels != channels else x
    t.enter(root, calls=0)
    out = y.of(ops.add(t, y.tensor, short.tensor))
    t.touch(*held)
    return out


def _in_order(t: Tape, x: Grid) -> Tensor:
    """Pixels as tokens or the other way round, as a copy; of one pixel, a view."""
    return modulation.gather(t, x.tensor) if x.positions > 1 else x.tensor


def _gate(t: Tape, root: str, x: Grid) -> Tensor:
    """One factor a channel, from a mean over pixels that weighs them."""
    n, inner = x.channels, max(3, x.channels // 2)
    scores = conv(t, f"{root}.score", x, 1, 1, calls=2)
    t.enter(root, calls=0, views=1)
    weights = _softmax(t, scores.tensor, x.batch, x.positions)
    t.views += 6
    mean = _weighted(t, x, weights)
    t.views += 2
    y = conv(t, f"{root}.shrink", Grid(mean, x.batch, n, (1, 1)), inner, 1)
    y = activation(t, f"{root}.activation", y, "silu")
    y = conv(t, f"{root}.grow", y, n, 1)
    out = activation(t, f"{root}.bound", y, "sigmoid").tensor
    t.touch(weights, mean)
    return out


def _softmax(t: Tape, x: Tensor, rows: int, size: int) -> Tensor:
    out = t.new(x.count, format_name=x.format)
    t.row(Kind.SOFTMAX, "aten._softmax", (x,), (out,), (1, rows, size, 0), flops_vector=softmax_flops(rows, size), format_name=x.format)

    def backward(grad: Tensor) -> None:
        part = t.new(x.count, format_name=x.format, needs=False)
        t.row(Kind.SOFTMAX, "aten._softmax_backward_data", (grad, out), (part,), (1, rows, size, 0), flops_vector=4 * x.count, format_name=x.format)
        t.give(x, part)

    t.later(out, backward)
    return out


def _weighted(t: Tape, x: Grid, weights: Tensor) -> Tensor:
    """(batch, channels, pixels) × (batch, pixels, 1): for each sample one product."""
    b, n, m = x.batch, x.channels, x.positions
    out = t.new(b * n, format_name=x.tensor.format)
    flops = matmul_flops(b, n, 1, m)
    t.row(Kind.LINEAR, "aten.bmm", (x.tensor, weights), (out,), (b, n, 1, m), flops_matrix=flops, format_name=out.format)

    def backward(grad: Tensor) -> None:
        both = []
        for target, reads, shape in ((weights, (x.tensor, grad), (b, m, 1, n)), (x.tensor, (grad, weights), (b, n, m, 1))):
            part = t.new(target.count, format_name=grad.format, needs=False)
            t.row(Kind.LINEAR, "aten.bmm", reads, (part,), shape, flops_matrix=flops, format_name=grad.format)
            both.append((target, part))
        for target, part in reversed(both):
            t.give(target, part)

    t.later(out, backward)
    return out


def _attend(t: Tape, root: str, x: Tensor, grid: Grid, told: Told | None, heads: int, head_dim: int, *, own: bool) -> Tensor:
    """Pixels to the tokens that are told, or (`own`) to those, where there are any, and to each other as one sequence."""
    rows, n, inner, batch = grid.pixels, grid.channels, heads * head_dim, grid.batch
    normed = layer_norm(t, f"{root}.norm", x, rows, n, calls=2)
    seen = None if told is None else layer_norm(t, f"{root}.norm_told", told.tokens, batch * told.count, told.width) if own else told.tokens
    q = dense(t, f"{root}.to_q", normed, rows, inner, n, bias=False)
    both, keys = [], (told.count if told is not None else 0) + (grid.positions if own else 0)
    for name in ("k", "v"):
        parts: list[Tensor] = []
        if told is not None and seen is not None:
            made = dense(t, f"{root}.told_to_{name}", seen, batch * told.count, inner, told.width, bias=own)
            parts.append(_apart(t, made, own and batch > 1))
        if own:
            made = dense(t, f"{root}.to_{name}", normed, rows, inner, n, bias=False)
            parts.append(_apart(t, made, told is not None and batch > 1 and grid.positions > 1))
        t.enter(root, calls=0, views=1)
        both.append(ops.concatenate(t, parts) if len(parts) > 1 else parts[0])
    k, v = both
    t.views += 7
    mixed = ops.attention(
        t, q, k, v, batch=batch, seq_q=grid.positions, seq_k=keys, heads=heads, kv_heads=heads, head_dim=head_dim, value_dim=head_dim,
        axes=Axes.CROSS if not own else Axes.SPATIAL if told is None else Axes.JOINT,
    )  # fmt: skip
    made = _apart(t, dense(t, f"{root}.to_out", mixed, rows, n, inner, bias=False, views=4), batch > 1 and grid.positions > 1)
    out = layer_norm(t, f"{root}.norm_out", made, rows, n)
    t.touch(normed, q, k, v, mixed, *([seen] if seen is not None else []))
    return out


def _apart(t: Tape, x: Tensor, is_apart: bool) -> Tensor:
    """`x`, whose gradient does not lie row by row where `is_apart`, and is copied before the product that made x is gone back through."""
    return modulation.reordered(t, x) if is_apart else x


def transformer(t: Tape, root: str, x: Grid, told: Told | None, heads: int, head_dim: int) -> Grid:
    """Pixels to each other and to what is told, then twice their width and back; both added."""
    rows, n = x.pixels, x.channels
    t.enter(root, views=2)
    tokens = _in_order(t, x)
    mixed = _attend(t, f"{root}.attention", tokens, x, told, heads, head_dim, own=True)
    t.enter(root, calls=0)
    tokens = ops.add(t, mixed, tokens)
    y = layer_norm(t, f"{root}.feed.0", tokens, rows, n, calls=2)
    y = dense(t, f"{root}.feed.1", y, rows, 2 * n, n, bias=False)
    t.enter(f"{root}.feed.2")
    y = ops.activation(t, y, "gelu")
    y = layer_norm(t, f"{root}.feed.3", y, rows, 2 * n)
    y = _apart(t, dense(t, f"{root}.feed.4", y, rows, n, 2 * n, bias=False), x.batch > 1 and x.positions > 1)
    t.enter(root, calls=0, views=1)
    summed = ops.add(t, y, tokens)
    t.views += 1
    out = x.of(_in_order(t, x.of(summed)))
    t.touch(x.tensor)
    return out


def halve(t: Tape, root: str, x: Grid, channels: int) -> Grid:
    """Four pixels become the channels of one."""
    t.enter(root)
    moved = _shuffled(t, x.tensor, "pixel_unshuffle", "pixel_shuffle")
    out = conv(t, f"{root}.conv", Grid(moved, x.batch, 4 * x.channels, tuple(side // 2 for side in x.sides)), channels, 1)
    t.touch(x.tensor)
    return out


def double(t: Tape, root: str, x: Grid, channels: int) -> Grid:
    """The channels of one pixel become four."""
    y = activation(t, f"{root}.activation", conv(t, f"{root}.conv", x, 4 * channels, 1, calls=2), "silu")
    t.enter(root, calls=0)
    moved = _shuffled(t, y.tensor, "pixel_shuffle", "pixel_unshuffle")
    t.touch(x.tensor)
    return Grid(moved, x.batch, channels, tuple(2 * side for side in x.sides))


def _shuffled(t: Tape, x: Tensor, op: str, back: str) -> Tensor:
    out = ops.move(t, f"aten.{op}", (x,), x.count, format_name=x.format, needs=x.needs)
    t.later(out, lambda grad: t.give(x, ops.move(t, f"aten.{back}", (grad,), x.count, format_name=grad.format)))
    return out


def widen(t: Tape, root: str, x: Grid, channels: int) -> Grid:
    """To more channels at the same side, with a shortcut."""
    made, short = conv(t, f"{root}.conv", x, channels, 3, calls=2), conv(t, f"{root}.shortcut", x, channels, 1)
    t.enter(root, calls=0)
    out = made.of(ops.add(t, made.tensor, short.tensor))
    t.touch(x.tensor)
    return out
