"""Accounts against published numbers and by hand; shuffled hours; shapes that must hold whatever the numbers; what is refused."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thrifty.cost.carbon.operational import Supply, account, regional_shares, weather_shares
from thrifty.cost.carbon.series import LifeCycleIntensity, Series, carbon_free_share, intensity_of_grid, load_weather
from thrifty.cost.carbon.supply import Battery, coverage, shift_days
from thrifty.errors import BadValue

START = dt.datetime.fromisoformat("2020-01-01T07:00+00:00")  # the first row of the source ends at midnight, so it begins here
END = START + dt.timedelta(hours=8784)


def flat(mw: float = 20.0, start: dt.datetime = START, hours: int = 8784) -> Series:
    return Series(start=start, step_s=3600, values_T=np.full(hours, mw), unit="MW", zone="America/Los_Angeles", name="load")


def california(battery_mwh: float = 0.0, start_share: float = 1.0) -> Supply:
    solar, wind = (each.within(START, END) for each in regional_shares("eia-cal"))
    return Supply(solar_mw=80, wind_mw=80, solar_share=solar, wind_share=wind, battery=Battery.of(battery_mwh), start_share=start_share)


def test_paper_california_20_mw_with_80_and_80() -> None:
    """Coverage 89.68 %; with 100 MWh 96.23 % (the battery starts full); annual matching claims 0 t, the hours say 7,292 t."""
    found = account(flat(), intensity_of_grid("eia-cal"), supply=california())
    assert found.coverage == pytest.approx(0.8968, abs=5e-5)
    assert found.hourly_t == pytest.approx(7291.8, abs=0.05)
    assert found.annual_matched_t == found.market_t == 0
    assert found.location_t == pytest.approx(20 * 8784 * 302.8004 / 1e3, rel=1e-6)
    with_battery = account(flat(), intensity_of_grid("eia-cal"), supply=california(100))
    assert with_battery.coverage == pytest.approx(0.9623, abs=5e-5)
    assert account(flat(), intensity_of_grid("eia-cal"), supply=california(100, 0.0)).coverage == pytest.approx(0.9619, abs=5e-5)


def test_paper_california_shifting() -> None:
    """f = .4, K = 30: 95.55 % with days of 24 rows from the first, 95.56 % with the days that people there have."""
    solar, wind = california().generated()
    rows = shift_days(np.full(8784, 20.0), np.arange(8784) // 24, flexible_share=0.4, cap_mw=30, supply_mw_T=solar + wind).load_mw_T
    assert coverage(np.full(8784, 20.0), np.maximum(rows - solar - wind, 0)) == pytest.approx(0.9555, abs=5e-5)
    found = account(flat(), intensity_of_grid("eia-cal"), supply=california(), flexible_share=0.4, cap_mw=30)
    assert found.coverage == pytest.approx(0.9556, abs=5e-5)
    shifted = found.hours.shifted_mw_T
    assert shifted.min() >= 12 - 1e-9 and shifted.max() <= 30 + 1e-9  # hour by hour


def test_shuffled_hours_change_hourly_accounts_and_no_annual_one() -> None:
    rng = np.random.default_rng(0)
    base, grid = flat(), intensity_of_grid("eia-cal")
    load = base.with_values(rng.uniform(10, 30, 8784))
    inside = grid.series.within(START, END)
    mixed = replace(grid, series=inside.with_values(rng.permutation(inside.values_T)))
    small = replace(california(), solar_mw=20, wind_mw=20)  # less than the load, so that annual accounts are above 0
    first, second = (account(load, each, supply=small, clean_share=carbon_free_share("eia-cal")) for each in (grid, mixed))
    for name in ("location_annual_t", "market_t", "annual_matched_t", "annual_matching"):
        assert getattr(first, name) == pytest.approx(getattr(second, name), rel=1e-12) and getattr(first, name) > 0
    assert abs(first.hourly_t / second.hourly_t - 1) > 0.05
    moved = [account(load, each, flexible_share=0.3, cap_mw=40) for each in (grid, mixed)]
    gains = [1 - each.hourly_t / each.location_t for each in moved]
    assert min(gains) > 0.02 and abs(gains[0] - gains[1]) > 0.02


def small_case(values, load_values, step_s=3600.0, **kinds):
    start = dt.datetime(2021, 6, 1, tzinfo=dt.UTC)
    grid = LifeCycleIntensity(
        series=Series(start=start, step_s=step_s, values_T=np.array(values, float), unit="gCO2e/kWh"), signal=kinds.get("signal", "production"), source=""
    )
    return Series(start=start, step_s=step_s, values_T=np.array(load_values, float), unit="MW"), grid


def test_formula_by_hand_with_half_hours_and_pue() -> None:
    load, grid = small_case([100, 300], [2, 4], step_s=1800)
    share = load.with_values([1, 0], unit="dimensionless")
    supply = Supply(solar_mw=4, wind_mw=0, solar_share=share, wind_share=share.with_values([0, 0]))
    found = account(load, grid, pue=1.5, supply=supply, water={"site": 1.8, "grid": 2.0}, clean_share=share.with_values([0.5, 0.25]))
    assert found.energy_mwh == pytest.approx(1.5 * 3)
    assert found.location_t == pytest.approx((1.5 * 100 + 3 * 300) / 1e3)
    assert found.location_annual_t == pytest.approx(4.5 * 200 / 1e3)
    assert found.hourly_t == pytest.approx(3 * 300 / 1e3)
    assert found.annual_matched_t == pytest.approx((4.5 - 2) * 200 / 1e3)
    assert found.coverage == pytest.approx(1.5 / 4.5)
    assert found.cfe_score == pytest.approx((1.5 + 3 * 0.25) / 4.5)
    assert found.spilled_mwh == pytest.approx(0.5)
    assert found.water_m3 == pytest.approx(3 * 1.8 + 4.5 * 2.0)  # IT energy by the site's, building's energy by the grid's


def test_formula_residual_and_marginal_stand_beside() -> None:
    load, grid = small_case([100, 300], [2, 4])
    _, residual = small_case([200, 400], [1, 1], signal="residual")
    _, marginal = small_case([500, 600], [1, 1], signal="marginal")
    found = account(load, grid, residual=residual, marginal=marginal)
    assert found.market_t == pytest.approx(6 * 300 / 1e3) and found.annual_matched_t == pytest.approx(6 * 200 / 1e3)
    assert found.marginal_t == found.marginal_load_t == pytest.approx((2 * 500 + 4 * 600) / 1e3)
    assert not [note for note in found.notes if "residual" in note]


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6))
def test_property_more_supply_never_emits_more_and_energy_adds_up(seed: int) -> None:
    rng = np.random.default_rng(seed)
    load, grid = small_case(rng.uniform(0, 900, 48), rng.uniform(0, 30, 48))
    shares = [load.with_values(rng.random(48), unit="dimensionless") for _ in range(2)]
    hourly = []
    for scale in (0.0, 0.5, 1.0, 3.0):
        found = account(load, grid, supply=Supply(
            solar_mw=20 * scale, wind_mw=15 * scale, solar_share=shares[0], wind_share=shares[1], battery=Battery.of(25 * scale)))  # fmt: skip
        h = found.hours
        made = float((h.solar_mw_T + h.wind_mw_T).sum())
        stored = float(h.level_mwh_T[-1])
        lost = made + found.unmet_mwh - found.energy_mwh - found.spilled_mwh - stored
        assert -1e-6 < lost < 0.2 * made + 1e-6  # what the battery's efficiency takes
        hourly.append(found.hourly_t)
        assert 0 <= found.coverage <= 1 and found.hourly_t <= found.location_t + 1e-9
    assert hourly == sorted(hourly, reverse=True)


def test_typical_weather_repeats_in_every_year_and_a_leap_day_is_the_day_before() -> None:
    weather = load_weather("miami")
    year = flat(start=dt.datetime(2024, 1, 1, 5, tzinfo=dt.UTC), hours=8784)  # midnight in Miami's standard time, UTC-5
    solar, wind = weather_shares("miami", year)
    assert solar.values_T[: 59 * 24] == pytest.approx(weather.solar_share_T[: 59 * 24])
    assert solar.values_T[59 * 24 : 60 * 24] == pytest.approx(weather.solar_share_T[58 * 24 : 59 * 24])
    assert wind.values_T[60 * 24 :] == pytest.approx(weather.wind_share_T[59 * 24 :])
    half = Series(start=year.start, step_s=1800, values_T=np.zeros(48), unit="MW")
    assert weather_shares("miami", half)[0].values_T == pytest.approx(np.repeat(weather.solar_share_T[:24], 2))
    with pytest.raises(BadValue, match=r"steps of 7200 s, and weather is hourly"):
        weather_shares("miami", replace(half, step_s=7200))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pue": 0.9}, "pue=0.9 is below 1. A building draws at least what its machines draw."),
        ({"pue": float("nan")}, "pue=nan is below 1. A building draws at least what its machines draw."),
        ({"flexible_share": 0.4}, "flexible_share=0.4 needs a capacity. Give the most MW that the building has machines for."),
        ({"flexible_share": 0.4, "cap_mw": 3}, "cap_mw=3 is below the load's 4 MW. Give at least the largest load."),
        ({"flexible_share": 0.4, "cap_mw": 9, "follow_marginal": True}, "there is no marginal intensity to follow. Follow the average."),
        ({"water": {"site": -1}}, "water={'site': -1} is not of site and grid in litres a kilowatt-hour. Give numbers of at least 0."),
    ],
)
def test_bad_questions_are_refused(change, said: str) -> None:
    load, grid = small_case([100, 300], [2, 4])
    with pytest.raises(BadValue) as error:
        account(load, grid, **change)
    assert str(error.value) == said


def test_series_that_do_not_fit_are_refused() -> None:
    load, grid = small_case([100, 300], [2, 4])
    longer = replace(load, values_T=np.ones(3))
    with pytest.raises(BadValue, match="series runs from 2021-06-01 00:00Z to 2021-06-01 02:00Z, which does not cover"):
        account(longer, grid)
    with pytest.raises(BadValue, match=r"series falls to -1 MW at step 1. A load is at least 0."):
        account(load.with_values([1, -1]), grid)
    with pytest.raises(BadValue, match=r"series is in gCO2e/kWh. Give a load in MW."):
        account(grid.series, grid)
    with pytest.raises(BadValue, match=r"is marginal. An account of what happened needs production or consumption intensity."):
        account(load, small_case([1, 1], [1, 1], signal="marginal")[1])
    with pytest.raises(BadValue, match=r"They count different things: choose series of one kind."):
        account(flat(), intensity_of_grid("eia-cal"), marginal=intensity_of_grid("eia-cal", "direct", "marginal"))
    with pytest.raises(BadValue, match="does not match"):
        account(load, grid, supply=california())
    with pytest.raises(BadValue, match="solar_mw=-1 is not a finite power of at least 0 MW"):
        replace(california(), solar_mw=-1)
