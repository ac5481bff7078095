"""The Pareto front against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from thrifty.errors import BadValue
from thrifty.footprint import dominates, pareto_front

# Few distinct values, so that equal costs and equal points are common.
POINTS = arrays.arrays(np.float64, st.tuples(st.integers(0, 25), st.integers(1, 4)), elements=st.integers(0, 5).map(float))


@given(POINTS)
def test_property_front_is_what_brute_force_finds(points_PC: np.ndarray) -> None:
    expected = [not any(dominates(other, point) for other in points_PC) for point in points_PC]
    assert pareto_front(points_PC).tolist() == expected


@given(POINTS.filter(len), st.randoms(use_true_random=False))
def test_property_order_does_not_matter(points_PC: np.ndarray, random: object) -> None:
    order = list(range(len(points_PC)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert pareto_front(points_PC[order]).tolist() == pareto_front(points_PC)[order].tolist()


@given(POINTS.filter(len))
def test_property_front_is_never_empty(points_PC: np.ndarray) -> None:
    assert pareto_front(points_PC).any()


@pytest.mark.parametrize(("a", "b", "answer"), [((1, 2), (1, 3), True), ((1, 2), (1, 2), False), ((1, 3), (2, 2), False), ((2, 2), (1, 3), False)])
def test_formula_dominates(a: tuple[int, int], b: tuple[int, int], answer: bool) -> None:
    assert dominates(a, b) is answer


def test_infinite_costs_are_allowed() -> None:
    assert pareto_front([[1.0, np.inf], [2.0, 1.0], [2.0, np.inf]]).tolist() == [True, True, False]


def test_bad_points_are_refused() -> None:
    with pytest.raises(BadValue, match=r"^pareto_front got an array of 1 axes\. Give \(points, costs\)\.$"):
        pareto_front([1.0, 2.0])
    with pytest.raises(BadValue, match=r"^pareto_front got a cost that is not a number\. Drop such points first\.$"):
        pareto_front([[1.0, np.nan]])
