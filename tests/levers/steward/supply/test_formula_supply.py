"""Sizing, bound and search against independent ways to the same answers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thrifty.cost.carbon.supply import supply_embodied_g
from thrifty.errors import BadValue
from thrifty.footprint import pareto_front
from thrifty.levers.steward.supply import (
    Built,
    Grid,
    Most,
    Question,
    asked_question,
    best_reachable,
    front_of,
    outcomes,
    relax,
    search_supplies,
    size_supply,
    unmet_slowly,
)  # fmt: skip
from thrifty.levers.steward.supply.question import SLACK

Make = Callable[..., Question]


@pytest.mark.parametrize("depth", [1.0, 0.8, 0.6])
@pytest.mark.parametrize("flexible", [0.0, 0.3])
@pytest.mark.parametrize("kind", ["coverage", "cfe"])
def test_replays_equal_the_minute_by_minute_loop(made_up: Make, depth: float, flexible: float, kind: str) -> None:
    question = made_up(days=4, flexible=flexible, kind=kind)
    rng = np.random.default_rng(1)
    solar, wind, battery, extra = rng.uniform(0, 40, 6), rng.uniform(0, 40, 6), np.array([0.0, 5, 20, 60, 100, 300]), rng.uniform(0, 8, 6)
    fast = outcomes(question, solar, wind, battery, extra, depth=depth)
    unmet_TN, discharged = unmet_slowly(question, solar, wind, battery, extra, depth=depth)
    assert np.allclose(fast.unmet_mwh_N, unmet_TN.sum(axis=0), atol=1e-9)
    assert np.allclose(fast.counted_mwh_N, question.counted_T @ unmet_TN, atol=1e-9)
    assert np.allclose(fast.grid_N, question.intensity_T @ unmet_TN, atol=1e-6)
    assert np.allclose(fast.discharged_mwh_N, discharged, atol=1e-9)


@pytest.mark.parametrize("flexible", [0.0, 0.35])
def test_asking_for_less_never_comes_to_more(made_up: Make, flexible: float) -> None:
    values = []
    for target in (0.0, 0.5, 0.9, 0.97, 0.99):
        found = size_supply(made_up(days=10, target=target, flexible=flexible, depths=(1.0,)))
        assert found.bound <= found.value
        values.append(found.value)
    assert all(less <= more * (1 + 2e-3) for less, more in itertools.pairwise(values)), values


def test_making_is_that_of_the_accounts(made_up: Make) -> None:
    question = made_up(days=14)
    solar, wind, battery, extra = np.array([10.0, 30]), np.array([5.0, 0]), np.array([0.0, 3]), np.array([0.0, 4])
    for depth, (place, end) in itertools.product((1.0, 0.6), enumerate(("low", "mid", "high"))):
        found = outcomes(question, solar, wind, battery, extra, depth=depth, rates=question.rates("carbon", end))  # type: ignore[arg-type]
        expected = supply_embodied_g(
            solar_mwh_N=solar * question.solar_share_T.sum(), wind_mwh_N=wind * question.wind_share_T.sum(), battery_mwh_N=battery,
            discharged_mwh_N=found.discharged_mwh_N, years=question.years, depth=depth, servers_N=extra * 1e6 / question.server_w,
        )[place] / 1e3  # fmt: skip
        assert found.making_N == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("flexible", [0.0, 0.3])
@pytest.mark.parametrize("objective", ["carbon", "cost"])
def test_no_replay_is_below_the_bound(made_up: Make, seed: int, flexible: float, objective: str) -> None:
    question = made_up(days=7, seed=seed, flexible=flexible, objective=objective, target=0.8)
    rng = np.random.default_rng(seed)
    supplies = [rng.uniform(0, top, 300) for top in (60, 60, 120, 10)]
    for depth in question.depths:
        bound = relax(question, depth).bound
        found = outcomes(question, *supplies, depth=depth)
        holds = found.counted_mwh_N <= question.allowed_mwh
        assert holds.any()
        assert found.value_N[holds].min() >= bound - 1e-6


def test_the_bound_is_the_programme_solved_otherwise(made_up: Make) -> None:
    # One step of an hour: the programme by hand. All from wind where that is lighter than the grid, else nothing.
    question = made_up(days=1).asking(
        load_mw_T=np.array([10.0]), solar_share_T=np.zeros(1), wind_share_T=np.array([0.5]), intensity_T=np.array([400.0]), days_T=np.zeros(1, dtype=np.int64),
        clean_T=None, target=0.0,
    )  # fmt: skip
    # 20 MW of wind make 10 MWh at 12.5 kg a MWh.
    assert relax(question, 1.0).bound == pytest.approx(125.0, rel=1e-6)
    assert relax(question.asking(intensity_T=np.array([5.0])), 1.0).bound == pytest.approx(50.0, rel=1e-6)
    assert relax(question.asking(intensity_T=np.array([5.0]), target=0.5), 1.0).bound == pytest.approx(25.0 + 62.5, rel=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_sized_supply_holds_and_beats_a_fine_grid(made_up: Make, seed: int) -> None:
    question = made_up(days=7, seed=seed, target=0.9, depths=(1.0,))
    sized = size_supply(question)
    b = sized.built
    unmet_TN, _ = unmet_slowly(question, [b.solar_mw], [b.wind_mw], [b.battery_mwh], depth=b.depth)
    assert unmet_TN.sum() <= question.allowed_mwh + 2 * SLACK * question.load_mwh
    assert sized.bound <= sized.value + 1e-6
    grid = Grid(solar_mw=np.linspace(0, 60, 25), wind_mw=np.linspace(0, 90, 31), battery_mwh=np.linspace(0, 120, 31), extra_mw=np.zeros(1))
    found = search_supplies(question, grid)
    assert found.holding is not None
    assert sized.value <= found.holding_value * (1 + 1e-3)


def test_shallow_cycles_are_tried_where_cycles_wear_a_battery_out(made_up: Make) -> None:
    # The same sun every day and nothing else: the battery is cycled daily, and 3000 deep cycles are gone before its years are.
    hours = np.arange(24 * 4)
    sun = np.clip(np.sin((hours % 24 - 6) / 12 * np.pi), 0, 1)
    limits = Most(solar_mw=300, wind_mw=0, battery_mwh=900, extra_mw=0)
    question = made_up(days=4, most=limits, target=0.9, solar_share_T=sun, load_mw_T=np.full(len(sun), 10.0))
    sized = size_supply(question)
    assert sized.relaxed[1.0].wears
    assert len(sized.relaxed) > 1
    # Depths left out are those that cannot be better; of the others the best was taken.
    alone = {depth: size_supply(question.asking(depths=(depth,))) for depth in question.depths}
    assert min(each.bound for each in alone.values()) == pytest.approx(sized.bound, rel=1e-9)
    assert sized.value == pytest.approx(min(each.value for each in alone.values()), rel=1e-9)
    assert sized.built.wind_mw == 0
    assert sized.built.depth < 1


def test_search_equals_brute_force(made_up: Make) -> None:
    question = made_up(days=2, flexible=0.2)
    grid = Grid.of(question, 120)
    assert len(grid) >= 120
    found = search_supplies(question, grid)
    rates = question.rates()
    points: list[list[float]] = []
    for solar, wind, battery, extra in itertools.product(grid.solar_mw, grid.wind_mw, grid.battery_mwh, grid.extra_mw):
        unmet_TN, discharged = unmet_slowly(question, [solar], [wind], [battery], [extra])
        making = solar * rates.solar_per_mw + wind * rates.wind_per_mw + extra * rates.server_per_mw
        making += max(battery * rates.calendar_per_mwh, float(discharged[0]) * rates.wear(1.0))
        points.append([solar, wind, battery, extra, making, float((rates.grid_T @ unmet_TN)[0]), float(unmet_TN.sum())])
    table = np.array(points)
    best = table[(table[:, 4] + table[:, 5]).argmin()]
    assert found.rows_PC[found.least, :4] == pytest.approx(best[:4])
    holds = table[table[:, 6] <= question.allowed_mwh]
    assert found.holding_value == pytest.approx((holds[:, 4] + holds[:, 5]).min())
    front = table[pareto_front(table[:, 4:6].round(6))]
    assert {tuple(row) for row in found.rows_PC[:, 4:6].round(4).tolist()} == {tuple(row) for row in front[:, 4:6].round(4).tolist()}


def test_front_of_many_equals_pareto_front() -> None:
    points = np.random.default_rng(0).integers(0, 60, (800, 2)).astype(float)
    mine = {tuple(row) for row in points[front_of(points[:, 0], points[:, 1])].tolist()}
    assert mine == {tuple(row) for row in points[pareto_front(points)].tolist()}


def test_a_stopped_search_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    asked: dict[str, Any] = {"power_mw": 20.0, "from": "2020-03-01", "to": "2020-03-08", "solar_max": 80.0, "wind_max": 80.0, "battery_max": 100.0}
    question = asked_question(**asked)
    grid = Grid.of(question, 60)
    here = search_supplies(question, grid)
    there = search_supplies(question, grid, folder=tmp_path / "parts", asked=asked, backend="serial")
    again = search_supplies(question, grid, folder=tmp_path / "parts", asked=asked, backend="serial")
    for other in (there, again):
        assert np.array_equal(other.rows_PC, here.rows_PC)
        assert other.holding == here.holding


def test_more_supply_never_covers_less(made_up: Make) -> None:
    question = made_up(days=5, flexible=0.2)
    assert best_reachable(question) >= outcomes(question, [50], [50], [60], [5]).reached_N[0]


def test_out_of_reach_says_how_far_one_gets(made_up: Make) -> None:
    question = made_up(days=7, target=0.999, most=Most(solar_mw=30, wind_mw=0, battery_mwh=0))
    with pytest.raises(BadValue, match=r"a coverage of 0.999 is out of reach: 0\.\d{4} is the most with 30 MW solar, 0 MW wind and 0 MWh"):
        size_supply(question)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"target": 1.2}, "target=1.2 is not from 0 to 1"),
        ({"target": math.nan}, "target=nan is not from 0 to 1"),
        ({"flexible": -0.1}, "flexible=-0.1 is not from 0 to 1"),
        ({"load_mw_T": np.zeros(24)}, "a load of zero in every step"),
        ({"kind": "green"}, "kind='green' is none of coverage, cfe"),
        ({"kind": "cfe", "clean_T": None}, "carbon-free share is not known"),
        ({"objective": "cost", "price_usd_per_mwh": math.nan}, "price of grid electricity is not known"),
        ({"depths": (0.5,)}, "are not among 1, 0.8, 0.6"),
        ({"server_w": 0.0}, "server_w=0.0 is not above 0"),
    ],
)
def test_questions_refuse(made_up: Make, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BadValue, match=said):
        made_up(days=1, **changes)


@pytest.mark.parametrize("sizes", [{"solar_mw": -1.0}, {"battery_mwh": math.nan}, {"wind_mw": math.inf}])
def test_limits_refuse(sizes: dict[str, float]) -> None:
    with pytest.raises(BadValue, match="is no finite size of at least 0"):
        Most(**{"solar_mw": 1.0, "wind_mw": 1.0, "battery_mwh": 1.0, **sizes})


def test_built_says_its_sizes() -> None:
    assert Built(solar_mw=1, wind_mw=2, battery_mwh=3).to_dict() == {"solar_mw": 1, "wind_mw": 2, "battery_mwh": 3, "extra_mw": 0.0, "battery_depth": 1.0}
