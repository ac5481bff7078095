"""Recommenders after DLRM (Naumov et al., 2019): a perceptron over dense features, a table for every sparse one, dot products of all pairs, and a
perceptron over those. `dlrm_torch` is the same in torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from thrifty.errors import BadValue
from thrifty.workload.counts import matmul_flops
from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.phases import refuse_generation
from thrifty.workload.families.primitives.tape import Parameter, Tape, Tensor
from thrifty.workload.model import Symbol, WorkPhase
from thrifty.workload.table import Kind, OperatorTable, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class DlrmShape:
    """Sizes of a recommender.

    tables  : rows of every embedding table; dim: width of them all; pooling: look-ups of each that are summed
    bottom  : widths over the dense features, from their number to `dim`; top: widths over the interactions, the last one 1
    """

    tables: tuple[int, ...]
    dim: int
    bottom: tuple[int, ...]
    top: tuple[int, ...]
    pooling: int = 1

    def __post_init__(self) -> None:
        for name in ("tables", "bottom", "top"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if len(self.bottom) < 2 or self.bottom[-1] != self.dim:
            raise BadValue(f"bottom={list(self.bottom)} does not end at dim={self.dim}, with which its result is multiplied. End it there.")

    @property
    def vectors(self) -> int:
        """That interact: one of each table, and the dense one."""
        return len(self.tables) + 1

    @property
    def interactions(self) -> int:
        """Numbers that enter the top: a dot product of every pair, and the dense vector."""
        return self.vectors * (self.vectors - 1) // 2 + self.dim


@dataclass(frozen=True, slots=True, kw_only=True)
class Dlrm:
    """A recommender; gradients of its tables are dense, as torch's AdamW wants them."""

    shape: DlrmShape

    phases = ("forward", "training")

    def symbols(self, phase: WorkPhase) -> tuple[Symbol, ...]:
        """batch: samples."""
        refuse_generation(phase, "a recommender")
        return (Symbol(name="batch", default=1, meaning="batch"),)

    def parameters(self) -> Iterator[Parameter]:
        """Name and shape of every parameter, in the order of the twin's."""
        shape = self.shape
        for index, rows in enumerate(shape.tables):
            yield f"tables.{index}.weight", (rows, shape.dim)
        for root, widths in (("bottom", shape.bottom), ("top", (shape.interactions, *shape.top))):
            for layer in range(len(widths) - 1):
                yield f"{root}.{2 * layer}.weight", (widths[layer + 1], widths[layer])
                yield f"{root}.{2 * layer}.bias", (widths[layer + 1],)

    def table(self, phase: WorkPhase, format_name: str, point: Mapping[str, int]) -> OperatorTable:
        """Every operator of one step at `point`."""
        refuse_generation(phase, "a recommender")
        shape, batch, training = self.shape, point["batch"], phase == "training"
        t = Tape(self.parameters(), format_name, keep=training)
        dense = t.input(batch * shape.bottom[0], t.format, "dense")
        indices = t.input(len(shape.tables) * batch * shape.pooling, "int64", "indices")
        t.calls += 2
        bottom = _perceptron(t, "bottom", dense, batch, shape.bottom, last_active=True)
        parts = [bottom, *(_bag(t, index, indices, rows, batch, shape) for index, rows in enumerate(shape.tables))]
        t.enter("", calls=0)
        pairs, held = self._interact(t, parts, batch)
        joined = _concatenate(t, (bottom, pairs))
        held += [*parts, joined]  # variables of the forward
        t.calls += 1
        logits = _perceptron(t, "top", joined, batch, (shape.interactions, *shape.top), last_active=False)
        t.touch(*held)
        t.enter("", calls=0)
        if training:
            _binary_loss(t, logits)
            t.backward()
            t.optimizer_step()
        return t.build()

    def _interact(self, t: Tape, parts: list[Tensor], batch: int) -> tuple[Tensor, list[Tensor]]:
        """Dot products of all vectors of a sample with one another; those of different ones, each pair once, are kept."""
        shape, n = self.shape, self.shape.vectors
        stacked = _concatenate(t, tuple(parts), op="aten.stack")
        product = t.new(batch * n * n)
        flops = matmul_flops(batch, n, n, shape.dim)
        t.row(Kind.LINEAR, "aten.bmm", (stacked,), (product,), (batch, n, n, shape.dim), flops_matrix=flops, views=1)

        def backward(grad: Tensor) -> None:
            halves = []
            for rows, columns, depth in ((shape.dim, n, n), (n, shape.dim, n)):
                part = t.new(stacked.count, needs=False)
                t.row(Kind.LINEAR, "aten.bmm", (grad, stacked), (part,), (batch, rows, columns, depth), flops_matrix=flops, views=1)
                halves.append(part)
            for half in halves:
                t.give(stacked, half)

        t.later(product, backward)
        kept = n * (n - 1) // 2
        which = t.new(kept, format_name="int64", role=Role.BUFFER, needs=False, name="pairs")
        pairs = ops.move(
            t, "aten.index_select", (product, which), batch * kept, sizes=(batch * kept * t.width, which.size), needs=True
        )  # fmt: skip

        def scatter(grad: Tensor) -> None:
            zeros = ops.move(t, "aten.new_zeros", (grad,), product.count, sizes=(0,))
            t.give(product, ops.move(t, "aten.index_add", (zeros, which, grad), product.count, flops=grad.count))

        t.later(pairs, scatter)
        return pairs, [stacked, product]


