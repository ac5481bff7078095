"""Thins the bars of a timeline to what pixels can show, and keeps every second of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

FINE_PX = 2.0
"""A bar narrower than this is fine: it may be drawn together with its neighbours."""
_GAP_PX = 1.0
_WINDOW_PX = 8.0
_FEWEST = 4
_STEPS = 24


@dataclass(frozen=True, slots=True)
class Piece:
    """What is drawn: from `start` to `end` in pixels, and from `foot` to `top` of its row's height, 0 to 1. `bars` were put into it."""

    start: float
    end: float
    kind: int
    foot: float = 0.0
    top: float = 1.0
    bars: int = 1


def lanes_of(bars: Sequence[tuple[float, float]]) -> list[int]:
    """The lane of every (start, end) of one row: 0, or the next that is free where bars overlap by more than a rounding error."""
    slack = 1e-9 * max((abs(end) for _, end in bars), default=0.0)
    ends: list[float] = []
    lanes = [0] * len(bars)
    for index in sorted(range(len(bars)), key=lambda i: bars[i]):
        start, end = bars[index]
        lane = next((lane for lane, busy in enumerate(ends) if busy <= start + slack), len(ends))
        ends[lane : lane + 1] = [end]
        lanes[index] = lane
    return lanes


def condense(bars: Sequence[tuple[float, float, int]]) -> list[Piece]:
    """The bars (start and end in pixels, kind) of one lane, which do not overlap, as fewer pieces.

    Fine bars of one kind that touch become one bar. Where fine bars of several kinds, or with gaps, follow one another, windows of
    some pixels show each kind as high as its share of the window's time. Width times height, summed by kind, stays what it was.
    """
    joined: list[Piece] = []
    last = math.inf  # width of the bar before
    for start, end, kind in sorted(bars):
        before = joined[-1] if joined else None
        if before and before.kind == kind and start - before.end <= 1e-6 and max(end - start, last) < FINE_PX:
            joined[-1] = Piece(before.start, end, kind, bars=before.bars + 1)
        else:
            joined.append(Piece(start, end, kind))
        last = end - start
    pieces: list[Piece] = []
    run: list[Piece] = []
    for piece in joined:
        fine = piece.end - piece.start < FINE_PX
        if run and not (fine and piece.start - run[-1].end <= _GAP_PX):
            pieces += _windows(run)
            run = []
        if fine:
            run.append(piece)
        else:
            pieces.append(piece)
    return pieces + _windows(run)


def _windows(run: list[Piece]) -> list[Piece]:
    """A run of fine pieces as windows of equal width in which kinds lie above one another; the same pieces where they are few."""
    if len(run) < _FEWEST:
        return run
    left, right = run[0].start, run[-1].end
    count = max(1, round((right - left) / _WINDOW_PX))
    width = (right - left) / count
    if width <= 0:
        return run
    busy: list[dict[int, float]] = [{} for _ in range(count)]
    bars = [0] * count
    for piece in run:
        first, last = (min(count - 1, int((at - left) / width)) for at in (piece.start, piece.end))
        bars[first] += piece.bars
        for window in range(first, last + 1):
            low, high = left + window * width, left + (window + 1) * width
            busy[window][piece.kind] = busy[window].get(piece.kind, 0.0) + max(0.0, min(piece.end, high) - max(piece.start, low))
    pieces: list[Piece] = []
    shown: list[tuple[int, ...]] = []
    for window, held in enumerate(busy):
        foot = 0.0
        stack: list[Piece] = []
        for kind in sorted(held):
            stack.append(Piece(left + window * width, left + (window + 1) * width, kind, foot, foot + held[kind] / width, bars[window] if not stack else 0))
            foot += held[kind] / width
        shape = tuple(number for piece in stack for number in (piece.kind, round(piece.top * _STEPS)))
        if stack and shown and shown[-1] == shape:
            stack = [_beside(a, b) for a, b in zip(pieces[-len(stack) :], stack, strict=True)]
            del pieces[-len(stack) :]
        shown.append(shape)
        pieces += stack
    return pieces


def _beside(a: Piece, b: Piece) -> Piece:
    """Two pieces of one kind, the second right of the first and about as high, as one of the same area."""
    share = (b.end - b.start) / (b.end - a.start)
    return Piece(a.start, b.end, a.kind, a.foot + share * (b.foot - a.foot), a.top + share * (b.top - a.top), a.bars + b.bars)
