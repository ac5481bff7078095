"""Which of many answers nothing else beats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue


def dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether `a` is nowhere worse (larger) than `b` and somewhere better."""
    return all(x <= y for x, y in zip(a, b, strict=True)) and any(x < y for x, y in zip(a, b, strict=True))


def pareto_front(points_PC: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Which rows of `points_PC` (P points, C costs, smaller is better) no other row dominates. Equal rows all stay.

    Raises BadValue for NaN. Cost: O(P² C), blockwise, fine to some 10⁴ points.
    """
    points = np.asarray(points_PC, dtype=np.float64)
    if points.ndim != 2:
        raise BadValue(f"pareto_front got an array of {points.ndim} axes. Give (points, costs).")
    if np.isnan(points).any():
        raise BadValue("pareto_front got a cost that is not a number. Drop such points first.")
    keep = np.ones(len(points), dtype=bool)
    for index, point in enumerate(points):
        if keep[index]:
            beaten = (points >= point).all(axis=1) & (points > point).any(axis=1)
            keep &= ~beaten
    return keep
