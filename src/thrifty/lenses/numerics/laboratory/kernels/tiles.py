"""What happens to one tile of keys, for 32 queries side by side: scores, weights, output. Buffers are flat: key (or channel) · LANES + query."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from thrifty.lenses.numerics.laboratory.kernels.inner import apart, inner
from thrifty.lenses.numerics.laboratory.kernels.lanes import cubic_row, exp_row, round_chunk, settle
from thrifty.lenses.numerics.laboratory.kernels.micro import LANES, WIDE, narrow, wide
from thrifty.lenses.numerics.laboratory.kernels.rows import count_alike, count_endless

CHUNK: Final = 16
"""Keys whose scores are FP64 at once: 4 KiB."""
(S_STORE, S_SCALE, S_BIAS, S_SUB, P_EXP, P_DIV, P_STORE, L_STORE, L_MUL, L_ADD, A_SUB, A_EXP, PV_STORE, O_MUL, O_ADD, O_DIV) = range(16)
"""Sites, numbered as `running.SITES` lists them."""
VISITS, RESCALES, REPEATED, SEEN, UNDERFLOWS, OVERFLOWS = range(6)


@inner
def rows_times(a: Any, at: int, row: int, step: int, count: int, depth: int, b: Any, out: Any) -> None:
    """out[i·LANES + r] = Σ_k a.flat[at + i·row + k·step] · b[k·LANES + r] for i < count."""
    apart()
    i = 0
    while i + WIDE <= count:
        wide(a, at + i * row, row, step, b, out, i * LANES, depth)
        i += WIDE
    while i < count:
        narrow(a, at + i * row, row, step, b, out, i * LANES, depth)
        i += 1


@inner
def look(seen: Any, visits: Any, mask: Any, sight: Any, g: int, r0: int, rows: int, first: int, last: int) -> int:
    """Which of keys first to last - 1 queries r0, … see: 0 none does any, 1 all do all, 2 as `seen` (and visits, by query) says."""
    apart()
    seq, seq_kv, causal, before, after = sight[0], sight[1], sight[2], sight[3], sight[4]
    low, high = r0 + seq_kv - seq, r0 + rows - 1 + seq_kv - seq
    if (causal and first > high) or (before >= 0 and last - 1 < low - before) or (after >= 0 and first > high + after):
        return 0
    whole = (not causal or last - 1 <= low) and (before < 0 or first >= high - before) and (after < 0 or last - 1 <= low + after)
    if whole and mask.shape[0] == 0:
        return 1
    found, lanes = 0, visits.size
    for r in range(lanes):
        visits[r] = 0
        place = low + r
        start, stop = first, last
        if r >= rows:
            stop = first
        if causal:
            stop = min(stop, place + 1)
        if after >= 0:
            stop = min(stop, place + after + 1)
        if before >= 0:
            start = max(start, place - before)
        for j in range(first, last):
            good = start <= j < stop
            if good and mask.shape[0] > 0:
                good = mask[g % mask.shape[0], r0 + r, j] != 0
            seen[(j - first) * lanes + r] = good
            visits[r] |= good
        found |= visits[r]
    return 2 if found else 0


@inner
def scores(s: Any, chunk: Any, here: Any, w: int, first: int, low: int, factor: float, scaled: bool, q_rows: Any, k_rows: Any, slope: float, partial: bool,
           seen: Any, narrow_store: bool, sites: Any, kinds: Any, floats: Any, words: Any) -> None:  # fmt: skip
    """Products s become scores: scaled, biased, -inf where unseen. here: their maximum, NaN where one is.

    factor: 0 where there is none; q_rows, k_rows: scales taken out of queries (LANES) and keys, or empty; slope: ALiBi's, or below 0
    """
    apart()
    lanes = here.size
    if narrow_store:
        settle(s, w * lanes, S_STORE, sites, kinds, floats, words)
    for r in range(lanes):
        here[r] = -np.inf
    for start in range(0, w, CHUNK):
        count = min(CHUNK, w - start)
        n, at = count * lanes, start * lanes
        for i in range(n):
            chunk[i] = s[at + i]
        if not narrow_store:
            round_chunk(chunk, n, sites[S_STORE])
        if scaled:
            for j in range(count):
                key, row = k_rows[start + j], j * lanes
                for r in range(lanes):
                    chunk[row + r] = chunk[row + r] * ((factor * q_rows[r]) * key)
            round_chunk(chunk, n, sites[S_SCALE])
        elif factor != 0.0:
            for i in range(n):
                chunk[i] = chunk[i] * factor
            round_chunk(chunk, n, sites[S_SCALE])
        if slope >= 0.0:
            for j in range(count):
                place, row = float(first + start + j - low), j * lanes
                for r in range(lanes):
                    chunk[row + r] = chunk[row + r] + (-slope) * np.abs(place - r)
            round_chunk(chunk, n, sites[S_BIAS])
        if partial:
            for i in range(n):
                chunk[i] = chunk[i] if seen[at + i] else -np.inf
        for j in range(count):
            row = j * lanes
            for r in range(lanes):
                x = chunk[row + r]
                here[r] = x if (x > here[r]) | (x != x) else here[r]
        for i in range(n):
            s[at + i] = chunk[i]


@inner
def count_scores(s: Any, top: Any, same: Any, tally: Any, w: int, partial: bool, seen: Any) -> None:
    """same: how often the maximum `top` occurs, of s's kind both; tally: scores seen, and infinite ones, by query."""
    apart()
    lanes = top.size
    one, none = top.dtype.type(1), top.dtype.type(0)
    for r in range(lanes):
        same[r] = none
    if not partial:
        count_endless(s, 0, w, same, same)
        for r in range(lanes):
            tally[SEEN, r] += w
            tally[OVERFLOWS, r] += same[r]
            same[r] = none
        count_alike(s, 0, w, same, top)
        return
    for i in range(w * lanes):
        good = seen[i] != 0
        same[i % lanes] += one if (s[i] == top[i % lanes]) & good else none
        tally[OVERFLOWS, i % lanes] += (np.abs(s[i]) == np.inf) & good
        tally[SEEN, i % lanes] += good


