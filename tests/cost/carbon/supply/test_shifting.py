"""Shifting against an LP of every day, its limits hour by hour, days of 23 and 25 hours; coverage and scores by hand; embodied supply."""

import datetime as dt
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.cost.carbon.series import Series
from thrifty.cost.carbon.supply import (
    annual_matching,
    battery_life_years,
    cfe_score,
    coverage,
    cycle_life,
    shift_days,
    supply_embodied_g,
)
from thrifty.cost.carbon.supply.checking import day_bounds
from thrifty.errors import BadValue


def case(seed: int, hours: int = 24 * 3 + 5):
    rng = np.random.default_rng(seed)
    load = rng.uniform(5, 15, hours)
    supply = rng.uniform(0, 30, hours) * (rng.random(hours) > 0.4)
    intensity = rng.choice([0.0, 50, 120, 120, 300, 500], hours) if seed % 2 else rng.uniform(0, 600, hours)
    return load, supply, intensity, np.arange(hours) // 24, float(rng.choice([0.1, 0.4, 1.0])), float(load.max() * rng.choice([1.0, 1.3, 3.0]))


def lp_least(load, supply, cost, flexible, cap):
    """Least Σ cost·max(0, x − supply) over loads x of one day, by HiGHS."""
    optimize = pytest.importorskip("scipy.optimize")
    n = len(load)
    grid_above = np.hstack([np.eye(n), -np.eye(n)])  # x − grid ≤ supply
    found = optimize.linprog(
        np.concatenate([np.zeros(n), cost]), A_ub=grid_above, b_ub=supply, A_eq=np.concatenate([np.ones(n), np.zeros(n)])[None], b_eq=[load.sum()],
        bounds=[*zip((1 - flexible) * load, np.full(n, cap), strict=True), *[(0, None)] * n], method="highs",
    )  # fmt: skip
    assert found.status == 0
    return found.fun


@pytest.mark.parametrize("seed", range(12))
def test_peer_highs_finds_no_better_day(seed: int) -> None:
    load, supply, intensity, days, flexible, cap = case(seed)
    by_carbon = shift_days(load, days, flexible_share=flexible, cap_mw=cap, supply_mw_T=supply, intensity_T=intensity).load_mw_T
    by_energy = shift_days(load, days, flexible_share=flexible, cap_mw=cap, supply_mw_T=supply).load_mw_T
    by_mix = shift_days(load, days, flexible_share=flexible, cap_mw=cap, intensity_T=intensity).load_mw_T
    for a, b in pairwise(day_bounds(days, len(days))):
        for shifted, own, cost in ((by_carbon, supply, intensity), (by_energy, supply, np.ones(len(load))), (by_mix, 0 * supply, intensity)):
            ours = float(np.maximum(shifted[a:b] - own[a:b], 0) @ cost[a:b])
            best = lp_least(load[a:b], own[a:b], cost[a:b], flexible, cap)
            assert ours == pytest.approx(best, rel=1e-9, abs=1e-7)


@given(seed=st.integers(0, 10**6))
def test_property_every_hour_keeps_its_limits_and_every_day_its_energy(seed: int) -> None:
    load, supply, intensity, days, flexible, cap = case(seed)
    for more in ({"supply_mw_T": supply}, {"intensity_T": intensity}, {"supply_mw_T": supply, "intensity_T": intensity}):
        shift = shift_days(load, days, flexible_share=flexible, cap_mw=cap, **more)
        assert (shift.load_mw_T >= (1 - flexible) * load - 1e-9).all()
        assert (shift.load_mw_T <= cap + 1e-9).all()
        for day, (a, b) in enumerate(pairwise(day_bounds(days, len(days)))):
            assert shift.load_mw_T[a:b].sum() == pytest.approx(load[a:b].sum())
            assert np.maximum(shift.load_mw_T[a:b] - load[a:b], 0).sum() == pytest.approx(shift.moved_mwh_D[day], abs=1e-9)
    assert len(shift.moved_mwh_D) == 4  # the short last day is kept


def test_formula_moved_is_the_lesser_of_both_sums() -> None:
    load, supply = np.full(4, 10.0), np.array([0.0, 4.0, 25.0, 12.0])
    found = shift_days(load, [0, 0, 0, 0], flexible_share=0.4, cap_mw=15, supply_mw_T=supply)
    assert found.moved_mwh == 7  # sheddable 4 + 4, room min(15, 5) + min(2, 5)
    assert found.load_mw_T == pytest.approx([6.5, 6.5, 15, 12])


