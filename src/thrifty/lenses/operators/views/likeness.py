"""Is a stage like an LLM's prefill, like its decode, or between?

Three numbers decide: how long the queries of self-attention are against its keys (a prefill's are as long, a decode's are one), and how the work per byte
compares with what the device needs to be busy. Prefill-like: queries above half of the keys and more work per byte than the ridge; decode-like: below
a tenth, and less; mixed: anything else. A model without attention is judged by its work per byte alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from thrifty.hardware import Device
from thrifty.lenses.operators.views.intensity import intensity
from thrifty.workload import Axes, Kind, OperatorTable, Workload
from thrifty.workload.attention_forms import is_fused

Likeness = Literal["prefill-like", "decode-like", "mixed"]
LONG_QUERIES: Final = 0.5
SHORT_QUERIES: Final = 0.1
LARGEST_BATCH: Final = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a stage is like on a device, and the numbers behind it.

    reuse        : rows that each weight is multiplied with, the mean over weights by their size
    q_over_k     : queries over keys, the mean over calls of self-attention; None without any
    ai_over_ridge: work per (algorithmic) byte over the device's ridge
    flip_batch   : the smallest batch from which on the stage's work per byte is above the ridge; 1 where it is at once, None where it never comes there
                   (`ai_limit` is what it tends to) or has no batch
    """

    likeness: Likeness
    reuse: float
    q_over_k: float | None
    ai_over_ridge: float
    flip_batch: int | None
    ai_limit: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "likeness": self.likeness, "reuse": self.reuse, "q_over_k": self.q_over_k, "ai_over_ridge": self.ai_over_ridge, "flip_batch": self.flip_batch,
            "ai_limit": self.ai_limit,
        }  # fmt: skip


def weight_reuse(table: OperatorTable) -> float:
    """Rows of input that each weight meets: FLOPs of products with weights over twice the weights' size, in numbers."""
    rows = table.rows
    chosen = ((rows["kind"] == Kind.LINEAR) | (rows["kind"] == Kind.CONV)) & (rows["bytes_weight"] > 0)
    numbers = (rows["batch"] * rows["n"] * rows["k"])[chosen].astype(np.float64)
    return float((rows["m"][chosen] * numbers).sum() / numbers.sum()) if numbers.size and numbers.sum() else 0.0


def queries_over_keys(table: OperatorTable) -> float | None:
    """The mean over calls of self-attention (anything but attention to others' tokens); None without any."""
    rows = table.rows
    chosen = is_fused(rows) & (rows["axes"] != Axes.CROSS)
    if not chosen.any():  # spelled out: the second product stands for the call
        chosen = (rows["kind"] == Kind.ATTENTION) & (rows["k"] == rows["seq_k"]) & (rows["m"] > 0) & (rows["axes"] != Axes.CROSS)
    return float((rows["seq_q"][chosen] / rows["seq_k"][chosen]).mean()) if chosen.any() else None


def verdict(workload: Workload, device: Device, *, flip: bool = True) -> Verdict:
    """Of one stage's workload. flip: also look for the batch at which it becomes bound by compute (tables at some twenty batches)."""
    found = intensity(workload.table, device, workload.format)
    assert found.ridge is not None
    ratio = (found.algorithmic or 0.0) / found.ridge
    relation = queries_over_keys(workload.table)
    if ratio > 1 and (relation is None or relation > LONG_QUERIES):
        likeness: Likeness = "prefill-like"
    elif ratio < 1 and (relation is None or relation < SHORT_QUERIES):
        likeness = "decode-like"
    else:
        likeness = "mixed"
    batch, limit = (_flip(workload, device, found.ridge)) if flip else (None, None)
    return Verdict(
        likeness=likeness, reuse=weight_reuse(workload.table), q_over_k=relation, ai_over_ridge=ratio, flip_batch=batch, ai_limit=limit
    )  # fmt: skip


def _flip(workload: Workload, device: Device, ridge: float) -> tuple[int | None, float | None]:
    """(the batch, None), or (None, what the work per byte tends to)."""
    if workload.source is None or not any(symbol.name == "batch" for symbol in workload.symbols):
        return None, None
    source = workload.source

    def at(batch: int) -> float:
        table = source.table(workload.phase, workload.format, {**workload.point, "batch": batch})
        rows = table.rows
        return int(rows["flops_matrix"].sum()) / max(int((rows["bytes_read"] + rows["bytes_written"]).sum()), 1)

    if at(1) >= ridge:
        return 1, None
    limit = at(LARGEST_BATCH)
    if limit < ridge:
        return None, limit
    low, high = 1, LARGEST_BATCH
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if at(middle) >= ridge else (middle, high)
    return high, None