@inner
def weights(s: Any, chunk: Any, base: Any, total: Any, tally: Any, w: int, degree: int, p_scale: float, stores: bool, again: bool, partial: bool, seen: Any,
            sites: Any) -> None:  # fmt: skip
    """Scores s become P, and total their sum in s's own kind.

    stores: P is made ready for PV here (not where it is still to be divided); again: that rounds once more
    """
    apart()
    lanes = base.size
    for r in range(lanes):
        total[r] = 0
    for start in range(0, w, CHUNK):
        count = min(CHUNK, w - start)
        n, at = count * lanes, start * lanes
        for j in range(count):
            row, here = j * lanes, at + j * lanes
            for r in range(lanes):
                chunk[row + r] = np.float64(s[here + r]) - base[r]
        round_chunk(chunk, n, sites[S_SUB])
        if degree == 3:
            cubic_row(chunk, n)
        else:
            exp_row(chunk, n)
        round_chunk(chunk, n, sites[P_EXP])
        if partial:
            for i in range(n):
                chunk[i] = chunk[i] if seen[at + i] else 0.0
        for i in range(n):
            s[at + i] = chunk[i]
        for j in range(count):
            here = at + j * lanes
            for r in range(lanes):
                total[r] += s[here + r]
        if stores:
            store(s, chunk, tally, start, count, p_scale, again, partial, seen, sites)


@inner
def divided(s: Any, chunk: Any, total: Any, tally: Any, w: int, p_scale: float, again: bool, partial: bool, seen: Any, sites: Any) -> None:
    """P over its row's sum, 0 where that is 0, made ready for PV (baseline)."""
    apart()
    lanes = total.size
    for start in range(0, w, CHUNK):
        count = min(CHUNK, w - start)
        n, at = count * lanes, start * lanes
        for j in range(count):
            row, here = j * lanes, at + j * lanes
            for r in range(lanes):
                x = np.float64(s[here + r]) / total[r]
                chunk[row + r] = x if total[r] != 0.0 else 0.0
        round_chunk(chunk, n, sites[P_DIV])
        if partial:
            for i in range(n):
                chunk[i] = chunk[i] if seen[at + i] else 0.0
        for i in range(n):
            s[at + i] = chunk[i]
        store(s, chunk, tally, start, count, p_scale, again, partial, seen, sites)


@inner
def store(s: Any, chunk: Any, tally: Any, start: int, count: int, p_scale: float, again: bool, partial: bool, seen: Any, sites: Any) -> None:
    """P, in `chunk` and s, as it goes into PV, and how many became 0."""
    apart()
    lanes = tally.shape[1]
    n, at = count * lanes, start * lanes
    if again:
        for i in range(n):
            chunk[i] = chunk[i] * p_scale
        round_chunk(chunk, n, sites[P_STORE])
        if partial:
            for i in range(n):
                chunk[i] = chunk[i] if seen[at + i] else 0.0
        for i in range(n):
            s[at + i] = chunk[i]
    zeros = 0
    for i in range(n):
        zeros += chunk[i] == 0.0
    if zeros:
        for i in range(n):
            tally[UNDERFLOWS, i % lanes] += (chunk[i] == 0.0) & (not partial or seen[at + i] != 0)


@inner
def scaled_values(pv: Any, row: Any, channels: int, scale: float, p_scale: float, sites: Any) -> None:
    """PV with its scales taken out, rounded."""
    apart()
    lanes = row.size
    for c in range(channels):
        at = c * lanes
        for r in range(lanes):
            row[r] = np.float64(pv[at + r]) * scale / p_scale
        round_chunk(row, lanes, sites[PV_STORE])
        for r in range(lanes):
            pv[at + r] = row[r]


@inner
def factor_row(old: Any, new: Any, out: Any, sites: Any) -> None:
    """out = e^(old - new), 0 where there is nothing old."""
    apart()
    lanes = out.size
    for r in range(lanes):
        out[r] = old[r] - new[r] if old[r] != -np.inf else 0.0
    round_chunk(out, lanes, sites[A_SUB])
    exp_row(out, lanes)
    round_chunk(out, lanes, sites[A_EXP])
    for r in range(lanes):
        out[r] = out[r] if old[r] != -np.inf else 0.0
