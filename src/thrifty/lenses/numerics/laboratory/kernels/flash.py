"""The loop over blocks of queries and tiles of keys: Flash 1, Flash 2 to 4, and the baseline, which is one tile of all keys. Imported only where Numba is."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from thrifty.formats.elementary import LOG2E
from thrifty.lenses.numerics.laboratory.kernels.lanes import STAYS, round_chunk, settle
from thrifty.lenses.numerics.laboratory.kernels.lean import lean_scores, lean_weights
from thrifty.lenses.numerics.laboratory.kernels.micro import LANES
from thrifty.lenses.numerics.laboratory.kernels.outputs import added, added_once, keep_rows, mixed, mixed_once, over_rows, values
from thrifty.lenses.numerics.laboratory.kernels.tiles import (
    CHUNK,
    L_ADD,
    L_MUL,
    L_STORE,
    O_ADD,
    O_DIV,
    REPEATED,
    RESCALES,
    VISITS,
    count_scores,
    divided,
    factor_row,
    look,
    rows_times,
    scaled_values,
    scores,
    weights,
)  # fmt: skip
from thrifty.loops import jit

BASELINE, FLASH1, FLASH2 = range(3)
NUMBERS: Final = ("factor", "p_scale", "rescale_log2", "repeated_max", "degree", "divide_after", "narrow_store", "again", "alike", "lean", "way")
"""Places of `numbers`. factor: 0 where scores are not scaled; narrow_store: s.store rounds in q's kind; again: P is rounded once more for PV; alike: the
kind of rounding that all sites of the output share, -1 where they share none; lean: tiles seen whole are served by `lean`, e^x in which way."""


@jit
def attend_blocks(first_block: int, last_block: int, order: Any, q: Any, k: Any, v: Any, tiles: Any, algorithm: int, numbers: Any, q_scale: Any, k_scale: Any,
                  v_scale: Any, slopes: Any, mask: Any, sight: Any, sites: Any, kinds: Any, floats: Any, words: Any, table: Any, shape: Any, out: Any,
                  tops: Any, totals: Any, counts: Any) -> None:  # fmt: skip
    """Blocks order[first_block:last_block] of LANES queries. q (G, N, d), k (G_kv, N_kv, d), v (G_kv, N_kv, d_v), of one kind; tiles (n, 2).

    out (G, N, d_v), tops and totals (G, N): output over its row sum, row maximum, row sum. counts: added to.
    """
    seq, d, dv = q.shape[1], q.shape[2], v.shape[2]
    seq_kv, groups = k.shape[1], q.shape[0] // k.shape[0]
    factor, p_scale, rescale, beta_fix = numbers[0], numbers[1], numbers[2], numbers[3]
    degree, after, narrow_store, again, alike = int(numbers[4]), numbers[5] != 0.0, numbers[6] != 0.0, numbers[7] != 0.0, int(numbers[8])
    lean, way, own = numbers[9] != 0.0 and slopes.size == 0 and q_scale.shape[0] == 0, int(numbers[10]), q.dtype.type(numbers[0])
    blocks = -(-seq // LANES)
    widest = 1
    for t in range(tiles.shape[0]):
        widest = max(widest, tiles[t, 1] - tiles[t, 0])
    turned, o, old, pv = (np.empty(d * LANES, q.dtype), np.empty(dv * LANES, q.dtype), np.empty(dv * LANES, q.dtype), np.empty(dv * LANES, q.dtype))
    s, seen = np.empty(widest * LANES, q.dtype), np.empty(widest * LANES, np.uint8)
    chunk, visits, tally = np.empty(CHUNK * LANES), np.empty(LANES, np.uint8), np.zeros((6, LANES))
    top, total, here, grown, base = np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES)
    alpha, beta, fresh, held, row = np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES)
    a, b, e, summed, same = (np.empty(LANES, q.dtype), np.empty(LANES, q.dtype), np.empty(LANES, q.dtype), np.empty(LANES, q.dtype),
                             np.empty(LANES, q.dtype))  # fmt: skip
    lanes = top.size  # not a constant: loops of a constant length are unrolled, and then not made of vector instructions
    q_rows, no_rows = np.ones(LANES), np.ones(0)
    for place in range(first_block, last_block):
        g, r0 = order[place] // blocks, (order[place] % blocks) * LANES
        rows, kv = min(LANES, seq - r0), g // groups
        for c in range(d):
            for r in range(lanes):
                turned[c * lanes + r] = q[g, r0 + r, c] if r < rows else 0
        scaled, slope = q_scale.shape[0] > 0, (slopes[g % slopes.size] if slopes.size > 0 else -1.0)
        for r in range(lanes):
            q_rows[r] = q_scale[g, r0 + r] if scaled and r < rows else 1.0
        for r in range(lanes):
            top[r], total[r] = -np.inf, 0.0
            for kind in range(6):
                tally[kind, r] = 0.0
        for i in range(dv * lanes):
            o[i] = 0
        for t in range(tiles.shape[0]):
            first, last = tiles[t, 0], tiles[t, 1]
            w = last - first
            found = look(seen, visits, mask, sight, g, r0, rows, first, last)
            if found == 0 or w == 0:
                continue
            partial = found == 2
            if not partial:
                for r in range(lanes):
                    visits[r] = 1
            rows_times(k, (kv * seq_kv + first) * d, d, 1, w, d, turned, s)
            if lean and not partial:
                lean_scores(s, a, w, own, sites, kinds, floats, words)
                for r in range(lanes):
                    here[r] = a[r]
            else:
                scores(s, chunk, here, w, first, r0 + seq_kv - seq, factor, scaled, q_rows, k_scale[kv, first:last] if scaled else no_rows, slope, partial,
                       seen, narrow_store, sites, kinds, floats, words)  # fmt: skip
                for r in range(lanes):
                    a[r] = here[r]
            count_scores(s, a, same, tally, w, partial, seen)
            for r in range(lanes):
                tally[VISITS, r] += visits[r]
                tally[REPEATED, r] += same[r] > 1.0
                if beta_fix != 0.0 and same[r] > 1.0:
                    here[r] = beta_fix * here[r] if here[r] > 0.0 else 0.0
                stays = rescale != 0.0 and top[r] != -np.inf and (here[r] - top[r]) * LOG2E <= rescale
                more = (here[r] > top[r]) | (here[r] != here[r])
                grown[r] = top[r] if stays or not more else here[r]
                tally[RESCALES, r] += visits[r] and grown[r] != top[r] and top[r] != -np.inf
                against = here[r] if algorithm == FLASH1 else grown[r]
                base[r] = against if against != -np.inf else 0.0
            if lean and not partial:
                for r in range(lanes):
                    b[r] = base[r]
                lean_weights(s, chunk, b, summed, e, tally, w, degree, algorithm != BASELINE or after, again, way, table, shape, sites, kinds,
                             floats, words)  # fmt: skip
            else:
                weights(s, chunk, base, summed, tally, w, degree, p_scale, algorithm != BASELINE or after, again, partial, seen, sites)
            for r in range(lanes):
                fresh[r] = summed[r]
            round_chunk(fresh, lanes, sites[L_STORE])
            if algorithm == BASELINE and not after:
                divided(s, chunk, fresh, tally, w, p_scale, again, partial, seen, sites)
            rows_times(v, (kv * seq_kv + first) * dv, 1, dv, dv, w, s, pv)
            if scaled or p_scale != 1.0:
                scaled_values(pv, row, dv, v_scale[kv, first] if scaled else 1.0, p_scale, sites)
            elif alike < 0 or algorithm != FLASH1:  # else rounded in mixed_once
                values(pv, dv * lanes, sites, kinds, floats, words)
            if partial:
                for i in range(dv * lanes):
                    old[i] = o[i]
            if algorithm == BASELINE:
                for i in range(dv * lanes):
                    o[i] = pv[i]
                for r in range(lanes):
                    held[r] = fresh[r]
            elif algorithm == FLASH1:
                factor_row(top, grown, alpha, sites)
                factor_row(here, grown, beta, sites)
                for r in range(lanes):
                    held[r], fresh[r] = alpha[r] * total[r], beta[r] * fresh[r]
                round_chunk(held, lanes, sites[L_MUL])
                round_chunk(fresh, lanes, sites[L_MUL])
                for r in range(lanes):
                    a[r], b[r] = held[r], beta[r]
                    held[r] = held[r] + fresh[r]
                round_chunk(held, lanes, sites[L_ADD])
                for r in range(lanes):
                    e[r] = held[r]
                if alike >= 0 and not scaled and p_scale == 1.0:
                    mixed_once(o, pv, a, b, e, dv, alike, floats[O_ADD], words[O_ADD])
                else:
                    mixed(o, pv, a, b, e, dv, sites, kinds, floats, words)
            else:
                factor_row(top, grown, alpha, sites)
                for r in range(lanes):
                    held[r] = alpha[r] * total[r]
                    a[r] = alpha[r]
                round_chunk(held, lanes, sites[L_MUL])
                for r in range(lanes):
                    stays = rescale != 0.0 and top[r] != -np.inf and (here[r] - top[r]) * LOG2E <= rescale
                    held[r] = (total[r] if stays else held[r]) + fresh[r]
                round_chunk(held, lanes, sites[L_ADD])
                if alike == STAYS:
                    added_once(o, pv, a, dv)
                else:
                    added(o, pv, a, dv, sites, kinds, floats, words)
            if partial:
                keep_rows(o, old, visits, dv)
            for r in range(lanes):
                top[r], total[r] = (grown[r], held[r]) if visits[r] else (top[r], total[r])
        if algorithm == FLASH2 or after:
            for r in range(lanes):
                b[r] = total[r]
            over_rows(o, b, dv)
            settle(o, dv * lanes, O_DIV, sites, kinds, floats, words)
        for r in range(rows):
            tops[g, r0 + r], totals[g, r0 + r] = top[r], total[r]
            for c in range(dv):
                out[g, r0 + r, c] = o[c * lanes + r] if total[r] != 0.0 else 0.0
            for kind in range(6):
                counts[kind] += int(tally[kind, r])
