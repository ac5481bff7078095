"""The backward pass compiled, head by head: the same bits as `plain`. Imported only where Numba is.

Sums are chains of fused multiply-adds in the dtype of `like` (FP32 or FP64), whose operands that dtype holds; `compiled` asks for nothing else. Some rows
of a tile of queries are brought to dS over all keys at once, so that D may come from P and dP before dS needs it.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from thrifty.formats.accumulators.kernels.fused import VECTOR_BYTES, WIDE, fma
from thrifty.formats.rounding.kernels import round_scalar
from thrifty.lenses.numerics.laboratory.backward.tiles import (
    B_DK,
    B_DP,
    B_DQ,
    B_DSUM,
    B_DV,
    BLOCK,
    P_STORE,
    add_rounded,
    leave,
    look,
    multiply,
    new_weights,
    pulled_scores,
    scores,
    settle,
    stored_weights,
    type_as,
)  # fmt: skip
from thrifty.loops import jit

ANY: Final = 1 << 40
"""A window's side without end."""


@jit
def pull_heads(
    first_head: int, last_head: int, like: Any, scratch: Any, pitches: Any, inputs: Any, sight: Any, order: Any, sites: Any, block_q: int, block_k: int,
    asks: Any, factors: Any, gradients: Any,
) -> None:  # fmt: skip
    """Heads first_head to last_head - 1 of (batch · H).

    scratch : from `scratch_of`; pitches: of rows of d, of d_v and of keys, and rows at a time, from `pitches_of`
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
    dp, ep, wp, some = pitches
    heads, seq, d = q.shape
    seq_kv, e = v.shape[1], v.shape[2]
    groups, tiles_k = heads // k.shape[0], order.shape[2]
    partial = masked or causal or before < ANY or after < ANY
    one, most, shared = like[0], min(block_q, seq), -1
    start_row = first_head - first_head  # as a variable: a literal 0 would compile what is called with it once more
    (queries, pull, outs, keys, keys_t, values_t, stored, ds, sums, part_k, part_v, acc, p, pulled, buffer, part_q, whole_k, whole_v, whole_q, total,
     seen, live) = scratch  # fmt: skip
    if not partial:
        live[:], seen[:] = True, True
    for head in range(first_head, last_head):
        slope = slopes[head % slopes.size]
        if shared != head // groups:
            shared = head // groups
            for j in range(tiles_k):
                for c in range(min(block_k, seq_kv - j * block_k)):
                    n = j * block_k + c
                    key, value = k[shared, n], v[shared, n]
                    for x in range(d):
                        keys[n * dp + x] = key[x]
                        keys_t[(j * d + x) * wp + c] = key[x]
                    for x in range(e):
                        values_t[(j * e + x) * wp + c] = value[x]
        for n in range(seq):
            lay(q[head, n], queries[n * dp : n * dp + d])
            lay(dout[head, n], pull[n * ep : n * ep + e])
        total[:] = 0.0
        if not from_p:
            for n in range(seq):
                lay(out[head, n], outs[n * ep : n * ep + e])
                acc[n] = 0
            for x in range(e):
                for n in range(seq):  # chains of all rows side by side
                    acc[n] = fma(pull[n * ep + x], outs[n * ep + x], acc[n])
            lay(acc, total[:seq])
            settle(total, seq, sites[B_DSUM])
        whole_k[:], whole_v[:] = 0, 0
        for i in range(order.shape[1]):
            top = i * block_q
            rows = min(block_q, seq - top)
            if partial:
                live[:] = False
                for r in range(rows):
                    n = top + r
                    row_mask = mask[(head // mask.shape[1]) % mask.shape[0], head % mask.shape[1], n % mask.shape[2]]
                    for j in range(tiles_k):
                        first, at = j * block_k, (j * most + r) * wp
                        width = min(block_k, seq_kv - first)
                        keys_mask = row_mask[first : first + width] if masked else row_mask
                        live[j] |= look(seen[at : at + width], n + seq_kv - seq - first, width, causal, before, after, keys_mask, masked)
            for start in range(0, rows, some):
                count = min(some, rows - start)
                size, n = count * wp, top + start
                here = total[n : n + count]
                for j in range(tiles_k):
                    if not live[j] and not from_p:
                        continue
                    first, at, held = j * block_k, (j * most + start) * wp, j * some * wp
                    width = min(block_k, seq_kv - first)
                    there, weights, rates = seen[at : at + size], p[held : held + size], pulled[held : held + size]
                    multiply(queries, n * dp, dp, 1, keys_t, j * d * wp, sums, count, wp, d)
                    scores(weights, sums, count, wp, there, partial, slope, first - (n + seq_kv - seq), factor, sites)
                    if stores:
                        stored_weights(weights, count, width, wp, there, partial, beta, one, sites, buffer, part_q)
                    else:
                        new_weights(weights, count, wp, there, partial, lse[head, n : n + count], sites, buffer)
                    multiply(pull, n * ep, ep, 1, values_t, j * e * wp, sums, count, wp, e)
                    lay(sums, rates)
                    settle(rates, size, sites[B_DP])
                    for r in range(count if from_p else 0):
                        chain = one - one
                        for c in range(width):
                            rate = rates[r * wp + c] if not partial or there[r * wp + c] else 0.0
                            chain = fma(type_as(weights[r * wp + c], one), type_as(rate, one), chain)
                        here[r] = round_scalar(here[r] + round_scalar(np.float64(chain), sites[B_DSUM]), sites[B_DSUM])
                for j in range(tiles_k):
                    if not live[j]:
                        continue
                    at, held = (j * most + start) * wp, j * some * wp
                    there, weights, rates = seen[at : at + size], p[held : held + size], pulled[held : held + size]
                    pulled_scores(rates, weights, count, wp, there, partial, here, factor if baseline else 0.0, sites)
                    lay(rates, ds[at : at + size])
                    if not stores:
                        settle(weights, size, sites[P_STORE])
                    lay(weights, stored[at : at + size])
            for j in range(tiles_k):
                first, at, held = j * block_k, j * most * wp, j * most * dp
                width = min(block_k, seq_kv - first)
                if live[j]:
                    multiply(stored, at, 1, wp, pull, top * ep, part_v, width, ep, rows)
                    multiply(ds, at, 1, wp, queries, top * dp, part_k, width, dp, rows)
                    multiply(ds, at, wp, 1, keys, first * dp, sums, rows, dp, width)
                    lay(sums, part_q[held : held + rows * dp])
                    settle(part_q[held : held + rows * dp], rows * dp, sites[B_DQ])
                else:
                    part_v[:], part_k[:], part_q[held : held + rows * dp] = 0, 0, 0
                add_rounded(part_v, width * ep, whole_v[first * ep :], sites[B_DV], buffer)
                add_rounded(part_k, width * dp, whole_k[first * dp :], sites[B_DK], buffer)
            whole_q[:] = 0
            for place in range(tiles_k):
                held = order[head, i, place] * most * dp
                for y in range(rows * dp):
                    whole_q[y] += part_q[held + y]
                settle(whole_q, rows * dp, sites[B_DQ])
            leave(whole_q, rows, dp, scale_q, sites, dq[head], top)
        lay(total, dsum[head])
        leave(whole_k, seq_kv, dp, scale_k, sites, dk[head], start_row)
        leave(whole_v, seq_kv, ep, 1.0, sites, dv[head], start_row)


@jit
def lay(x: Any, out: Any) -> None:
    """out = x, in out's dtype, as far as out reaches."""
    for i in range(out.size):
        out[i] = x[i]


