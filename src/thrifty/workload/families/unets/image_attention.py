"""Attention over the pixels of an image as image networks have it: transformer blocks inside a UNet, one plain attention in a decoder.

Where pixels become tokens, torch copies what lies in another order only for more than one sample: of one sample the transposed matrix is a view.
"""

from __future__ import annotations

from dataclasses import dataclass

from thrifty.workload.counts import matmul_flops
from thrifty.workload.families.denoising_transformers import modulation
from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.layers import Grid, conv, dense, group_norm, layer_norm
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.families.unets.residual_blocks import another, divide
from thrifty.workload.table import Axes, Kind

WIDENING = 4
"""A gated layer's inner width, in widths of the transformer."""


@dataclass(frozen=True, slots=True)
class Text:
    """What pixels attend to: (samples, tokens, width) of a text encoder."""

    tensor: Tensor
    tokens: int
    width: int


def transformer(t: Tape, root: str, x: Grid, text: Text, *, heads: int, layers: int, groups: int, linear: bool) -> Grid:
    """diffusers' Transformer2DModel: norm, projection, blocks, projection, residual. linear: projections are of tokens, not 1 × 1 convolutions."""
    n, rows = x.channels, x.pixels
    y = group_norm(t, f"{root}.norm", x, groups, calls=2)
    if linear:
        tokens = _product_and_bias(t, f"{root}.proj_in", _seen_as_tokens(t, y), n, views=3)
    else:
        tokens = conv(t, f"{root}.proj_in", y, n, 1).tensor
        t.views += 2
    turned = x.batch > 1 and not linear  # the gradient comes back channel by channel
    for layer in range(layers):
        tokens = _block(t, f"{root}.transformer_blocks.{layer}", tokens, x, text, heads, turned=turned)
    if linear:
        made = dense(t, f"{root}.proj_out", tokens, rows, n, n)
        made = modulation.reordered(t, made) if x.batch > 1 else made
        t.enter(root, calls=0, views=3)
        made = modulation.gather(t, made)
    else:
        t.enter(root, calls=0, views=2)
        made = conv(t, f"{root}.proj_out", x.of(modulation.gather(t, tokens)), n, 1).tensor
        t.enter(root, calls=0)
    out = ops.add(t, made, x.tensor)
    t.touch(x.tensor)
    return x.of(out)


def _seen_as_tokens(t: Tape, y: Grid) -> Grid:
    """Pixels as rows: of several samples the gradient is written back channel by channel."""
    return y.of(modulation.reordered(t, y.tensor)) if y.batch > 1 else y


def _product_and_bias(t: Tape, root: str, x: Grid, outputs: int, *, views: int) -> Tensor:
    """A linear layer of rows that do not lie one behind the other: a copy (of several samples), a product, and the bias on its own."""
    t.enter(root, views=views)
    weight = t.weight(f"{root}.weight", outputs, x.channels)
    if x.batch > 1:
        made = ops.linear(t, modulation.gather(t, x.tensor), weight, x.pixels, outputs, x.channels, views=1)
    else:
        made = _product_of_columns(t, x.tensor, weight, x.pixels, outputs, x.channels)
    return ops.add(t, made, t.weight(f"{root}.bias", outputs), views=1)


def _product_of_columns(t: Tape, x: Tensor, weight: Tensor, m: int, n: int, k: int) -> Tensor:
    """`ops.linear` of an x (m, k) that lies column by column: so does its gradient, which is made as the transposed product."""
    flops, out = matmul_flops(1, m, n, k), t.new(m * n)
    t.row(Kind.LINEAR, "aten.mm", (x, weight), (out,), (1, m, n, k), flops_matrix=flops, views=1)

    def backward(grad: Tensor) -> None:
        gradient = t.gradient_like(weight)
        t.row(Kind.LINEAR, "aten.mm", (grad, x), (gradient,), (1, n, k, m), flops_matrix=flops, views=4)
        t.give(weight, gradient)
        part = t.new(m * k, needs=False)
        t.row(Kind.LINEAR, "aten.mm", (weight, grad), (part,), (1, k, m, n), flops_matrix=flops, views=3)
        t.give(x, part)

    t.later(out, backward)
    return out


