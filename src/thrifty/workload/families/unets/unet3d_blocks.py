"""What a video UNet adds to an image UNet's residual blocks, as diffusers writes it: convolutions in time, and transformers over pixels and over frames.

A video lies as batch · frames images. What works in time (a convolution, a transformer) sees it in another order, and where torch cannot see it so
without moving it, the copies are rows of their own, forward and backward.
"""

from __future__ import annotations

from dataclasses import dataclass

from thrifty.workload.families.denoising_transformers.modulation import chunk
from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.layers import Grid, activation, conv, dense, group_norm, layer_norm
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.families.unets.residual_blocks import divide
from thrifty.workload.table import Axes


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What every block of one forward pass is given. step: its embedding (images, step_width); words: the text (images, text, words_width), or None."""

    t: Tape
    batch: int
    frames: int
    groups: int
    head_dim: int
    step: Tensor
    step_width: int
    words: Tensor
    words_width: int
    text: int

    @property
    def images(self) -> int:
        return self.batch * self.frames

    def video(self, x: Grid) -> Grid:
        """The same pixels as (batch, channels, frames, height, width)."""
        return Grid(x.tensor, self.batch, x.channels, (self.frames, *x.sides))

    def frames_of(self, x: Grid) -> Grid:
        """And back."""
        return Grid(x.tensor, self.images, x.channels, x.sides[1:])


def moved(t: Tape, x: Tensor, back: str | None = None, *, copy: bool = True, copies: bool = True) -> Tensor:
    """A copy of `x` in another order. back: the module in which its gradient is seen in the old one again, and copied where it `copies`; None: seen
    as it comes. copy: whether torch needs a copy at all."""
    if not copy:
        return x
    out = ops.move(t, "aten.clone", (x,), x.count, format_name=x.format, needs=x.needs)

    def backward(grad: Tensor) -> None:
        if back is not None:
            t.module = back
            grad = ops.move(t, "aten.clone", (grad,), grad.count, format_name=grad.format) if copies else grad
        t.give(x, grad)

    t.later(out, backward)
    return out


def folded(t: Tape, root: str, x: Tensor, rows: int, outputs: int, inputs: int, *, whole: bool, copy: bool, back: str) -> Tensor:
    """torch.nn.Linear on a view of three axes: one product where the view is `whole` in memory, else a copy where it needs one, a product and an addition."""
    if whole:
        made = dense(t, root, x, rows, outputs, inputs)
        t.views += 1
        return made
    t.enter(root, views=1)
    lined_up = moved(t, x, back, copy=copy)
    product = ops.linear(t, lined_up, t.weight(f"{root}.weight", outputs, inputs), rows, outputs, inputs, views=1)
    out = ops.add(t, product, t.weight(f"{root}.bias", outputs), views=1)
    t.touch(x)
    return out


def convolutions_in_time(s: Step, root: str, x: Grid) -> Grid:
    """TemporalConvLayer: four times norm, SiLU and a convolution over three frames, added to what came in."""
    t, seen = s.t, s.video(x)
    for place, layer in enumerate(("conv1", "conv2", "conv3", "conv4")):
        t.enter(f"{root}.{layer}.0", calls=3 if place == 0 else 2, views=3 if place == 0 else 0)
        lined_up = seen.of(moved(t, seen.tensor, copy=place == 0 and s.frames > 1))
        normed = group_norm(t, f"{root}.{layer}.0", lined_up, s.groups, calls=0)
        active = activation(t, f"{root}.{layer}.1", normed, "silu")
        before, seen = seen, conv(t, f"{root}.{layer}.{2 if place == 0 else 3}", active, x.channels, (3, 1, 1), calls=1 if place == 0 else 2)
        t.touch(x.tensor, before.tensor)
    t.enter(root, calls=0)
    out = ops.add(t, x.tensor, seen.tensor)
    t.touch(x.tensor)
    t.views += 2
    return x.of(out)


def transformer_over_pixels(s: Step, root: str, x: Grid) -> Grid:
    """Transformer2DModel: every image's pixels attend to each other, then to the text."""
    t, images, pixels = s.t, s.images, x.positions
    normed = group_norm(t, f"{root}.norm", x, s.groups, calls=2)
    t.views += 2
    h = folded(
        t, f"{root}.proj_in", normed.tensor, x.pixels, x.channels, x.channels, whole=pixels == 1, copy=images > 1 and pixels > 1, back=f"{root}.norm"
    )  # fmt: skip
    t.touch(x.tensor, normed.tensor)
    h = _block(s, f"{root}.transformer_blocks.0", h, x, images, pixels, x.channels, x.channels // s.head_dim, Axes.SPATIAL, words=True)
    made = dense(t, f"{root}.proj_out", h, x.pixels, x.channels, x.channels, views=2)
    t.enter(root, calls=0, views=3)
    out = ops.add(t, moved(t, made, f"{root}.proj_out", copy=pixels > 1), x.tensor)
    t.touch(h)
    return x.of(out)


def transformer_over_frames(s: Step, root: str, x: Grid, heads: int | None = None) -> Grid:
    """TransformerTemporalModel: every pixel's frames attend to each other, twice."""
    t, pixels, frames, width = s.t, x.positions, s.frames, (heads or x.channels // s.head_dim) * s.head_dim
    t.enter(f"{root}.norm", calls=2, views=3)
    lined_up = s.video(x).of(moved(t, x.tensor, root, copy=frames > 1, copies=s.batch > 1))
    normed = group_norm(t, f"{root}.norm", lined_up, s.groups, calls=0)
    t.enter(root, calls=0, views=1)
    # (batch, channels, frames, pixels) → (batch · pixels, frames, channels): a view where the batch or the image is one, which a product cannot always read
    ahead = s.batch > 1 and pixels > 1
    turned = moved(t, normed.tensor, f"{root}.norm", copy=ahead)
    t.views += 1
    t.touch(x.tensor, normed.tensor)
    whole = ahead or (pixels == 1 and frames == 1)
    h = folded(
        t, f"{root}.proj_in", turned, x.pixels, width, x.channels, whole=whole, copy=frames > 1 and (pixels > 1 or s.batch > 1), back=f"{root}.norm"
    )  # fmt: skip
    h = _block(s, f"{root}.transformer_blocks.0", h, x, s.batch * pixels, frames, width, width // s.head_dim, Axes.TEMPORAL, words=False)
    h = dense(t, f"{root}.proj_out", h, x.pixels, x.channels, width, views=2)
    t.enter(root, calls=0, views=5)
    out = ops.add(t, moved(t, h, root if s.batch > 1 else f"{root}.proj_out", copy=pixels > 1), x.tensor, views=1)
    return x.of(out)


def _block(s: Step, root: str, x: Tensor, held: Grid, batch: int, seq: int, width: int, heads: int, axes: Axes, *, words: bool) -> Tensor:
    """BasicTransformerBlock: `batch` sequences of `seq` attend within themselves, then to the text or within themselves again, then feed forward."""
    t, rows = s.t, batch * seq
    before: Tensor | None = None
    entered, given = x, x  # what the caller and the block's own variable hold while the next is made
    for place, name in enumerate(("attn1", "attn2")):
        cross = words and place == 1
        normed = layer_norm(t, f"{root}.norm{place + 1}", x, rows, width, calls=2 if place == 0 else 1)
        if before is not None:
            t.touch(before)
        source, keys = (s.words, s.text) if cross else (normed, seq)
        q = dense(t, f"{root}.{name}.to_q", normed, rows, width, width, bias=False, calls=2)
        k, v = (
            dense(t, f"{root}.{name}.{to}", source, batch * keys, width, s.words_width if cross else width, bias=False, views=3) for to in ("to_k", "to_v")
        )
        t.enter(f"{root}.{name}", calls=0, views=7)
        mixed = ops.attention(
            t, q, k, v, batch=batch, seq_q=seq, seq_k=keys, heads=heads, kv_heads=heads, head_dim=s.head_dim, value_dim=s.head_dim,
            axes=Axes.CROSS if cross else axes,
        )  # fmt: skip
        out = dense(t, f"{root}.{name}.to_out.0", mixed, rows, width, width, views=4)
        t.enter(f"{root}.{name}", views=1)
        mixed = divide(t, out)
        t.touch(q, k, v, given)
        given = mixed
        t.enter(root, calls=0)
        x = ops.add(t, mixed, x)
        before = normed
    normed = layer_norm(t, f"{root}.norm3", x, rows, width)
    if before is not None:
        t.touch(before)
    inner = dense(t, f"{root}.ff.net.0.proj", normed, rows, 8 * width, width, calls=3)
    t.enter(f"{root}.ff.net.0", calls=0)
    value, gate = chunk(t, inner, 2)
    active = ops.activation(t, gate, "gelu", views=2)
    fed = ops.multiply(t, value, active)
    t.touch(inner)
    fed = dense(t, f"{root}.ff.net.2", fed, rows, width, 4 * width, calls=2)
    t.enter(root, calls=0)
    out = ops.add(t, fed, x, views=1)
    t.touch(normed, given, entered, held.tensor)
    return out
