"""Finds room for the names of points, so that none covers another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from thrifty.report.drawing.axes import CHARACTER_PX

_HEIGHT = 13.0
Side = Literal["left", "center", "right"]
_AROUND: tuple[tuple[float, float, Side], ...] = (
    (1, 0, "left"), (-1, 0, "right"), (0, -1, "center"), (0, 1, "center"),
    (0.8, -0.75, "left"), (0.8, 0.75, "left"), (-0.8, -0.75, "right"), (-0.8, 0.75, "right"),
)  # fmt: skip
_REACHES = (9.0, 14.0, 22.0, 32.0, 44.0, 58.0)
_FARTHER = (76.0, 98.0)
LEADER_FROM = 20.0
"""A label farther than this from its point gets a thin line to it."""


@dataclass(frozen=True, slots=True)
class Label:
    """A name beside a point: how far from it, and on which side."""

    dx: float
    dy: float
    align: Side


Box = tuple[float, float, float, float]


def place_labels(
    points: Sequence[tuple[float, float]], names: Sequence[str], width: float, height: float, obstacles: Sequence[tuple[float, float]] = (),
    *, first: Sequence[int] = (), crowded: bool = False,
) -> list[Label | None]:  # fmt: skip
    """A place for every name, greedily from the top left: the one that covers least of points, names and obstacles, nearest first.

    None for a point without a name. `first` are served before the others. `crowded` leaves out names that would cover another name,
    that would not be on the chart, or, unless they are `first`, that would cover a point.
    """
    import numpy as np

    named = [index for index, name in enumerate(names) if name]
    taken = np.empty((len(points) + len(obstacles) + len(named), 5))
    for row, (x, y) in enumerate(points):
        taken[row] = x - 6, y - 6, x + 6, y + 6, 3.0
    for row, (x, y) in enumerate(obstacles, len(points)):
        taken[row] = x - 2, y - 2, x + 2, y + 2, 1.0
    count = free = len(points) + len(obstacles)
    reaches = (*_REACHES, *_FARTHER) if crowded else _REACHES
    places: list[Label | None] = [None] * len(points)
    for index in sorted(named, key=lambda i: (i not in first, points[i][1], points[i][0])):
        x, y = points[index]
        length = len(names[index]) * CHARACTER_PX
        labels = [Label(dx * reach, dy * max(reach, 13.0), side) for reach in reaches for dx, dy, side in _AROUND]
        boxes = np.array([_box(x + label.dx, y + label.dy, length, label.align) for label in labels])
        wide = np.minimum(boxes[:, None, 2], taken[:count, 2]) - np.maximum(boxes[:, None, 0], taken[:count, 0])
        high = np.minimum(boxes[:, None, 3], taken[:count, 3]) - np.maximum(boxes[:, None, 1], taken[:count, 1])
        covered = np.maximum(wide, 0.0) * np.maximum(high, 0.0) * taken[:count, 4]
        outside = np.array([_outside((box[0], box[1], box[2], box[3]), width, height) for box in boxes])
        far = np.repeat([0.7 * (reach - _REACHES[0]) for reach in reaches], len(_AROUND))
        best = int(np.argmin(covered.sum(axis=1) + 4 * outside + far))
        on_points = 0.0 if index in first else covered[best, : len(points)].sum()
        if crowded and (covered[best, free:].sum() > 0 or outside[best] > 0 or on_points > 0):
            continue
        places[index] = labels[best]
        taken[count] = *boxes[best], 4.0
        count += 1
    return places


def spread(positions: Sequence[float], least: float = 14.0, bottom: float = math.inf) -> list[float]:
    """Move labels of one column apart until each is `least` from the next, none below `bottom`; their order stays."""
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    moved = [positions[i] for i in order]
    for _ in range(40):
        for i in range(1, len(moved)):
            if (lack := least - (moved[i] - moved[i - 1])) > 0:
                moved[i - 1] -= lack / 2
                moved[i] += lack / 2
    limit = bottom
    for i in reversed(range(len(moved))):
        moved[i] = min(moved[i], limit)
        limit = moved[i] - least
    result = [0.0] * len(positions)
    for place, index in enumerate(order):
        result[index] = moved[place]
    return result


def _box(x: float, y: float, length: float, align: str) -> Box:
    left = x if align == "left" else x - length if align == "right" else x - length / 2
    return left, y - _HEIGHT / 2, left + length, y + _HEIGHT / 2


def _outside(box: Box, width: float, height: float) -> float:
    return max(0.0, -box[0]) * _HEIGHT + max(0.0, box[2] - width) * _HEIGHT + (max(0.0, -box[1]) + max(0.0, box[3] - height)) * 50


def along(a: tuple[float, float], b: tuple[float, float], every: float = 6.0) -> list[tuple[float, float]]:
    """Points on the way from a to b: what names should not cover."""
    steps = max(1, int(math.dist(a, b) / every))
    return [(a[0] + (b[0] - a[0]) * i / steps, a[1] + (b[1] - a[1]) * i / steps) for i in range(steps + 1)]
