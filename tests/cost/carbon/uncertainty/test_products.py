"""Sums of products: closed forms against draws, gradients against finite differences and torch, units against hand conversion."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thrifty.cost.carbon.factors import Distribution
from thrifty.cost.carbon.uncertainty import Choice, Group, Inputs, Lookup, Products, Variable, draw
from thrifty.errors import BadValue

DIE = Inputs(
    variables=(
        Variable(name="area", distribution=Distribution("exact", (826.0,)), unit="mm**2"),
        Variable(name="epa", distribution=Distribution("triangular", (1.7, 2.15, 2.6)), unit="kWh/cm**2"),
        Variable(name="fab", distribution=Distribution("lognormal", (583.0, 0.2)), unit="gCO2e/kWh"),
        Variable(name="gas", distribution=Distribution("uniform", (200.0, 350.0)), unit="gCO2e/cm**2"),
        Variable(name="good", distribution=Distribution("beta", (14.0, 2.0, 0.0, 1.0)), unit="dimensionless"),
        Variable(name="life", distribution=Distribution("triangular", (4.0, 5.0, 6.0)), unit="year"),
    ),
    choices=(Choice(name="model", options=("act", "greensku")),),
    lookups=(Lookup(name="memory", choice="model", by_option={"act": 2.0, "greensku": 6.0}, unit="kgCO2e"),),
)  # fmt: skip
CHIP = Products.of(DIE, [
    ("die", {"area": 1, "epa": 1, "fab": 1, "good": -1}), ("die", {"area": 1, "gas": 1, "good": -1}),
])  # fmt: skip


def test_formula_units_are_multiplied_through() -> None:
    at = {"area": 826.0, "epa": 2.15, "fab": 583.0, "gas": 275.0, "good": 0.875}
    assert CHIP(at) == pytest.approx((583 * 2.15 + 275) * 8.26 / 0.875)
    assert CHIP.parts(at) == {"die": pytest.approx(CHIP(at))}


def test_formula_mean_and_variance_are_those_of_draws() -> None:
    drawn = draw(CHIP, DIE, 2**16)
    found = drawn.summary("value")
    assert found.mean == pytest.approx(CHIP.mean(), abs=5 * found.mean_se)
    assert found.sd == pytest.approx(CHIP.variance() ** 0.5, rel=2e-3)
    assert CHIP.mean() == pytest.approx((2.15 * 583 + 275) * 8.26 * 15 / 13)  # E[1/Y] of Beta(14, 2)


def test_formula_a_lookup_goes_by_its_options() -> None:
    memory = Products.of(DIE, [("memory", {"memory": 1, "good": 1})])
    assert memory.mean() == pytest.approx(4000 * 14 / 16)
    second = 0.5 * (2000.0**2 + 6000.0**2) * Distribution("beta", (14.0, 2.0, 0.0, 1.0)).moment(2)
    assert memory.variance() == pytest.approx(second - memory.mean() ** 2)
    np.testing.assert_allclose(memory.given("model", [0, 1, 1]), np.array([2000, 6000, 6000]) * 14 / 16)


def test_formula_lognormals_of_one_group_in_one_term() -> None:
    def pair(rho: float) -> Products:
        inputs = Inputs(
            variables=(Variable(name="a", distribution=Distribution("lognormal", (3.0, 0.4)), unit="kWh"),
                       Variable(name="b", distribution=Distribution("lognormal", (5.0, 0.3)), unit="gCO2e/kWh")),
            groups=(Group(("a", "b"), rho),),
        )  # fmt: skip
        return Products.of(inputs, [("ab", {"a": 1, "b": 1}), ("a/b", {"a": 1, "b": 1}, 0.5)])

    assert pair(0.7).mean() == pytest.approx(1.5 * 15 * np.exp(0.7 * 0.4 * 0.3))
    assert pair(0.7).variance() == pytest.approx(draw(pair(0.7), pair(0.7).inputs, 2**16).summary("value").sd ** 2, rel=0.02)
    with pytest.raises(BadValue, match="'a' stands in a group, so that knowing it tells of others"):
        pair(0.1).given("a", [1.0])


def test_formula_given_one_datum_the_mean_is_that_of_a_thin_slice() -> None:
    drawn = draw(CHIP, DIE, 2**16, keep=["good"])
    near = np.abs(drawn.kept["good"] - 0.9) < 0.005
    assert CHIP.given("good", [0.9])[0] == pytest.approx(drawn.output("value")[near].mean(), rel=0.005)


@given(st.floats(0.5, 5), st.floats(20, 900), st.floats(10, 500), st.floats(0.3, 1.0))
@settings(max_examples=30, deadline=None)
def test_formula_gradient_is_that_of_finite_differences(epa: float, fab: float, gas: float, good: float) -> None:
    at = {"area": 826.0, "epa": epa, "fab": fab, "gas": gas, "good": good}
    for name, slope in CHIP.gradient(at).items():
        step = at[name] * 1e-6
        numeric = (CHIP({**at, name: at[name] + step}) - CHIP({**at, name: at[name] - step})) / (2 * step)
        assert slope == pytest.approx(numeric, rel=1e-6)
    elastic = CHIP.elasticities(at)
    assert elastic["area"] == pytest.approx(1.0)
    assert elastic["good"] == pytest.approx(-1.0)
    assert elastic["epa"] + elastic["gas"] == pytest.approx(1.0)


def test_peer_torch_finds_the_same_gradient() -> None:
    torch = pytest.importorskip("torch")
    at = {"area": 826.0, "epa": 2.15, "fab": 583.0, "gas": 275.0, "good": 0.875}
    leaves = {name: torch.tensor(value, dtype=torch.float64, requires_grad=True) for name, value in at.items()}
    CHIP(leaves).backward()
    assert {name: leaf.grad.item() for name, leaf in leaves.items()} == pytest.approx(CHIP.gradient(at))


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ([], "a sum of products without terms"),
        ([("die", {"area": 1, "epa": 1})], r"term 'die' is in \(mm\*\*2\)\*\*1 \* \(kWh/cm\*\*2\)\*\*1, which does not come to gCO2e"),
        ([("die", {"gas": 1, "size": 1})], "term 'die' names 'size', which is no variable and no lookup"),
        ([("die", {"model": 1})], "names 'model', which is no variable"),
    ],
)
def test_what_does_not_add_up_is_refused(terms, said: str) -> None:
    with pytest.raises(BadValue, match=said):
        Products.of(DIE, terms)


def test_a_divisor_that_may_be_nothing_is_refused() -> None:
    for shape in (Distribution("normal", (5.0, 1.0)), Distribution("exact", (0.0,))):
        made = Variable(name="e", distribution=Distribution.exact(1), unit="gCO2e*year")
        inputs = Inputs(variables=(Variable(name="life", distribution=shape, unit="year"), made))
        with pytest.raises(BadValue, match="term 'x' divides by 'life', which may come to"):
            Products.of(inputs, [("x", {"e": 1, "life": -1})])
    with pytest.raises(BadValue, match="the sum is 0, so no share of it can move"):
        CHIP.elasticities({"area": 0.0, "epa": 2.15, "fab": 583.0, "gas": 275.0, "good": 0.875})
