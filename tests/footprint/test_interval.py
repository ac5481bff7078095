"""Intervals: ordered, additive, monotone."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.errors import BadValue
from thrifty.footprint import Interval

NUMBERS = st.floats(min_value=0, max_value=1e9)
INTERVALS = st.lists(NUMBERS, min_size=3, max_size=3).map(lambda xs: Interval(*sorted(xs)))


def test_formula_sum_and_multiple() -> None:
    assert Interval(1, 2, 4) + Interval(10, 20, 40) == Interval(11, 22, 44)
    assert 3 * Interval(1, 2, 4) == Interval(1, 2, 4) * 3 == Interval(3, 6, 12)
    assert Interval.exact(5).to_dict() == {"low": 5, "mid": 5, "high": 5}


@given(INTERVALS, INTERVALS, INTERVALS)
def test_property_sums_commute_and_associate(a: Interval, b: Interval, c: Interval) -> None:
    assert a + b == b + a
    left, right = (a + b) + c, a + (b + c)
    assert (left.low, left.mid, left.high) == pytest.approx((right.low, right.mid, right.high), rel=1e-12)
    assert a + Interval.exact(0) == a


@given(INTERVALS, INTERVALS, st.floats(min_value=0, max_value=1e6))
def test_property_multiples_distribute(a: Interval, b: Interval, factor: float) -> None:
    whole, parts = (a + b) * factor, a * factor + b * factor
    assert (whole.low, whole.mid, whole.high) == pytest.approx((parts.low, parts.mid, parts.high), rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("ends", [(2, 1, 3), (1, 3, 2), (math.nan, 1, 2), (1, math.nan, 2), (1, 2, math.nan)])
def test_unordered_ends_are_refused(ends: tuple[float, float, float]) -> None:
    with pytest.raises(BadValue) as caught:
        Interval(*ends)
    assert str(caught.value) == f"interval ({ends[0]}, {ends[1]}, {ends[2]}) is not ordered. Give low <= mid <= high."


def test_negative_multiples_are_refused() -> None:
    with pytest.raises(BadValue) as caught:
        Interval(1, 2, 3) * -1
    assert str(caught.value) == "interval times -1: a footprint cannot be multiplied by a negative number. Give 0 or more."
