"""What diffusion transformers are built of: patches with their places, the embedded step, norms that it scales and shifts, attention, gates.

Module paths, order and traffic are those of diffusers' layers under torch's kernels, forward and backward, as in `ops`; `modulation` has the single
operators. Every function enters the modules that it is, and mentions their weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from thrifty.workload.families.denoising_transformers import modulation
from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.layers import Grid, conv, dense, layer_norm
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.model import Symbol
from thrifty.workload.table import Axes, Kind, Role

PIXELS = 8
"""Pixels of a side of the image that a decoder makes of one latent."""

WAVES = 256
"""Channels of the sines and cosines that a step is turned into."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A batch of sequences: (batch, length, width)."""

    tensor: Tensor
    batch: int
    length: int
    width: int

    @property
    def rows(self) -> int:
        """Tokens of all sequences."""
        return self.batch * self.length

    def of(self, tensor: Tensor) -> Tokens:
        """Other numbers of the same shape."""
        return replace(self, tensor=tensor)


def latent_symbol(default: int, patch: int, *, high: int | None = None, breaks: tuple[int, ...] = ()) -> Symbol:
    """The side of a square latent that is cut into patches, which must fill it, and attended to in full."""
    return Symbol(
        name="latent", default=default, high=high, modulus=patch, residue=0, degree=4, breaks=breaks, meaning="latent side", alias=("image", PIXELS)
    )  # fmt: skip


# -- what goes in and out -------------------------------------------------------------------------------------------------------------


def patches(t: Tape, root: str, latent: Grid, hidden: int, patch: int, *, calls: int = 3) -> Tokens:
    """A square latent as patches in `hidden` channels, read row by row without a copy."""
    made = conv(t, f"{root}.proj", latent, hidden, patch, stride=patch, padding=0, calls=calls)
    t.enter(root, calls=0, views=2)
    return Tokens(made.tensor, made.batch, made.positions, hidden)


def add_places(t: Tape, x: Tokens, table: Tensor) -> Tokens:
    """x plus a table of places in fp32, in which the sum is formed before it is narrowed again."""
    count, before = x.tensor.count, x.tensor
    wide = t.new(count, format_name="fp32")
    t.row(Kind.ELEMENTWISE, "aten.add", (before, table), (wide,), (1, count, 0, 0), flops_vector=count)
    t.later(wide, lambda grad: t.give(before, ops.cast(t, grad, before.format)))
    return x.of(ops.cast(t, wide, t.format))


