"""The backward pass compiled, head by head: the same bits as `plain`. Imported only where Numba is.

Sums are chains of fused multiply-adds in the dtype of `like` (FP32 or FP64), whose operands that dtype holds; `compiled` asks for nothing else.
Rows of a tile of queries are kept over all keys, so that D may come from P and dP before dS needs it.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import types
from numba.extending import intrinsic

from thrifty.formats.elementary_kernels import exp_row
from thrifty.formats.rounding.kernels import round_row, round_scalar
from thrifty.loops import jit

SITES_USED: Final = (
    "s.store", "s.scale", "s.bias", "s.sub", "b.p", "p.store", "b.dp", "b.sub", "b.ds", "b.dq", "b.dk", "b.dv", "b.dsum", "b.out", "p.exp", "l.store", "p.div",
)  # fmt: skip
"""Rows of the table of roundings that kernels take."""
S_STORE, S_SCALE, S_BIAS, S_SUB, B_P, P_STORE, B_DP, B_SUB, B_DS, B_DQ, B_DK, B_DV, B_DSUM, B_OUT, P_EXP, L_STORE, P_DIV = range(17)
ANY: Final = 1 << 40
"""A window's side without end."""


@intrinsic  # type: ignore[untyped-decorator]
def fused(context: Any, a: Any, b: Any, c: Any) -> Any:
    """a · b + c, rounded once."""
    if not (a == b == c and a in (types.float32, types.float64)):
        return None

    def multiply_add(context: Any, builder: Any, _: Any, args: Any) -> Any:
        return builder.fma(*args)

    return a(a, b, c), multiply_add


@jit
def row_times(row: Any, matrix: Any, first: int, last: int, out: Any) -> None:
    """out[:last - first] = row @ matrix[:, first:last], k ascending from +0, four at a time so that sums stay in registers."""
    n, fours = last - first, row.size - row.size % 4
    out[:n] = 0
    for k in range(0, fours, 4):
        a, b, e, d = row[k], row[k + 1], row[k + 2], row[k + 3]
        # rows cut first: an index first + c might be negative, and a loop that minds that is not made of vector instructions
        at_a, at_b, at_e, at_d = matrix[k, first:last], matrix[k + 1, first:last], matrix[k + 2, first:last], matrix[k + 3, first:last]
        for c in range(n):
            out[c] = fused(d, at_d[c], fused(e, at_e[c], fused(b, at_b[c], fused(a, at_a[c], out[c]))))
    for k in range(fours, row.size):
        a, at_a = row[k], matrix[k, first:last]
        for c in range(n):
            out[c] = fused(a, at_a[c], out[c])


@jit
def columns_times(left: Any, first: int, last: int, right: Any, top: int, bottom: int, out: Any) -> None:
    """out[:last - first] = leftᵀ[first:last] @ right[top:bottom], rows ascending from +0, four at a time; row 0 of left is that of `top`."""
    width, rows = right.shape[1], bottom - top
    fours = rows - rows % 4
    out[: last - first] = 0
    for r in range(0, fours, 4):
        n = top + r
        at_a, at_b, at_e, at_d = right[n], right[n + 1], right[n + 2], right[n + 3]
        for c in range(last - first):
            y = first + c
            a, b, e, d, sums = left[r, y], left[r + 1, y], left[r + 2, y], left[r + 3, y], out[c]
            for x in range(width):
                sums[x] = fused(d, at_d[x], fused(e, at_e[x], fused(b, at_b[x], fused(a, at_a[x], sums[x]))))
    for r in range(fours, rows):
        for c in range(last - first):
            a = left[r, first + c]
            for x in range(width):
                out[c, x] = fused(a, right[top + r, x], out[c, x])


@jit
def add_rounded(part: Any, rows: int, held: Any, first: int, rounding: Any, buffer: Any) -> None:
    """held[first : first + rows] plus part, both rounded at one site."""
    width = held.shape[1]
    for r in range(rows):
        for x in range(width):
            buffer[x] = part[r, x]
        round_row(buffer, width, rounding)
        for x in range(width):
            buffer[x] += held[first + r, x]
        round_row(buffer, width, rounding)
        for x in range(width):
            held[first + r, x] = buffer[x]


@jit
def scores(row: Any, q: Any, keys: Any, first: int, last: int, seen: Any, slope: Any, place: int, factor: Any, sums: Any, sites: Any) -> None:
    """row[:last - first] = scores of a query at `place` with keys first to last - 1, -inf where not seen. factor: 0 for none; slope: NaN for none."""
    n = last - first
    row_times(q, keys, first, last, sums)
    for c in range(n):
        row[c] = sums[c]
    round_row(row, n, sites[S_STORE])
    if factor != 0:
        for c in range(n):
            row[c] *= factor
        round_row(row, n, sites[S_SCALE])
    if slope == slope:
        for c in range(n):
            row[c] += -(slope * np.float64(abs(first + c - place)))
        round_row(row, n, sites[S_BIAS])
    for c in range(n):
        row[c] = row[c] if seen[c] else -np.inf


