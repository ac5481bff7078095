"""Layers from the operator table of any workload: whatever can be priced on one device can be planned on many.

Rows are cut into layers by the first number in their module's path, a layer into sublayers after each attention's output product. What a training loop
fuses is taken as fused: a run of element-wise rows is one kernel that moves what the largest of them moves. Which axis of a weight tensor parallelism
cuts follows from place: before an attention its outputs (a narrow product that another one widens again: neither), after it its inputs; in other
sublayers the last product back to the model's width cuts its inputs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

import numpy as np

from thrifty.cost.plans.models.layers import Block, Core, LayerClass, Layers, Lookup, Product, Role, Segment, Split
from thrifty.errors import BadValue
from thrifty.formats import get_format
from thrifty.workload.model import Workload
from thrifty.workload.table import Kind, OperatorTable, Phase
from thrifty.workload.table import Role as Holds

_MATRIX: Final = (Kind.LINEAR, Kind.CONV)
_NUMBERED: Final = re.compile(r"^(.*?\.\d+)(?:\.|$)")
_RECOMMENDER_ROLES: Final[dict[str, Role]] = {"tables": "embedding", "bottom": "bottom", "top": "top", "interaction": "interaction"}


def layers_of(workload: Workload) -> Layers:
    """The layers of `workload`, one sample of it. Raises BadValue for one without any product or table to spread."""
    point = dict(workload.point)
    if point.get("batch", 1) != 1:
        workload = workload.at(batch=1)
    table = workload.table
    forward = np.flatnonzero(table.rows["phase"] == Phase.FORWARD).tolist()
    reader = _Reader(table, workload.format)
    found = [_Layer(root, role, tuple(reader.blocks(rows, role))) for root, role, rows in _layers(table, forward)]
    found = [layer for layer in found if layer.blocks]
    if not any(block.products or block.lookup for layer in found for block in layer.blocks):
        raise BadValue(f"'{workload.name}' has neither products nor tables to spread over devices. Choose a model that has.")
    recommender = any(layer.role == "top" for layer in found)
    if recommender:  # tables first: their look-ups are issued before the perceptron that runs beside them
        found.sort(key=lambda layer: layer.role != "embedding")
    return Layers(
        name=workload.name, segments=tuple(_merged(found)), format=workload.format, embedding_format=reader.embedding_format or workload.format,
        tokens=1 if recommender or workload.phase == "decode" else point.get("seq", 1),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Layer:
    root: str
    role: Role
    blocks: tuple[Block, ...]


def _layers(table: OperatorTable, forward: Sequence[int]) -> Iterator[tuple[str, Role, list[int]]]:
    """(root, role, rows) of every layer in the order of running; rows outside of any numbered module come before, between or after."""
    roots = [_root(table.module(row)) for row in forward]
    numbered = [index for index, root in enumerate(roots) if root and _recommender_role(root) != "embedding"]
    last = numbered[-1] if numbered else -1
    recommender = any(_recommender_role(root) == "top" for root in roots)
    for root, group in groupby(enumerate(roots), key=lambda pair: pair[1] if not recommender else pair[1].rpartition(".")[0] or pair[1]):
        members = list(group)
        rows = [forward[index] for index, _ in members]
        first = members[0][0]
        if recommender:
            tables = _recommender_role(members[0][1]) == "embedding"
            for inner, part in groupby(members, key=lambda pair: "tables" if tables else pair[1]):
                yield inner or root, _recommender_role(inner) or ("interaction" if first < last else "head"), [forward[index] for index, _ in part]
            continue
        role: Role = "body" if root else "embedding" if not numbered or first < numbered[0] else "head" if first > last else "body"
        yield root, role, rows


def _root(module: str) -> str:
    match = _NUMBERED.match(module)
    return match[1] if match else "tables" if module.partition(".")[0] == "tables" else ""


def _recommender_role(root: str) -> Role | None:
    return _RECOMMENDER_ROLES.get(root.partition(".")[0].rpartition(".")[2])


def _merged(layers: Sequence[_Layer]) -> Iterator[Segment]:
    """Neighbours alike become one segment. What is neither product, look-up nor attention joins the layer before it; in a recommender, where it joins
    pooled vectors, the tables: so layers alike stay alike."""
    joined: list[_Layer] = []
    for layer in layers:
        heavy = any(block.products or block.lookup or block.core for block in layer.blocks)
        if heavy or not joined:
            joined.append(layer)
            continue
        at = 0 if joined[0].role == "embedding" and layer.role == "interaction" else -1
        joined[at] = replace(joined[at], blocks=(*joined[at].blocks[:-1], _sum(joined[at].blocks[-1], layer.blocks)))
    for _, group in groupby(joined, key=lambda layer: (layer.role, layer.blocks)):
        alike = list(group)
        yield Segment(role=alike[0].role, blocks=alike[0].blocks, repeat=len(alike))


def _sum(block: Block, others: Sequence[Block]) -> Block:
    for other in others:
        block = replace(
            block, weights=block.weights + other.weights, streamed=block.streamed + other.streamed, kernels=block.kernels + other.kernels,
            streamed_whole=block.streamed_whole + other.streamed_whole, kept_bytes=block.kept_bytes + other.kept_bytes,
            kept_whole_bytes=block.kept_whole_bytes + other.kept_whole_bytes,
        )  # fmt: skip
    return block


class _Reader:
    """Makes blocks of rows; a weight belongs to the first block that reads it."""

    def __init__(self, table: OperatorTable, format_name: str) -> None:
        self.table = table
        self.number_bytes = max(2.0, get_format(format_name).bytes_per_number)
        self.embedding_format = ""
        self.taken: set[int] = set()
        self.hidden = self._hidden()

    def _hidden(self) -> int:
        """The model's width: that of the residual, which products most often leave from and return to."""
        rows = self.table.rows[np.isin(self.table.rows["kind"], _MATRIX) & (self.table.rows["phase"] == Phase.FORWARD)]
        ends = np.concatenate([rows["n"], rows["k"]])
        both = np.intersect1d(rows["n"], rows["k"])
        widths, counts = np.unique(ends[np.isin(ends, both)] if len(both) else ends, return_counts=True)
        return int(widths[counts.argmax()]) if len(widths) else 0

    def weights_of(self, row: int) -> list[int]:
        t = self.table
        return [int(s) for s in t.reads[t.reads_ptr[row] : t.reads_ptr[row + 1]] if t.storages["role"][s] == Holds.WEIGHT]

    def elements(self, storage: int) -> int:
        row = self.table.storages[storage]
        return round(float(row["bytes"]) / get_format(self.table.formats[int(row["format"])]).bytes_per_number)

    def blocks(self, rows: Sequence[int], role: Role) -> Iterator[Block]:
        """The sublayers of one layer."""
        kinds = self.table.rows["kind"]
        start, seen_core = 0, False
        for position, row in enumerate(rows):
            seen_core = seen_core or kinds[row] == Kind.ATTENTION
            if seen_core and kinds[row] in _MATRIX and self.weights_of(row):
                yield self._block(rows[start : position + 1], role)
                start, seen_core = position + 1, False
        if start < len(rows):
            yield self._block(rows[start:], role)

    def _block(self, rows: Sequence[int], role: Role) -> Block:
        t, kinds = self.table, self.table.rows["kind"]
        core_at = next((position for position, row in enumerate(rows) if kinds[row] == Kind.ATTENTION), None)
        core = self._core(rows[core_at]) if core_at is not None else None
        matrix = [position for position, row in enumerate(rows) if kinds[row] in _MATRIX]
        tokens = int(t.rows["m"][rows[matrix[0]]]) if matrix and role == "body" else 1  # a recommender's sample is one row
        products, experts, active, weights, expert_weights = [], 0, 0, 0, 0
        for position, row in enumerate(rows):
            shape, size = t.rows[row], self._take(row)
            if kinds[row] not in _MATRIX:
                weights += size
                continue
            copies = max((self.elements(s) for s in self.weights_of(row)), default=0) // (int(shape["n"]) * int(shape["k"]))
            expert, batch = copies > 1 and int(shape["batch"]) <= 1, max(1, int(shape["batch"]))
            split = self._split(rows, matrix, position, core_at)
            products.append(Product(rows=float(shape["m"]), n=int(shape["n"]), k=int(shape["k"]), count=batch, split=split, expert=expert))
            if expert:
                experts, active, expert_weights = copies, max(1, round(int(shape["m"]) / tokens)), expert_weights + size
            else:
                weights += size
        lookup = self._lookup(rows)
        cut, whole, kernels = self._streams(rows, role)
        kept, kept_whole = self._kept(rows, products, core)
        layer_class = self._class(role, core, experts, products, lookup)
        last = products[-1] if products else None
        scores = 2 * self.number_bytes * core.heads * core.queries * core.keys if core else 0.0
        if role == "head" and last and last.n > last.k:  # scores of a vocabulary: 16 bits of each with a fused cross-entropy, as many again without
            scores = last.rows * last.n * last.count * self.number_bytes
            kept += scores
        if last:
            narrow = min(last.n, last.k) if role == "head" else last.n  # scores of a vocabulary stay where they are: what crosses devices is what enters
            width = round(last.rows * narrow * last.count / (active if last.expert else 1))
        else:
            width = self._handed_on(rows, lookup) if lookup else self._written(rows)
        return Block(
            name="head" if role == "head" else layer_class, layer_class=layer_class, products=tuple(products), core=core, lookup=lookup, weights=weights,
            expert_weights=expert_weights, experts=experts, active_experts=active, width=width, streamed=cut, streamed_whole=whole, kernels=kernels,
            kept_bytes=kept, kept_whole_bytes=kept_whole, kept_scores_bytes=scores,
        )  # fmt: skip

    def _take(self, row: int) -> int:
        """Elements of the weights that `row` is the first to read."""
        fresh = set(self.weights_of(row)) - self.taken
        self.taken |= fresh
        return sum(self.elements(storage) for storage in fresh)

    def _written(self, rows: Sequence[int]) -> int:
        return int(self.table.rows["bytes_written"][rows[-1]] / self.number_bytes)

    def _handed_on(self, rows: Sequence[int], lookup: Lookup) -> int:
        """Elements that leave look-ups: one vector a token, whatever else (positions) is added to it; or all tables' pooled vectors."""
        if lookup.pooled:
            return lookup.handed_on
        widest = max(rows, key=lambda row: int(self.table.rows["k"][row]))
        return int(self.table.rows["m"][widest]) * lookup.dim

    def _kept(self, rows: Sequence[int], products: Sequence[Product], core: Core | None) -> tuple[float, float]:
        """Bytes kept for the backward pass: what enters products (once) and norms, what enters the core or the activation between two products."""
        inside = whole = 0.0
        entered: set[tuple[float, int]] = set()
        two = any(product.split == "row" for product in products) and core is None
        for product in products:
            entry = (product.rows * product.count, product.k)
            if product.split == "row":
                inside += entry[0] * entry[1]
            elif entry not in entered:
                entered.add(entry)
                inside, whole = (inside + entry[0] * entry[1], whole) if product.expert else (inside, whole + entry[0] * entry[1])
            if two and product.split == "column":
                inside += product.rows * product.count * product.n
        if core is not None:
            inside += core.queries * core.heads * core.head_dim + core.keys * core.kv_heads * (core.head_dim + core.value_dim)
        norms = [row for row in rows if self.table.rows["kind"][row] == Kind.NORM]
        whole += sum(float(self.table.rows["m"][row]) * float(self.table.rows["n"][row]) for row in norms)
        return inside * self.number_bytes, whole * self.number_bytes

    def _split(self, rows: Sequence[int], matrix: Sequence[int], position: int, core_at: int | None) -> Split:
        shape = self.table.rows[rows[position]]
        n, k = int(shape["n"]), int(shape["k"])
        if not self.weights_of(rows[position]):
            return "none"
        if core_at is not None:
            if position > core_at:
                return "row"
            widened = any(int(self.table.rows["k"][rows[p]]) <= n for p in matrix if position < p < core_at)
            return "none" if n < k and widened and n < self.hidden else "column"
        if len(matrix) == 1:
            return "column"
        entered = any(int(self.table.rows["n"][rows[p]]) % k == 0 for p in matrix if p < position)
        return "row" if n == self.hidden and entered else "none" if n * 8 < self.hidden else "column"

    def _streams(self, rows: Sequence[int], role: Role) -> tuple[float, float, int]:
        """Elements that runs of rows between products move, inside and outside of what tensor parallelism cuts, and their number."""
        kinds = self.table.rows["kind"]
        light = [kinds[row] not in (*_MATRIX, Kind.ATTENTION, Kind.EMBEDDING) for row in rows]
        seen, total, cut, whole, kernels = 0, len(rows) - sum(light), 0.0, 0.0, 0
        for is_light, group in groupby(range(len(rows)), key=lambda position: light[position]):
            positions = list(group)
            if not is_light:
                seen += len(positions)
                continue
            norms = [p for p in positions if kinds[rows[p]] == Kind.NORM]
            rest = [p for p in positions if p not in norms]
            kernels += len(norms) + bool(rest)
            whole += sum(self._moved(rows, [p]) for p in norms)
            if rest and (0 < seen < total or (role == "head" and seen)):
                cut += self._moved(rows, rest)
            elif rest:
                whole += self._moved(rows, rest)
        return cut, whole, kernels

    def _moved(self, rows: Sequence[int], positions: Sequence[int]) -> float:
        return max(float(self.table.rows["bytes_read"][rows[p]] + self.table.rows["bytes_written"][rows[p]]) for p in positions) / self.number_bytes

    def _core(self, row: int) -> Core:
        shape = self.table.rows[row]
        folded = int(shape["batch"] or 1)
        return Core(
            queries=int(shape["seq_q"]), keys=int(shape["seq_k"]), heads=int(shape["heads"]) * folded, kv_heads=int(shape["kv_heads"]) * folded,
            head_dim=int(shape["head_dim"]), value_dim=int(shape["value_dim"]), causal=bool(shape["causal"]),
        )  # fmt: skip

    def _lookup(self, rows: Sequence[int]) -> Lookup | None:
        t = self.table
        tables = [row for row in rows if t.rows["kind"][row] == Kind.EMBEDDING]
        if not tables:
            return None
        widest = max(tables, key=lambda row: int(t.rows["k"][row]))
        pooled = "bag" in t.op(widest)
        storage = self.weights_of(widest)
        if storage:
            self.embedding_format = t.formats[int(t.storages["format"][storage[0]])]
        if not pooled:
            return Lookup(tables=1, rows=int(t.rows["k"][widest]), dim=int(t.rows["n"][widest]), pooling=int(t.rows["m"][widest]) * len(tables), pooled=False)
        fetched = sum(int(t.rows["m"][row]) for row in tables)
        rows_in_all = sum(int(t.rows["k"][row]) for row in tables)
        # One bag over stacked tables: besides a vector for each, it writes an index for each look-up and one for each table.
        stacked = (int(t.rows["bytes_written"][widest]) - 8 * fetched) / (int(t.rows["n"][widest]) * self.number_bytes + 8)
        count = len(tables) if len(tables) > 1 else max(1, round(stacked))
        return Lookup(tables=count, rows=-(-rows_in_all // count), dim=int(t.rows["n"][widest]), pooling=-(-fetched // count))

    def _class(self, role: Role, core: Core | None, experts: int, products: Sequence[Product], lookup: Lookup | None) -> LayerClass:
        if role == "interaction":
            return "interaction"
        if experts:
            return "experts"
        if role in ("bottom", "top", "head"):
            return "dense"
        if role == "embedding":
            return "embedding"
        if core is not None:
            return "attention"
        return "ffn" if any(product.split == "row" for product in products) else "dense"
