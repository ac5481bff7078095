"""Relative error and correlation of ranks."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.cost.agreement import mean_error, spearman


def test_formula_by_hand() -> None:
    assert mean_error([1.1, 1.8], [1.0, 2.0]) == pytest.approx(0.1)
    assert spearman([1, 2, 3, 4], [10, 20, 40, 30]) == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert spearman([1, 1, 2], [1, 1, 2]) == pytest.approx(1.0)
    assert math.isnan(spearman([1, 1], [1, 2]))
    assert math.isnan(spearman([1], [1]))


@given(st.lists(st.floats(-100, 100), min_size=3, max_size=20), st.integers(0, 99))
def test_peer_scipy_agrees(values: list[float], seed: int) -> None:
    stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    other = np.random.default_rng(seed).integers(0, 5, len(values)).astype(float)
    if len(set(values)) > 1 and len(set(other)) > 1:
        assert spearman(values, other) == pytest.approx(stats.spearmanr(values, other).statistic, abs=1e-9)