def pitches_of(like: Any, seq: int, seq_kv: int, d: int, e: int, block_q: int, block_k: int, tiles_k: int) -> tuple[int, int, int, int]:
    """Rows of d, of d_v and of a tile's keys brought up to whole vectors, and rows that are brought to dS at once: such as stay in the first caches."""
    lanes = VECTOR_BYTES // like.itemsize
    dp, ep, wp = (max(-(-count // lanes), 1) * lanes for count in (d, e, min(block_k, seq_kv)))
    return dp, ep, wp, max(min(max(WIDE, BLOCK // (wp * max(tiles_k, 1))), block_q, seq), 1)


def scratch_of(
    like: Any, pitches: tuple[int, int, int, int], seq: int, seq_kv: int, d: int, e: int, block_q: int, tiles_k: int
) -> tuple[Any, ...]:
    """Room for one thread's pass, in the order in which `pull_heads` takes it: in the dtype of sums, in FP64, and two of booleans."""
    (dp, ep, wp, some), rows = pitches, min(block_q, seq)
    all_keys = tiles_k * rows * wp
    sums = (seq * dp, seq * ep, seq * ep, seq_kv * dp, tiles_k * d * wp, tiles_k * e * wp, all_keys, all_keys, max(some * wp, rows * dp), wp * dp, wp * ep, seq)
    floats = (tiles_k * some * wp, tiles_k * some * wp, max(some * wp, BLOCK), tiles_k * rows * dp, seq_kv * dp, seq_kv * ep, rows * dp, seq)
    return (*(np.zeros(size, like.dtype) for size in sums), *map(np.zeros, floats), np.zeros(all_keys, np.bool_), np.zeros(tiles_k, np.bool_))
