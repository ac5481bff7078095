"""Joins the kernels of a norm that a module spells out (RMSNorm as power, mean, add, rsqrt, multiply, multiply) into one row.

Found by structure: consecutive rows of one call of a module without children, nothing but the arithmetic of a norm in them, a mean and a root among
them; in backward, consecutive rows of the gradients of such a call. The joined row reads what came in and writes what stays; what the
kernels moved between themselves is its `bytes_staged`, and the most that they held at once stays in the live bytes, exactly.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.workload.table import Kind, OperatorTable, Role

_ARITHMETIC: Final = frozenset(
    f"aten.{name}"
    for name in (
        "pow", "square", "mean", "add", "sub", "rsqrt", "sqrt", "mul", "div", "_to_copy", "reciprocal", "var", "var_mean", "sum", "rsub",
    )
)  # fmt: skip
_ROOTS: Final = frozenset({"aten.rsqrt", "aten.sqrt"})
_MEANS: Final = frozenset({"aten.mean", "aten.var", "aten.var_mean"})


@dataclass(frozen=True, slots=True)
class Group:
    """Rows start … end − 1 are one norm of `outputs` rows of `size` elements, or its gradient."""

    start: int
    end: int
    outputs: int
    size: int
    gradient: bool = False


def _norm_in(table: OperatorTable, start: int, end: int) -> Group | None:
    """Rows start … end − 1, all the arithmetic of one module call, as a norm, if they are one: as many elements come out as were averaged."""
    rows, ops = table.rows, [name.rstrip("_") for name in (table.op(i) for i in range(start, end))]
    mean = next((i for i, name in enumerate(ops) if name in _MEANS), None)
    if end - start < 3 or mean is None or _ROOTS.isdisjoint(ops) or not _ARITHMETIC.issuperset(ops):
        return None
    outputs, flops = max(1, int(rows["m"][start + mean])), int(rows["flops_vector"][start + mean])
    size = (flops - outputs) // outputs if ops[mean] == "aten.mean" else flops // (3 * outputs)
    return Group(start, end, outputs, size) if int(rows["m"][end - 1]) == outputs * size else None


def _groups(table: OperatorTable, call_numbers: list[int], leaves: set[str]) -> list[Group]:
    """Runs of rows of one module call. Its first run is its forward pass (again, under checkpointing), later ones are gradients."""
    calls = np.asarray(call_numbers, dtype=np.int64)
    phase = table.rows["phase"]
    leaf = np.array([name in leaves for name in table.strings])[table.rows["module"]]
    starts = np.flatnonzero(np.concatenate(([True], (calls[1:] != calls[:-1]) | (phase[1:] != phase[:-1]))))
    ends = np.append(starts[1:], len(calls))
    chosen = leaf[starts] & (calls[starts] > 0)
    groups: list[Group] = []
    norms: dict[int, Group | None] = {}
    for start, end, call in zip(starts[chosen].tolist(), ends[chosen].tolist(), calls[starts[chosen]].tolist(), strict=True):
        if call not in norms:
            norms[call] = found = _norm_in(table, start, end)
        else:
            forward = norms[call]
            found = Group(start, end, forward.outputs, forward.size, gradient=True) if forward is not None else None
        if found is not None:
            groups.append(found)
    return groups


def join_norms(
    table: OperatorTable, call_numbers: list[int], leaves: set[str], seconds: npt.NDArray[np.float64] | None
) -> tuple[OperatorTable, npt.NDArray[np.float64] | None]:  # fmt: skip
    """`table` with every spelled-out norm as one row, and `seconds` (R,) added up likewise.

    call_numbers : (R,) which module call each row belongs to; in backward, that of the forward operator whose gradient it is
    leaves       : paths of modules without children
    """
    groups = _groups(table, call_numbers, leaves) if len(table) else []
    if not groups:
        return table, seconds
    count = len(table)
    member = np.full(count, -1, dtype=np.int64)
    for number, group in enumerate(groups):
        member[group.start : group.end] = number
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
    strings, norm, norm_backward = (*table.strings, "norm", "norm_backward"), len(table.strings), len(table.strings) + 1
    for group in groups:
        row = rows[new_of[group.start]]
        row["kind"], row["op"] = Kind.NORM, norm_backward if group.gradient else norm
        row["batch"], row["m"], row["n"], row["k"] = 1, group.outputs, group.size, 0
    rows["bytes_read"] = _per_row(reads_ptr, reads_bytes)
    rows["bytes_written"] = _per_row(writes_ptr, writes_bytes)
    rows["bytes_weight"] = _per_row(reads_ptr, np.where(storages["role"][reads] == Role.WEIGHT, reads_bytes, 0))
    rows["bytes_staged"] = np.where(is_joined, moved - rows["bytes_read"] - rows["bytes_written"], 0)

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
