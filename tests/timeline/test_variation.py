"""Durations that vary, against closed forms and integrals."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from thrifty.errors import BadValue, UnknownName
from thrifty.timeline import Spread, Task, TaskGraph, Variation, sample
from thrifty.timeline.quantiles import gamma_quantile, normal_quantile

MANY = 40_000


def chain(count: int, kind: str = "k") -> TaskGraph:
    return TaskGraph.of(Task(id=f"t{i}", stream="s", duration_s=1.0, kind=kind) for i in range(count))


def side_by_side(count: int) -> TaskGraph:
    return TaskGraph.of(Task(id=f"t{i}", stream=f"s{i}", duration_s=1.0, kind="k") for i in range(count))


def makespans(graph: TaskGraph, variation: Variation | list[Variation], samples: int = MANY, seed: int = 1) -> np.ndarray:
    return graph.solve(sample(graph, np.ones(len(graph)), {"k": variation}, samples=samples, seed=seed)).makespan_s_C


def test_formula_normal_quantile_in_both_tails() -> None:
    p = np.array([1e-300, 1e-20, 1e-6, 0.07, 0.3, 0.5])
    below = normal_quantile(p, 1 - p)
    for value, probability in zip(below.tolist(), p.tolist(), strict=True):
        assert 0.5 * math.erfc(-value / math.sqrt(2)) == pytest.approx(probability, rel=1e-11)
        assert value == pytest.approx(NormalDist().inv_cdf(probability), rel=1e-12, abs=1e-15)
    assert (normal_quantile(1 - p, p) == -below).all()


@pytest.mark.parametrize("shape", [1, 2, 5])
def test_formula_gamma_quantile_of_whole_shapes(shape: int) -> None:
    """P(X > x) = e^−x Σ x^i / i! for whole shapes; in both tails."""
    above = np.array([1e-250, 1e-30, 1e-12, 1e-4, 0.01, 0.2, 0.5, 0.9, 0.999])
    x = gamma_quantile(shape, 1 - above, above)
    exact = np.exp(-x) * sum(x**i / math.factorial(i) for i in range(shape))
    slope = x * np.exp(-x) * x ** (shape - 1) / math.factorial(shape - 1)  # dP / d log x
    assert (np.abs(exact - above) / slope <= np.where(above < 1e-30, 1e-6, 1e-8)).all()
    below = np.array([1e-25, 1e-9, 1e-3])
    x = gamma_quantile(shape, below, 1 - below)
    np.testing.assert_allclose(np.exp(-x) * sum(x**i / math.factorial(i) for i in range(shape, shape + 60)), below, rtol=1e-7)


@pytest.mark.parametrize("shape", [0.1, 0.7, 30.0, 2e3, 1e6])
def test_property_gamma_quantile_has_the_moments(shape: float) -> None:
    middles = (np.arange(200_000) + 0.5) / 200_000
    x = gamma_quantile(shape, middles, 1 - middles)
    assert x.mean() == pytest.approx(shape, rel=1e-3)
    assert x.std() == pytest.approx(math.sqrt(shape), rel=1e-2)


@pytest.mark.parametrize("shape", ["normal", "gamma", "lognormal"])
def test_formula_mean_and_cv(shape: str) -> None:
    draws = Variation(shape=shape, mean=1.5, cv=0.2).draw(200_000, 3, "x")
    assert draws.mean() == pytest.approx(1.5, rel=3e-3)
    assert draws.std() / draws.mean() == pytest.approx(0.2, rel=1e-2)
    assert draws.min() > 0
    assert (Variation(shape="constant", mean=2.0).draw(5, 0, "x") == 2.0).all()


def test_formula_normal_is_cut_off_at_zero() -> None:
    draws = Variation(shape="normal", cv=1.0).draw(200_000, 3, "x")
    density, kept = NormalDist().pdf(-1), 1 - NormalDist().cdf(-1)
    assert draws.min() >= 0
    assert draws.mean() == pytest.approx(1 + density / kept, rel=5e-3)


def test_formula_sum_of_independent_normals() -> None:
    found = Spread.of(makespans(chain(25), Variation(shape="normal", cv=0.1)))
    exact = NormalDist(25, 0.1 * math.sqrt(25))
    assert found.mean == pytest.approx(25, rel=1e-3)
    for percent, value in ((0.05, found.p5), (0.5, found.p50), (0.95, found.p95)):
        assert value == pytest.approx(exact.inv_cdf(percent), rel=1.5e-3)
    assert found.p95_low < exact.inv_cdf(0.95) < found.p95_high


def test_formula_a_group_does_not_average_out() -> None:
    alone, shared = (makespans(chain(25), Variation(shape="normal", cv=0.1, group=group)).std() for group in ("", "network"))
    assert alone == pytest.approx(0.5, rel=0.02)
    assert shared == pytest.approx(2.5, rel=0.02)
    both = makespans(chain(25), [Variation(shape="normal", cv=0.1), Variation(shape="normal", cv=0.1, group="network")])
    assert both.std() == pytest.approx(math.sqrt(2.5**2 + 0.5**2), rel=0.03)


@pytest.mark.parametrize("shape", ["gamma", "normal", "lognormal"])
def test_formula_the_later_of_two(shape: str) -> None:
    """E max(X, Y) = ∫ 1 − F(x)² dx, numerically, of two tasks side by side and of one task with two ranks; 1.5 for two exponentials."""
    cv = 1.0 if shape == "gamma" else 0.3
    variation = Variation(shape=shape, cv=cv)
    x = np.linspace(0, 40, 400_001)
    width = math.sqrt(math.log1p(cv**2))
    if shape == "gamma":
        cdf = 1 - np.exp(-x)
    else:
        z = (x - 1) / cv if shape == "normal" else (np.log(np.maximum(x, 1e-300)) + width**2 / 2) / width
        low = 0.5 * math.erfc(1 / (cv * math.sqrt(2))) if shape == "normal" else 0.0
        cdf = (0.5 * np.array([math.erfc(-each / math.sqrt(2)) for each in z[:40_001]]) - low) / (1 - low)
        x = x[:40_001]
    exact = float(np.trapezoid(1 - cdf**2, x)) if hasattr(np, "trapezoid") else 0.0
    if shape == "gamma":
        assert exact == pytest.approx(1.5, rel=1e-4)
    for found in (makespans(side_by_side(2), variation), Variation(shape=shape, cv=cv, ranks=2).draw(MANY, 5, "x")):
        assert found.mean() == pytest.approx(exact, rel=0.012)


def test_formula_slowest_of_many_exponentials() -> None:
    """Its mean is the harmonic number, without drawing the values."""
    draws = Variation(shape="gamma", cv=1.0, ranks=65_536).draw(MANY, 2, "x")
    assert draws.mean() == pytest.approx(sum(1 / i for i in range(1, 65_537)), rel=3e-3)


def test_formula_stragglers() -> None:
    """Without noise: slow with probability 1 − (1 − p)^n. With it: as n values drawn one by one."""
    draws = Variation(shape="constant", ranks=64, straggler=0.01, slowdown=1.35).draw(MANY, 2, "x")
    assert set(draws.tolist()) == {1.0, 1.35}
    assert (draws > 1).mean() == pytest.approx(1 - 0.99**64, rel=0.02)
    rng = np.random.default_rng(0)
    values = np.exp(rng.normal(-math.log1p(0.01) / 2, math.sqrt(math.log1p(0.01)), (20_000, 16))) * np.where(rng.random((20_000, 16)) < 0.05, 1.3, 1.0)
    found, expected = Variation(cv=0.1, ranks=16, straggler=0.05, slowdown=1.3).draw(20_000, 1, "x"), values.max(axis=1)
    np.testing.assert_allclose(np.quantile(found, [0.05, 0.5, 0.95]), np.quantile(expected, [0.05, 0.5, 0.95]), rtol=5e-3)


def test_property_draws_depend_on_seed_and_name_alone() -> None:
    few, more = chain(2), chain(5)
    noise = {"k": Variation(cv=0.2)}
    small = sample(few, np.ones(2), noise, samples=10, seed=7)
    large = sample(more, np.full(5, 2.0), noise, samples=50, seed=7)
    assert (large[:10, :2] == 2 * small).all()
    assert (sample(few, np.ones(2), noise, samples=10, seed=7) == small).all()
    assert not (sample(few, np.ones(2), noise, samples=10, seed=8) == small).any()
    assert not (small[:, 0] == small[:, 1]).any()
    own = sample(few, np.ones(2), {"k": Variation(cv=0.2), "t1": Variation(shape="constant", mean=3.0)}, samples=10, seed=7)
    assert (own[:, 0] == small[:, 0]).all()
    assert (own[:, 1] == 3).all()
    assert sample(few, np.ones(2), {}, samples=4).tolist() == [[1, 1]] * 4


def test_property_the_interval_holds_the_percentile_as_often_as_it_says() -> None:
    exact = NormalDist().inv_cdf(0.95)
    rng = np.random.default_rng(0)
    spreads = [Spread.of(rng.normal(size=400), confidence=0.9) for _ in range(300)]
    inside = np.mean([each.p95_low <= exact <= each.p95_high for each in spreads])
    assert 0.84 < inside < 0.95
    assert all(each.p95_low <= each.p95 <= each.p95_high for each in spreads)
    one = Spread.of([3.0])
    assert (one.p5, one.p50, one.p95, one.p95_low, one.p95_high, one.mean, one.samples) == (3, 3, 3, 3, 3, 3, 1)
    hundred = Spread.of(np.arange(1, 101))
    assert (hundred.p5, hundred.p50, hundred.p95) == (5, 50, 95)


def test_formula_what_is_wrong_is_said() -> None:
    for wrong, text in (
        ({"shape": "weibull"}, "a variation of the shape 'weibull'. Choose one of constant, normal, gamma, lognormal."),
        ({"mean": 0.0}, "a variation has the mean 0.0. Give a factor greater than 0."),
        ({"cv": -1.0}, "a lognormal variation has cv=-1.0. Give 0 or more, and 0 to what is constant."),
        ({"shape": "constant", "cv": 0.1}, "a constant variation has cv=0.1. Give 0 or more, and 0 to what is constant."),
        ({"ranks": 0}, "a variation of 0 ranks. Give a whole number of 1 or more."),
        ({"straggler": 1.5}, "stragglers of probability 1.5. Give 0 to 1."),
        ({"slowdown": 0.5}, "stragglers are slower by 0.5. Give a factor of 1 or more."),
    ):
        with pytest.raises(BadValue) as error:
            Variation(**wrong)  # type: ignore[arg-type]
        assert str(error.value) == text
    graph = chain(2)
    with pytest.raises(UnknownName, match="No task or kind named 't9'"):
        sample(graph, np.ones(2), {"t9": Variation()}, samples=3)
    with pytest.raises(BadValue, match=r"^0 samples\. Give 1 or more\.$"):
        sample(graph, np.ones(2), {}, samples=0)
    with pytest.raises(BadValue, match=r"^durations have the shape \(3,\)\. This graph needs \(2,\)\.$"):
        sample(graph, np.ones(3), {}, samples=1)
    shared = TaskGraph.of([Task(id="a", stream="s", duration_s=1.0), Task(id="b", stream="s", duration_s=1.0)], columns=[0, 0])
    with pytest.raises(BadValue, match=r"^task 'b' shares its durations with 'a'\. Give it a column of its own to vary\.$"):
        sample(shared, np.ones(1), {"b": Variation()}, samples=2)
    with pytest.raises(BadValue, match=r"^a spread needs one sample or more, all of them finite\.$"):
        Spread.of([])
    with pytest.raises(BadValue, match=r"^confidence of 1\. Give a number between 0 and 1\.$"):
        Spread.of([1.0], confidence=1)
    with pytest.raises(BadValue, match=r"^a gamma distribution of shape 0\.0001\. Give a cv between 0\.0001 and 10\.$"):
        Variation(shape="gamma", cv=100.0).draw(1, 0, "x")
