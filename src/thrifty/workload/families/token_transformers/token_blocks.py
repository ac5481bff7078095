"""Transformer blocks over tokens of images and videos, as `token_blocks_torch` has them: norm, attention, (norm, cross-attention,) norm, feed-forward.

Muse, Parti, Phenaki, C-ViViT and ViT-VQGAN are made of these; what differs is what their sequences are, and where keys and values come from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from thrifty.errors import BadValue
from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.layers import dense, layer_norm
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.table import Axes, Kind, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Width:
    """Sizes of a block. bias: whether its products have one."""

    hidden: int
    heads: int
    inner: int
    bias: bool = False


@dataclass(frozen=True, slots=True)
class Words:
    """What a cross-attention reads: (batch, count, width)."""

    tensor: Tensor
    count: int
    width: int


@dataclass(frozen=True, slots=True)
class Kept:
    """Keys and values that are there already: `count` a sequence."""

    keys: Tensor
    values: Tensor
    count: int


def refuse_odd_heads(hidden: int, heads: int) -> None:
    """Raise BadValue for a width that the heads do not share evenly."""
    if heads < 1 or hidden % heads:
        raise BadValue(f"heads={heads} does not divide hidden={hidden}. Choose a divisor of it.")


def patch_grid(point: Mapping[str, int], patch: int) -> int:
    """Patches along one side of the image at `point`. Raises BadValue for a side that is no multiple of the patch."""
    image = point["image"]
    if image % patch:
        near = " or ".join(str(side) for side in (image // patch * patch, (image // patch + 1) * patch) if side)
        raise BadValue(f"image={image} is no multiple of {patch}, the side of a patch. Choose {near}.")
    return image // patch


def token_frames(point: Mapping[str, int], frames_per_token: int) -> int:
    """Frames in tokens of the video at `point`, the first frame's and those of every so many after it. Raises BadValue where some are left over."""
    frames = point["frames"]
    if frames < 1 or (frames - 1) % frames_per_token:
        lower = max(0, frames - 1) // frames_per_token * frames_per_token + 1
        raise BadValue(f"frames={frames} is not one frame and a multiple of {frames_per_token} more. Choose {lower} or {lower + frames_per_token}.")
    return 1 + (frames - 1) // frames_per_token


def position_table(t: Tape, name: str, rows: int, hidden: int) -> Tensor:
    """`rows` fixed positions, which are no parameter."""
    return t.new(rows * hidden, role=Role.BUFFER, needs=False, name=name)


def add_positions(t: Tape, x: Tensor, table: Tensor, tokens: int, hidden: int) -> Tensor:
    """x plus the first `tokens` positions of the table, the same for every sequence."""
    t.enter("", calls=0)
    count = tokens * hidden
    return ops.add(t, x, Tensor(table.storage, count, count * t.width, table.format, False), views=1)


def attention(
    t: Tape, root: str, x: Tensor, w: Width, batch: int, tokens: int, *, axes: Axes, causal: bool = False, words: Words | None = None,
    kept: Kept | None = None, cache: Kept | None = None,
) -> Tensor:  # fmt: skip
    """Projections and attention. Keys and values are made of x, or of `words`, or are `kept`; with a `cache` those of x are written behind it."""
    hidden, rows = w.hidden, batch * tokens
    t.calls += 1
    q = dense(t, f"{root}.q", x, rows, hidden, hidden, bias=w.bias)
    if kept is None:
        source, width, seen = (x, hidden, tokens) if words is None else (words.tensor, words.width, words.count)
        k, v = (dense(t, f"{root}.{name}", source, batch * seen, hidden, width, bias=w.bias, views=5) for name in ("k", "v"))
        if cache is not None:
            t.enter(root, calls=0, views=3)
            for fresh, held in ((k, cache.keys), (v, cache.values)):
                t.row(Kind.MEMORY, "aten.copy_", (fresh,), (held,), (1, fresh.count, 0, 0), written=(fresh.size,), views=1)
            t.touch(k, v)
            k, v, seen = cache.keys, cache.values, cache.count
    else:
        k, v, seen = kept.keys, kept.values, kept.count
    t.enter(root, calls=0, views=0 if cache is not None else 3)
    mixed = ops.attention(
        t, q, k, v, batch=batch, seq_q=tokens, seq_k=seen, heads=w.heads, kv_heads=w.heads, head_dim=hidden // w.heads, value_dim=hidden // w.heads,
        causal=causal, axes=axes,
    )  # fmt: skip
    out = dense(t, f"{root}.o", mixed, rows, hidden, hidden, bias=w.bias, views=4 + t.keep)
    t.touch(x, q, k, v, mixed)
    return out