def test_formula_the_grid_mix_moves_from_dear_to_cheap_until_costs_meet() -> None:
    found = shift_days([10.0] * 4, [0] * 4, flexible_share=0.3, cap_mw=14, intensity_T=[400, 100, 300, 100])
    assert found.load_mw_T == pytest.approx([7, 14, 7, 12])
    assert shift_days([10.0] * 4, [0] * 4, flexible_share=0.3, cap_mw=14, intensity_T=[200] * 4).moved_mwh == 0


def test_formula_days_of_23_and_25_hours_are_days() -> None:
    start = dt.datetime.fromisoformat("2020-10-31T07:00+00:00")
    autumn = Series(start=start, step_s=3600, values_T=np.ones(72), unit="MW", zone="America/Los_Angeles").local()[0]
    assert np.diff(day_bounds(autumn, 72)).tolist() == [24, 25, 23]  # the third is cut short
    spring = Series(start=dt.datetime.fromisoformat("2020-03-08T08:00+00:00"), step_s=3600, values_T=np.ones(30), unit="MW", zone="America/Los_Angeles")
    assert np.diff(day_bounds(spring.local()[0], 30)).tolist() == [23, 7]


def test_formula_scores_by_hand() -> None:
    load, own, grid = [10.0, 10.0], [30.0, 4.0], [0.5, 0.25]
    assert coverage(load, [0, 6]) == pytest.approx(0.7)
    assert cfe_score(load, own, grid) == pytest.approx((10 + 4 + 6 * 0.25) / 20)
    assert annual_matching(load, own) == 1.0
    assert annual_matching(load, [3.0, 4.0]) == pytest.approx(0.35)
    assert annual_matching(load, own[::-1]) == annual_matching(load, own)


def test_formula_embodied_supply_by_hand() -> None:
    """One year: 1000 MWh of sun at 55 g/kWh; 10 MWh of battery at 104 kg/kWh over 3000/500 = 6 years; 2 servers of 744.5 kg over 5 years."""
    found = supply_embodied_g(solar_mwh_N=[1000.0], wind_mwh_N=[0.0], battery_mwh_N=[10.0], discharged_mwh_N=[5000.0], years=1, servers_N=[2.0])
    assert found[1, 0] == pytest.approx(1000e3 * 55 + 10e3 * 104e3 / 6 + 2 * 744.5e3 / 5)
    assert (np.diff(found, axis=0) > 0).all()
    assert cycle_life(1.0) == pytest.approx(3000) and cycle_life(0.8) == pytest.approx(4500) and cycle_life(0.6) == pytest.approx(10000)
    assert cycle_life(0.3) == cycle_life(0.6)  # nothing is extrapolated
    assert battery_life_years([0.0, 30000.0], 1.0) == pytest.approx([15, 0.1])


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: shift_days([1.0], [0], flexible_share=0.5, cap_mw=2), "a shift without supply and without intensity has nothing to follow. Give one of them."),
        (lambda: shift_days([3.0], [0], flexible_share=0.5, cap_mw=2, supply_mw_T=[1.0]), "cap_mw=2 is below the load's 3 MW. Give at least the largest load."),
        (lambda: shift_days([1.0], [0], flexible_share=1.5, cap_mw=2, supply_mw_T=[1.0]), "flexible_share has 1.5, above 1. Give shares from 0 to 1."),
        (lambda: shift_days([1.0, 1.0], [1, 0], flexible_share=1, cap_mw=2, supply_mw_T=[1.0, 1]), "days_T goes back in time. Give days in order."),
        (lambda: coverage([0.0], [0.0]), "a load of zero in every step has no coverage. Give a load above 0."),
        (lambda: coverage([1.0], [2.0]), "unmet=2 MWh is not between 0 and the load's 1 MWh. Give what of this load is unmet."),
        (lambda: cfe_score([1.0], [1.0], 1.2), "grid_cfe_T has 1.2, above 1. Give shares from 0 to 1."),
        (lambda: cycle_life(0.0), "depth=0.0 is not above 0 and at most 1. Give the share of capacity that a cycle takes, e.g. 0.8."),
    ],
)
def test_bad_questions_are_refused(ask, said: str) -> None:
    with pytest.raises(BadValue) as error:
        ask()
    assert str(error.value) == said
