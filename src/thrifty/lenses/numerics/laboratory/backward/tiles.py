"""What happens to some rows of one tile in the backward pass, compiled: scores, P, dP, sums. Imported only where Numba is.

A tile lies flat, row after row, each as long as whole vectors hold (`pitch`), so that every step is one loop over all its numbers: rows of 16 or 32 keys are
too short to fill vectors by themselves. What lies beyond a row's keys is computed along and never read.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import types
from numba.extending import intrinsic

from thrifty.formats.accumulators.kernels.fused import VECTOR_BYTES, WIDE, fma, micro
from thrifty.formats.elementary_kernels import exp_row
from thrifty.formats.rounding.kernels import round_row
from thrifty.lenses.numerics.laboratory.kernels.inner import apart, inner

SITES_USED: Final = (
    "s.store", "s.scale", "s.bias", "s.sub", "b.p", "p.store", "b.dp", "b.sub", "b.ds", "b.dq", "b.dk", "b.dv", "b.dsum", "b.out", "p.exp", "l.store", "p.div",
)  # fmt: skip
"""Rows of the table of roundings that kernels take."""
S_STORE, S_SCALE, S_BIAS, S_SUB, B_P, P_STORE, B_DP, B_SUB, B_DS, B_DQ, B_DK, B_DV, B_DSUM, B_OUT, P_EXP, L_STORE, P_DIV = range(17)
BLOCK: Final = 2048
"""Numbers of FP64 that are rounded at a time: 16 KiB."""
_wide, _single = micro(WIDE, on=False), micro(1, on=False)


@intrinsic  # type: ignore[untyped-decorator]
def type_as(context: Any, x: Any, like: Any) -> Any:
    """An FP64 number in the type of `like`."""
    if x != types.float64 or like not in (types.float32, types.float64):
        return None

    def cast(context: Any, builder: Any, _: Any, args: Any) -> Any:
        return args[0] if like == types.float64 else builder.fptrunc(args[0], context.get_value_type(types.float32))

    return like(x, like), cast


@inner
def settle(x: Any, n: int, rounding: Any) -> None:
    """x[:n] rounded in place."""
    apart()
    round_row(x, n, rounding)


@inner
def multiply(a: Any, a_at: int, a_row: int, a_step: int, b: Any, b_at: int, out: Any, rows: int, pitch: int, depth: int) -> None:
    """out[r · pitch + c] = Σ_k a[a_at + r · a_row + k · a_step] · b[b_at + k · pitch + c], k ascending from +0, for all c below pitch, whole vectors."""
    apart()
    lanes = VECTOR_BYTES // a.itemsize
    for left in range(0, pitch, lanes):
        r = 0
        while r + WIDE <= rows:
            _wide(a, a_at + r * a_row, a_row, a_step, b, b_at + left, pitch, out, r * pitch + left, pitch, depth)
            r += WIDE
        while r < rows:
            _single(a, a_at + r * a_row, a_row, a_step, b, b_at + left, pitch, out, r * pitch + left, pitch, depth)
            r += 1


@inner
def add_rounded(part: Any, n: int, held: Any, rounding: Any, buffer: Any) -> None:
    """held[:n] plus part, both rounded at one site."""
    apart()
    for start in range(0, n, BLOCK):
        count = min(BLOCK, n - start)
        new, old = part[start : start + count], held[start : start + count]
        for i in range(count):
            buffer[i] = new[i]
        settle(buffer, count, rounding)
        for i in range(count):
            buffer[i] += old[i]
        settle(buffer, count, rounding)
        for i in range(count):
            old[i] = buffer[i]


@inner
def scores(s: Any, sums: Any, rows: int, pitch: int, seen: Any, partial: bool, slope: float, ahead: int, factor: float, sites: Any) -> None:
    """Products `sums` become scores s, -inf where not seen. factor: 0 for none; slope: NaN for none; ahead: places of the first key before the first query."""
    apart()
    n = rows * pitch
    for i in range(n):
        s[i] = sums[i]
    settle(s, n, sites[S_STORE])
    if factor != 0:
        for i in range(n):
            s[i] *= factor
        settle(s, n, sites[S_SCALE])
    if slope == slope:
        for r in range(rows):
            row = s[r * pitch : r * pitch + pitch]
            for c in range(pitch):
                row[c] += -(slope * np.float64(abs(ahead + c - r)))
        settle(s, n, sites[S_BIAS])
    if partial:
        for i in range(n):
            s[i] = s[i] if seen[i] else -np.inf


@inner
def new_weights(s: Any, rows: int, pitch: int, seen: Any, partial: bool, lse: Any, sites: Any, spare: Any) -> None:
    """s becomes P, made anew from scores and log-sum-exps of rows, 0 where not seen. spare: room for as many numbers."""
    apart()
    n = rows * pitch
    for r in range(rows):
        row, into, less = s[r * pitch : r * pitch + pitch], spare[r * pitch : r * pitch + pitch], lse[r]
        for c in range(pitch):
            into[c] = row[c] - less
    if partial:
        for i in range(n):
            spare[i] = spare[i] if seen[i] else 0.0
    settle(spare, n, sites[S_SUB])
    exp_row(spare, s, n)
    settle(s, n, sites[B_P])
    if partial:
        hide(s, n, seen)


@inner
def hide(x: Any, n: int, seen: Any) -> None:
    """0 where not seen."""
    apart()
    for i in range(n):
        x[i] = x[i] if seen[i] else 0.0


@inner
def stored_weights(s: Any, rows: int, width: int, pitch: int, seen: Any, partial: bool, beta: float, one: Any, sites: Any, spare: Any, totals: Any) -> None:
    """s becomes P as the baseline's forward pass stored it, 0 where not seen. one: 1 in the dtype of sums; spare, totals: room for numbers and rows."""
    apart()
    n = rows * pitch
    for r in range(rows):
        row, into, there, top = s[r * pitch : r * pitch + pitch], spare[r * pitch : r * pitch + pitch], seen[r * pitch : r * pitch + pitch], -np.inf
        for c in range(width):
            top = row[c] if (row[c] > top) | (row[c] != row[c]) else top
        if beta != 0:
            count = 0
            for c in range(width):
                count += (row[c] == top) & there[c]
            if count > 1:
                top = beta * top if top > 0 else 0.0
        base = 0.0 if top == -np.inf else top
        for c in range(pitch):
            into[c] = row[c] - base
    settle(spare, n, sites[S_SUB])
    exp_row(spare, s, n)
    settle(s, n, sites[P_EXP])
    if partial:
        hide(s, n, seen)
    for r in range(rows):
        total = one - one
        for c in range(width):
            total = fma(type_as(s[r * pitch + c], one), one, total)
        totals[r] = total
    settle(totals, rows, sites[L_STORE])
    for r in range(rows):
        row, whole = s[r * pitch : r * pitch + pitch], totals[r]
        for c in range(pitch):
            row[c] = 0.0 if whole == 0 else row[c] / whole
    settle(s, n, sites[P_DIV])
    if partial:
        hide(s, n, seen)
    settle(s, n, sites[P_STORE])
    if partial:
        hide(s, n, seen)


