"""Distributions: closed-form means against their own quantiles, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.cost.carbon.factors import Distribution
from thrifty.cost.carbon.factors.distribution import Kind
from thrifty.errors import BadValue

SHAPES = [
    Distribution("exact", (3.0,)), Distribution("uniform", (1.0, 4.0)), Distribution("triangular", (1.0, 1.5, 4.0)), Distribution("normal", (5.0, 2.0)),
    Distribution("lognormal", (5.0, 0.5)), Distribution("beta", (2.0, 5.0, 1.0, 3.0)), Distribution("empirical", (1.0, 2.0, 6.0)),
]  # fmt: skip
GRID = (np.arange(400_000) + 0.5) / 400_000


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.kind)
def test_formula_mean_is_that_of_its_quantiles(shape: Distribution) -> None:
    assert shape.quantile(GRID).mean() == pytest.approx(shape.mean, rel=2e-4)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.kind)
def test_property_another_unit_scales_quantiles(shape: Distribution) -> None:
    u = np.array([0.01, 0.3, 0.5, 0.99])
    np.testing.assert_allclose(shape.scaled(1000.0).quantile(u), shape.quantile(u) * 1000.0, rtol=1e-12)


def test_formula_triangular_by_hand() -> None:
    shape = Distribution("triangular", (0.0, 1.0, 2.0))
    np.testing.assert_allclose(shape.quantile([0.125, 0.5, 0.875]), [0.5, 1.0, 1.5])


@given(st.floats(0.1, 100), st.floats(0.0, 1.5))
def test_property_a_lognormal_keeps_its_mean_whatever_its_spread(mean: float, sigma: float) -> None:
    shape = Distribution("lognormal", (mean, sigma))
    assert shape.mean == mean
    assert shape.quantile(0.5) == pytest.approx(mean * math.exp(-(sigma**2) / 2))


@pytest.mark.parametrize(
    ("kind", "parameters", "said"),
    [
        ("gaussian", (1.0, 2.0), "'gaussian' is unknown"),
        ("uniform", (2.0, 1.0), "is not ordered"),
        ("triangular", (1.0, 5.0, 4.0), "is not ordered"),
        ("uniform", (1.0,), "is not complete"),
        ("exact", (math.nan,), "is not complete"),
        ("normal", (1.0, -1.0), "cannot be"),
        ("lognormal", (0.0, 1.0), "cannot be"),
        ("beta", (0.0, 1.0, 0.0, 1.0), "cannot be"),
    ],
)
def test_what_is_no_distribution_is_refused(kind: Kind, parameters: tuple[float, ...], said: str) -> None:
    with pytest.raises(BadValue, match=said):
        Distribution(kind, parameters)


def test_probabilities_lie_inside() -> None:
    with pytest.raises(BadValue, match="strictly between 0 and 1"):
        Distribution("uniform", (0.0, 1.0)).quantile([0.0, 0.5])