def _perceptron(t: Tape, root: str, x: Tensor, batch: int, widths: tuple[int, ...], *, last_active: bool) -> Tensor:
    for layer in range(len(widths) - 1):
        name = f"{root}.{2 * layer}"
        t.enter(name)
        x = ops.linear(t, x, t.weights[f"{name}.weight"], batch, widths[layer + 1], widths[layer], t.weights[f"{name}.bias"], views=1)
        if last_active or layer < len(widths) - 2:
            t.enter(f"{root}.{2 * layer + 1}")
            x = ops.activation(t, x, "relu", views=0)
    return x


def _bag(t: Tape, index: int, indices: Tensor, rows: int, batch: int, shape: DlrmShape) -> Tensor:
    """The sum of `pooling` rows of one table, for every sample."""
    lookups, width = batch * shape.pooling, shape.dim
    name = f"tables.{index}"
    t.enter(name, views=1)
    weight = t.weights[f"{name}.weight"]
    offsets = ops.move(t, "aten.arange", (), batch, format_name="int64")
    out = t.new(batch * width)
    # Which bag each look-up is of, and the sizes of the bags, as a GPU's kernel notes them (a CPU's notes a number a bag in both).
    notes = [t.new(count, format_name="int64", needs=False) for count in (lookups, batch)]
    fetched = min(lookups, rows) * (weight.size // rows)
    t.row(
        Kind.EMBEDDING, "aten._embedding_bag", (weight, indices, offsets), (out, *notes), (1, lookups, width, rows), flops_vector=lookups * width,
        sizes=(fetched, lookups * ops.INDEX_BYTES, offsets.size), format_name=weight.format,
    )  # fmt: skip

    def backward(grad: Tensor) -> None:
        gradient = t.gradient_like(weight)
        t.row(
            Kind.EMBEDDING, "aten._embedding_bag_backward", (grad, indices, offsets, *notes), (gradient,), (1, lookups, width, rows),
            flops_vector=lookups * width, sizes=(grad.size, lookups * ops.INDEX_BYTES, offsets.size, *(note.size for note in notes)),
        )  # fmt: skip
        t.give(weight, gradient)

    t.later(out, backward)
    return out


def _concatenate(t: Tape, parts: tuple[Tensor, ...], op: str = "aten.cat") -> Tensor:
    """Vectors of a sample behind each other; their gradients are views."""
    out = ops.move(t, op, parts, sum(part.count for part in parts), needs=True)

    def backward(grad: Tensor) -> None:
        for part in parts:
            t.give(part, Tensor(grad.storage, part.count, part.size, grad.format, False))

    t.later(out, backward)
    return out


def _binary_loss(t: Tape, logits: Tensor) -> None:
    """Binary cross entropy on logits, (1 − label) · x − log sigmoid x and its mean, and the start of the backward pass."""
    labels = t.input(logits.count, t.format, "labels")
    loss = t.new(1)
    t.row(Kind.ELEMENTWISE, "aten.binary_cross_entropy_with_logits", (logits, labels), (loss,), (1, 1, 0, 0), flops_vector=8 * logits.count + 1)

    def backward(grad: Tensor) -> None:
        count = logits.count
        part = ops.move(t, "aten.sigmoid", (logits,), count, kind=Kind.ELEMENTWISE, flops=4 * count)
        part = ops.move(t, "aten.sub", (part, labels), count, kind=Kind.ELEMENTWISE, flops=count)
        part = ops.move(t, "aten.mul", (part, grad), count, kind=Kind.ELEMENTWISE, flops=count)
        t.row(Kind.ELEMENTWISE, "aten.div_", (part,), (part,), (1, count, 0, 0), flops_vector=count)
        t.give(logits, part)

    t.later(loss, backward)
    loss.grad = ops.move(t, "aten.ones_like", (loss,), 1, sizes=(0,))
