"""Exact reuse distances: how many different lines were touched since a line was touched last (Mattson's stack distance).

A fully associative LRU cache of C lines misses exactly the touches whose distance is C or more, and all first ones; so one pass answers for every size at
once. A Fenwick tree over time keeps a one at the last touch of each line: a distance is the count of ones since then, O(log N) a touch.
"""

from __future__ import annotations

import functools
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thrifty.lenses.operators.caching.touches import touches_of

FIRST: Final = -1
"""The distance of a touch that no other of its line came before."""


def _loop(line: Any, last: Any, tree: Any, distance: Any) -> None:
    """Fill `distance` (N,) for lines numbered 0 .. lines-1. last (lines,) starts at -1, tree (N + 1,) at 0."""
    size = len(line)
    for now in range(size):
        before = last[line[now]]
        if before >= 0:
            ones = 0
            at = now
            while at > 0:
                ones += tree[at]
                at -= at & -at
            at = before + 1
            while at > 0:
                ones -= tree[at]
                at -= at & -at
            distance[now] = ones
            at = before + 1
            while at <= size:
                tree[at] -= 1
                at += at & -at
        at = now + 1
        while at <= size:
            tree[at] += 1
            at += at & -at
        last[line[now]] = now


def reuse_distances(addresses: ArrayLike, line_bytes: int = 64, *, sizes: ArrayLike = 1, compiled: bool = True) -> NDArray[np.int64]:
    """The reuse distance of every line access that byte `addresses` make, `FIRST` (-1) where there was none before.

    One value an access; more where one straddles lines. Raises BadValue for addresses or sizes that cannot be.
    """
    given = np.asarray(addresses)
    lines = touches_of(given, sizes=sizes, line_bytes=line_bytes) >> 19 if given.size else np.empty(0, np.int64)
    names, numbered = np.unique(lines, return_inverse=True)
    distance = np.full(lines.size, FIRST, np.int64)
    state = np.full(names.size, -1, np.int64), np.zeros(lines.size + 1, np.int64)
    loop = _compiled() if compiled else None
    if loop is None:
        plain: list[int] = distance.tolist()
        _loop(numbered.tolist(), state[0].tolist(), state[1].tolist(), plain)
        return np.asarray(plain, np.int64)
    loop(numbered.astype(np.int64), *state, distance)
    return distance


def misses_at(distances: NDArray[np.int64], lines: ArrayLike) -> NDArray[np.int64]:
    """How many of the touches miss in a fully associative LRU cache of so many `lines` (any shape); one pass for all sizes."""
    known = np.sort(distances[distances >= 0])
    firsts = distances.size - known.size
    return np.asarray(firsts + known.size - np.searchsorted(known, np.asarray(lines), side="left"), np.int64)


@functools.cache
def _compiled() -> Any:
    try:
        import numba
    except ImportError:
        return None
    return numba.njit(cache=True)(_loop)
