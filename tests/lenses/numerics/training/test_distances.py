"""Distances by hand, and W1 against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.lenses.numerics.training.judging.distances import Snapshots

ONE, OTHER = ("a", 0), ("b", 0)


def apart(one: list[float], other: list[float], kept: list[bool] | None = None) -> dict[str, float]:
    weights = {ONE: np.array([one], dtype=np.float32), OTHER: np.array([other], dtype=np.float32)}
    view = Snapshots(weights, {"t": slice(0, len(one))}, None if kept is None else np.array(kept))
    return {metric: float(values[0, 0]) for metric, values in view.between(ONE, OTHER).items()}


def test_formula_by_hand() -> None:
    # differences 3, -4, 0; sorted (-1, 0, 2) against (-2, -1, 3)
    assert apart([0.0, 2.0, -1.0], [3.0, -2.0, -1.0]) == {"max": 4.0, "l2": 5.0, "w1": 1.0}


def test_formula_places_are_forgotten_by_w1_only() -> None:
    found = apart([1.0, 2.0, 3.0], [3.0, 1.0, 2.0])
    assert found["w1"] == 0.0
    assert found["max"] == 2.0


def test_formula_a_filter_takes_elements_out_and_a_tensor_without_any() -> None:
    assert apart([0.0, 0.0, 9.0], [1.0, 3.0, 0.0], [True, True, False]) == {"max": 3.0, "l2": pytest.approx(10**0.5), "w1": 2.0}
    weights = {ONE: np.zeros((1, 4), dtype=np.float32)}
    view = Snapshots(weights, {"t": slice(0, 2), "u": slice(2, 4)}, np.array([True, True, False, False]))
    assert view.tensors == ("t",)


@given(st.lists(st.tuples(st.floats(-1e3, 1e3, width=32), st.floats(-1e3, 1e3, width=32)), min_size=1, max_size=30))
def test_peer_w1_is_scipys(pairs: list[tuple[float, float]]) -> None:
    scipy = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    one, other = (list(each) for each in zip(*pairs, strict=True))
    assert apart(one, other)["w1"] == pytest.approx(scipy.wasserstein_distance(one, other), rel=1e-9, abs=1e-9)


def test_formula_after_a_run_ended_there_is_no_distance() -> None:
    view = Snapshots({ONE: np.zeros((3, 2), dtype=np.float32), OTHER: np.ones((2, 2), dtype=np.float32)}, {"t": slice(0, 2)})
    assert view.between(ONE, OTHER)["max"][:, 0].tolist() == pytest.approx([1.0, 1.0, np.nan], nan_ok=True)
