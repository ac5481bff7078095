"""Slopes and bootstrap intervals against curves whose slopes are known, and against scipy's Student distribution."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.lenses.numerics.training.judging.intervals import Draws, Estimate, estimate, ratio, slopes, student_quantile, student_tail, tail_share

STEPS = (0, 100, 200, 300, 400)
SAME = tuple((seed, seed) for seed in range(5))


def test_formula_slope_of_straight_lines_is_theirs() -> None:
    x = np.array(STEPS, dtype=np.float64)
    values = np.stack([np.stack([2e-6 * x + 1, -3e-6 * x], axis=1), np.stack([0 * x, 5e-6 * x - 7], axis=1)])
    assert np.allclose(slopes(STEPS, values), [[2e-6, -3e-6], [0, 5e-6]], atol=1e-18)


def test_formula_slope_is_least_squares_by_hand() -> None:
    # points (0, 0), (100, 3), (200, 3): slope = (100·3 + 200·3 - 3·100·2) / (2·100²) = 300/20000
    assert slopes((0, 100, 200), np.array([[[0.0], [3.0], [3.0]]]))[0, 0] == pytest.approx(0.015)


def test_formula_slope_takes_finite_snapshots_only() -> None:
    values = np.array([[[0.0, np.nan], [1.0, np.nan], [2.0, np.nan], [np.nan, 1.0], [np.nan, np.nan]]])
    found = slopes(STEPS, values)
    assert found[0, 0] == pytest.approx(0.01)
    assert math.isnan(found[0, 1])


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 9, 24])
def test_peer_student_is_scipys(freedom: int) -> None:
    scipy = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    for t in (0.3, 1.0, 2.7764):
        assert student_tail(t, freedom) == pytest.approx(2 * scipy.t.sf(t, freedom), rel=1e-12)
    assert student_quantile(0.05, freedom) == pytest.approx(scipy.t.ppf(0.975, freedom), rel=1e-9)


def test_formula_few_seeds_widen_the_interval() -> None:
    # five seeds: Φ(-√(5/4) · 2.776445) = Φ(-3.10416)
    assert tail_share(5) == pytest.approx(0.00095414, rel=1e-3)
    assert tail_share(1000) == pytest.approx(0.025, rel=0.02)


def test_property_interval_covers_the_mean_as_often_as_it_says() -> None:
    draws, made, covered = Draws.of(5, draws=1000), np.random.default_rng(7), 0
    for _ in range(400):
        found = estimate(made.normal(3.0, 1.0, (5, 1)), SAME, draws)
        covered += found.low <= 3.0 <= found.high
    # Plain percentiles of five values cover some 83 %.
    assert 0.90 <= covered / 400 <= 0.985


@given(shift=st.floats(-5, 5), factor=st.floats(0.1, 10))
def test_property_interval_follows_shift_and_factor(shift: float, factor: float) -> None:
    values = np.array([[1.0], [2.0], [4.0], [3.0], [7.0]])
    draws = Draws.of(5, draws=200)
    plain, moved = estimate(values, SAME, draws), estimate(values * factor + shift, SAME, draws)
    assert moved.value == pytest.approx(plain.value * factor + shift, abs=1e-9)
    assert moved.low == pytest.approx(plain.low * factor + shift, abs=1e-9)
    assert moved.low <= moved.value <= moved.high


def test_formula_tensors_widen_it_and_equal_seeds_close_it() -> None:
    uneven = np.tile([1.0, 2.0, 9.0], (5, 1))
    seeds, both = Draws.of(5, draws=500), Draws.of(5, 3, draws=500)
    assert estimate(uneven, SAME, seeds) == Estimate(value=4.0, low=pytest.approx(4.0), high=pytest.approx(4.0))
    wide = estimate(uneven, SAME, both)
    assert wide.low < 3.0 < 5.0 < wide.high


def test_formula_pairs_of_seeds_count_as_often_as_both_are_drawn() -> None:
    draws = Draws(np.array([[2, 1, 0], [1, 1, 1]]), None, 0.025)
    values, pairs = np.array([[10.0], [20.0], [60.0]]), ((0, 1), (0, 2), (1, 2))
    assert draws.means(values, pairs).tolist() == [10.0, 30.0]


def test_formula_a_ratio_is_paired_by_seed() -> None:
    below = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
    found = ratio((3 * below, SAME), (below, SAME), Draws.of(5, draws=300))
    assert (found.value, found.low, found.high) == pytest.approx((3.0, 3.0, 3.0))


def test_formula_a_ratio_over_zero_has_no_interval() -> None:
    found = ratio((np.ones((5, 1)), SAME), (np.zeros((5, 1)), SAME), Draws.of(5, draws=50))
    assert found.to_dict() == {"value": None, "low": None, "high": None}
