"""Joins the kernels of a norm that a module spells out (RMSNorm as power, mean, add, rsqrt, multiply, multiply) into one row.

Found by structure: consecutive rows of one call of a module without children, nothing but the arithmetic of a norm in them, a mean and a root among
them; in backward, consecutive rows of the gradients of such a call. The joined row reads what came in and writes what stays; what the
kernels moved between themselves is its `bytes_staged`, and the most that they held at once stays in the live bytes, exactly.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.workload.table import Kind, OperatorTable, Phase, Role

_ARITHMETIC: Final = frozenset(
    f"aten.{name}"
    for name in (
        "pow", "square", "mean", "add", "sub", "rsqrt", "sqrt", "mul", "div", "_to_copy", "reciprocal", "var", "var_mean", "sum", "rsub",
    )  # fmt: skip
)
_ROOTS: Final = frozenset({"aten.rsqrt", "aten.sqrt"})
_MEANS: Final = frozenset({"aten.mean", "aten.var", "aten.var_mean"})

Group = tuple[int, int, int, int]
"""(first row, row after the last, rows normalised, elements of each)."""


def _groups(table: OperatorTable, leaves: set[str]) -> list[Group]:
    rows = table.rows
    forward, phases, calls = int(Phase.FORWARD), rows["phase"].tolist(), rows["calls"].tolist()
    leaf = np.array([name in leaves and name != "" for name in table.strings])
    arithmetic = np.array([name in _ARITHMETIC for name in table.strings])
    roots = np.array([name in _ROOTS for name in table.strings])
    means = np.array([name in _MEANS for name in table.strings])
    module, op = rows["module"].tolist(), rows["op"].tolist()
    candidate = (leaf[rows["module"]] & arithmetic[rows["op"]] & (rows["phase"] == Phase.FORWARD)).tolist()
    groups: list[Group] = []
    norms: dict[int, list[tuple[int, int]]] = {}
    index, count = 0, len(rows)
    while index < count:
        if phases[index] == forward:
            if not candidate[index]:
                index += 1
                continue
            end = index + 1
            while end < count and candidate[end] and module[end] == module[index] and calls[end] == 0:
                end += 1
            inside = range(index, end)
            mean = next((i for i in inside if means[op[i]]), None)
            if mean is not None and any(roots[op[i]] for i in inside) and end - index > 2:
                outputs = max(1, int(rows["m"][mean]))
                size = (int(rows["flops_vector"][mean]) - outputs) // outputs
                groups.append((index, end, outputs, size))
                norms.setdefault(module[index], []).append((outputs, size))
            index = end
        elif phases[index] == Phase.BACKWARD and norms.get(module[index]):
            end = index + 1
            while end < count and module[end] == module[index] and phases[end] == Phase.BACKWARD:
                end += 1
            outputs, size = norms[module[index]].pop()
            groups.append((index, end, outputs, size))
            index = end
        else:
            index += 1
    return groups


def join_norms(
    table: OperatorTable, leaves: set[str], seconds: npt.NDArray[np.float64] | None
) -> tuple[OperatorTable, npt.NDArray[np.float64] | None]:  # fmt: skip
    """`table` with every spelled-out norm as one row, and `seconds` (R,) added up likewise."""
    groups = _groups(table, leaves)
    if not groups:
        return table, seconds
    count = len(table)
    member = np.full(count, -1, dtype=np.int64)
    for number, (start, end, _, _) in enumerate(groups):
        member[start:end] = number
    first = np.ones(count, dtype=bool)
    first[1:] = (member[1:] < 0) | (member[1:] != member[:-1])
    new_of = np.cumsum(first) - 1  # (R,) old row → new row
    starts = np.flatnonzero(first)
    new_count = len(starts)
    is_joined = member[starts] >= 0

    storages = table.storages.copy()
    birth, death = storages["birth"].copy(), storages["death"].copy()
    born = birth >= 0
    storages["birth"][born] = _renumber(new_of, birth[born], new_count)
    storages["death"] = np.where(death >= count, new_count, _renumber(new_of, np.maximum(death, 0), new_count))
    storages["death"][death < 0] = death[death < 0]
    inside = born & (storages["birth"] == storages["death"]) & (storages["birth"] < new_count)
    inside[inside] = is_joined[storages["birth"][inside]]

    sums = {name: np.add.reduceat(table.rows[name], starts) for name in ("flops_matrix", "flops_vector", "launches", "views", "calls")}
    moved = np.add.reduceat(table.rows["bytes_read"] + table.rows["bytes_written"], starts)
    join = functools.partial(_join_accesses, new_of=new_of, new_count=new_count, storages=storages, is_joined=is_joined, inside=inside)
    reads_ptr, reads, reads_bytes = join(table.reads_ptr, table.reads, table.reads_bytes, drop_born=True)
    writes_ptr, writes, writes_bytes = join(table.writes_ptr, table.writes, table.writes_bytes, drop_born=False)

    rows = table.rows[starts].copy()
    for name, values in sums.items():
        rows[name] = values
    for number, (start, _, outputs, size) in enumerate(groups):
        rows["kind"][new_of[start]] = Kind.NORM
        for name, value in (("batch", 1), ("m", outputs), ("n", size), ("k", 0)):
            rows[name][new_of[start]] = value
        assert member[start] == number
    rows["bytes_read"] = _per_row(reads_ptr, reads_bytes)
    rows["bytes_written"] = _per_row(writes_ptr, writes_bytes)
    rows["bytes_weight"] = _per_row(reads_ptr, np.where(storages["role"][reads] == Role.WEIGHT, reads_bytes, 0))
    rows["bytes_staged"] = np.where(is_joined, moved - rows["bytes_read"] - rows["bytes_written"], 0)

    strings, norm, norm_backward = (*table.strings, "norm", "norm_backward"), len(table.strings), len(table.strings) + 1
    rows["op"][is_joined] = np.where(rows["phase"][is_joined] == Phase.FORWARD, norm, norm_backward)

    # One stand-in a group holds what its kernels held at most, beyond what lives through the joined row anyway.
    highest = np.maximum.reduceat(table.live_bytes(), starts)
    storages["bytes"][inside] = 0
    joined = replace(
        table, rows=rows, storages=storages, reads_ptr=reads_ptr, reads=reads, reads_bytes=reads_bytes, writes_ptr=writes_ptr, writes=writes,
        writes_bytes=writes_bytes, strings=strings,
    )  # fmt: skip
    missing = highest - joined.live_bytes()
    owner = np.full(new_count, -1, dtype=np.int64)
    owner[storages["birth"][inside]] = np.flatnonzero(inside)
    chosen = (owner >= 0) & (missing > 0)
    storages["bytes"][owner[chosen]] = missing[chosen]
    return joined, None if seconds is None else np.add.reduceat(seconds, starts)


def _renumber(new_of: npt.NDArray[Any], old: npt.NDArray[Any], new_count: int) -> npt.NDArray[Any]:
    return np.where(old >= len(new_of), new_count, new_of[np.minimum(old, len(new_of) - 1)])


def _per_row(pointer: npt.NDArray[Any], values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    total = np.concatenate(([0], np.cumsum(values)))
    return np.asarray(total[pointer[1:]] - total[pointer[:-1]], dtype=np.int64)


def _join_accesses(
    pointer: npt.NDArray[Any], storage: npt.NDArray[Any], size: npt.NDArray[Any], *, new_of: npt.NDArray[Any], new_count: int,
    storages: npt.NDArray[Any], is_joined: npt.NDArray[Any], inside: npt.NDArray[Any], drop_born: bool,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.int64]]:  # fmt: skip
    """CSR accesses under the new row numbers; a storage that a joined row touches twice counts once, at its larger extent."""
    row = np.repeat(new_of, np.diff(pointer))
    internal = (storages["birth"][storage] == row) if drop_born else inside[storage]
    keep = ~(is_joined[row] & internal)
    row, storage, size = row[keep], storage[keep], size[keep]
    order = np.lexsort((-size, storage, row))
    row, storage, size = row[order], storage[order], size[order]
    fresh = np.ones(len(row), dtype=bool)
    fresh[1:] = (row[1:] != row[:-1]) | (storage[1:] != storage[:-1])
    row, storage, size = row[fresh], storage[fresh], size[fresh]
    new_pointer = np.zeros(new_count + 1, dtype=np.int64)
    np.cumsum(np.bincount(row, minlength=new_count), out=new_pointer[1:])
    return new_pointer, storage.astype(np.int32), size.astype(np.int64)
