"""Sobol indices against closed forms: Ishigami's function, a linear model, a group."""

import math

import numpy as np
import pytest

from thrifty.cost.carbon.factors import Distribution
from thrifty.cost.carbon.uncertainty import METHODS, Choice, Group, Inputs, Lookup, Method, Variable, sobol_indices
from thrifty.errors import BadValue

A, B = 7.0, 0.1
ANGLES = Inputs(variables=tuple(Variable(name=n, distribution=Distribution("uniform", (-math.pi, math.pi)), unit="dimensionless") for n in "xyz"))
VARIANCE = A**2 / 8 + B * math.pi**4 / 5 + B**2 * math.pi**8 / 18 + 0.5


@pytest.mark.parametrize("method", METHODS)
def test_paper_ishigamis_function(method: Method) -> None:
    found = {i.names[0]: i for i in sobol_indices(lambda v: np.sin(v["x"]) + A * np.sin(v["y"]) ** 2 + B * v["z"] ** 4 * np.sin(v["x"]), ANGLES, 2**14,
                                                  method=method)["value"]}  # fmt: skip
    first = {"x": 0.5 * (1 + B * math.pi**4 / 5) ** 2 / VARIANCE, "y": A**2 / 8 / VARIANCE, "z": 0.0}
    together = B**2 * math.pi**8 * (1 / 18 - 1 / 50) / VARIANCE
    total = {"x": first["x"] + together, "y": first["y"], "z": together}
    for name in "xyz":
        assert found[name].first == pytest.approx(first[name], abs=5 * found[name].first_se)
        assert found[name].total == pytest.approx(total[name], abs=5 * found[name].total_se)
        assert found[name].first_se < (0.004 if method == "sobol" else 0.02)


def test_formula_a_linear_model_with_a_group_and_a_choice() -> None:
    inputs = Inputs(
        variables=(*(Variable(name=n, distribution=Distribution("normal", (1.0, sd)), unit="gCO2e") for n, sd in (("a", 1.0), ("b", 2.0), ("c", 3.0))),
                   Variable(name="still", distribution=Distribution.exact(7), unit="gCO2e")),
        choices=(Choice(name="model", options=("p", "q")),), lookups=(Lookup(name="d", choice="model", by_option={"p": 0.0, "q": 4.0}, unit="gCO2e"),),
        groups=(Group(("a", "b"), 0.5),),
    )  # fmt: skip
    found = {i.names: i for i in sobol_indices(lambda v: v["a"] + v["b"] + v["c"] + v["d"] + v["still"], inputs, 2**14)["value"]}
    together, variance = 1 + 4 + 2 * 0.5 * 1 * 2, 1 + 4 + 2 * 0.5 * 1 * 2 + 9 + 4
    for names, share in ((("a", "b"), together / variance), (("c",), 9 / variance), (("model",), 4 / variance)):
        assert found[names].first == pytest.approx(share, abs=0.005)
        assert found[names].total == pytest.approx(share, abs=0.005)
    assert next(iter(found)) == ("c",) and len(found) == 3


def test_nothing_that_varies_is_refused() -> None:
    with pytest.raises(BadValue, match="output 'value' does not vary, so no input has a share of its variance"):
        sobol_indices(lambda v: v["x"] * 0 + 3.0, ANGLES, 64)
