"""The output of 32 queries as tiles are added to it. Buffers are flat: channel · LANES + query. Imported only where Numba is.

Where all sites of the output round alike in FP32 — by word, by addition, or not at all — a tile's whole change is one loop (`mixed_once`, `added_once`);
else every step is a loop of its own, rounded in place.
"""

from __future__ import annotations

from typing import Any

import numba
from numba.extending import overload

from thrifty.formats.words import HALVES
from thrifty.lenses.numerics.laboratory.kernels.inner import apart, inner
from thrifty.lenses.numerics.laboratory.kernels.lanes import ALIGNED, HALF, STAYS, nearest, settle
from thrifty.lenses.numerics.laboratory.kernels.rows import to_half, to_short
from thrifty.lenses.numerics.laboratory.kernels.tiles import O_ADD, O_DIV, O_MUL, PV_STORE


@inner
def times_rows(x: Any, by: Any, channels: int) -> None:
    apart()
    lanes = by.size
    for c in range(channels):
        at = c * lanes
        for r in range(lanes):
            x[at + r] = x[at + r] * by[r]


@inner
def over_rows(x: Any, by: Any, channels: int) -> None:
    """0 where the row's divisor is 0."""
    apart()
    lanes = by.size
    for c in range(channels):
        at = c * lanes
        for r in range(lanes):
            x[at + r] = x[at + r] / by[r]
    empty_rows(x, by, channels)


@inner
def empty_rows(x: Any, by: Any, channels: int) -> None:
    apart()
    lanes = by.size
    for r in range(lanes):
        if by[r] == 0:
            for c in range(channels):
                x[c * lanes + r] = 0


@inner
def add_to(x: Any, y: Any, n: int) -> None:
    apart()
    for i in range(n):
        x[i] = x[i] + y[i]


@inner
def keep_rows(x: Any, kept: Any, visits: Any, channels: int) -> None:
    """What rows that do not visit held before."""
    apart()
    lanes = visits.size
    for c in range(channels):
        at = c * lanes
        for r in range(lanes):
            x[at + r] = x[at + r] if visits[r] else kept[at + r]


@inner
def mixed(o: Any, pv: Any, a: Any, b: Any, both: Any, channels: int, sites: Any, kinds: Any, floats: Any, words: Any) -> None:
    """Flash 1: o ← (a·o + b·pv) / both."""
    apart()
    n = channels * a.size
    times_rows(o, a, channels)
    settle(o, n, O_MUL, sites, kinds, floats, words)
    times_rows(pv, b, channels)
    settle(pv, n, O_MUL, sites, kinds, floats, words)
    add_to(o, pv, n)
    settle(o, n, O_ADD, sites, kinds, floats, words)
    over_rows(o, both, channels)
    settle(o, n, O_DIV, sites, kinds, floats, words)


@inner
def _mixed_bare(o: Any, pv: Any, a: Any, b: Any, both: Any, channels: int) -> None:
    apart()
    lanes = a.size
    for c in range(channels):
        at = c * lanes
        for r in range(lanes):
            o[at + r] = (a[r] * o[at + r] + b[r] * pv[at + r]) / both[r]
    empty_rows(o, both, channels)


@inner
def _mixed_single(o: Any, pv: Any, a: Any, b: Any, both: Any, channels: int, kind: int, f: Any, w: Any) -> None:
    apart()
    lanes = a.size
    if kind == ALIGNED:
        drop = w[0]
        for c in range(channels):
            at = c * lanes
            for r in range(lanes):
                old, new = to_short(a[r] * o[at + r], drop), to_short(b[r] * to_short(pv[at + r], drop), drop)
                o[at + r] = to_short(to_short(old + new, drop) / both[r], drop)
    elif HALVES and kind == HALF:
        for c in range(channels):
            at = c * lanes
            for r in range(lanes):
                old, new = to_half(a[r] * o[at + r]), to_half(b[r] * to_half(pv[at + r]))
                o[at + r] = to_half(to_half(old + new) / both[r])
    else:
        f0, f1, f2, f3, f4 = f[0], f[1], f[2], f[3], f[4]
        for c in range(channels):
            at = c * lanes
            for r in range(lanes):
                new = nearest(b[r] * nearest(pv[at + r], f0, f1, f2, f3, f4), f0, f1, f2, f3, f4)
                old = nearest(a[r] * o[at + r], f0, f1, f2, f3, f4)
                o[at + r] = nearest(nearest(old + new, f0, f1, f2, f3, f4) / both[r], f0, f1, f2, f3, f4)
    empty_rows(o, both, channels)


def mixed_once(o: Any, pv: Any, a: Any, b: Any, both: Any, channels: int, kind: int, f: Any, w: Any) -> None:
    """The same where all sites of the output are of one kind, pv not rounded yet."""
    raise NotImplementedError  # compiled code only


@overload(mixed_once)  # type: ignore[untyped-decorator]
def _mixed_once(o: Any, pv: Any, a: Any, b: Any, both: Any, channels: int, kind: int, f: Any, w: Any) -> Any:
    if o.dtype == numba.float32:

        def single(o: Any, pv: Any, a: Any, b: Any, both: Any, channels: int, kind: int, f: Any, w: Any) -> None:
            if kind == STAYS:
                _mixed_bare(o, pv, a, b, both, channels)
            else:
                _mixed_single(o, pv, a, b, both, channels, kind, f, w)

        return single

    def double(o: Any, pv: Any, a: Any, b: Any, both: Any, channels: int, kind: int, f: Any, w: Any) -> None:
        _mixed_bare(o, pv, a, b, both, channels)

    return double


@inner
def added(o: Any, pv: Any, a: Any, channels: int, sites: Any, kinds: Any, floats: Any, words: Any) -> None:
    """Flash 2: o ← a·o + pv."""
    apart()
    n = channels * a.size
    times_rows(o, a, channels)
    settle(o, n, O_MUL, sites, kinds, floats, words)
    add_to(o, pv, n)
    settle(o, n, O_ADD, sites, kinds, floats, words)


@inner
def added_once(o: Any, pv: Any, a: Any, channels: int) -> None:
    """The same where nothing is rounded beside FP32 or FP64."""
    apart()
    lanes = a.size
    for c in range(channels):
        at = c * lanes
        for r in range(lanes):
            o[at + r] = a[r] * o[at + r] + pv[at + r]


@inner
def values(pv: Any, n: int, sites: Any, kinds: Any, floats: Any, words: Any) -> None:
    settle(pv, n, PV_STORE, sites, kinds, floats, words)