@inner
def pulled_scores(s: Any, p: Any, rows: int, pitch: int, seen: Any, partial: bool, total: Any, factor: float, sites: Any) -> None:
    """dP, in s, becomes dS = P · (dP - D), 0 where not seen. total: D of the rows; factor: what a baseline multiplies by, 0 for nothing."""
    apart()
    n = rows * pitch
    for r in range(rows):
        row, less = s[r * pitch : r * pitch + pitch], total[r]
        for c in range(pitch):
            row[c] -= less
    settle(s, n, sites[B_SUB])
    for i in range(n):
        s[i] *= p[i]
    settle(s, n, sites[B_DS])
    if factor != 0:
        for i in range(n):
            s[i] *= factor
        settle(s, n, sites[B_DS])
    if partial:
        hide(s, n, seen)


@inner
def look(seen: Any, place: int, n: int, causal: bool, before: int, after: int, mask: Any, masked: bool) -> bool:
    """Which of n keys a query at `place`, counted from the first of them, sees; whether it sees any."""
    apart()
    for c in range(n):
        ahead = c - place
        seen[c] = (ahead >= -before) & (ahead <= after) & ((ahead <= 0) | (not causal))
    if masked:
        for c in range(n):
            seen[c] &= mask[c]
    found = False
    for c in range(n):
        found |= seen[c]
    return found


@inner
def leave(held: Any, rows: int, pitch: int, factor: float, sites: Any, out: Any, first: int) -> None:
    """Rows times a factor, rounded as they go out."""
    apart()
    for i in range(rows * pitch):
        held[i] *= factor
    settle(held, rows * pitch, sites[B_OUT])
    for r in range(rows):
        row = out[first + r]
        for x in range(row.size):
            row[x] = held[r * pitch + x]