def feed_forward(t: Tape, root: str, x: Tensor, w: Width, rows: int) -> Tensor:
    """down(gelu(up(x)))."""
    made = dense(t, f"{root}.up", x, rows, w.inner, w.hidden, bias=w.bias, calls=2)
    t.enter(f"{root}.act")
    active = ops.activation(t, made, "gelu", views=1)
    out = dense(t, f"{root}.down", active, rows, w.hidden, w.inner, bias=w.bias)
    t.touch(x)
    return out


def block(
    t: Tape, root: str, x: Tensor, w: Width, batch: int, tokens: int, *, axes: Axes, causal: bool = False, words: Words | None = None,
    kept: Kept | None = None, cache: Kept | None = None,
) -> Tensor:  # fmt: skip
    """One block; it has a cross-attention where `words` or what is `kept` of them are given."""
    entry, rows = x, batch * tokens
    t.calls += 1
    normed = layer_norm(t, f"{root}.attention_norm", x, rows, w.hidden)
    mixed = attention(t, f"{root}.attention", normed, w, batch, tokens, axes=axes, causal=causal, cache=cache)
    t.touch(x)
    t.enter(root, calls=0, views=1)
    x = ops.add(t, x, mixed)
    if words is not None or kept is not None:
        normed = layer_norm(t, f"{root}.cross_norm", x, rows, w.hidden)
        mixed = attention(t, f"{root}.cross", normed, w, batch, tokens, axes=Axes.CROSS, words=words, kept=kept)
        t.touch(x)
        t.enter(root, calls=0, views=1)
        x = ops.add(t, x, mixed)
    normed = layer_norm(t, f"{root}.feed_norm", x, rows, w.hidden)
    fed = feed_forward(t, f"{root}.feed", normed, w, rows)
    t.touch(x)
    t.enter(root, calls=0, views=1)
    out = ops.add(t, x, fed)
    t.touch(entry)
    return out


def copied_back(t: Tape, x: Tensor, *, copied: bool = True) -> Tensor:
    """`x` as it is; its gradient is a part of something larger that lies scattered, and is copied together in the module that made x."""
    if not copied:
        return x
    out = Tensor(x.storage, x.count, x.size, x.format, x.needs)
    t.later(out, lambda grad: t.give(x, ops.move(t, "aten.clone", (grad,), grad.count, format_name=grad.format)))
    return out


def pieces(t: Tape, x: Tensor, counts: tuple[int, ...]) -> list[Tensor]:
    """Slices of `x` as views; the gradient of each is written into zeros of the whole, and those are added."""
    parts = []
    for count in counts:
        part = Tensor(x.storage, count, count * (x.size // x.count), x.format, x.needs)
        t.later(part, lambda grad: t.give(x, ops.move(t, "aten.slice_backward", (grad,), x.count, format_name=grad.format)))
        parts.append(part)
    return parts


def reordered(t: Tape, x: Tensor, *, copied: bool = True, back: bool = True) -> Tensor:
    """The same numbers in another order: a copy, or a view where the axes that change places are of size one. back: its gradient is copied too."""
    if not copied:
        return x
    out = ops.move(t, "aten.clone", (x,), x.count, format_name=x.format, needs=x.needs)
    t.later(out, lambda grad: t.give(x, ops.move(t, "aten.clone", (grad,), grad.count, format_name=grad.format) if back else grad))
    return out
