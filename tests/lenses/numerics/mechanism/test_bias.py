"""Errors that lean to one side, and sums of them that grow in proportion to their number."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.errors import BadValue
from thrifty.lenses.numerics.mechanism import bias_of, coherence, repeats_of
from thrifty.lenses.numerics.mechanism.repeats import count_maxima


def test_formula_bias_of_two_errors() -> None:
    found = bias_of([0.0, -2.0**-6])
    assert (found.mean, found.count) == (-(2.0**-7), 2)
    assert found.ratio == pytest.approx(-1 / math.sqrt(2))
    assert found.rms == pytest.approx(2.0**-6 / math.sqrt(2))


def test_formula_bias_of_nothing() -> None:
    for errors in ([], [0.0, 0.0], [math.nan, math.inf]):
        found = bias_of(errors)
        assert (found.mean, found.rms, found.ratio, found.deviations, found.leans) == (0.0, 0.0, 0.0, 0.0, False)


def test_formula_bias_of_errors_all_alike() -> None:
    found = bias_of(np.full(100, -3e-7))
    assert found.ratio == pytest.approx(-1.0) and found.deviations == -10.0 and found.leans


def test_formula_rows_count_once_however_long_they_are() -> None:
    """Every row's errors are alike: 25 rows are 25 errors, whether of 1 or of 64."""
    rows = np.random.default_rng(0).standard_normal(25) + 0.5
    one, many = bias_of(rows), bias_of(np.repeat(rows[:, None], 64, axis=1))
    assert many.deviations == pytest.approx(one.deviations) and many.ratio == pytest.approx(one.ratio) and many.count == 64 * one.count


def test_formula_bias_without_overflow() -> None:
    assert bias_of([1e300, 1e300]).rms == pytest.approx(1e300)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30), st.floats(1e-3, 1e3))
def test_property_bias_ratio_is_bounded_and_without_unit(errors: list[float], factor: float) -> None:
    found, scaled = bias_of(errors), bias_of([each * factor for each in errors])
    assert abs(found.ratio) <= 1 + 1e-12
    assert scaled.ratio == pytest.approx(found.ratio, abs=1e-6)
    assert found.leans == bias_of([-each for each in errors]).leans


def test_formula_independent_errors_grow_with_the_root_coherent_ones_with_the_count() -> None:
    draw = np.random.default_rng(0)
    noise = draw.standard_normal((64, 24, 16))
    alone = coherence(noise)
    assert 0.4 < alone.exponent < 0.6 and not alone.coherent and 0.7 < alone.ratio < 1.4
    direction = np.outer(draw.standard_normal(24), draw.standard_normal(16)) * 0.3
    both = coherence(noise + direction)
    assert both.coherent and both.exponent > 0.7 and both.p_value == 1 / 200
    pure = coherence(np.broadcast_to(direction, (64, 24, 16)))
    assert pure.exponent == pytest.approx(1.0) and pure.leading_share == pytest.approx(1.0)
    assert pure.norms[-1] == pytest.approx(64 * np.linalg.norm(direction, 2)) and pure.steps == (1, 2, 4, 8, 16, 32, 64)


def test_formula_no_errors_are_not_coherent() -> None:
    found = coherence(np.zeros((8, 2, 2)))
    assert (found.coherent, found.ratio, found.exponent, found.leading_share) == (False, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        (np.zeros((4, 2, 2)), "errors of a gradient have shape (4, 2, 2); (steps, rows, columns) with at least 8 steps is needed."),
        (np.full((8, 2, 2), np.nan), "errors of a gradient hold NaN or infinite numbers, so their sums say nothing. Look for the first such step."),
    ],
)
def test_formula_coherence_refuses(errors: np.ndarray, said: str) -> None:
    with pytest.raises(BadValue) as why:
        coherence(errors)
    assert str(why.value) == said


def test_formula_repeats_by_hand() -> None:
    low = -np.inf
    scores = [[1.0, 1.0, 0.5], [-2.0, -2.0, -2.0], [0.0, -0.0, -1.0], [3.0, 2.0, low], [low, low, low], [np.nan, 1.0, 1.0]]
    assert count_maxima(scores).tolist() == [2, 3, 2, 1, 0, 0]
    found = repeats_of(scores)
    assert (found.rows, found.repeated, found.positive, found.zero, found.negative, found.most) == (4, 3, 1, 1, 1, 3)
    assert found.by_count == ((1, 1), (2, 2), (3, 1)) and found.share == 0.75
    assert repeats_of(np.zeros((3, 0))).share == 0.0


@given(st.lists(st.lists(st.integers(-3, 3), min_size=5, max_size=5), min_size=1, max_size=8))
def test_property_repeats_do_not_depend_on_the_order_of_keys(rows: list[list[int]]) -> None:
    assert repeats_of(rows) == repeats_of([row[::-1] for row in rows])