def _block(t: Tape, root: str, x: Tensor, grid: Grid, text: Text, heads: int, *, turned: bool) -> Tensor:
    """Pixels to pixels, pixels to text, and a gated layer; each on a norm, each added."""
    rows, n, entry = grid.pixels, grid.channels, x
    normed = layer_norm(t, f"{root}.norm1", x, rows, n, calls=2)
    pixels = Text(normed, grid.positions, n)
    mixed = _attend(t, f"{root}.attn1", normed, pixels, grid, heads, Axes.SPATIAL, turned=turned)
    t.enter(root, calls=0)
    x = ops.add(t, mixed, x)
    before, normed = (normed, mixed), layer_norm(t, f"{root}.norm2", x, rows, n)
    t.touch(*before)
    mixed = _attend(t, f"{root}.attn2", normed, text, grid, heads, Axes.CROSS, turned=turned)
    t.touch(before[1])
    t.enter(root, calls=0)
    x = ops.add(t, mixed, x)
    before, normed = (normed, mixed), layer_norm(t, f"{root}.norm3", x, rows, n)
    t.touch(*before)
    inner = dense(t, f"{root}.ff.net.0.proj", normed, rows, 2 * WIDENING * n, n, calls=3)
    t.enter(f"{root}.ff.net.0", calls=0, views=2)
    gated = _gated(t, inner, rows * WIDENING * n)
    t.touch(normed)
    fed = dense(t, f"{root}.ff.net.2", gated, rows, n, WIDENING * n, calls=2)
    fed = modulation.reordered(t, fed) if turned else fed
    t.touch(normed, gated)
    t.enter(root, calls=0, views=1)
    out = ops.add(t, fed, x)
    t.touch(normed, mixed, entry)
    return out


def _gated(t: Tape, inner: Tensor, count: int) -> Tensor:
    """The first half of `inner` times the GELU of the second."""
    value, gate = modulation.chunk(t, inner, 2)
    return ops.multiply(t, value, ops.activation(t, gate, "gelu", views=0))


def _attend(t: Tape, root: str, x: Tensor, seen: Text, grid: Grid, heads: int, axes: Axes, *, turned: bool) -> Tensor:
    """Queries of pixels to keys and values of what is seen; projections without biases but the last."""
    rows, n, width = grid.pixels, grid.channels, grid.channels // heads
    q = dense(t, f"{root}.to_q", x, rows, n, n, bias=False, calls=2)
    k, v = (dense(t, f"{root}.{name}", seen.tensor, grid.batch * seen.tokens, n, seen.width, bias=False, views=3) for name in ("to_k", "to_v"))
    t.enter(root, calls=0, views=7)
    mixed = ops.attention(
        t, q, k, v, batch=grid.batch, seq_q=grid.positions, seq_k=seen.tokens, heads=heads, kv_heads=heads, head_dim=width, value_dim=width, axes=axes
    )  # fmt: skip
    made = dense(t, f"{root}.to_out.0", mixed, rows, n, n, views=4)
    made = modulation.reordered(t, made) if turned else made
    t.enter(root, views=1)
    out = divide(t, made)
    t.touch(q, k, v, x)
    return out


def plain_attention(t: Tape, root: str, x: Grid, groups: int) -> Grid:
    """diffusers' Attention over an image by itself, with one head and a residual; what it gives lies pixel by pixel."""
    n, rows, positions = x.channels, x.pixels, x.positions
    t.enter(root, views=3)
    whole = x.of(another(t, x.tensor))
    y = _seen_as_tokens(t, group_norm(t, f"{root}.group_norm", whole, groups))
    q, k, v = (_product_and_bias(t, f"{root}.{name}", y, n, views=views) for name, views in (("to_q", 4), ("to_k", 1), ("to_v", 1)))
    t.enter(root, calls=0, views=6)
    mixed = ops.attention(
        t, q, k, v, batch=x.batch, seq_q=positions, seq_k=positions, heads=1, kv_heads=1, head_dim=n, value_dim=n, axes=Axes.SPATIAL
    )  # fmt: skip
    made = dense(t, f"{root}.to_out.0", mixed, rows, n, n, views=5)
    t.enter(root, views=3)
    total = ops.add(t, made, x.tensor)
    out = divide(t, total)
    t.touch(q, k, v, made, x.tensor)
    return x.of(out)
