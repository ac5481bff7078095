"""What a price needs of an operator table, as plain arrays: one row an operator, or one row for all operators that are alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.workload.table import Kind, OperatorTable

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


CACHE_BYTES = 16 * 2**20
"""What a processor's last-level cache is taken to keep for one program. Only calibrated prices ask, and they hardly depend on it."""


def kernel_kind(rows: npt.NDArray[Any]) -> Ints:
    """(R,) what kernel runs a row: a fused attention record is attention (its m is 0), the products of a spelled-out one are matrix products."""
    spelled_out = (rows["kind"] == Kind.ATTENTION) & (rows["m"] > 0)
    kernel = np.where(spelled_out, np.where(rows["k"] > 0, Kind.LINEAR, Kind.ELEMENTWISE), rows["kind"])
    return np.asarray(kernel, dtype=np.int64)


def cold_bytes(table: OperatorTable, cache_bytes: int = CACHE_BYTES) -> npt.NDArray[np.int64]:
    """(R,) bytes read by each row that were last touched more than `cache_bytes` of traffic ago; what a step touches first, a whole step ago."""
    count = len(table)
    result = np.zeros(count, dtype=np.int64)
    if not count:
        return result
    moved = (table.rows["bytes_read"] + table.rows["bytes_written"]).astype(np.int64)
    after = np.cumsum(moved)
    rows = np.concatenate([np.repeat(np.arange(count), np.diff(table.reads_ptr)), np.repeat(np.arange(count), np.diff(table.writes_ptr))])
    storages = np.concatenate([table.reads, table.writes])
    is_read = np.concatenate([np.ones(len(table.reads), dtype=bool), np.zeros(len(table.writes), dtype=bool)])
    size = np.concatenate([table.reads_bytes, table.writes_bytes])
    order = np.lexsort((rows, storages))
    rows, storages, is_read, size = rows[order], storages[order], is_read[order], size[order]
    same = np.zeros(len(rows), dtype=bool)
    same[1:] = storages[1:] == storages[:-1]
    last = np.empty(len(rows), dtype=np.int64)
    last[1:] = after[rows[:-1]]
    last[~same] = after[rows[~same]] - moved[rows[~same]] - after[-1]  # one step ago
    distance = after[rows] - moved[rows] - last
    chosen = is_read & (distance > cache_bytes)
    np.add.at(result, rows[chosen], size[chosen])
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """R operators. FLOPs, bytes and sizes are float64 (exact up to 2⁵³). bytes_moved: read and written; bytes_staged: on top when nothing is fused;
    kernel: the kind by which a row is priced, that of its kind but for attention that a module spells out (see `kernel_kind`);
    hot: 1 where all that the step moves stays in such a cache, and the framework's own code and data with it, else 0;
    bytes_cold: of those moved, what no row before it left in a cache of `CACHE_BYTES`."""

    kind: Ints
    kernel: Ints
    phase: Ints
    format: Ints
    op: Ints
    repeats: Floats
    flops_matrix: Floats
    flops_vector: Floats
    flops_skipped: Floats
    flops_recomputed: Floats
    bytes_moved: Floats
    bytes_weight: Floats
    bytes_staged: Floats
    bytes_cold: Floats
    hot: Floats
    batch: Floats
    m: Floats
    n: Floats
    k: Floats
    taps: Floats
    seq_q: Floats
    seq_k: Floats
    heads: Floats
    kv_heads: Floats
    head_dim: Floats
    value_dim: Floats
    launches: Floats
    views: Floats
    calls: Floats
    formats: tuple[str, ...]
    strings: tuple[str, ...]

    @classmethod
    def of(cls, table: OperatorTable) -> Columns:
        """The columns of `table`, one row an operator call."""
        rows = table.rows
        ints: dict[str, Any] = {name: rows[name].astype(np.int64) for name in ("kind", "phase", "format", "op")}
        ints["kernel"] = kernel_kind(rows)
        floats: dict[str, Any] = {
            name: rows[name].astype(np.float64)
            for name in (
                "flops_matrix", "flops_vector", "flops_skipped", "flops_recomputed", "bytes_weight", "bytes_staged", "batch", "m", "n", "k", "taps",
                "seq_q", "seq_k", "heads", "kv_heads", "head_dim", "value_dim", "launches", "views", "calls",
            )
        }  # fmt: skip
        floats["bytes_moved"] = (rows["bytes_read"] + rows["bytes_written"]).astype(np.float64)
        floats["bytes_cold"] = cold_bytes(table).astype(np.float64)
        floats["hot"] = np.full(len(rows), float(floats["bytes_moved"].sum() <= CACHE_BYTES))
        floats["repeats"] = table.repeats.astype(np.float64)
        return cls(**ints, **floats, formats=table.formats, strings=table.strings)

    def __len__(self) -> int:
        return len(self.kind)
