"""A fleet's ledger: by hand where the numbers are round, conserved whatever is described, and descriptions that none are."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thrifty.cost.carbon.series import intensity_of_grid
from thrifty.errors import BadFile, BadValue, UnknownName
from thrifty.hardware import load_site
from thrifty.lenses.carbon.attribution import Demand
from thrifty.lenses.carbon.ledger import DecisionLedger, least_carbon
from thrifty.lenses.carbon.ledger.fleets import Asset, Fleet, Tenant, book, read_fleet

START = datetime(2020, 7, 1, 7, tzinfo=UTC)
DAY = timedelta(days=1)


def node(**changed: Any) -> Asset:
    usual: dict[str, Any] = {"name": "node", "site": "us-california", "power_w": 1000.0, "embodied_g": 1_752_000.0, "life_s": 5 * 8760 * 3600.0}
    return Asset(**(usual | changed))


def fleet(*assets: Asset, **changed: Any) -> Fleet:
    return Fleet(name="test", assets=assets, start=START, end=START + DAY, **changed)


def test_formula_a_node_for_a_day_by_hand() -> None:
    booked = book(fleet(node(count=2, pue=1.25, transport_g=438.0 * 100, end_of_life_g=4380.0, fuel_g_per_s=0.01)))
    grid = intensity_of_grid("eia-cal").over(START, START + DAY, 3600.0).values_T
    by = booked.ledger.by("phase", "scope")
    assert by["manufacture", 3] == pytest.approx(2 * 24 * 1_752_000 / (5 * 8760))  # 40 g an hour each
    assert by["transport", 3] == pytest.approx(2 * 24.0)
    assert by["end of life", 3] == pytest.approx(2 * 24 * 0.1)
    assert by["use", 2] == pytest.approx(2 * 1.25 * grid.sum())
    assert by["use", 1] == pytest.approx(2 * 24 * 36.0)
    assert booked.energy_kwh["node"] == pytest.approx(60.0)
    assert len(booked.ledger) == 5 * 24


def test_formula_a_machine_draws_nothing_before_it_is_bought() -> None:
    late = book(fleet(node(bought=START + timedelta(hours=18), pue=1.0, fuel_g_per_s=0.01)))
    assert late.energy_kwh["node"] == pytest.approx(6.0) and late.ledger.by("scope")[1] == pytest.approx(6 * 36.0)
    assert late.ledger.by("phase")["manufacture"] == pytest.approx(6 * 1_752_000 / (5 * 8760))
    never = book(fleet(node(bought=START + 2 * DAY), node(name="there")))
    assert never.energy_kwh["node"] == 0 and any("'node' is bought at 2020-07-03" in note and "after the period" in note for note in never.notes)


def test_formula_hours_matter_and_shuffling_them_would_show() -> None:
    """Pitfall 1: the same energy by night and by day is not the same carbon."""
    by_hour = book(fleet(node(pue=1.0))).ledger.select(phase="use").by("hour")
    grid = intensity_of_grid("eia-cal").over(START, START + DAY, 3600.0).values_T
    np.testing.assert_allclose(list(by_hour.values()), grid, rtol=1e-12)
    assert max(by_hour.values()) > 1.3 * min(by_hour.values())


def test_formula_sites_without_hours_take_their_yearly_average() -> None:
    booked = book(fleet(node(site="france", pue=1.0)))
    assert booked.ledger.select(phase="use").total_g() == pytest.approx(24 * load_site("france").intensity_gco2e_per_kwh)
    assert any("one average" in note for note in booked.notes)


def test_formula_lines_of_two_resources_by_hand() -> None:
    """96 cores, 768 GB; one tenant has 48 cores and 576 GB: a quarter can be sold, and a quarter of the cores is stranded, an eighth of the machine."""
    shared = node(capacity={"cores": 96.0, "memory_gb": 768.0}, tenants=(Tenant(name="db", reserved={"cores": 48.0, "memory_gb": 576.0}),))
    lines = book(fleet(shared)).ledger.select(phase="manufacture").by("line")
    whole = 24 * 40.0
    assert lines == {"used": pytest.approx(0.625 * whole), "idle": pytest.approx(0.25 * whole), "stranded": pytest.approx(0.125 * whole)}


def test_formula_power_at_rest_by_reservation_and_the_rest_by_use() -> None:
    tenants = (Tenant(name="a", reserved={"cores": 5.0}, used={"cores": 1.0}), Tenant(name="b", reserved={"cores": 3.0}, used={"cores": 3.0}))
    shared = node(power_w=None, idle_w=100.0, busy_w=300.0, capacity={"cores": 10.0}, tenants=tenants, pue=1.0, site="france")
    by = book(fleet(shared)).ledger.select(phase="use").by("tenant")
    g = 24 * load_site("france").intensity_gco2e_per_kwh / 1e3
    # 100 W at rest: 50, 30 and 20 idle. 200 W · 0.4 in use = 80 W: 20 and 60.
    assert by == {"a": pytest.approx(70 * g), "b": pytest.approx(90 * g), "": pytest.approx(20 * g)}


def test_formula_a_burst_pays_by_shapley_and_not_by_reservation() -> None:
    demand = np.zeros((24, 2))
    demand[:, 0], demand[5, 1] = 50.0, 50.0
    shared = node(capacity={"cores": 100.0}, demand=Demand(tenants=("steady", "burst"), demand_TN=demand), power_w=0.0)
    by_rule = {rule: book(fleet(shared, rule=rule)).ledger.by("tenant") for rule in ("reserved", "shapley", "temporal")}
    whole = 24 * 40.0
    assert by_rule["shapley"] == {"steady": pytest.approx(whole / 2), "burst": pytest.approx(whole / 2)}
    assert by_rule["reserved"]["burst"] == pytest.approx(0.5 / 24 * whole)
    assert by_rule["reserved"]["burst"] < by_rule["temporal"]["burst"] < by_rule["shapley"]["burst"]


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    assets = []
    for number in range(draw(st.integers(1, 3))):
        capacity = {"cores": 16.0, "gb": 64.0}
        tenants = tuple(
            Tenant(name=name, reserved={"cores": draw(st.floats(0, 5)), "gb": draw(st.floats(0, 20))}, used={"cores": draw(st.floats(0, 5))})
            for name in draw(st.sampled_from([(), ("a",), ("a", "b"), ("a", "b", "c")]))
        )
        bought = START - timedelta(days=draw(st.integers(0, 3000)))
        assets.append(node(name=f"n{number}", count=draw(st.integers(1, 4)), capacity=capacity if tenants else {}, tenants=tenants, bought=bought,
                           idle_w=draw(st.floats(0, 2000)), market_g_per_kwh=draw(st.sampled_from([None, 0.0, 25.0]))))  # fmt: skip
    return fleet(*assets, depreciation=draw(st.sampled_from(["linear", "front-loaded"])))


@given(fleets())
@settings(max_examples=40, deadline=None)
def test_property_tenants_and_lines_divide_and_never_add(described: Fleet) -> None:
    """Whatever tenants there are, every asset, phase and hour has the carbon that it has without them."""
    shared = book(described).ledger
    alone = book(replace(described, assets=tuple(replace(asset, capacity={}, tenants=()) for asset in described.assets))).ledger
    for method in ("location", "market"):
        assert shared.by("asset", "phase", "hour", method=method) == pytest.approx(alone.by("asset", "phase", "hour", method=method), rel=1e-9)


@given(st.floats(min_value=0.0, max_value=4000.0), st.sampled_from(["linear", "front-loaded"]))
@settings(max_examples=20, deadline=None)
def test_property_bills_of_a_life_sum_to_making(days: float, depreciation: str) -> None:
    """Making is charged once over a life, however it falls into periods."""
    life_s = 10 * 86400.0
    bought = START - timedelta(hours=int(days) % 200)
    total = 0.0
    for period in range(-9, 21):
        described = replace(fleet(node(life_s=life_s, bought=bought, power_w=0.0), depreciation=depreciation), start=START + period * DAY,
                            end=START + (period + 1) * DAY)  # fmt: skip
        total += book(described).ledger.total_g()
    assert total == pytest.approx(1_752_000.0, rel=1e-9)


def test_formula_front_loaded_bills_new_machines_more_and_old_ones_less() -> None:
    def bill(years: float, how: str) -> float:
        bought = START - timedelta(days=365 * years)
        return book(fleet(node(bought=bought, power_w=0.0), depreciation=how)).ledger.total_g()

    assert bill(0.0, "front-loaded") == pytest.approx(2 * bill(0.0, "linear"), rel=2e-3)
    assert bill(4.0, "front-loaded") < 0.45 * bill(4.0, "linear")
    assert bill(6.0, "linear") == bill(6.0, "front-loaded") == 0.0


def test_formula_a_placement_between_old_and_new_looks_at_running_only() -> None:
    old, new = node(name="old", embodied_g=0.0, power_w=900.0), node(name="new", embodied_g=9e9, power_w=500.0)
    ledger = book(fleet(old, new)).ledger
    bill = ledger.by("asset")
    assert bill["old"] < bill["new"]
    assert least_carbon(DecisionLedger.of(ledger)) == "new"


def test_scope_2_by_contract_beside_by_grid() -> None:
    booked = book(fleet(node(pue=1.0, market_g_per_kwh=10.0), node(name="other", pue=1.0)))
    assert booked.ledger.total_g("market") < booked.ledger.total_g("location")
    assert booked.ledger.select(asset="node", method="market").total_g() == pytest.approx(240.0)
    assert any("'other' has no contract" in note for note in booked.notes)


TOML = """
[fleet]
name = "two"
site = "us-oregon"
start = "2020-07-01T00:00-07:00"
end = "2020-07-02T00:00-07:00"
depreciation = "front-loaded"
rule = "shapley"

