"""Forecasts that are wrong in a known way."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue

Floats = npt.NDArray[np.float64]


def noisy(grams_PT: Floats, error: float, seed: int) -> Floats:
    """The series plus Gaussian noise, independent a slot, with a standard deviation of `error` times each place's mean; never below 0.

    As in "Let's Wait Awhile" (5 % and 10 %). Raises BadValue for an error outside 0 to 1 or a seed below 0.
    """
    if not (math.isfinite(error) and 0 <= error <= 1):
        raise BadValue(f"a forecast error of {error:g} cannot be. Give a share from 0 to 1, e.g. 0.05.")
    if seed < 0:
        raise BadValue(f"seed={seed} is below 0. Give a whole number of at least 0.")
    draw = np.random.default_rng(seed)
    wrong = draw.normal(0.0, 1.0, grams_PT.shape) * error * grams_PT.mean(axis=1, keepdims=True)
    return np.asarray(np.maximum(0.0, grams_PT + wrong))