@jit
def new_weights(row: Any, n: int, seen: Any, lse: Any, sites: Any, spare: Any) -> None:
    """row becomes P, made anew from scores and lse, 0 where not seen. spare: room for as many numbers."""
    for c in range(n):
        spare[c] = row[c] - lse if seen[c] else 0.0
    round_row(spare, n, sites[S_SUB])
    exp_row(spare, row, n)
    round_row(row, n, sites[B_P])
    for c in range(n):
        row[c] = row[c] if seen[c] else 0.0


@jit
def stored_weights(row: Any, n: int, seen: Any, beta: Any, one: Any, sites: Any, spare: Any) -> None:
    """row becomes P as the baseline's forward pass stored it, 0 where not seen. one: 1 in the dtype of sums; spare: room for as many numbers."""
    top = -np.inf
    for c in range(n):
        top = row[c] if (row[c] > top) | (row[c] != row[c]) else top
    if beta != 0:
        count = 0
        for c in range(n):
            count += (row[c] == top) & seen[c]
        if count > 1:
            top = beta * top if top > 0 else 0.0
    base = 0.0 if top == -np.inf else top
    for c in range(n):
        spare[c] = row[c] - base
    round_row(spare, n, sites[S_SUB])
    exp_row(spare, row, n)
    round_row(row, n, sites[P_EXP])
    total = one - one
    for c in range(n):
        row[c] = row[c] if seen[c] else 0.0
        total = fused(type_as(row[c], one), one, total)
    whole = round_scalar(np.float64(total), sites[L_STORE])
    for c in range(n):
        row[c] = 0.0 if whole == 0 else row[c] / whole
    round_row(row, n, sites[P_DIV])
    for c in range(n):
        row[c] = row[c] if seen[c] else 0.0
    round_row(row, n, sites[P_STORE])
    for c in range(n):
        row[c] = row[c] if seen[c] else 0.0


@intrinsic  # type: ignore[untyped-decorator]
def type_as(context: Any, x: Any, like: Any) -> Any:
    """An FP64 number in the type of `like`."""
    if x != types.float64 or like not in (types.float32, types.float64):
        return None

    def cast(context: Any, builder: Any, _: Any, args: Any) -> Any:
        return args[0] if like == types.float64 else builder.fptrunc(args[0], context.get_value_type(types.float32))

    return like(x, like), cast


@jit
def look(seen: Any, place: int, n: int, causal: bool, before: int, after: int, mask: Any, masked: bool) -> None:
    """Which of n keys a query at `place` sees."""
    for c in range(n):
        ahead = c - place
        seen[c] = (ahead >= -before) & (ahead <= after) & ((ahead <= 0) | (not causal))
    if masked:
        for c in range(n):
            seen[c] &= mask[c]


