"""Gauge directions are found by replay in FP64, not by their names."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from thrifty.lenses.numerics.training.models.shapes import MODELS, initial, parameters_of
from thrifty.lenses.numerics.training.running.gauging import CUT, find_gauge, judge
from thrifty.lenses.numerics.training.running.runs import train, weights_of
from thrifty.lenses.numerics.training.running.variants import Asked, runs_of


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("model", ["digits", "text"])
def test_formula_the_keys_bias_is_found_and_nothing_else(model: str) -> None:
    shape = MODELS[model]
    run = next(run for run in runs_of(Asked.of(model, steps=20, every=10), {}) if run.name == "baseline")
    rows = train(run.configuration)
    found = find_gauge(shape, [weights_of(row) for row in rows[1:]], run.configuration["attention"])
    assert found.found == ("block0.key.bias",)
    assert found.agrees
    assert found.mask.sum() == shape.width
    # A wide gap: the cut is no fine choice.
    assert found.largest_within * 1e6 < found.least_without
    assert found.largest_within < CUT / 10
    # The run's own gradient there is noise of BF16, far above what FP64 leaves.
    assert found.ran["block0.key.bias"] > 1e6 * found.exact["block0.key.bias"]


@pytest.mark.usefixtures("tiny")
def test_formula_adamw_walks_into_a_gauge_direction_at_full_rate() -> None:
    run = next(run for run in runs_of(Asked.of("digits", steps=20, every=10), {}) if run.name == "baseline")
    tensors, first = parameters_of(MODELS["digits"]), 0
    for name, axes in tensors.items():
        if name == "block0.key.bias":
            break
        first += math.prod(axes)
    walked = weights_of(train(run.configuration)[-1])[first : first + MODELS["digits"].width]
    # Its gradient is zero but for rounding, and yet it has gone several steps of the rate's size.
    assert np.abs(walked).max() > MODELS["digits"].learning


def test_formula_judging_by_ratio_of_gradient_to_noise() -> None:
    shape = MODELS["digits"]
    count = len(initial(shape, 0))
    signal, noise = np.ones(count), np.full(count, 1e-13)
    signal[:3], noise[:3] = 1e-19, 1e-19  # a part of the first tensor
    signal[3] = noise[3] = 0.0  # a parameter that nothing reaches: no gauge direction
    signal[4], noise[4] = 1e-3, 0.0  # both replays rounded alike
    found = judge(shape, signal, noise, signal)
    assert np.flatnonzero(found.mask).tolist() == [0, 1, 2]
    assert (found.found, found.parts) == ((), ("patch.weight",))
    assert not found.agrees
    assert found.to_dict()["largest_ratio_within"] == pytest.approx(1.0)
    assert found.to_dict()["least_ratio_without"] == pytest.approx(1e13)
