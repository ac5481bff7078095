"""Draws against moments in closed form, groups against their correlation, pairs against the normal's own chance."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thrifty.cost.carbon.factors import Distribution
from thrifty.cost.carbon.factors.normal import normal_share
from thrifty.cost.carbon.uncertainty import METHODS, Choice, Group, Inputs, Lookup, Method, Variable, draw
from thrifty.errors import BadValue, UnknownName


def number(name: str, kind: str, *parameters: float, unit: str = "gCO2e") -> Variable:
    return Variable(name=name, distribution=Distribution(kind, parameters), unit=unit)  # type: ignore[arg-type]


PAIR = Inputs(variables=(number("a", "normal", 10.0, 3.0), number("b", "normal", 11.0, 4.0)))


@pytest.mark.parametrize("method", METHODS)
def test_formula_quantiles_and_the_chance_of_a_difference_of_normals(method: Method) -> None:
    drawn = draw(lambda v: {"a": v["a"], "b": v["b"], "sum": v["a"] + v["b"]}, PAIR, 2**15, method=method, seed=3)
    found = drawn.summary("sum")
    assert found.mean == pytest.approx(21.0, abs=5 * found.mean_se + 1e-9)
    assert found.sd == pytest.approx(5.0, rel=0.02)
    for value, error, z in ((found.p5, found.p5_se, -1.6448536), (found.p50, found.p50_se, 0.0), (found.p95, found.p95_se, 1.6448536)):
        assert value == pytest.approx(21.0 + 5.0 * z, abs=5 * error + 0.02)
    chance = drawn.chance_below("a", "b")
    assert chance.less == pytest.approx(float(normal_share(0.2)), abs=5 * chance.se + 1e-4)
    assert 0 < chance.se < 0.01 and chance.equal == 0.0


def test_what_designs_share_is_drawn_once_so_that_a_hair_decides() -> None:
    inputs = Inputs(variables=(number("fab", "lognormal", 500.0, 1.0, unit="gCO2e/kWh"),))
    drawn = draw(lambda v: {"a": v["fab"] * 1.0, "b": v["fab"] * 1.000001, "c": v["fab"] * 1.0}, inputs, 4096)
    assert drawn.chance_below("a", "b").less == 1.0
    assert drawn.chance_below("a", "c").to_dict() == {"less": 0.0, "equal": 1.0, "more": 0.0, "se": 0.0}


@given(st.floats(-0.95, 0.95))
@settings(max_examples=10, deadline=None)
def test_formula_a_group_has_its_correlation(rho: float) -> None:
    inputs = Inputs(variables=(number("a", "normal", 0.0, 1.0), number("b", "uniform", 0.0, 1.0)), groups=(Group(("a", "b"), rho),))
    drawn = draw(lambda v: v["a"] + v["b"], inputs, 2**14, keep=("a", "b"))
    # the correlation of normal scores; of ranks it is 6/π asin(ρ/2) (Pearson 1907)
    ranks = [np.argsort(np.argsort(drawn.kept[name])) for name in "ab"]
    assert np.corrcoef(ranks)[0, 1] == pytest.approx(6 / math.pi * math.asin(rho / 2), abs=0.01)
    assert drawn.kept["b"].mean() == pytest.approx(0.5, abs=0.01)


def test_a_perfect_correlation_is_one_variable_and_its_opposite() -> None:
    inputs = Inputs(variables=(number("a", "lognormal", 5.0, 0.4), number("b", "lognormal", 5.0, 0.4)), groups=(Group(("a", "b"), 1.0),))
    drawn = draw(lambda v: v["a"] - v["b"], inputs, 1024)
    np.testing.assert_allclose(drawn.output("value"), 0.0, atol=1e-9)


def test_a_choice_takes_each_option_as_often_as_its_weight_for_all_lookups_at_once() -> None:
    inputs = Inputs(
        choices=(Choice(name="model", options=("act", "imec"), weights=(0.25, 0.75)),),
        lookups=(Lookup(name="a", choice="model", by_option={"imec": 20.0, "act": 10.0}, unit="gCO2e"),
                 Lookup(name="b", choice="model", by_option={"act": 1.0, "imec": 2.0}, unit="gCO2e")),
    )  # fmt: skip
    drawn = draw(lambda v: {"a": v["a"], "b": v["b"]}, inputs, 1024)
    np.testing.assert_allclose(drawn.output("a"), 10 * drawn.output("b"))
    assert (drawn.output("a") == 10.0).mean() == pytest.approx(0.25, abs=0.002)


def test_property_naming_parts_in_another_order_draws_the_same() -> None:
    variables = tuple(number(name, "triangular", 1.0, 2.0, 4.0) for name in ("x", "y", "z"))
    one = draw(lambda v: v["x"] + 2 * v["y"] + 3 * v["z"], Inputs(variables=variables), 512)
    other = draw(lambda v: v["x"] + 2 * v["y"] + 3 * v["z"], Inputs(variables=variables[::-1]), 512)
    np.testing.assert_array_equal(one.output("value"), other.output("value"))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Inputs(), "no variables. Give at least one."),
        (lambda: number("a", "exact", 1.0, unit=" "), "variable 'a' has no unit. Give one like 'gCO2e'"),
        (lambda: number("a", "exact", math.nan), "is not complete. Give finite numbers"),
        (lambda: Inputs(variables=(number("a", "exact", 1.0), number("a", "exact", 2.0))), "'a' is named twice"),
        (lambda: Group(("a", "b"), 1.5).root(), "correlation 1.5 of a, b is not between -1 and 1"),
        (lambda: Group(("a", "b"), math.nan).root(), "correlation nan of a, b is not between -1 and 1"),
        (lambda: Group(("a",), 0.5).root(), "correlates nothing. Name two variables or more"),
        (lambda: Group(("a", "b", "c"), -0.9).root(), "its least eigenvalue is -0.8, below 0. Bring the pairs nearer to 0, e.g. to -0.5 or more"),
        (lambda: Group(("a", "b"), ((1.0, 0.2), (0.3, 1.0))).root(), "is no symmetric 2 x 2 matrix"),
        (lambda: Inputs(variables=PAIR.variables, groups=(Group(("a", "c"), 0.1),)), "'c' in a group is no variable"),
        (lambda: Choice(name="m", options=()), "Give at least one, each once"),
        (lambda: Choice(name="m", options=("a", "b"), weights=(0.7, 0.7)), "adding up to 1"),
        (lambda: Inputs(choices=(Choice(name="m", options=("a",)),), lookups=(Lookup(name="x", choice="m", by_option={}, unit="g"),)), "for every option"),
        (lambda: draw(lambda v: v["a"] / 0.0 if False else np.log(v["a"] * 0 - 1), PAIR, 64), "output 'value' is not finite at 64 of 64 points"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:invalid value")
def test_what_cannot_be_is_refused(make, said: str) -> None:
    with pytest.raises(BadValue, match=said):
        make()


def test_unknown_names_are_said() -> None:
    with pytest.raises(UnknownName, match="No output named 'c'"):
        draw(lambda v: {"a": v["a"]}, PAIR, 32).summary("c")
    with pytest.raises(UnknownName, match="No variable named 'c'"):
        draw(lambda v: v["a"], PAIR, 32, keep=["c"])
