"""How long are the sequences that attention meets, call by call through a run?

A UNet's lengths fall and rise again in every step, a masked transformer's stay, an autoregressive one's keys grow token by token. Read off the operator table,
so off what really ran: a block that is not there is not in the profile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from thrifty.workload import Axes, Kind, OperatorTable, Phase
from thrifty.workload.attention_forms import is_fused


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of attention, `repeats` times over. batch: what is folded into its batch."""

    stage: str
    kind: str
    seq_q: int
    seq_k: int
    heads: int
    head_dim: int
    batch: int
    repeats: int


def attention_calls(table: OperatorTable, *, unroll_growth: bool = True) -> Iterator[Call]:
    """Forward calls in the order in which they run. Steps of one token are told one by one, equal calls of a step together."""
    rows = table.rows
    fused = is_fused(rows)
    spelled = (rows["kind"] == Kind.ATTENTION) & (rows["m"] > 0) & (rows["k"] > 0) & (rows["k"] == rows["seq_k"]) & (rows["n"] == rows["value_dim"])
    chosen = np.flatnonzero((fused | spelled) & (rows["phase"] == Phase.FORWARD))
    growing = {stage.name for stage in table.stages if stage.growth}
    for number, stage in enumerate(table.stages):
        calls = [_call(table, row, stage.name, stage.repeat) for row in chosen[rows["stage"][chosen] == number].tolist()]
        one_token = bool(calls) and all(call.seq_q == 1 for call in calls)
        if not ((stage.name in growing or one_token) and unroll_growth):
            yield from calls
            continue
        step = Counter(calls)
        for place in range(stage.repeat):
            shift = (place - stage.repeat // 2) * stage.growth
            for call, count in step.items():
                seq_k = call.seq_k + shift if call.kind != Axes.CROSS.label else call.seq_k
                yield Call(
                    stage=call.stage, kind=call.kind, seq_q=call.seq_q, seq_k=seq_k, heads=call.heads, head_dim=call.head_dim, batch=call.batch, repeats=count
                )  # fmt: skip


def _call(table: OperatorTable, index: int, stage: str, repeats: int) -> Call:
    row = table.rows[index]
    axes = Axes(int(row["axes"]))
    batch = int(row["batch"]) if row["m"] == 0 else int(row["batch"]) // max(int(row["heads"]), 1)
    return Call(
        stage=stage, kind=(Axes.SELF if axes == Axes.NONE else axes).label, seq_q=int(row["seq_q"]), seq_k=int(row["seq_k"]), heads=int(row["heads"]),
        head_dim=int(row["head_dim"]), batch=batch, repeats=repeats,
    )  # fmt: skip


def histogram(table: OperatorTable) -> dict[int, int]:
    """How often attention is called with each number of queries, all repeats counted, the shortest first."""
    counts: Counter[int] = Counter()
    for call in attention_calls(table, unroll_growth=False):
        counts[call.seq_q] += call.repeats
    return dict(sorted(counts.items()))


def attention_list(table: OperatorTable) -> list[dict[str, Any]]:
    """Every shape of attention call with how often it runs, in the order of first use. Of a growing stage the middle piece's keys stand for a piece."""
    counts: dict[tuple[Any, ...], int] = {}
    for call in attention_calls(table, unroll_growth=False):
        key = (call.stage, call.seq_q, call.seq_k, call.heads, call.head_dim, call.batch, call.kind)
        counts[key] = counts.get(key, 0) + call.repeats
    names = ("stage", "seq_q", "seq_k", "heads", "head_dim", "batch", "kind")
    return [{**dict(zip(names, key, strict=True)), "count": count} for key, count in counts.items()]


def neighbour_ratio(table: OperatorTable) -> float | None:
    """The largest step between the query lengths of neighbouring lengths of the same kind of attention; None where there is one length or none."""
    largest = None
    by_kind: dict[tuple[str, str], set[int]] = {}
    for call in attention_calls(table, unroll_growth=False):
        by_kind.setdefault((call.stage, call.kind), set()).add(call.seq_q)
    for lengths in by_kind.values():
        ordered = sorted(lengths)
        for small, large in pairwise(ordered):
            largest = max(largest or 0.0, large / small)
    return largest