[[asset]]
name = "shared"
count = 2
embodied = "1.5 tCO2e"
life = "4 yr"
bought = 2019-07-01T00:00:00Z
load = "load.csv"
idle = "100 W"
capacity = { cores = 20 }
demand = "demand.csv"
fuel = "3.6 kgCO2e/h"
market = "0 gCO2e/kWh"

[[asset]]
name = "device"
device = "a100-80gb"
power = "250 W"
line = "overhead"
"""


def written(folder: Path, text: str = TOML, name: str = "fleet.toml") -> Path:
    stamps = [(START + timedelta(hours=hour)).isoformat() for hour in range(24)]
    (folder / "load.csv").write_text("time,load [kW]\n" + "".join(f"{stamp},1.5\n" for stamp in stamps))
    (folder / "demand.csv").write_text("time,a,b\n" + "".join(f"{stamp},{4 + hour % 3},{hour % 5}\n" for hour, stamp in enumerate(stamps)))
    (folder / name).write_text(text)
    return folder / name


def test_a_description_is_read_with_its_units(tmp_path: Path) -> None:
    found = read_fleet(written(tmp_path))
    shared, device = found.assets
    assert (found.depreciation, found.rule, shared.count, shared.embodied_g, shared.site) == ("front-loaded", "shapley", 2, 1.5e6, "us-oregon")
    assert (shared.idle_w, shared.fuel_g_per_s, shared.market_g_per_kwh, device.line) == (100.0, pytest.approx(1.0), 0.0, "overhead")
    booked = book(found)
    assert booked.energy_kwh["shared"] == pytest.approx(1.5 * 24 * load_site("us-oregon").pue)
    assert set(booked.ledger.names("tenant")) == {"a", "b", ""}
    assert booked.ledger.select(asset="device").names("line") == ("overhead",)
    assert booked.making_g["device"].low < booked.making_g["device"].high


def test_json_says_the_same(tmp_path: Path) -> None:
    import tomllib

    tree = tomllib.loads(TOML)
    tree["asset"][0]["bought"] = "2019-07-01T00:00:00Z"
    other = book(read_fleet(written(tmp_path, json.dumps(tree), "fleet.json"))).ledger
    assert other.rows() == book(read_fleet(written(tmp_path))).ledger.rows()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"1.5 tCO2e"', '"-1 kgCO2e"', "embodied is -1000.0. Give a finite amount of at least 0; offsets never subtract"),
        ('"1.5 tCO2e"', '"nan kgCO2e"', "'nan kgCO2e' is not finite"),
        ('"1.5 tCO2e"', "1500", "asset 'shared', embodied is 1500, which names no unit"),
        ('"1.5 tCO2e"', '"1500 kg"', "unit 'kg' has the wrong dimension for a carbon"),
        ('"4 yr"', '"0 yr"', "has a life of 0.0 s. Give one above 0"),
        ("count = 2", "count = 0", "has count 0. Give a whole number from 1 to"),
        ("count = 2", "pue = 0.9", "pue=0.9 is below 1"),
        ("count = 2", 'part = "dram:gb=8"', "states its making more than once"),
        ('name = "device"', 'name = "shared"', "names asset 'shared' 2 times"),
        ("cores = 20", "cores = 5", "tenants ask for 10 at one time, and there are 5"),
        ("cores = 20", "cores = 0", "has a capacity of 0.0 cores"),
        ('"front-loaded"', '"double"', "'double' is no depreciation"),
        ('"shapley"', '"fair"', "'fair' is no rule to divide making by"),
        ('"2020-07-02T00:00-07:00"', '"2020-07-02T00:30-07:00"', "is not one or more whole hours"),
        ('"2020-07-02T00:00-07:00"', '"2020-07-01T00:00-07:00"', "is not one or more whole hours"),
        ('"2020-07-02T00:00-07:00"', '"2020-07-03T00:00-07:00"', "demand has 24 steps, and the period 48 hours"),
        ('"2020-07-02T00:00-07:00"', '"2020-07-02T00:00"', "names no time zone"),
        ('power = "250 W"', "", "draws nothing that is stated"),
        ('power = "250 W"', 'idle = "9 W"\nbusy = "5 W"', "busy goes with idle, which is not above it"),
        ('line = "overhead"', 'line = "idle"', "is of line 'idle'. Choose used, or overhead"),
    ],
)
def test_descriptions_that_no_fleet_has(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TOML
    with pytest.raises(BadValue, match=message):
        book(read_fleet(written(tmp_path, TOML.replace(old, new, 1))))


def test_files_that_are_no_fleet(tmp_path: Path) -> None:
    for text, message in (
        ("[[assets]]\n", r"It needs \[\[asset\]\] entries"),
        ("= 3", "is no description of a fleet"),
        (TOML.replace("count", "number"), "unknown key 'number'"),
    ):
        with pytest.raises(BadFile, match=message):
            read_fleet(written(tmp_path, text))
    with pytest.raises(BadFile, match="no such file"):
        read_fleet(tmp_path / "none.toml")
    with pytest.raises(UnknownName, match="a100"):
        book(read_fleet(written(tmp_path, TOML.replace("a100-80gb", "a1000"))))


def test_tenants_that_take_more_than_there_is() -> None:
    with pytest.raises(BadValue, match="tenants reserve 12 cores, and there are 10"):
        node(capacity={"cores": 10.0}, tenants=(Tenant(name="a", reserved={"cores": 12.0}),))
    with pytest.raises(BadValue, match="tenants use 11 cores, and there are 10"):
        book(fleet(node(capacity={"cores": 10.0}, tenants=(Tenant(name="a", reserved={"cores": 5.0}, used={"cores": 11.0}),))))
    with pytest.raises(BadValue, match=r"'gpus' is no resource of it. It has: cores"):
        node(capacity={"cores": 10.0}, tenants=(Tenant(name="a", reserved={"gpus": 1.0}),))
    with pytest.raises(BadValue, match="has tenants and no capacity to share"):
        node(tenants=(Tenant(name="a", reserved={}),))


def test_formula_a_part_in_words_is_priced_by_the_ensemble() -> None:
    from thrifty.cost.carbon.embodied import parse_part, price

    priced = price(parse_part("dram:gb=384,type=ddr4"))
    booked = book(fleet(node(embodied_g=None, part="dram:gb=384,type=ddr4", power_w=0.0)))
    assert booked.ledger.total_g() == pytest.approx(priced.kgco2e.mid * 1e3 * 24 / (5 * 8760))
    assert booked.making_g["node"].high > 5 * booked.making_g["node"].low  # models disagree, and the bill says so
    assert booked.ledger.names("truth") == ("modelled",)
