"""Value of information against its closed form for two designs that differ by a normal amount, and by hand for a choice."""

import math

import numpy as np
import pytest

from thrifty.cost.carbon.factors import Distribution
from thrifty.cost.carbon.factors.normal import normal_share
from thrifty.cost.carbon.uncertainty import Choice, Inputs, Lookup, Products, Variable, draw, value_of_datum, value_of_everything, value_of_products
from thrifty.errors import BadValue


def variable(name: str, mean: float, sd: float) -> Variable:
    return Variable(name=name, distribution=Distribution("normal", (mean, sd)), unit="gCO2e")


def loss(mu: float, sigma: float) -> float:
    """E[min(0, mu)] gain of knowing a normal difference: σ φ(μ/σ) − |μ| Φ(−|μ|/σ)."""
    z = abs(mu) / sigma
    return sigma * math.exp(-z * z / 2) / math.sqrt(2 * math.pi) - abs(mu) * float(normal_share(-z))


INPUTS = Inputs(variables=(variable("a", 100.0, 10.0), variable("b", 104.0, 3.0), variable("both", 1000.0, 50.0)))
DESIGNS = {"a": Products.of(INPUTS, [("", {"a": 1}), ("", {"both": 1})]), "b": Products.of(INPUTS, [("", {"b": 1}), ("", {"both": 1})])}


def test_formula_normal_differences() -> None:
    drawn = draw(lambda v: {name: model(v) for name, model in DESIGNS.items()}, INPUTS, 2**17, keep=("a", "b", "both"))
    everything = value_of_everything(drawn)
    assert everything.saves == pytest.approx(loss(4.0, math.hypot(10, 3)), abs=5 * everything.se + 1e-3)
    exact = {datum.name: datum.saves for datum in value_of_products(DESIGNS)}
    for name, sigma in (("a", 10.0), ("b", 3.0)):
        assert exact[name] == pytest.approx(loss(4.0, sigma), rel=2e-3)
        sliced = value_of_datum(drawn, name)
        assert sliced.saves == pytest.approx(loss(4.0, sigma), abs=5 * sliced.se + 0.02)
    assert exact["both"] == pytest.approx(0.0, abs=1e-9)  # what both share decides nothing
    assert value_of_datum(drawn, "both").saves < 0.03
    assert [datum.name for datum in value_of_products(DESIGNS)][:2] == ["a", "b"]


def test_formula_which_model_is_right() -> None:
    inputs = Inputs(
        choices=(Choice(name="model", options=("p", "q"), weights=(0.75, 0.25)),),
        lookups=(Lookup(name="a", choice="model", by_option={"p": 1.0, "q": 9.0}, unit="gCO2e"),
                 Lookup(name="b", choice="model", by_option={"p": 4.0, "q": 2.0}, unit="gCO2e")),
    )  # fmt: skip
    designs = {name: Products.of(inputs, [("", {name: 1})]) for name in "ab"}
    by_hand = 3.0 - (0.75 * 1 + 0.25 * 2)  # a: 3, b: 3.5 in the mean; knowing the model: 1 or 2
    (datum,) = value_of_products(designs)
    assert datum.to_dict() == {"name": "model", "saves": pytest.approx(by_hand), "se": 0.0}
    drawn = draw(lambda v: {name: model(v) for name, model in designs.items()}, inputs, 4096, keep=["model"])
    assert value_of_datum(drawn, "model").saves == pytest.approx(by_hand, abs=0.01)
    assert value_of_everything(drawn).saves == pytest.approx(by_hand, abs=0.01)


def test_one_design_leaves_nothing_to_choose() -> None:
    drawn = draw(lambda v: {"a": v["a"]}, INPUTS, 64, keep=["a"])
    for ask in (lambda: value_of_everything(drawn), lambda: value_of_datum(drawn, "a"), lambda: value_of_products({"a": DESIGNS["a"]})):
        with pytest.raises(BadValue, match="1 design leaves nothing to choose, so that no datum has a value"):
            ask()
    with pytest.raises(BadValue, match="'b' was not kept with the draws"):
        value_of_datum(draw(lambda v: {"a": v["a"], "b": v["b"]}, INPUTS, 64), "b")
    with pytest.raises(BadValue, match="the designs stand on different inputs"):
        value_of_products({"a": DESIGNS["a"], "b": Products.of(Inputs(variables=INPUTS.variables), [("", {"b": 1})])})


def test_a_design_that_always_wins_makes_every_datum_worthless() -> None:
    drawn = draw(lambda v: {"a": v["a"], "b": v["a"] + np.abs(v["b"]) + 1}, INPUTS, 1024, keep=["a", "b"])
    assert value_of_everything(drawn).saves == 0.0
    assert value_of_datum(drawn, "b").saves == 0.0
