"""Metrics by hand, their doors, and NCF's weight."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.cost.carbon.factors import load_pack
from thrifty.cost.carbon.metrics import (
    Measure,
    abatement_cost,
    abatement_curve,
    c2ep,
    carbon_per,
    cci,
    cdp,
    ce2p,
    cep,
    embodied_share,
    ncf,
    robust_winner,
    sci,
    tcdp,
    tcep,
    turning_alpha,
    whatever_alpha,
)  # fmt: skip
from thrifty.errors import BadValue


def test_formula_products_by_hand() -> None:
    c, d, e = np.array([2.0, 3.0]), 4.0, np.array([5.0, 7.0])
    np.testing.assert_array_equal(cdp(c, d), [8, 12])
    np.testing.assert_array_equal(cep(c, e), [10, 21])
    np.testing.assert_array_equal(c2ep(c, e), [20, 63])
    np.testing.assert_array_equal(ce2p(c, e), [50, 147])
    np.testing.assert_array_equal(tcdp(c, 1.0, d, 0.5), [8, 10])
    np.testing.assert_array_equal(tcep(c, 1.0, e, 0.5), [10, 17.5])


def test_formula_rates_by_hand() -> None:
    m = embodied_share(1000e3, reserved_s=86400.0, life_s=4 * 365 * 86400.0, resource_share=0.25)
    assert m == pytest.approx(1000e3 / (4 * 365) / 4)
    assert sci(3.6e6, 400.0, m, 10.0) == pytest.approx((400 + float(m)) / 10)
    assert cci(500e6, 1e24) == pytest.approx(500.0)
    np.testing.assert_allclose(carbon_per([10.0, 20.0], 4.0), [2.5, 5.0])
    assert abatement_cost(100.0, 160.0, 5e6, 2e6) == pytest.approx(20.0)
    assert abatement_cost(100.0, 40.0, 5e6, 2e6) == pytest.approx(-20.0)


def test_formula_the_curve_goes_from_the_cheapest_tonne_up() -> None:
    found = abatement_curve([Measure(name="dear", cost_usd=300.0, saves_gco2e=1e6), Measure(name="earns", cost_usd=-50.0, saves_gco2e=2e6)])
    assert [(s.name, s.usd_per_t, s.start_t, s.end_t) for s in found] == [("earns", -25.0, 0.0, 2.0), ("dear", 300.0, 2.0, 3.0)]


@given(st.floats(0.01, 10), st.floats(0.01, 10))
def test_property_what_holds_for_every_alpha_holds_on_a_grid_of_them(area: float, use: float) -> None:
    on_grid = ncf(area, use, np.linspace(0, 1, 101))
    verdict = whatever_alpha(area, use)
    if verdict == "better":
        assert (on_grid <= 1).all()
    elif verdict == "worse":
        assert (on_grid >= 1).all()
    elif verdict == "depends":
        assert on_grid.min() < 1 < on_grid.max()
        turn = turning_alpha(area, use)
        assert turn is not None and ncf(area, use, turn) == pytest.approx(1.0, rel=1e-6)


def test_formula_focals_two_settings() -> None:
    embodied, operational = (load_pack().get(f"metrics:focal.{key}", "ratio") for key in ("alpha_embodied", "alpha_operational"))
    assert ncf(2.0, 0.5, embodied) == pytest.approx(0.8 * 2 + 0.2 * 0.5)
    assert ncf(2.0, 0.5, operational) == pytest.approx(0.2 * 2 + 0.8 * 0.5)
    assert ncf(2.0, 0.5, embodied) > 1 > ncf(2.0, 0.5, operational)  # which is why a winner whatever α is worth more


def test_a_robust_winner_is_least_in_all_or_there_is_none() -> None:
    assert robust_winner([3.0, 1.0, 2.0], [9.0, 4.0, 5.0], [1.0, 1.0, 2.0]) == 1
    assert robust_winner([3.0, 1.0], [1.0, 4.0]) is None
    assert robust_winner([1.0, 1.0], [4.0, 4.0]) is None


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: cdp(-1.0, 2.0), "embodied_gco2e=-1 is below 0 or not a finite number. Mend it."),
        (lambda: cep(1.0, [1.0, math.nan]), "energy_j=nan is below 0 or not a finite number"),
        (lambda: cdp("3 kg", 2.0), "embodied_gco2e='3 kg' is not made of numbers"),
        (lambda: tcdp(1.0, 1.0, 1.0, life_share=1.2), "life_share=1.2 is above 1. A share lies between 0 and 1."),
        (lambda: embodied_share(1.0, 1.0, 0.0), "life_s=0 is not a finite number above 0"),
        (lambda: embodied_share(1.0, 3.0, 2.0), "reserved_s=3 is above life_s=2. Count more devices."),
        (lambda: embodied_share(1.0, 1.0, 2.0, 1.5), "resource_share=1.5 is above 1"),
        (lambda: sci(1.0, 1.0, 1.0, 0.0), "units=0 is not a finite number above 0"),
        (lambda: abatement_cost(1.0, 2.0, 1e6, 2e6), "carbon rises or stays by 1e\\+06 gCO2e, so that nothing is abated at any price"),
        (lambda: abatement_curve([]), "no measures make no curve"),
        (lambda: abatement_curve([Measure(name="x", cost_usd=math.inf, saves_gco2e=1.0)]), "measure 'x' costs inf"),
        (lambda: abatement_curve([Measure(name="x", cost_usd=1.0, saves_gco2e=0.0)]), "saves_gco2e=0 is not a finite number above 0"),
        (lambda: ncf(0.0, 1.0, 0.5), "embodied_ratio=0 is not a finite number above 0"),
        (lambda: ncf(1.0, 1.0, -0.1), "alpha=-0.1 is below 0"),
        (lambda: robust_winner([1.0], [1.0]), "1 designs with 1 measures of use leave nothing to compare"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_refused(ask, said: str) -> None:
    with pytest.raises(BadValue, match=said):
        ask()
