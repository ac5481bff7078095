"""Touches: what reaches a first-level cache, one whole number each.

    bits 63..19 line    18..9 core    8..1 sectors of the line    0 store

A kernel's stream is an iterable of such arrays (int64), so that it is made while it is simulated and never held as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thrifty.errors import BadValue
from thrifty.lenses.operators.caching.hierarchy import MOST_CORES

Touches = NDArray[np.int64]
Stream = Iterable[Touches]
MOST_ADDRESS = 2**50
"""Lines must fit in what a touch leaves for them, whatever the line size."""


def touch(line: ArrayLike, *, sectors: ArrayLike = 1, core: ArrayLike = 0, write: ArrayLike = False) -> Touches:
    """Touches of whole lines by number. sectors: a bit for each; core: whose first level; all broadcast."""
    return np.asarray(
        (np.asarray(line, np.int64) << 19) | (np.asarray(core, np.int64) << 9) | (np.asarray(sectors, np.int64) << 1) | np.asarray(write, np.int64)
    )


def touches_of(
    addresses: ArrayLike, *, sizes: ArrayLike = 1, writes: ArrayLike = False, cores: ArrayLike = 0, line_bytes: int = 64, sector_bytes: int | None = None,
) -> Touches:  # fmt: skip
    """The touches of accesses at byte `addresses` of `sizes` bytes, in their order. One that straddles lines touches each of them.

    Raises BadValue for addresses that are negative, no whole numbers or above 2**50, and for sizes below 1.
    """
    shift, sector_shift = _shift("line_bytes", line_bytes), _shift("sector_bytes", sector_bytes or line_bytes)
    start = _whole("addresses", addresses, 0, MOST_ADDRESS)
    size = _whole("sizes", sizes, 1, MOST_ADDRESS)
    core = _whole("cores", cores, 0, MOST_CORES - 1)
    write = np.asarray(writes, np.bool_)
    try:
        shape = np.broadcast_shapes(start.shape, size.shape, core.shape, write.shape)
    except ValueError:
        raise BadValue("addresses, sizes, writes and cores have other lengths. Give one each or one for all.") from None
    end = start + (size - 1)
    first, last = start >> shift, end >> shift
    inside = line_bytes - 1
    spans = last - first
    if not spans.any():
        sectors = _sectors((start & inside) >> sector_shift, (end & inside) >> sector_shift)
        return np.broadcast_to(touch(first, sectors=sectors, core=core, write=write), shape).ravel()
    start, end, core, write, first, spans = (np.broadcast_to(array, shape).ravel() for array in (start, end, core, write, first, spans))
    owner = np.repeat(np.arange(start.size), spans + 1)
    line = first[owner] + np.arange(owner.size)
    line -= (np.cumsum(spans + 1) - (spans + 1))[owner]
    low = np.maximum(start[owner] - (line << shift), 0)
    high = np.minimum(end[owner] - (line << shift), inside)
    return touch(line, sectors=_sectors(low >> sector_shift, high >> sector_shift), core=core[owner], write=write[owner])


def collapse(touches: Touches) -> tuple[Touches, NDArray[np.int64]]:
    """Runs of the same touch as one, and how long each run is. Simulating (touch, length) pairs gives what one by one gives, sooner."""
    if touches.size == 0:
        return touches, np.empty(0, np.int64)
    heads = np.flatnonzero(np.concatenate(([True], touches[1:] != touches[:-1])))
    return touches[heads], np.diff(np.append(heads, touches.size))


def merge(touches: Touches, groups: NDArray[np.int64] | None = None) -> Touches:
    """Neighbours on the same line of the same core, both loads or both stores, as one touch of all their sectors: what coalescing does.

    groups: one number a touch (a warp's); only neighbours of the same group join.
    """
    if touches.size == 0:
        return touches
    rest = touches & ~np.int64(255 << 1)
    other = rest[1:] != rest[:-1]
    if groups is not None:
        other |= groups[1:] != groups[:-1]
    return np.asarray(np.bitwise_or.reduceat(touches, np.flatnonzero(np.concatenate(([True], other)))), np.int64)


def _sectors(first: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bits of a line's sectors from `first` to `last`."""
    return np.asarray((np.int64(2) << last) - (np.int64(1) << first))


def _shift(name: str, size: int) -> int:
    if size < 1 or size & (size - 1):
        raise BadValue(f"{name}={size} is no power of two. Choose e.g. 64.")
    return size.bit_length() - 1


def _whole(name: str, values: ArrayLike, least: int, most: int) -> NDArray[np.int64]:
    array: NDArray[Any] = np.asarray(values)
    if array.dtype.kind not in "iu":
        raise BadValue(f"{name} are {array.dtype}, not whole numbers. Give integers.")
    if array.size and not (least <= int(array.min()) and int(array.max()) <= most):
        bad = int(array.min()) if int(array.min()) < least else int(array.max())
        raise BadValue(f"{name} holds {bad}. Choose from {least} to {most}.")
    return np.asarray(array, np.int64)
