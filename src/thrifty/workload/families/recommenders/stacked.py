"""Recommenders as MAD-Max states them (Hsia et al., 2024, table of its models): square perceptrons, and tables that are all alike.

The paper gives sizes and totals, no layers. What it leaves open is filled in without parameters, so that its totals come out: pooled vectors are folded
(padded, cut into pieces, summed) to the width of the perceptrons and added to the bottom's result; norms of the interaction's transformer have no
weights; samples go to experts by a fixed rule that they bring along, as in hash layers, and experts' results are summed. Its FLOPs are those of the
linear rows: core attention, which the paper leaves out, is in the table.

The tables are one weight, (tables · rows, dim), in a format of their own. In training their rows are updated where they are looked up, by row-wise
AdaGrad within the backward kernel, as recommenders of this size do it; everything else has AdamW. `stacked_torch` is the same in torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from thrifty.errors import BadValue, UnknownName
from thrifty.formats import get_format
from thrifty.workload.families.primitives import layers, ops
from thrifty.workload.families.primitives.drawn import Drawn
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.feeds import Feed, Feeds
from thrifty.workload.model import Symbol, WorkPhase
from thrifty.workload.table import Kind, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class StackedShape:
    """Sizes of a recommender.

    tables, rows, dim, pooling : tables, rows of each, width of all, and look-ups of each that are summed; table_format: in which they are stored
    bottom, top, width         : square layers below and above the interaction, and numbers that enter and leave each
    layers … tokens            : of a transformer as interaction (layers 0: none): its heads, width, feed-forward width and sequence
    experts, top_k             : of every top layer (experts 0: a plain one)
    """

    tables: int
    rows: int
    dim: int
    pooling: int
    bottom: int
    top: int
    width: int
    table_format: str = "fp16"
    layers: int = 0
    heads: int = 0
    hidden: int = 0
    intermediate: int = 0
    tokens: int = 0
    experts: int = 0
    top_k: int = 0

    def __post_init__(self) -> None:
        needed = ("tables", "rows", "dim", "pooling", "bottom", "top", "width")
        for name in needed + (("heads", "hidden", "intermediate", "tokens") if self.layers else ()):
            if getattr(self, name) < 1:
                raise BadValue(f"{name}={getattr(self, name)} is below 1. Write a whole number from 1 up.")
        if self.layers and self.hidden % self.heads:
            raise BadValue(f"heads={self.heads} does not divide hidden={self.hidden}. Choose a divisor of it.")
        if self.experts and not 0 < self.top_k <= self.experts:
            raise BadValue(f"top_k={self.top_k} is not between 1 and experts={self.experts}. Choose a number in between.")
        try:
            get_format(self.table_format)
        except UnknownName as error:
            raise BadValue(f"table_format: {error}") from None

    @property
    def pooled(self) -> int:
        """Numbers that a sample's look-ups leave."""
        return self.tables * self.dim


