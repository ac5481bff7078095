"""Prices, caps, curves and rebound against closed forms and enumeration."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.levers.steward.schedule.problems import job, place, problem

from thrifty.errors import BadValue
from thrifty.levers.steward.policy import Measure, abate, abatement_curve, decide_measures, given_price, pay, plans_by_price, police, price_of, scenarios
from thrifty.levers.steward.policy.rebound import rebound
from thrifty.levers.steward.schedule import Problem


def two_places(seed: int = 0, jobs: int = 3) -> Problem:
    draw = np.random.default_rng(seed)
    dirty = place(draw.uniform(400, 800, size=24), "dirty", usd_per_kwh=0.08)
    clean = place(draw.uniform(50, 200, size=24), "clean", usd_per_kwh=0.14)
    return problem([job(f"j{k}", int(draw.integers(1, 6)), 0, 24, kw=float(draw.integers(1, 9)), interruptible=k % 2 == 0) for k in range(jobs)], dirty, clean)


def test_formula_the_break_even_of_two_places() -> None:
    p = problem([job("a", 2, 0, 4, kw=10)], place([600] * 4, "dirty", usd_per_kwh=0.1), place([100] * 4, "clean", usd_per_kwh=0.15))
    found = police(p, given_price(99.0))
    assert found.break_even == pytest.approx(0.05 / 0.5e-3)
    assert found.after.carbon_g == pytest.approx(12_000)
    assert police(p, given_price(101.0)).after.carbon_g == pytest.approx(2_000)
    bill = police(p, given_price(101.0)).decision.plan["bill_after"]
    assert bill == {"electricity_usd": pytest.approx(3), "scope2_usd": pytest.approx(0.202), "scope3_usd": 0.0, "total_usd": pytest.approx(3.202)}


def test_property_steps_are_the_lower_envelope_of_all_plans() -> None:
    p = two_places()
    steps = plans_by_price(p)
    assert [s.usd_per_t for s in steps] == sorted(s.usd_per_t for s in steps)
    for price in np.random.default_rng(1).uniform(0, 500, size=60):
        envelope = min(s.electricity_usd + price * s.carbon_g / 1e6 for s in steps)
        assert pay(p, float(price)).value_usd == pytest.approx(envelope, rel=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_a_cap_s_shadow_price_is_what_one_more_tonne_saves(seed: int) -> None:
    pytest.importorskip("scipy")
    draw = np.random.default_rng(seed)
    grids = [place(draw.uniform(400, 800, size=12), "dirty", usd_per_kwh=0.08), place(draw.uniform(50, 200, size=12), "clean", usd_per_kwh=0.14)]
    p = problem([job("i", 5, 0, 12, kw=10, elastic=(1.0, 0.5))], grids[0])
    free, least = pay(p, 0.0), pay(p, 1e6)
    most = (free.carbon_g + least.carbon_g) / 2
    # One place, one price of electricity: energy rises with servers, so a cap costs money.
    capped = pay(p, 0.0, most_g=most)
    assert capped.carbon_g <= most * (1 + 1e-6)
    assert capped.bound_usd == pytest.approx(capped.value_usd, rel=1e-6)
    nudge = most * 1e-4
    slope = (pay(p, 0.0, most_g=most - nudge).value_usd - capped.value_usd) / nudge * 1e6
    assert capped.shadow_usd_per_t == pytest.approx(slope, rel=0.05, abs=1e-9)


def test_a_cap_over_places_keeps_jobs_whole() -> None:
    pytest.importorskip("scipy")
    p = two_places(2)
    free, least = pay(p, 0.0), pay(p, 1e6)
    most = 0.5 * free.carbon_g + 0.5 * least.carbon_g
    capped = pay(p, 0.0, most_g=most)
    assert least.carbon_g - 1e-6 <= capped.carbon_g <= most * (1 + 1e-6)
    assert free.value_usd <= capped.value_usd <= least.electricity_usd + 1e-9
    assert capped.bound_usd <= capped.value_usd <= capped.bound_usd * (1 + 1e-6)
    for j in range(len(p.jobs)):
        assert len(set(capped.plan.place_R[capped.plan.job_R == j])) == 1


def test_scope_3_is_billed_and_moves_nothing() -> None:
    old = place([100.0] * 4, "old", power_scale=1.2, usd_per_kwh=0.1)
    new = place([100.0] * 4, "new", embodied_g_per_h=5000.0, usd_per_kwh=0.1)
    p = problem([job("a", 2, 0, 4)], old, new)
    plain, billed = police(p, given_price(100.0)), police(p, given_price(100.0), scope3=True)
    assert np.array_equal(plain.after.plan.place_R, billed.after.plan.place_R)
    assert billed.decision.plan["bill_after"]["scope3_usd"] == pytest.approx(2 * 5000 / 1e6 * 100)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-50, 90), st.integers(1, 30)), min_size=1, max_size=7), st.floats(0.0, 1.0))
def test_property_without_groups_the_program_walks_the_curve(rows: list[tuple[int, int]], share: float) -> None:
    pytest.importorskip("scipy")
    measures = [Measure(name=f"m{k}", cost_usd=float(usd * t), abates_t=float(t)) for k, (usd, t) in enumerate(rows)]
    need = share * sum(t for _, t in rows)
    cost = left = 0.0
    left = need
    for measure, _ in abatement_curve(measures):
        taken = 1.0 if measure.cost_usd < 0 else min(1.0, max(0.0, left) / measure.abates_t)
        cost += taken * measure.cost_usd
        left -= taken * measure.abates_t
    found = abate(measures, need)
    assert found.cost_usd == pytest.approx(cost, abs=1e-6)
    assert found.certificate.gap == pytest.approx(0, abs=1e-9)
    assert found.abated_t >= need - 1e-6


def test_measures_that_exclude_each_other_share_one_place() -> None:
    pytest.importorskip("scipy")
    measures = [Measure(name="a", cost_usd=10, abates_t=10, group="roof"), Measure(name="b", cost_usd=60, abates_t=20, group="roof")]
    found = abate(measures, 15)
    assert found.shares == pytest.approx((0.5, 0.5))
    assert found.shadow_usd_per_t == pytest.approx(5)
    with pytest.raises(BadValue, match=r"all measures together abate 20 t at most, below the 25 t asked for"):
        abate(measures, 25)


def test_formula_rebound() -> None:
    found = rebound(0.5, 0.5, 1.0)
    assert (found.demand, found.carbon, found.eaten, found.break_even) == (2.0, 1.0, 1.0, pytest.approx(1.0))
    assert rebound(0.8, 0.6, 0.0).carbon == 0.6
    assert rebound(0.8, 0.6, 0.5).eaten == pytest.approx((0.6 * 0.8**-0.5 - 0.6) / 0.4)
    assert rebound(0.8, 0.6, math.log(0.6) / math.log(0.8)).carbon == pytest.approx(1.0)
    assert rebound(1.0, 0.6, 2.0).break_even is None


def test_scenarios_are_dated_and_in_dollars() -> None:
    assert set(scenarios()) == {"eu-ets", "us-scc"}
    ets, scc = price_of("eu-ets"), price_of("us-scc")
    assert ets.usd_per_t == pytest.approx(67 * 1.082)
    assert (ets.low, ets.high) == (pytest.approx(60 * 1.082), pytest.approx(90 * 1.082))
    assert (scc.usd_per_t, scc.dated) == (190.0, "2020-01-01 to 2020-12-31")
    assert ets.to_dict()["truth"] == "literature"
    assert given_price(5).to_dict()["truth"] == "given"


@pytest.mark.parametrize(("call", "message"), [
    (lambda: given_price(float("nan")), r"a carbon price of nan USD/t cannot be\. Give a finite number of at least 0\."),
    (lambda: rebound(0.0, 0.5, 1.0), r"cost_ratio=0 cannot be"),
    (lambda: rebound(0.5, 0.5, -1.0), r"elasticity=-1 cannot be"),
    (lambda: Measure(name="x", cost_usd=1, abates_t=0), r"measure 'x': cost 1 USD, abates 0 t"),
    (lambda: abate([Measure(name="x", cost_usd=1, abates_t=1)], -1), r"abating -1 t cannot be asked"),
    (lambda: decide_measures([Measure(name="x", cost_usd=1, abates_t=1)], 0, 1), r"a baseline of 0 t cannot be"),
    (lambda: police(two_places(), given_price(1), most_t=0), r"a cap of 0 t cannot be"),
    (lambda: pay(two_places(), 0.0, most_g=1.0), r"no schedule emits at most 1e-06 t: the least is"),
])  # fmt: skip
def test_bad_inputs(call: object, message: str) -> None:
    with pytest.raises(BadValue, match=message):
        call()  # type: ignore[operator]