@jit
def pull_heads(
    first_head: int, last_head: int, like: Any, scratch: Any, inputs: Any, sight: Any, order: Any, sites: Any, block_q: int, block_k: int, asks: Any,
    factors: Any, gradients: Any,
) -> None:  # fmt: skip
    """Heads first_head to last_head - 1 of (batch · H).

    scratch : from `scratch_of`
    inputs  : q, k, v, dout, out, lse; of (batch · H, N, …), k and v of (batch · H_kv, N_kv, …)
    sight   : mask (batch, H, N, N_kv) or ones that broadcast; whether it counts; slopes (H,) or one NaN; causal; window before and after
    order   : (batch · H, tiles of queries, of keys), as tiles are added to dQ
    asks    : P is what the baseline stored; the algorithm is a baseline; D is from P and dP
    factors : of scores, 0 for none; of dQ and of dK as they go out; beta of the mended maximum
    """
    q, k, v, dout, out, lse = inputs
    mask, masked, slopes, causal, before, after = sight
    stores, baseline, from_p = asks
    factor, scale_q, scale_k, beta = factors
    dq, dk, dv, dsum = gradients
    heads, seq, d = q.shape
    seq_kv, e = v.shape[1], v.shape[2]
    groups = heads // k.shape[0]
    tiles_k = order.shape[2]
    one = like[0]
    start = first_head - first_head  # as a variable: a literal 0 would compile what is called with it once more
    queries, pull, keys, keys_t, values_t, stored, ds, sums, part_k, part_v, p, dp, buffer, part_q, whole_k, whole_v, whole_q, seen, live = scratch
    for head in range(first_head, last_head):
        shared = head // groups
        slope = slopes[head % slopes.size]
        for n in range(seq_kv):
            for x in range(d):
                keys[n, x] = k[shared, n, x]
                keys_t[x, n] = keys[n, x]
            for x in range(e):
                values_t[x, n] = v[shared, n, x]
        for n in range(seq):
            for x in range(d):
                queries[n, x] = q[head, n, x]
            for x in range(e):
                pull[n, x] = dout[head, n, x]
        whole_k[:], whole_v[:] = 0, 0
        for i in range(order.shape[1]):
            top = i * block_q
            bottom = min(top + block_q, seq)
            live[:] = False
            for n in range(top, bottom):
                r, place = n - top, n + seq_kv - seq
                row_mask = mask[(head // mask.shape[1]) % mask.shape[0], head % mask.shape[1], n % mask.shape[2]]
                look(seen[r], place, seq_kv, causal, before, after, row_mask, masked)
                total = 0.0
                if not from_p:
                    acc = one - one
                    for x in range(e):
                        acc = fused(pull[n, x], type_as(out[head, n, x], one), acc)
                    total = round_scalar(np.float64(acc), sites[B_DSUM])
                for j in range(tiles_k):
                    first, last = j * block_k, min(j * block_k + block_k, seq_kv)
                    width = last - first
                    there, row, pulled = seen[r, first:last], p[r, first:last], dp[r, first:last]
                    scores(row, queries[n], keys_t, first, last, there, slope, place, factor, sums, sites)
                    if stores:
                        stored_weights(row, width, there, beta, one, sites, buffer)
                    else:
                        new_weights(row, width, there, lse[head, n], sites, buffer)
                    row_times(pull[n], values_t, first, last, sums)
                    for c in range(width):
                        pulled[c] = sums[c]
                    round_row(pulled, width, sites[B_DP])
                    if from_p:
                        acc = one - one
                        for c in range(width):
                            acc = fused(type_as(row[c], one), type_as(pulled[c] if there[c] else 0.0, one), acc)
                        total = round_scalar(total + round_scalar(np.float64(acc), sites[B_DSUM]), sites[B_DSUM])
                    for c in range(width):
                        live[j] |= there[c]
                dsum[head, n] = total
                # dS, all keys at once
                row = p[r]
                pulled = dp[r]
                for c in range(seq_kv):
                    pulled[c] -= total
                round_row(pulled, seq_kv, sites[B_SUB])
                for c in range(seq_kv):
                    pulled[c] *= row[c]
                round_row(pulled, seq_kv, sites[B_DS])
                if baseline and factor != 0:
                    for c in range(seq_kv):
                        pulled[c] *= factor
                    round_row(pulled, seq_kv, sites[B_DS])
                for c in range(seq_kv):
                    ds[r, c] = pulled[c] if seen[r, c] else 0.0
                if not stores:
                    round_row(row, seq_kv, sites[P_STORE])
                for c in range(seq_kv):
                    stored[r, c] = row[c]
            for j in range(tiles_k):
                first, last = j * block_k, min(j * block_k + block_k, seq_kv)
                width = last - first
                if live[j]:
                    columns_times(stored, first, last, pull, top, bottom, part_v)
                    columns_times(ds, first, last, queries, top, bottom, part_k)
                    for r in range(bottom - top):
                        row_times(ds[r, first:last], keys[first:last], start, d, sums)
                        for x in range(d):
                            part_q[j, r, x] = sums[x]
                        round_row(part_q[j, r], d, sites[B_DQ])
                else:
                    part_v[:width], part_k[:width], part_q[j] = 0, 0, 0
                add_rounded(part_v, width, whole_v, first, sites[B_DV], buffer)
                add_rounded(part_k, width, whole_k, first, sites[B_DK], buffer)
            whole_q[:] = 0
            for place in range(tiles_k):
                j = order[head, i, place]
                for r in range(bottom - top):
                    for x in range(d):
                        whole_q[r, x] += part_q[j, r, x]
                    round_row(whole_q[r], d, sites[B_DQ])
            leave(whole_q, bottom - top, scale_q, sites, dq[head], top)
        leave(whole_k, seq_kv, scale_k, sites, dk[head], start)
        leave(whole_v, seq_kv, 1.0, sites, dv[head], start)


def scratch_of(like: Any, seq: int, seq_kv: int, d: int, e: int, block_q: int, block_k: int, tiles_k: int) -> tuple[Any, ...]:
    """Room for one thread's pass, in the order in which `pull_heads` takes it: in the dtype of sums, in FP64, and two of booleans."""
    rows, wide = min(block_q, seq), max(seq_kv, d, e)
    sums = ((seq, d), (seq, e), (seq_kv, d), (d, seq_kv), (e, seq_kv), (rows, seq_kv), (rows, seq_kv), (wide,), (block_k, d), (block_k, e))
    floats = ((rows, seq_kv), (rows, seq_kv), (wide,), (tiles_k, rows, d), (seq_kv, d), (seq_kv, e), (rows, d))
    return (*(np.empty(shape, like.dtype) for shape in sums), *map(np.empty, floats), np.empty((rows, seq_kv), np.bool_), np.empty(tiles_k, np.bool_))


@jit
def leave(held: Any, rows: int, factor: Any, sites: Any, out: Any, first: int) -> None:
    """Rows times a factor, rounded as they go out."""
    width = held.shape[1]
    for r in range(rows):
        for x in range(width):
            held[r, x] *= factor
        round_row(held[r], width, sites[B_OUT])
        for x in range(width):
            out[first + r, x] = held[r, x]

