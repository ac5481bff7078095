"""Streams of plain C loops over one attention, access by access, as a compiler without vector units orders them (accumulators in registers).

    qk       for i: for j: for d:  load q[i][d], load k[j][d];  then store s[i][j]
    scale    for e:                load s[e], store t[e]
    softmax  for i: for j: load t;  for j: load t, store s;  for j: load s, store s      (maximum; exponential and sum; division)
    pv       for i: for d: store o[i][d];  for j: load p[i][j];  for d: load v[j][d], load o[i][d], store o[i][d]
    copy     for every number:     load from, store to

The order is that of tests/lenses/operators/caching/attention.c, whose misses cachegrind counts. Chunks are made while they are simulated.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from thrifty.lenses.operators.caching.layouts import Attention, Rows
from thrifty.lenses.operators.caching.touches import Touches

CHUNK = 1 << 18
"""Touches of a chunk, about: what is made at once stays in this machine's caches."""
_Ints = NDArray[np.int64]


def qk(shape: Attention, line_bytes: int) -> Iterator[Touches]:
    """Scores of every unit: rows of q times rows of k."""
    length, dim, size = shape.length, shape.video.head_dim, shape.video.number_bytes
    step = np.arange(dim, dtype=np.int64) * size
    per_row = length * (2 * dim + 1)
    for unit, q, k in _units(shape, shape.q, shape.k):
        for rows in _ranges(length, per_row):
            block = np.empty((len(rows), length, 2 * dim + 1), np.int64)
            block[:, :, 0:-1:2] = ((q + rows * shape.q.row)[:, None, None] + step) // line_bytes << 19
            block[:, :, 1:-1:2] = ((k + np.arange(length) * shape.k.row)[:, None] + step) // line_bytes << 19
            block[:, :, -1] = _scores(shape, 0, unit, rows) // line_bytes << 19 | 1
            yield _whole(block)


def scale(shape: Attention, line_bytes: int) -> Iterator[Touches]:
    """Every score read once and written once, in the order in which they lie."""
    yield from _flat(shape.scores[0], shape.scores[1], shape.scores_bytes, shape.video.number_bytes, line_bytes)


def softmax(shape: Attention, line_bytes: int) -> Iterator[Touches]:
    """Three passes over each row: maximum, exponential with its sum, division."""
    length, size = shape.length, shape.video.number_bytes
    for rows in _ranges(shape.units * length, 5 * length):
        at = (rows * length * size)[:, None] + np.arange(length) * size
        source, target = ((base + at) // line_bytes << 19 for base in (shape.scores[1], shape.scores[0]))
        block = np.empty((len(rows), 5 * length), np.int64)
        block[:, :length] = source
        block[:, length : 3 * length : 2], block[:, length + 1 : 3 * length : 2] = source, target | 1
        block[:, 3 * length :: 2], block[:, 3 * length + 1 :: 2] = target, target | 1
        yield _whole(block)


def pv(shape: Attention, line_bytes: int) -> Iterator[Touches]:
    """Outputs of every unit: probabilities times rows of v, added up in memory."""
    length, dim, size = shape.length, shape.video.head_dim, shape.video.number_bytes
    step = np.arange(dim, dtype=np.int64) * size
    per_row = dim + length * (3 * dim + 1)
    for unit, v, o in _units(shape, shape.v, shape.o):
        for rows in _ranges(length, per_row):
            out = ((o + rows * shape.o.row)[:, None] + step) // line_bytes << 19
            block = np.empty((len(rows), length, 3 * dim + 1), np.int64)
            block[:, :, 0] = _scores(shape, 0, unit, rows) // line_bytes << 19
            block[:, :, 1::3] = ((v + np.arange(length) * shape.v.row)[:, None] + step) // line_bytes << 19
            block[:, :, 2::3], block[:, :, 3::3] = out[:, None, :], out[:, None, :] | 1
            yield _whole(np.concatenate((out | 1, block.reshape(len(rows), -1)), axis=1))


def copy(shape: Attention, source: Rows, target: Rows, line_bytes: int) -> Iterator[Touches]:
    """Rows moved one number at a time, in the order of the target (sequence, head, row)."""
    length, dim, size = shape.length, shape.video.head_dim, shape.video.number_bytes
    step = np.arange(dim, dtype=np.int64) * size
    for rows in _ranges(shape.units * length, 2 * dim):
        unit, row = rows // length, rows % length
        block = np.empty((len(rows), 2 * dim), np.int64)
        for offset, place in ((0, source), (1, target)):
            starts = place.base + unit // shape.heads * place.outer + unit % shape.heads * place.head + row * place.row
            block[:, offset::2] = (starts[:, None] + step) // line_bytes << 19 | offset
        yield _whole(block)


def touches_in(kernel: str, shape: Attention) -> int:
    """How many touches a kernel makes in all: to know which share of it a bounded run has seen."""
    length, dim, rows = shape.length, shape.video.head_dim, shape.units * shape.length
    per_row = {"qk": length * (2 * dim + 1), "scale": 2 * length, "softmax": 5 * length, "pv": dim + length * (3 * dim + 1), "copy": 2 * dim}
    return rows * per_row[kernel]


def _units(shape: Attention, one: Rows, other: Rows) -> Iterator[tuple[int, int, int]]:
    """Number and first addresses of every (sequence, head)."""
    for unit in range(shape.units):
        sequence, head = divmod(unit, shape.heads)
        yield unit, one.base + sequence * one.outer + head * one.head, other.base + sequence * other.outer + head * other.head


def _scores(shape: Attention, buffer: int, unit: int, rows: _Ints) -> _Ints:
    """(rows, length) addresses of a unit's scores."""
    length, size = shape.length, shape.video.number_bytes
    return np.asarray(shape.scores[buffer] + ((unit * length + rows)[:, None] * length + np.arange(length)) * size)


def _flat(source: int, target: int, total: int, size: int, line_bytes: int) -> Iterator[Touches]:
    for numbers in _ranges(total // size, 2):
        block = np.empty((len(numbers), 2), np.int64)
        block[:, 0] = (source + numbers * size) // line_bytes << 19
        block[:, 1] = (target + numbers * size) // line_bytes << 19 | 1
        yield _whole(block)


def _ranges(total: int, each: int) -> Iterator[_Ints]:
    """0 .. total - 1 in pieces of about a chunk, where each makes so many touches."""
    piece = max(1, CHUNK // each)
    for start in range(0, total, piece):
        yield np.arange(start, min(start + piece, total), dtype=np.int64)


def _whole(block: _Ints) -> Touches:
    """Touches of whole lines (one sector) of core 0."""
    return np.asarray(block.reshape(-1) | 1 << 1)
