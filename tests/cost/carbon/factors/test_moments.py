"""Moments in closed form against quadrature of the density, and the normal's own functions against SciPy's."""

import builtins
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.cost.carbon.factors import Distribution
from thrifty.cost.carbon.factors.normal import normal_quantile, normal_share
from thrifty.errors import BadValue

SHAPES = [
    Distribution("exact", (3.0,)), Distribution("uniform", (1.0, 4.0)), Distribution("triangular", (1.0, 1.5, 4.0)),
    Distribution("triangular", (1.0, 1.0, 4.0)), Distribution("triangular", (1.0, 4.0, 4.0)), Distribution("lognormal", (5.0, 0.5)),
    Distribution("beta", (2.0, 5.0, 1.0, 3.0)), Distribution("beta", (14.0, 2.0, 0.0, 1.0)), Distribution("empirical", (1.0, 2.0, 6.0)),
]  # fmt: skip
GRID = (np.arange(400_000) + 0.5) / 400_000


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("power", [-2, -1, 0, 1, 2, 3])
def test_formula_moments_are_those_of_the_quantiles(shape: Distribution, power: int) -> None:
    assert shape.moment(power) == pytest.approx((shape.quantile(GRID) ** float(power)).mean(), rel=3e-4)


@pytest.mark.parametrize("shape", [*SHAPES, Distribution("normal", (5.0, 2.0))], ids=str)
def test_formula_variance_is_the_second_moment_less_the_mean_squared(shape: Distribution) -> None:
    assert shape.variance == pytest.approx(shape.moment(2) - shape.mean**2, rel=1e-9, abs=1e-12)


@given(st.floats(1.1, 200), st.floats(0.5, 50))
def test_formula_the_mean_of_one_over_a_beta_yield(a: float, b: float) -> None:
    shape = Distribution("beta", (a, b, 0.0, 1.0))
    assert shape.moment(-1) == pytest.approx((a + b - 1) / (a - 1), rel=1e-12)
    assert shape.moment(-1) >= 1 / shape.mean


def test_formula_by_hand() -> None:
    assert Distribution("uniform", (1.0, 4.0)).moment(-1) == pytest.approx(math.log(4) / 3, rel=1e-14)
    assert Distribution("uniform", (1.0, 4.0)).moment(-2) == pytest.approx(0.25, rel=1e-12)
    assert Distribution("triangular", (0.0, 1.0, 2.0)).moment(-1) == pytest.approx(2 * math.log(2), rel=1e-12)
    assert Distribution("normal", (5.0, 2.0)).moment(3) == pytest.approx(125 + 3 * 5 * 4, rel=1e-12)
    assert Distribution("lognormal", (5.0, 0.5)).moment(-1) == pytest.approx(math.exp(0.25) / 5, rel=1e-14)


@pytest.mark.parametrize(
    ("kind", "parameters", "power"),
    [("normal", (5.0, 0.1), -1), ("uniform", (0.0, 1.0), -1), ("uniform", (-1.0, 1.0), -1), ("beta", (1.0, 3.0, 0.0, 1.0), -1), ("exact", (0.0,), -1)],
)
def test_a_mean_of_one_over_what_may_be_nothing_is_refused(kind, parameters, power) -> None:
    with pytest.raises(BadValue, match=r"the mean of X\^-1 is not finite"):
        Distribution(kind, parameters).moment(power)


def test_peer_scipy_agrees_on_the_normal_and_the_beta() -> None:
    special = pytest.importorskip("scipy.special")
    u = np.concatenate([np.random.default_rng(0).random(20_000), 10.0 ** -np.arange(1, 300, 7), 1 - 10.0 ** -np.arange(1, 16)])
    np.testing.assert_allclose(normal_quantile(u), special.ndtri(u), rtol=3e-15, atol=1e-15)
    np.testing.assert_allclose(normal_share([-3.0, 0.0, 1.0]), special.ndtr([-3.0, 0.0, 1.0]), rtol=1e-15)
    for a, b in ((2.0, 5.0), (14.0, 2.0), (0.5, 0.7), (300.0, 40.0)):
        many = Distribution("beta", (a, b, 0.0, 1.0)).quantile(u[:20_000])
        np.testing.assert_allclose(many, special.betaincinv(a, b, u[:20_000]), rtol=1e-11)


def test_without_scipy_normals_are_drawn_the_same_and_a_beta_says_what_it_needs(monkeypatch) -> None:
    z = np.linspace(-8, 8, 101)
    with_it, real = normal_share(z), builtins.__import__
    monkeypatch.setattr(builtins, "__import__", lambda name, *rest: (_ for _ in ()).throw(ImportError()) if name.startswith("scipy") else real(name, *rest))
    np.testing.assert_allclose(normal_share(z), with_it, rtol=1e-13)
    assert Distribution("lognormal", (5.0, 0.5)).quantile(0.5) == pytest.approx(5 * math.exp(-0.125))
    with pytest.raises(Exception, match=r"a beta distribution needs scipy. Install: pip install \"thrifty\[optimize\]\""):
        Distribution("beta", (2.0, 2.0, 0.0, 1.0)).quantile([0.5])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_property_a_copula_asks_in_the_normals_own_scale(shape: Distribution) -> None:
    z = np.array([-2.0, -0.3, 0.1, 1.7])
    np.testing.assert_allclose(shape.at_normal(z), shape.quantile(normal_share(z)), rtol=1e-12)
