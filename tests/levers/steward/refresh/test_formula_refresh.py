"""Break-even, best life, bills, and the planner against closed forms and brute force."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from thrifty.errors import BadValue
from thrifty.levers.steward.refresh import (
    Fleets,
    Future,
    Kind,
    best_life_years,
    best_replacements,
    break_even_h,
    needed_carbon_price,
    upgrades,
    yearly_excess,
    yearly_shares,
)  # fmt: skip

HOURS = 8766.0


def test_break_even_by_hand() -> None:
    # One machine of 150 kg saves 300 W at 400 g/kWh and PUE 1.25: 150 g an hour, so 1000 hours.
    assert break_even_h(150e3, 400, 1.25, 700, 400) == pytest.approx(1000)
    # Three old ones of 300 W by one new one of 600 W save the same.
    assert break_even_h(150e3, 400, 1.25, 300, 600, old_count=3) == pytest.approx(1000)


def test_more_power_never_pays_back_and_is_no_division_by_zero() -> None:
    assert break_even_h(1e5, 400, 1.2, 300, 300) == math.inf
    assert break_even_h(1e5, 400, 1.2, 300, 700) == math.inf
    assert break_even_h(1e5, 0, 1.2, 700, 300) == math.inf


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"new_gco2e": math.nan}, "new_gco2e=nan is below 0 or not a number"),
        ({"pue": 0.9}, "pue=0.9 is below 1"),
        ({"old_count": 0.0}, "old_count=0.0 is not above 0"),
        ({"intensity_gco2e_per_kwh": -1.0}, "intensity=-1.0 is below 0"),
    ],
)
def test_break_even_refuses(given: dict[str, float], said: str) -> None:
    usual = {"new_gco2e": 1e5, "intensity_gco2e_per_kwh": 400.0, "pue": 1.2, "old_w": 700.0, "new_w": 300.0}
    with pytest.raises(BadValue, match=said):
        break_even_h(**{**usual, **given})


def test_best_life_is_the_least_of_the_curve() -> None:
    making, running, gain = 150e3, 500e3, 0.1
    best = best_life_years(making, running, gain)
    assert best == pytest.approx(math.sqrt(2 * making / (gain * running)))
    lives = np.linspace(0.1, 20, 20000)
    curve = making / lives + running * gain * lives / 2
    assert lives[curve.argmin()] == pytest.approx(best, abs=2e-3)
    assert best_life_years(making, running, 0.0) == math.inf


def flat(years: int, **more: object) -> Fleets:
    """A standing fleet like what is sold, so that only gains count."""
    return Fleets(
        standing=Kind(making_gco2e=2e6, power_w=1000.0), sold=Kind(making_gco2e=2e6, power_w=1000.0), future=Future(years=years, **more),  # type: ignore[arg-type]
        intensity_gco2e_per_kwh=400.0, pue=1.1,
    )  # fmt: skip


def test_planner_meets_the_closed_form_of_linear_gains() -> None:
    # Making is such that the best whole number of years is 4: L (L − 1) ≤ 2 E / (gain · OP) ≤ L (L + 1).
    gain, years = 0.02, 24
    running = 1000.0 / 1000 * HOURS * 1.1 * 400.0
    making = running * gain * 4 * 4 / 2
    fleets = Fleets(
        standing=Kind(making_gco2e=making, power_w=2000.0), sold=Kind(making_gco2e=making, power_w=1000.0),
        future=Future(years=years, gain=gain, gains="linear"), intensity_gco2e_per_kwh=400.0, pue=1.1,
    )  # fmt: skip
    plan = best_replacements(fleets)
    assert plan == tuple(range(0, years, 4))
    assert best_life_years(making, running, gain) == pytest.approx(4)
    frontier = sum(running * (1 - gain * year) for year in range(years))
    assert fleets.total(plan).carbon_gco2e == pytest.approx(frontier + years * yearly_excess(making, running, gain, 4), rel=1e-12)
    assert yearly_excess(making, running, gain, 4) <= min(yearly_excess(making, running, gain, life) for life in range(1, 13))


def simulate(fleets: Fleets, decisions: tuple[bool, ...]) -> tuple[float, float]:
    """Carbon and cost, walking year by year with the fleet as a state: an independent way to the same sums."""
    f = fleets.future
    making, power, age, usd = fleets.standing.making_gco2e, fleets.standing.power_w, f.age_years, fleets.standing.making_usd
    carbon = cost = 0.0
    for year, replace in enumerate(decisions):
        demand = (1 + f.growth) ** year
        before = (1 + f.growth) ** (year - 1) if year else demand
        bought = max(0.0, demand - before) if year else 0.0
        if replace:
            making = fleets.sold.making_gco2e * (1 - f.making_gain) ** year
            usd = fleets.sold.making_usd * (1 - f.making_gain) ** year
            power = fleets.sold.power_w * ((1 - f.gain) ** year if f.gains == "compound" else 1 - f.gain * year)
            age, bought = 0.0, demand
        if f.failures:
            shape, scale = f.failures
            bought += demand * (((age + 1) / scale) ** shape - (age / scale) ** shape)
        kwh = demand * power * HOURS / 1000 * fleets.pue
        emitted = bought * making + kwh * fleets.intensity_gco2e_per_kwh * (1 - f.grid_decline) ** year
        carbon += emitted
        cost += bought * usd + kwh * fleets.price_usd_per_kwh + emitted / 1e6 * f.carbon_usd_per_t * (1 + f.carbon_rise) ** year
        age += 1
    return carbon, cost


@pytest.mark.parametrize("seed", range(12))
def test_planner_equals_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    years = int(rng.integers(1, 9))
    future = Future(
        years=years, gain=float(rng.uniform(0, 0.3)), making_gain=float(rng.uniform(-0.1, 0.2)), growth=float(rng.uniform(-0.1, 0.4)),
        grid_decline=float(rng.uniform(0, 0.2)), failures=(1.7, float(rng.uniform(4, 15))) if seed % 2 else None, age_years=float(rng.integers(0, 5)),
        carbon_usd_per_t=float(rng.uniform(0, 200)), carbon_rise=0.05,
    )  # fmt: skip
    fleets = Fleets(
        standing=Kind(making_gco2e=2e6, power_w=1000.0, making_usd=10000.0),
        sold=Kind(making_gco2e=float(rng.uniform(1e5, 6e6)), power_w=float(rng.uniform(300, 1000)), making_usd=float(rng.uniform(1e2, 2e4))),
        future=future, intensity_gco2e_per_kwh=float(rng.uniform(20, 700)), pue=1.2, price_usd_per_kwh=0.12,
    )  # fmt: skip
    every = {plan: simulate(fleets, plan) for plan in itertools.product((False, True), repeat=years)}
    for objective, place in (("carbon", 0), ("cost", 1)):
        plan = best_replacements(fleets, objective)  # type: ignore[arg-type]
        sums = fleets.total(plan)
        value = sums.carbon_gco2e if objective == "carbon" else sums.cost_usd
        assert value == pytest.approx(min(each[place] for each in every.values()), rel=1e-12)
        assert value == pytest.approx(every[tuple(year in plan for year in range(years))][place], rel=1e-12)


def test_longest_life_binds_and_an_old_fleet_is_replaced_at_once() -> None:
    fleets = flat(6)
    assert best_replacements(fleets) == ()
    assert best_replacements(fleets, longest_years=3) == (3,)
    aged = flat(6, age_years=2.0)
    assert best_replacements(aged, longest_years=3) == (1, 4) or best_replacements(aged, longest_years=3)[0] <= 1


def test_needed_carbon_price_is_where_the_costs_meet() -> None:
    fleets = Fleets(
        standing=Kind(making_gco2e=1e6, power_w=1000.0, making_usd=5000.0), sold=Kind(making_gco2e=1e5, power_w=400.0, making_usd=8000.0),
        future=Future(years=4), intensity_gco2e_per_kwh=500.0, pue=1.2, price_usd_per_kwh=0.1,
    )  # fmt: skip
    price = needed_carbon_price(fleets, (0,))
    assert price is not None
    assert price > 0
    from dataclasses import replace

    at = replace(fleets, future=replace(fleets.future, carbon_usd_per_t=price))
    assert at.total((0,)).cost_usd == pytest.approx(at.total(()).cost_usd)
    assert needed_carbon_price(replace(fleets, sold=Kind(making_gco2e=1e9, power_w=900.0, making_usd=8000.0)), (0,)) is None


def test_upgrades_hold_every_year_and_never() -> None:
    found = upgrades(flat(3))
    assert [each.year for each in found] == [0, 1, 2, None]
    assert found[-1].sums.making_gco2e == 0


@pytest.mark.parametrize("rule", ["linear", "sum-of-years", "declining"])
@pytest.mark.parametrize("years", [1, 2, 5, 8])
def test_bills_add_up_to_the_making(rule: str, years: int) -> None:
    shares = yearly_shares(years, rule, decline=min(2.0, years))  # type: ignore[arg-type]
    assert len(shares) == years
    assert math.fsum(shares) == pytest.approx(1)
    assert all(later <= earlier + 1e-12 for earlier, later in itertools.pairwise(shares))
    assert all(share >= 0 for share in shares)
    if rule == "sum-of-years" and years == 5:
        assert shares == pytest.approx([5 / 15, 4 / 15, 3 / 15, 2 / 15, 1 / 15])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Future(years=0), "years=0 is no whole number from 1 up"),
        (lambda: Future(years=5, gain=math.nan), "gain=nan a year is no share"),
        (lambda: Future(years=12, gain=0.1, gains="linear"), "leaves no energy after 10.0 years"),
        (lambda: Future(years=5, failures=(0.0, 3.0)), "is no Weibull law"),
        (lambda: yearly_shares(0), "life_years=0 is no whole number from 1 up"),
        (lambda: best_life_years(1, 1, 1), "gain=1 a year is 1 or more"),
        (lambda: best_replacements(flat(5), "speed"), "objective='speed' is none of carbon, cost"),  # type: ignore[arg-type]
        (lambda: flat(5).total((3, 1)), "do not ascend"),
    ],
)
def test_refusals(call: object, said: str) -> None:
    with pytest.raises(BadValue, match=said):
        call()  # type: ignore[operator]
