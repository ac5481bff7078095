"""Attention as one fused kernel, or spelled out as products and a softmax: the same work, other traffic.

`spelled_out` replaces every fused record by the kernels that an unfused implementation runs, `fused` the other way about (forward rows only); matrix
FLOPs stay, so the two tables differ in bytes, launches and memory. Spelled out, the scores of every head go to memory and back:

    QKᵀ      reads Q, K and a mask  writes S
    softmax  reads S                writes P
    PV       reads P, V             writes O

and in backward dV = Pᵀ dO, dP = dO Vᵀ, dS from dP and P, dQ = dS K, dK = dSᵀ Q.

Some implementations cast the scores to fp32 for their softmax; in form "eager-fp32" that kernel reads and writes four bytes a score, casts included.

What it does not know: dropout.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.formats import get_format
from thrifty.workload.counts import attention_counts, softmax_flops
from thrifty.workload.rewriting import Access, Rewriting
from thrifty.workload.table import Kind, OperatorTable, Phase

Form = Literal["eager", "eager-fp32", "fused"]
FORMS: Final = ("eager", "eager-fp32", "fused")
_FP32_BYTES: Final = 4
_SHAPE: Final = ("batch", "heads", "kv_heads", "seq_q", "seq_k", "head_dim", "value_dim")
_NOTHING: Final = {"flops_matrix": 0, "flops_vector": 0, "flops_skipped": 0, "flops_recomputed": 0, "bytes_staged": 0, "launches": 1, "views": 0, "calls": 0}


def in_form(table: OperatorTable, form: str) -> OperatorTable:
    """`table` with every attention "eager" (spelled out), "eager-fp32" (its softmax in fp32) or "fused". Raises BadValue for another form."""
    if form not in FORMS:
        raise BadValue(f"attention='{form}' is none of {', '.join(FORMS)}. Choose one of them.")
    return fused(table) if form == "fused" else spelled_out(table, wide=form == "eager-fp32")


def is_fused(rows: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """(R,) which rows are fused attention: one record for it all."""
    return np.asarray((rows["kind"] == Kind.ATTENTION) & (rows["m"] == 0))


def spelled_out(table: OperatorTable, *, wide: bool = False) -> OperatorTable:
    """Every fused attention as three kernels forward and five backward; itself where there is none. wide: the forward softmax is in fp32."""
    chosen = is_fused(table.rows)
    if not chosen.any():
        return table
    counts = np.where(chosen, np.where(table.rows["phase"] == Phase.BACKWARD, 5, 3), 1).astype(np.int64)
    made = Rewriting(table, counts, chosen)
    for row in np.flatnonzero(chosen).tolist():
        if table.rows["phase"][row] == Phase.BACKWARD:
            _spell_backward(made, row)
        else:
            _spell_forward(made, row, wide=wide)
    return made.build()


def _sizes(made: Rewriting, index: int) -> tuple[list[int], int, int]:
    """The shape of an attention, its scores, and their bytes."""
    row = made.table.rows[index]
    shape = [int(row[name]) for name in _SHAPE]
    scores = shape[0] * shape[1] * shape[3] * shape[4]
    return shape, scores, int(scores * get_format(made.table.formats[int(row["format"])]).bytes_per_number)


def _spell_forward(made: Rewriting, index: int, *, wide: bool) -> None:
    (batch, heads, kv_heads, q, k, width, value), scores, held = _sizes(made, index)
    row, first = made.table.rows[index], int(made.start[index])
    masked = int(row["flops_vector"]) > attention_counts(batch, q, k, heads, width, value).flops_vector
    before, after = _shared_out(made.reads(index), batch * kv_heads * k * value * held // max(scores, 1))
    s, p = (made.storage(held, int(row["format"]), first + place, first + place + 1) for place in (0, 1))
    product = dict(zip(("batch", "m", "n", "k"), (batch * heads, q, k, width), strict=True))
    made.write(
        first, "attention.scores", before, [(s, held)],
        **{**_NOTHING, **product, "flops_matrix": 2 * scores * width, "flops_vector": scores * (1 + masked), "views": row["views"], "calls": row["calls"]},
    )  # fmt: skip
    softmax = {"batch": 1, "m": batch * heads * q, "n": k, "k": 0, "flops_vector": softmax_flops(batch * heads * q, k)}
    through = max(held, scores * _FP32_BYTES) if wide else held
    made.write(first + 1, "attention.softmax", [(s, through)], [(p, through)], **{**_NOTHING, **softmax})
    mix = {"batch": batch * heads, "m": q, "n": value, "k": k, "flops_matrix": 2 * scores * value}
    made.write(first + 2, "attention.mix", [(p, held), *after], made.writes(index)[:1], **{**_NOTHING, **mix})


def _spell_backward(made: Rewriting, index: int) -> None:
    """P is read twice; it is taken to have been kept from the forward pass, in a storage of its own."""
    (batch, heads, _, q, k, width, value), scores, held = _sizes(made, index)
    row, first = made.table.rows[index], int(made.start[index])
    reads, writes = made.reads(index), made.writes(index)
    grad, operands = reads[:1], (reads[1:] * 3)[:3]
    grad_q, grad_k, grad_v = (writes * 3)[:3]
    form = int(row["format"])
    p = made.storage(held, form, first, first + 2)
    dp, ds = made.storage(held, form, first + 1, first + 2), made.storage(held, form, first + 2, first + 4)
    steps: tuple[tuple[str, list[Access], Access, tuple[int, int, int, int], int], ...] = (
        ("attention.grad_v", [(p, held), *grad], grad_v, (batch * heads, k, value, q), 2 * scores * value),
        ("attention.grad_chances", [*grad, operands[2]], (dp, held), (batch * heads, q, k, value), 2 * scores * value),
        ("attention.softmax_backward", [(dp, held), (p, held)], (ds, held), (1, batch * heads * q, k, 0), 0),
        ("attention.grad_q", [(ds, held), operands[1]], grad_q, (batch * heads, q, width, k), 2 * scores * width),
        ("attention.grad_k", [(ds, held), operands[0]], grad_k, (batch * heads, k, width, q), 2 * scores * width),
    )
    for place, (op, read, written, shape, flops) in enumerate(steps):
        sizes = dict(zip(("batch", "m", "n", "k"), shape, strict=True))
        vector = 0 if shape[3] else 4 * scores
        made.write(first + place, op, read, [written], **{**_NOTHING, **sizes, "flops_matrix": flops, "flops_vector": vector})


def _shared_out(reads: Sequence[Access], last: int) -> tuple[list[Access], list[Access]]:
    """What the first product reads, and the second: values are the third operand; where several share a storage, the last `last` bytes of it.

    A mask stands behind the values and is read with the scores.
    """
    if len(reads) >= 3:  # queries, keys, values, and whatever comes after
        return [*reads[:2], *reads[3:]], [reads[2]]
    place = 1 if len(reads) == 2 and reads[1][1] >= 2 * last else 0
    storage, size = reads[place] if reads else (0, 0)
    rest = [access for other, access in enumerate(reads) if other != place]
    return [*rest, (storage, max(size - last, 0))], [(storage, min(last, size))]


def fused(table: OperatorTable) -> OperatorTable:
    """Every attention that is spelled out in the forward pass as one fused record; itself where there is none."""
    groups = list(_groups(table))
    if not groups:
        return table
    counts, rewritten = np.ones(len(table), dtype=np.int64), np.zeros(len(table), dtype=bool)
    for group in groups:
        counts[group[:-1]] = 0
        rewritten[group] = True
    made = Rewriting(table, counts, rewritten)
    for group in groups:
        _fuse(made, group)
    return made.build()


def _groups(table: OperatorTable) -> Iterator[list[int]]:
    """Rows of one spelled-out attention: from a product of queries and keys to the next product."""
    rows = table.rows
    found: list[int] = []
    for index in np.flatnonzero((rows["kind"] == Kind.ATTENTION) & (rows["m"] > 0) & (rows["phase"] == Phase.FORWARD)).tolist():
        found.append(index)
        if rows["k"][index] > 0 and sum(int(rows["k"][i]) > 0 for i in found) == 2:
            yield found
            found = []


def _fuse(made: Rewriting, group: Sequence[int]) -> None:
    rows, last = made.table.rows, group[-1]
    row = rows[last]
    inside = {storage for index in group[:-1] for storage, _ in made.writes(index)}
    sizes: dict[int, int] = {}
    for index in group:
        for storage, size in made.reads(index):
            if storage not in inside:  # parts of one storage (queries, keys and values of one projection) add up
                sizes[storage] = min(sizes.get(storage, 0) + size, int(made.table.storages["bytes"][storage]))
    reads = list(sizes.items())
    batch, heads, q, k, width, value = (int(row[name]) for name in ("batch", "heads", "seq_q", "seq_k", "head_dim", "value_dim"))
    batch //= max(heads, 1)
    plain = attention_counts(batch, q, k, heads, width, value, causal=bool(row["causal"]))
    masked = sum(int(rows["flops_vector"][i]) for i in group) > plain.flops_vector
    counts = attention_counts(batch, q, k, heads, width, value, causal=bool(row["causal"]), masked=masked)
    made.forget(sorted(inside))
    matrix = sum(int(rows["flops_matrix"][i]) for i in group)
    entered = {name: sum(int(rows[name][i]) for i in group) for name in ("views", "calls")}
    work = {**entered, "flops_matrix": matrix, "flops_vector": counts.flops_vector, "flops_skipped": counts.flops_skipped}
    made.write(int(made.start[last]), "attention", reads, made.writes(last), **{**_NOTHING, "batch": batch, "m": 0, "n": 0, "k": 0, **work})