def places(t: Tape, root: str, x: Tokens, made_for: int) -> Tensor:
    """Sines and cosines of the row and column of every patch, in fp32 whatever the weights' format. They lie ready for `made_for` patches a side, and
    are computed in every step for any other."""
    side, hidden = math.isqrt(x.length), x.width
    ready = t.new(made_for**2 * hidden, format_name="fp32", role=Role.BUFFER, needs=False, name=f"{root}.pos_embed")
    if side == made_for:
        return ready
    axes = []
    for _ in range(2):
        axis = ops.move(t, "aten.arange", (), side, format_name="fp32")
        for _ in range(2):
            axis = ops.move(t, "aten.div", (axis,), side, format_name="fp32", kind=Kind.ELEMENTWISE, flops=side)
        axes.append(axis)
    t.views += 4
    grid = ops.move(t, "aten.stack", axes, 2 * x.length, format_name="fp32")
    t.views += 1
    halves = [_waves(t, grid, x.length, hidden // 4) for _ in range(2)]
    joined = ops.move(t, "aten.cat", halves, x.length * hidden, format_name="fp64")
    t.touch(grid, *halves)
    table = ops.cast(t, joined, "fp32")
    t.views += 1
    return table


def _waves(t: Tape, grid: Tensor, count: int, quarter: int) -> Tensor:
    """Sines and cosines of one of both coordinates at `quarter` frequencies, in fp64."""
    t.views += 1
    rates = ops.move(t, "aten.arange", (), quarter, format_name="fp64")
    for op in ("div_", "pow", "reciprocal", "mul"):
        rates = ops.move(t, f"aten.{op}", (rates,), quarter, format_name="fp64", kind=Kind.ELEMENTWISE, flops=quarter)
    t.views += 2
    angles = ops.move(
        t, "aten.mul", (grid, rates), count * quarter, format_name="fp64", kind=Kind.ELEMENTWISE, flops=count * quarter, sizes=(grid.size // 2, rates.size)
    )  # fmt: skip
    waves = [ops.move(t, f"aten.{op}", (angles,), angles.count, format_name="fp64", kind=Kind.ELEMENTWISE, flops=angles.count) for op in ("sin", "cos")]
    both = ops.move(t, "aten.cat", waves, 2 * angles.count, format_name="fp64")
    t.touch(angles, rates)
    return both


def unpatch(t: Tape, x: Tensor, *, views: int = 3) -> Tensor:
    """Pixels of every patch put back where they belong: a copy, forward and backward."""
    t.enter("", calls=0, views=views)
    return modulation.gather(t, x, back=modulation.copied_back(t))


# -- the step -------------------------------------------------------------------------------------------------------------------------


def step_embedding(t: Tape, root: str, steps: Tensor, hidden: int, *, embedder: str = "timestep_embedder", calls: int = 0) -> Tensor:
    """A number a sample (the step, or the strength of guidance) as waves and two dense layers; `calls`: of modules around `root`."""
    t.calls += calls
    waves = modulation.step_waves(t, f"{root}.time_proj", steps, WAVES)
    t.enter(root, calls=0)
    waves = ops.cast(t, waves, t.format)
    return two_dense(t, f"{root}.{embedder}", waves, steps.count, WAVES, hidden, act="act")


def two_dense(
    t: Tape, root: str, x: Tensor, rows: int, inputs: int, hidden: int, *, act: str = "act_1", function: str = "silu", sequence: bool = False
) -> Tensor:  # fmt: skip
    """A dense layer, an elementary function, a dense layer; `sequence`: of sequences, which are seen as rows."""
    made = dense(t, f"{root}.linear_1", x, rows, hidden, inputs, views=1 + sequence, calls=2)
    t.enter(f"{root}.{act}")
    made = ops.activation(t, made, function, views=int(sequence))
    return dense(t, f"{root}.linear_2", made, rows, hidden, hidden, views=1 + sequence)


# -- norms that the step scales and shifts --------------------------------------------------------------------------------------------


def step_parts(t: Tape, root: str, step: Tensor, batch: int, hidden: int, pieces: int, *, calls: int) -> list[Tensor]:
    """`pieces` × `hidden` numbers a sample, made of the step by one dense layer."""
    t.enter(f"{root}.silu", calls=calls)
    active = ops.activation(t, step, "silu", views=0)
    made = dense(t, f"{root}.linear", active, batch, pieces * hidden, hidden, views=1)
    t.enter(root, calls=0)
    return modulation.chunk(t, made, pieces)


def norm_zero(t: Tape, root: str, x: Tokens, step: Tensor, *, pieces: int = 6, calls: int) -> tuple[Tokens, list[Tensor]]:
    """x normed, scaled and shifted as the step says, and what else it says: a gate, and with six pieces shift, scale and gate of the feed-forward."""
    shift, scale, *others = step_parts(t, root, step, x.batch, x.width, pieces, calls=calls)
    t.views += 1
    normed = layer_norm(t, f"{root}.norm", x.tensor, x.rows, x.width, affine=False)
    t.enter(root, calls=0, views=1)
    return x.of(modulation.modulate(t, normed, scale, shift, views=(0, 1))), others


def norm_last(t: Tape, root: str, x: Tokens, step: Tensor, *, calls: int = 2) -> Tokens:
    """x normed, scaled and shifted as the step says, and nothing else said."""
    scale, shift = step_parts(t, root, step, x.batch, x.width, 2, calls=calls)
    t.views += 1
    normed = layer_norm(t, f"{root}.norm", x.tensor, x.rows, x.width, affine=False)
    t.enter(root, calls=0)
    return x.of(modulation.modulate(t, normed, scale, shift, views=(1, 1)))


def norm_scaled(t: Tape, root: str, name: str, x: Tokens, scale: Tensor, shift: Tensor, *, views: int = 1) -> Tokens:
    """x normed, then scaled and shifted by parts that are there already; `views`: taken of each of them."""
    normed = layer_norm(t, f"{root}.{name}" if root else name, x.tensor, x.rows, x.width, affine=False)
    t.enter(root, calls=0, views=views)
    return x.of(modulation.modulate(t, normed, scale, shift, views=(0, views)))


def add_gated(t: Tape, x: Tokens, gate: Tensor, y: Tensor) -> tuple[Tokens, Tensor]:
    """x + gate · y, the gate of one sample and broadcast over its tokens; and gate · y, which the twin's block still holds until it is done."""
    gated = modulation.factor(t, gate, y)
    return x.of(ops.add(t, x.tensor, gated)), gated


# -- attention and feed-forward -------------------------------------------------------------------------------------------------------


def divided(t: Tape, x: Tensor) -> Tensor:
    """x over one number."""
    out = t.new(x.count, format_name=x.format)
    t.row(Kind.ELEMENTWISE, "aten.div", (x,), (out,), (1, x.count, 0, 0), flops_vector=x.count, format_name=x.format)
    t.later(out, lambda grad: t.give(x, ops.move(t, "aten.div", (grad,), x.count, format_name=x.format, kind=Kind.ELEMENTWISE, flops=x.count)))
    return out


def attend(t: Tape, root: str, x: Tokens, other: Tokens, heads: int, *, axes: Axes, mask: Tensor | None = None) -> Tensor:
    """Attention of x to itself or to `other` between four dense layers; `mask`: a number a token of the other, copied for every head."""
    hidden, head_dim = x.width, x.width // heads
    each_head = mask
    if mask is not None:
        t.enter(root, views=2)
        each_head = ops.move(t, "aten.clone", (mask,), mask.count * heads, format_name=mask.format) if heads > 1 else mask
        t.views += 2
    q = dense(t, f"{root}.to_q", x.tensor, x.rows, hidden, hidden, calls=2 if mask is None else 1)
    k, v = (dense(t, f"{root}.{name}", other.tensor, other.rows, hidden, hidden, views=3) for name in ("to_k", "to_v"))
    t.enter(root, calls=0, views=7)
    mixed = ops.attention(
        t, q, k, v, batch=x.batch, seq_q=x.length, seq_k=other.length, heads=heads, kv_heads=heads, head_dim=head_dim, value_dim=head_dim,
        mask=each_head, axes=axes,
    )  # fmt: skip
    out = dense(t, f"{root}.to_out.0", mixed, x.rows, hidden, hidden, views=4)
    t.touch(q, k, v, x.tensor)
    t.enter(root, views=1)
    out = divided(t, out)
    t.touch(q, k, v)
    return out


def heads_joined(t: Tape, parts: Sequence[Tensor], *, apart: bool) -> Tensor:
    """Queries, keys or values of several streams as one sequence; `apart`: their gradients come back in another order, and are copied."""
    return ops.concatenate(t, [modulation.reordered(t, part) if apart else part for part in parts])


def dense_of_part(t: Tape, root: str, whole: Tensor, batch: int, length: int, hidden: int) -> Tensor:
    """A dense layer of some tokens of every sequence, cut off as `modulation.cut` does. Those of several samples lie apart: torch copies them, and
    adds the bias after the product."""
    t.views += 1
    if batch == 1:
        return dense(t, root, whole, length, hidden, hidden)
    t.enter(root)
    copied = modulation.gather(t, whole)
    weight, bias = t.weight(f"{root}.weight", hidden, hidden), t.weight(f"{root}.bias", hidden)
    out = ops.linear(t, copied, weight, batch * length, hidden, hidden, views=1)
    return ops.add(t, out, bias, views=1)


def feed_forward(t: Tape, root: str, x: Tokens) -> Tensor:
    """Four times as wide, tanh-GELU, and back."""
    hidden = x.width
    inner = dense(t, f"{root}.net.0.proj", x.tensor, x.rows, 4 * hidden, hidden, calls=3)
    t.enter(f"{root}.net.0", calls=0)
    active = ops.activation(t, inner, "gelu_tanh")
    out = dense(t, f"{root}.net.2", active, x.rows, hidden, 4 * hidden, calls=2)
    t.touch(active)
    return out


def feed_stream(
    t: Tape, root: str, stream: str, x: Tokens, gate: Tensor, mixed: Tensor, inner: Sequence[Tensor]
) -> tuple[Tokens, tuple[Tensor, ...]]:  # fmt: skip
    """What a stream ("" the image's, "_context" the text's) was given by attention is added, normed and fed forward; and what the twin's block still
    holds of it until it is done. inner: shift, scale and gate of the feed-forward."""
    shift, scale, gate_inner = inner
    t.enter(root, calls=0, views=1)
    y, gated = add_gated(t, x, gate, mixed)
    normed = norm_scaled(t, root, f"norm2{stream}", y, scale, shift)
    fed = feed_forward(t, f"{root}.ff{stream}", normed)
    t.enter(root, calls=0, views=2)
    out, fed_gated = add_gated(t, y, gate_inner, fed)
    t.touch(gated, normed.tensor, fed)
    return out, (gated, normed.tensor, fed_gated)
