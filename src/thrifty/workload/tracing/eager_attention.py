"""Finds attention that a module spells out (product, scale and mask, softmax, product) and gives its rows the kind that they are.

Found by the flow of data through storages, whatever the modules are called: a batched product whose result reaches one softmax over its last axis
through arithmetic of the same size, and a softmax whose result reaches the first operand of a batched product. In backward, what belongs
to such a softmax: its own gradient, the products before and after it, and the product that reads its probabilities.

Where the pattern is not certain (a sink joined to the scores, two products that reach one softmax) rows keep the kinds of their kernels.
Rows are marked, not joined, and all counts stay: they keep their (batch, m, n, k), by which they differ from the one row of a fused
kernel (m = 0). Copies of keys and values before a product are movement of data, and stay so.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.workload.table import Axes, Kind, OperatorTable, Phase

_PRODUCTS: Final = frozenset({"aten.bmm", "aten.baddbmm"})
_BETWEEN: Final = frozenset(
    f"aten.{name}"
    for name in (
        "mul", "div", "add", "sub", "masked_fill", "where", "clamp", "clamp_min", "maximum", "tanh", "neg", "_to_copy", "clone", "copy_", "native_dropout",
        "native_dropout_backward", "tanh_backward",
    )
)  # fmt: skip
_HEADS: Final = ("seq_q", "seq_k", "heads", "kv_heads", "head_dim", "value_dim")


@dataclass(frozen=True, slots=True)
class Found:
    """The rows of one spelled-out attention, forward: both products and all between; and the storage of what the second one multiplies."""

    rows: tuple[int, ...]
    shape: tuple[int, int, int, int, int, int]
    softmax: int
    second: int


class _Flow:
    """Who wrote and who reads a storage, by row."""

    def __init__(self, table: OperatorTable) -> None:
        self.table = table
        self.ops = [name.removesuffix("_") if name != "aten.copy_" else name for name in table.ops().tolist()]
        self.reads_of = _by_row(table.reads_ptr, table.reads)
        self.writes_of = _by_row(table.writes_ptr, table.writes)
        self._readers = _by_storage(table.reads_ptr, table.reads, len(table.storages))
        self._writers = _by_storage(table.writes_ptr, table.writes, len(table.storages))
        self.elements = table.rows["m"].tolist()

    def writer(self, storage: int, before: int) -> int | None:
        """The last row before `before` that wrote `storage`."""
        rows = self._writers[storage]
        place = bisect_left(rows, before)
        return rows[place - 1] if place else None

    def readers(self, storage: int, after: int) -> list[int]:
        """Rows after `after` that read `storage`, up to the one that writes it afresh."""
        rows, writers = self._readers[storage], self._writers[storage]
        place = bisect_right(writers, after)
        end = writers[place] if place < len(writers) else len(self.ops)
        return rows[bisect_right(rows, after) : bisect_right(rows, end)]

    def product_elements(self, row: int) -> int:
        shape = self.table.rows[row]
        return int(shape["batch"] * shape["m"] * shape["n"])

    def back_to_products(self, row: int, elements: int) -> list[list[int]]:
        """Every way back from `row`, through arithmetic on `elements` numbers, to a batched product that made as many: the rows, product last."""
        ways: list[list[int]] = []
        for storage in self.reads_of[row]:
            writer = self.writer(storage, row)
            if writer is None:
                continue
            if self.ops[writer] in _PRODUCTS and self.product_elements(writer) == elements:
                ways.append([writer])
            elif self.ops[writer] in _BETWEEN and self.elements[writer] == elements:
                ways += [[writer, *way] for way in self.back_to_products(writer, elements)]
        return ways

    def on_to_products(self, row: int, elements: int, last: int) -> list[list[int]]:
        """Every way on from `row`, through arithmetic on `elements` numbers, to a batched product before `last`: the rows, product last."""
        ways: list[list[int]] = []
        for storage in self.writes_of[row]:
            for reader in self.readers(storage, row):
                if reader >= last:
                    break
                if self.ops[reader] in _PRODUCTS:
                    ways.append([reader])
                elif self.ops[reader] in _BETWEEN and self.elements[reader] == elements:
                    ways += [[reader, *way] for way in self.on_to_products(reader, elements, last)]
        return ways


def _by_row(pointer: npt.NDArray[Any], storage: npt.NDArray[Any]) -> list[list[int]]:
    listed, ends = storage.tolist(), pointer.tolist()
    return [listed[start:end] for start, end in pairwise(ends)]


def _by_storage(pointer: npt.NDArray[Any], storage: npt.NDArray[Any], count: int) -> list[list[int]]:
    rows: list[list[int]] = [[] for _ in range(count)]
    for row, storages in enumerate(_by_row(pointer, storage)):
        for index in storages:
            rows[index].append(row)
    return rows


def _attention_around(flow: _Flow, softmax: int) -> Found | None:
    """The attention whose softmax this is, where the pattern is certain."""
    rows = flow.table.rows
    keys, elements = int(rows["n"][softmax]), int(rows["m"][softmax] * rows["n"][softmax])
    back = flow.back_to_products(softmax, elements)
    # A gradient may read the probabilities too; the product that uses them stands in the forward rows, or before them when those are done again.
    after = np.flatnonzero(rows["phase"][softmax:] != rows["phase"][softmax])
    last = softmax + int(after[0]) if len(after) else len(rows)
    on = flow.on_to_products(softmax, elements, last)
    if rows["phase"][softmax] == Phase.BACKWARD:
        on = on[:1]
    if len(back) != 1 or len(on) != 1:
        return None
    first, second = rows[back[0][-1]], rows[on[0][-1]]
    queries = int(first["m"])
    if int(first["n"]) != keys or int(second["k"]) != keys or int(second["m"]) != queries or first["batch"] != second["batch"]:
        return None
    heads = max(1, int(rows["heads"][softmax]))
    members = (*reversed(back[0]), softmax, *on[0])
    return Found(members, (queries, keys, heads, heads, int(first["k"]), int(second["n"])), softmax, members[-1])


def _gradients(flow: _Flow, found: Found) -> Iterator[int]:
    """Backward rows of one attention."""
    rows = flow.table.rows
    elements = int(rows["m"][found.softmax] * rows["n"][found.softmax])
    probabilities = set(flow.writes_of[found.softmax])
    multiplied = set(flow.reads_of[found.second])
    end = len(rows)
    for storage in multiplied:  # dV = Pᵀ dO reads P; dP = dO Vᵀ reads V and is found again below
        for reader in flow.readers(storage, found.second):
            shape = rows[reader]
            if flow.ops[reader] in _PRODUCTS and shape["phase"] == Phase.BACKWARD and {int(shape["m"]), int(shape["k"])} == {found.shape[0], found.shape[1]}:
                yield reader
    for storage in probabilities:
        for reader in flow.readers(storage, found.softmax):
            if flow.ops[reader] == "aten._softmax_backward_data":
                yield reader
                for way in flow.back_to_products(reader, elements):
                    yield from way
                for way in flow.on_to_products(reader, elements, end):
                    yield from way


def mark_eager_attention(table: OperatorTable) -> OperatorTable:
    """`table` with kind ATTENTION and the shape of the attention on every row of a spelled-out one."""
    softmaxes = [i for i in np.flatnonzero(table.rows["kind"] == Kind.SOFTMAX).tolist() if table.op(i) in ("aten._softmax", "aten._safe_softmax")]
    if not softmaxes:
        return table
    flow, rows = _Flow(table), table.rows.copy()
    for softmax in softmaxes:
        found = _attention_around(flow, softmax)
        rows["heads"][softmax] = 0  # the recorder's hint
        if found is None:
            rows["axes"][softmax] = Axes.NONE
        for row in (*found.rows, *_gradients(flow, found)) if found is not None else ():
            rows["kind"][row], rows["axes"][row] = Kind.ATTENTION, rows["axes"][softmax]
            for name, value in zip(_HEADS, found.shape, strict=True) if found is not None else ():
                rows[name][row] = value
    rows["axes"][rows["kind"] == Kind.SOFTMAX] = Axes.NONE  # gradients too: what is no attention has no sequences
    return replace(table, rows=rows)