@dataclass(frozen=True, slots=True, kw_only=True)
class StackedRecommender(Drawn):
    """A recommender of stacked tables."""

    shape: StackedShape

    what = "a recommender"

    def sizes(self) -> tuple[Symbol, ...]:
        """batch: samples. From rows / pooling samples on, every row of a table may be read."""
        return (Symbol(name="batch", default=1, breaks=(-(-self.shape.rows // self.shape.pooling),), meaning="batch"),)

    def feeds(self, phase: WorkPhase, point: Mapping[str, int]) -> Feeds:
        shape, batch = self.shape, point["batch"]
        found = {
            "dense": Feed(shape=(batch, shape.width), axes=("batch", "channel")),
            "indices": Feed(shape=(batch * shape.tables, shape.pooling), axes=("batch", "token"), fill="whole", below=shape.tables * shape.rows),
        }
        if shape.experts:
            found["routes"] = Feed(shape=(batch * shape.top_k,), axes=("batch",), fill="whole", below=shape.experts)
        return found

    def forward(self, t: Tape, point: Mapping[str, int]) -> Tensor:
        shape, batch = self.shape, point["batch"]
        dense = t.input(batch * shape.width, t.format, "dense")
        indices = t.input(batch * shape.tables * shape.pooling, "int64", "indices")
        routes = t.input(batch * shape.top_k, "int64", "routes") if shape.experts else None
        pooled = self._look_up(t, indices, batch)
        x = dense
        for layer in range(shape.bottom):
            x = self._plain(t, f"bottom.{layer}", x, batch)
        t.enter("interaction", calls=0)
        per_sample = shape.pooled
        if shape.layers:
            per_sample = shape.tokens * shape.hidden
            pooled = _fold(t, pooled, batch, shape.pooled, per_sample)
            for layer in range(shape.layers):
                pooled = self._transform(t, f"interaction.{layer}", pooled, batch)
            t.enter("interaction", calls=0)
        x = ops.add(t, x, _fold(t, pooled, batch, per_sample, shape.width))
        for layer in range(shape.top):
            x = self._plain(t, f"top.{layer}", x, batch) if routes is None else self._mixture(t, f"top.{layer}", x, routes, batch)
        t.touch(pooled)  # a variable of the forward
        return x

    def _plain(self, t: Tape, root: str, x: Tensor, batch: int) -> Tensor:
        out = ops.activation(t, layers.dense(t, root, x, batch, self.shape.width, self.shape.width, bias=False), "relu", views=0)
        t.touch(x)
        return out

    def _mixture(self, t: Tape, root: str, x: Tensor, routes: Tensor, batch: int) -> Tensor:
        """Each sample's numbers once for each of its experts, one grouped product, and the sum of what they give."""
        shape, pairs = self.shape, batch * self.shape.top_k
        t.enter(f"{root}.experts")
        weight = t.weight(f"{root}.experts", shape.experts, shape.width, shape.width)
        spread = ops.move(t, "aten.index", (x, routes), pairs * shape.width, needs=True)
        t.later(spread, lambda grad: t.give(x, _summed(t, grad, x.count)))
        offsets = ops.move(t, "aten.cumsum", (routes,), shape.experts, format_name="int32", kind=Kind.ELEMENTWISE, flops=pairs)
        found = ops.grouped_linear(t, spread, weight, pairs, shape.width, shape.width, shape.experts, offsets)
        active = ops.activation(t, found, "relu", views=0)
        out = _summed(t, active, batch * shape.width)
        out.needs = t.keep
        t.later(out, lambda grad: t.give(active, ops.move(t, "aten.clone", (grad,), active.count)))
        return out

    def _transform(self, t: Tape, root: str, x: Tensor, batch: int) -> Tensor:
        shape, rows, hidden = self.shape, batch * self.shape.tokens, self.shape.hidden
        normed = layers.layer_norm(t, f"{root}.norm", x, rows, hidden, affine=False, calls=2)
        q, k, v = (layers.dense(t, f"{root}.attention.{name}", normed, rows, hidden, hidden, bias=False) for name in ("q", "k", "v"))
        t.enter(f"{root}.attention", calls=0)
        head = hidden // shape.heads
        mixed = ops.attention(
            t, q, k, v, batch=batch, seq_q=shape.tokens, seq_k=shape.tokens, heads=shape.heads, kv_heads=shape.heads, head_dim=head, value_dim=head
        )  # fmt: skip
        out = layers.dense(t, f"{root}.attention.out", mixed, rows, hidden, hidden, bias=False)
        t.touch(normed, q, k, v)
        t.enter(root, calls=0)
        summed = ops.add(t, x, out)
        normed = layers.layer_norm(t, f"{root}.norm", summed, rows, hidden, affine=False)
        inner = layers.dense(t, f"{root}.up", normed, rows, shape.intermediate, hidden, bias=False)
        active = ops.activation(t, inner, "relu", views=0)
        fed = layers.dense(t, f"{root}.down", active, rows, hidden, shape.intermediate, bias=False)
        t.enter(root, calls=0)
        out = ops.add(t, summed, fed)
        t.touch(x)
        return out

    def _look_up(self, t: Tape, indices: Tensor, batch: int) -> Tensor:
        """The sum of `pooling` rows of every table, for every sample: one kernel for all tables, and one for their gradients and update."""
        shape = self.shape
        rows, bags, width = shape.tables * shape.rows, batch * shape.tables, shape.dim
        lookups = bags * shape.pooling
        t.enter("tables", views=1)
        weight = t.weight("tables.weight", rows, width, format_name=shape.table_format)
        offsets = ops.move(t, "aten.arange", (), bags, format_name="int64")
        out = t.new(bags * width)
        notes = [t.new(count, format_name="int64", needs=False) for count in (lookups, bags)]  # which bag a look-up is of, and their sizes
        hit = min(lookups, rows)
        fetched = hit * (weight.size // rows)
        named = lookups * ops.INDEX_BYTES
        t.row(
            Kind.EMBEDDING, "aten._embedding_bag", (weight, indices, offsets), (out, *notes), (1, lookups, width, rows), flops_vector=lookups * width,
            sizes=(fetched, named, offsets.size), format_name=weight.format,
        )  # fmt: skip

        def backward(grad: Tensor) -> None:
            # Sum of gradients of a row, mean of their squares, one root and division a row, and the scaled step.
            state = t.new(rows, format_name="fp32", role=Role.OPTIMIZER, needs=False, name="tables.sum_of_squares")
            held = 4 * hit
            t.row(
                Kind.EMBEDDING, "embedding_bag_backward_rowwise_adagrad", (grad, indices, offsets, *notes, weight, state), (weight, state),
                (1, lookups, width, rows), flops_vector=lookups * width + hit * (4 * width + 3),
                sizes=(grad.size, named, offsets.size, *(note.size for note in notes), fetched, held), written=(fetched, held), format_name=weight.format,
            )  # fmt: skip

        t.later(out, backward)
        return out


def _summed(t: Tape, x: Tensor, count: int) -> Tensor:
    """`x` summed to `count` numbers."""
    return ops.move(t, "aten.sum", (x,), count, kind=Kind.ELEMENTWISE, flops=x.count)


def _fold(t: Tape, x: Tensor, batch: int, size: int, target: int) -> Tensor:
    """(batch, size) → (batch, target): padded to whole pieces of `target` numbers, which are summed."""
    pieces = -(-size // target)
    padded = x
    if pieces * target != size:
        padded = ops.move(t, "aten.constant_pad_nd", (x,), batch * pieces * target, needs=x.needs)
        t.later(padded, lambda grad: t.give(x, ops.move(t, "aten.slice", (grad,), x.count)))
    if pieces == 1:
        return padded
    out = _summed(t, padded, batch * target)
    out.needs = x.needs
    t.later(out, lambda grad: t.give(padded, ops.move(t, "aten.clone", (grad,), padded.count)))
    return out
