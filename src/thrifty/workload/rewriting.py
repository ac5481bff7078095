"""Replaces rows of a finished table by others: a row by several, or several by one; storages keep their lifetimes, whoever was not replaced stays as it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.workload.table import STORAGE, OperatorTable, Role

Access = tuple[int, int]
"""(storage, bytes of it that the row touches)."""


class Rewriting:
    """A copy of `table` in which row r stands `counts[r]` times (0: it goes), until `build`.

    Rows that stand once keep what they read and write unless `write` says otherwise; every row of those that stand several times must be written.
    """

    def __init__(self, table: OperatorTable, counts: npt.NDArray[np.int64], rewritten: npt.NDArray[np.bool_]) -> None:
        self.table = table
        self._counts, self._rewritten = counts, rewritten
        self.end = np.cumsum(counts)
        self.start = self.end - counts
        self.rows = np.repeat(table.rows, counts)
        self._strings = dict.fromkeys(table.strings)
        self._places = {text: place for place, text in enumerate(table.strings)}
        self._new: list[tuple[int, int, int, int]] = []  # bytes, format, birth, death
        self._reads: list[tuple[int, int, int]] = []
        self._writes: list[tuple[int, int, int]] = []
        self._gone: list[int] = []

    def reads(self, row: int) -> list[Access]:
        """What a row of the old table reads."""
        return _accesses(self.table.reads_ptr, self.table.reads, self.table.reads_bytes, row)

    def writes(self, row: int) -> list[Access]:
        return _accesses(self.table.writes_ptr, self.table.writes, self.table.writes_bytes, row)

    def storage(self, size: int, format_index: int, birth: int, death: int) -> int:
        """A new storage that lives from new row `birth` to new row `death`."""
        self._new.append((size, format_index, birth, death))
        return len(self.table.storages) + len(self._new) - 1

    def forget(self, storages: Sequence[int]) -> None:
        """No row touches these any more."""
        self._gone += storages

    def write(self, new_row: int, op: str, reads: Sequence[Access], writes: Sequence[Access], **fields: Any) -> None:
        """What new row `new_row` is; fields that are not given stay those of the row that it came from."""
        row = self.rows[new_row]
        row["op"] = self._places.setdefault(op, len(self._places))
        for name, value in fields.items():
            row[name] = value
        self._reads += [(new_row, storage, size) for storage, size in _merged(reads)]
        self._writes += [(new_row, storage, size) for storage, size in _merged(writes)]

    def build(self) -> OperatorTable:
        """The new table."""
        table, count = self.table, len(self.rows)
        old = table.storages.copy()
        alive = old["birth"] >= 0
        # Made by the last of the rows that stand for its maker, held until the last of those that stand for its last user.
        old["birth"][alive] = np.maximum(self.end[np.minimum(old["birth"][alive], len(table) - 1)] - 1, 0)
        inside = old["death"] < len(table)
        old["death"][inside] = np.where(old["death"][inside] < 0, old["death"][inside], np.maximum(self.end[np.maximum(old["death"][inside], 0)] - 1, 0))
        old["death"][~inside] = count
        old["bytes"][self._gone] = 0
        fresh = np.zeros(len(self._new), dtype=STORAGE)
        for place, (size, form, birth, death) in enumerate(self._new):
            fresh[place] = (size, Role.ACTIVATION, form, birth, death, 0)
        storages = np.concatenate([old, fresh])
        reads_ptr, reads, reads_bytes = self._pointed(table.reads_ptr, table.reads, table.reads_bytes, self._reads)
        writes_ptr, writes, writes_bytes = self._pointed(table.writes_ptr, table.writes, table.writes_bytes, self._writes)
        rows = self.rows
        written = np.repeat(self._rewritten, self._counts)
        rows["bytes_read"][written] = _per_row(reads_ptr, reads_bytes)[written]
        rows["bytes_written"][written] = _per_row(writes_ptr, writes_bytes)[written]
        rows["bytes_weight"][written] = _per_row(reads_ptr, np.where(storages["role"][reads] == Role.WEIGHT, reads_bytes, 0))[written]
        return replace(
            table, rows=rows, storages=storages, reads_ptr=reads_ptr, reads=reads, reads_bytes=reads_bytes, writes_ptr=writes_ptr, writes=writes,
            writes_bytes=writes_bytes, strings=tuple(self._places),
        )  # fmt: skip

    def _pointed(
        self, pointer: npt.NDArray[Any], storage: npt.NDArray[Any], size: npt.NDArray[Any], added: Sequence[tuple[int, int, int]]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.int64]]:  # fmt: skip
        old_row = np.repeat(np.arange(len(self.table)), np.diff(pointer))
        kept = ~self._rewritten[old_row] & (self._counts[old_row] == 1)
        extra = np.array(added, dtype=np.int64).reshape(-1, 3)
        row = np.concatenate([self.start[old_row[kept]], extra[:, 0]])
        order = np.argsort(row, kind="stable")
        result = np.zeros(len(self.rows) + 1, dtype=np.int64)
        np.cumsum(np.bincount(row, minlength=len(self.rows)), out=result[1:])
        return (
            result, np.concatenate([storage[kept], extra[:, 1]])[order].astype(np.int32), np.concatenate([size[kept], extra[:, 2]])[order].astype(np.int64)
        )  # fmt: skip


def _accesses(pointer: npt.NDArray[Any], storage: npt.NDArray[Any], size: npt.NDArray[Any], row: int) -> list[Access]:
    span = slice(int(pointer[row]), int(pointer[row + 1]))
    return list(zip(storage[span].tolist(), size[span].tolist(), strict=True))


def _merged(accesses: Sequence[Access]) -> list[Access]:
    found: dict[int, int] = {}
    for storage, size in accesses:
        if size > 0:
            found[storage] = max(found.get(storage, 0), size)
    return list(found.items())


def _per_row(pointer: npt.NDArray[Any], values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    total = np.concatenate(([0], np.cumsum(values)))
    return np.asarray(total[pointer[1:]] - total[pointer[:-1]], dtype=np.int64)
