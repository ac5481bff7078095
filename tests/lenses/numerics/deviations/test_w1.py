"""W1, exactly."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.errors import BadValue
from thrifty.lenses.numerics import w1

numbers = st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=7)


def test_formula_by_hand() -> None:
    assert w1([0, 1], [0.5, 1]) == 0.25  # a grid of quantiles with interpolation says 0.125
    assert w1([0, 1], [0, 0, 1, 1]) == 0.0
    assert w1([0.0], [3.0, 5.0]) == 4.0
    assert w1([0, 1, 2], [1]) == pytest.approx(2 / 3)
    assert w1([0, 10], [0, 10], weights_a=[1, 0]) == 5.0
    assert w1([0, 10], [0], weights_a=[3, 1]) == 2.5


@given(numbers, numbers)
def test_property_is_the_least_transport(a: list[float], b: list[float]) -> None:
    """Every number repeated until both samples have one size: then W1 is the least mean distance over all pairings, and sorting finds it."""
    one, other = np.repeat(np.sort(a), len(b)), np.repeat(np.sort(b), len(a))
    assert w1(a, b) == pytest.approx(np.abs(one - other).mean(), abs=1e-12)
    assert w1(a, b) == w1(b, a) == w1(a[::-1], b)
    assert w1(a, b, [2.0] * len(a), [1.0] * len(b)) == pytest.approx(w1(a, b), abs=1e-11)


def test_property_no_pairing_is_shorter() -> None:
    draw = np.random.default_rng(3)
    a, b = draw.standard_normal(6), draw.standard_normal(6)
    assert w1(a, b) == pytest.approx(min(np.abs(a - b[list(order)]).mean() for order in itertools.permutations(range(6))), abs=1e-14)


def test_peer_scipy() -> None:
    stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    draw = np.random.default_rng(0)
    for n, m in ((1000, 1000), (1000, 999), (17, 500), (1, 3)):
        a, b = draw.standard_normal(n), np.round(draw.standard_normal(m), 1)
        weights = draw.random(n), draw.random(m)
        assert w1(a, b) == pytest.approx(stats.wasserstein_distance(a, b), rel=1e-12)
        assert w1(a, b, *weights) == pytest.approx(stats.wasserstein_distance(a, b, *weights), rel=1e-9)


def test_formula_keeps_the_bits_of_fp32() -> None:
    a = np.array([1e8, 0.0, 1.0], dtype=np.float32)
    assert w1(a, a[::-1].copy()) == 0.0
    assert w1(a, np.array([1e8, 0.5, 1.0], dtype=np.float32)) == pytest.approx(0.5 / 3, rel=1e-15)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: w1([], [1.0]), "a holds no numbers"),
        (lambda: w1([1.0], [np.nan, 1.0]), "b holds 1 numbers that are NaN or infinite"),
        (lambda: w1([1.0], [2.0], [0.0], None), "weights_a must be finite"),
        (lambda: w1([1.0], [2.0], None, [1.0, 2.0]), "weights_b has 2 numbers for 1 values"),
        (lambda: w1([1j], [2.0]), "dtype complex128"),
    ],
)
def test_formula_refusals(call: object, said: str) -> None:
    with pytest.raises(BadValue, match=said):
        call()  # type: ignore[operator]
