"""What a price needs of an operator table, as plain arrays: one row an operator, or one row for all operators that are alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.workload.table import OperatorTable

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """R operators. FLOPs, bytes and sizes are float64 (exact up to 2⁵³). bytes_moved: read and written; bytes_staged: on top when nothing is fused."""

    kind: Ints
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
        floats: dict[str, Any] = {
            name: rows[name].astype(np.float64)
            for name in (
                "flops_matrix", "flops_vector", "flops_skipped", "flops_recomputed", "bytes_weight", "bytes_staged", "batch", "m", "n", "k", "taps",
                "seq_q", "seq_k", "heads", "kv_heads", "head_dim", "value_dim", "launches", "views", "calls",
            )
        }  # fmt: skip
        floats["bytes_moved"] = (rows["bytes_read"] + rows["bytes_written"]).astype(np.float64)
        floats["repeats"] = table.repeats.astype(np.float64)
        return cls(**ints, **floats, formats=table.formats, strings=table.strings)

    def __len__(self) -> int:
        return len(self.kind)
