"""Builds an operator table row by row; used by the tracer and by the families alike, so that both count the same way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from thrifty.formats import get_format
from thrifty.workload.table import ROW, STORAGE, Axes, Kind, OperatorTable, Phase, Role, Stage

Access = tuple[int, int]
"""(storage, bytes of it that the row touches)."""


class TableBuilder:
    """Collects storages and rows; `build` freezes them.

    A storage is known by the number that `storage` returned. A row names the storages that it reads and writes with the bytes of each that
    it touches; a storage named twice in one row counts once, at its larger extent. Unless `release` or `hold` says otherwise, a
    storage dies at the last row that touches it, and a weight, buffer or input lives from before the first row to the end.
    """

    def __init__(self) -> None:
        self._strings: dict[str, int] = {"": 0}
        self._formats: dict[str, int] = {}
        self._rows: list[tuple[int | bool, ...]] = []
        self._reads: list[tuple[Access, ...]] = []
        self._writes: list[tuple[Access, ...]] = []
        self._storages: list[list[int]] = []  # bytes, role, format, birth, death (-2: at its last use), name
        self._last_use: list[int] = []
        self._stages: list[Stage] = [Stage("main")]
        self._stage = 0

    def __len__(self) -> int:
        return len(self._rows)

    def _string(self, text: str) -> int:
        return self._strings.setdefault(text, len(self._strings))

    def _format(self, name: str) -> int:
        index = self._formats.get(name)
        if index is None:
            index = self._formats[name] = len(self._formats)
            get_format(name)
        return index

    def stage(self, name: str, repeat: int = 1) -> None:
        """Rows from here on belong to the stage `name`, which runs `repeat` times."""
        if not self._rows and self._stages == [Stage("main")]:
            self._stages = []
        self._stage = len(self._stages)
        self._stages.append(Stage(name, repeat))

    def storage(self, size_bytes: int, role: Role, format_name: str, name: str = "") -> int:
        """Register a storage. Weights, buffers, inputs, optimizer state and caches exist before the first row; others from the row that comes next."""
        before = role in (Role.WEIGHT, Role.BUFFER, Role.INPUT, Role.OPTIMIZER, Role.CACHE)
        self._storages.append([size_bytes, role, self._format(format_name), -1 if before else len(self._rows), -2, self._string(name)])
        self._last_use.append(-1)
        return len(self._storages) - 1

    def size_of(self, storage: int) -> int:
        return self._storages[storage][0]

    def resize(self, storage: int, size_bytes: int) -> None:
        """`storage` grew while in use (a result written into an empty tensor)."""
        self._storages[storage][0] = max(self._storages[storage][0], size_bytes)

    def release(self, storage: int, row: int | None = None) -> None:
        """`storage` is given back after `row` (default: the last row so far)."""
        self._storages[storage][4] = len(self._rows) - 1 if row is None else row

    def touch(self, storage: int) -> None:
        """`storage` is still held during the last row so far, which does not read it (a caller's variable)."""
        self._last_use[storage] = max(self._last_use[storage], len(self._rows) - 1)

    def hold(self, storage: int) -> None:
        """`storage` outlives the table."""
        self._storages[storage][4] = 2**31 - 1

    def relabel(self, storage: int, role: Role) -> None:
        """Say what `storage` turned out to hold."""
        self._storages[storage][1] = role

    def hold_living(self) -> None:
        """Every storage that nobody released outlives the table."""
        for storage in self._storages:
            if storage[4] == -2:
                storage[4] = 2**31 - 1

    def row(
        self, kind: Kind, op: str, module: str, format_name: str, *, reads: Iterable[Access] = (), writes: Iterable[Access] = (),
        phase: Phase = Phase.FORWARD, axes: Axes = Axes.NONE, causal: bool = False, shape: Sequence[int] = (0, 0, 0, 0), taps: int = 0,
        attention: Sequence[int] = (0, 0, 0, 0, 0, 0), flops_matrix: int = 0, flops_vector: int = 0,
        flops_skipped: int = 0, flops_recomputed: int = 0, bytes_staged: int = 0,
        launches: int = 1, views: int = 0, calls: int = 0,
    ) -> int:  # fmt: skip
        """Append one operator call and return its row number.

        shape     : (batch, m, n, k) of the matrix product; for attention (folded batch, 0, 0, 0)
        attention : (seq_q, seq_k, heads, kv_heads, head_dim, value_dim)
        """
        read, written = _merge(reads), _merge(writes)
        number = len(self._rows)
        bytes_read = bytes_weight = 0
        for storage, size in read:
            bytes_read += size
            if self._storages[storage][1] == Role.WEIGHT:
                bytes_weight += size
            self._last_use[storage] = number
        bytes_written = 0
        for storage, size in written:
            bytes_written += size
            self._last_use[storage] = number
        self._rows.append(
            (int(kind), int(phase), int(axes), causal, self._format(format_name), self._stage, self._string(op), self._string(module),
             *shape, taps, *attention, flops_matrix, flops_vector, bytes_read, bytes_written, bytes_weight,
             flops_skipped, flops_recomputed, bytes_staged, launches, views, calls)
        )  # fmt: skip
        self._reads.append(read)
        self._writes.append(written)
        return number

    def build(self) -> OperatorTable:
        """Freeze what was collected."""
        count = len(self._rows)
        storages = np.zeros(len(self._storages), dtype=STORAGE)
        for index, (size, role, format_index, birth, death, name) in enumerate(self._storages):
            resident = role in (Role.WEIGHT, Role.BUFFER, Role.INPUT, Role.OPTIMIZER)
            if death == -2:  # nobody said: residents stay, the rest goes with its last use (or at once when nothing uses it)
                death = count if resident else max(self._last_use[index], birth)
            storages[index] = (size, role, format_index, birth, min(death, count), name)
        reads_ptr, reads, reads_bytes = _csr(self._reads)
        writes_ptr, writes, writes_bytes = _csr(self._writes)
        return OperatorTable(
            rows=np.array(self._rows, dtype=ROW), storages=storages, reads_ptr=reads_ptr, reads=reads, reads_bytes=reads_bytes,
            writes_ptr=writes_ptr, writes=writes, writes_bytes=writes_bytes, strings=tuple(self._strings), formats=tuple(self._formats),
            stages=tuple(self._stages),
        )  # fmt: skip


def _merge(accesses: Iterable[Access]) -> tuple[Access, ...]:
    listed = tuple(accesses)
    if len(listed) < 2:
        return listed
    merged: dict[int, int] = {}
    for storage, size in listed:
        if size > merged.get(storage, -1):
            merged[storage] = size
    return tuple(merged.items())


def _csr(lists: list[tuple[Access, ...]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    pointer = np.zeros(len(lists) + 1, dtype=np.int64)
    if lists:
        np.cumsum([len(item) for item in lists], out=pointer[1:])
    flat = [access for item in lists for access in item]
    pairs = np.array(flat, dtype=np.int64).reshape(-1, 2)
    return pointer, pairs[:, 0].astype(np.int32), np.ascontiguousarray(pairs[:, 1])
