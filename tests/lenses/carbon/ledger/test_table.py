"""The ledger: totals, refusals, and that nothing appears or goes missing whatever is done with it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thrifty.errors import BadValue, UnknownName
from thrifty.lenses.carbon.ledger import Ledger, charge, divide, spread

MAKING = {"asset": "web", "phase": "manufacture", "scope": 3}
RUNNING = {"asset": "web", "phase": "use", "scope": 2, "method": "location"}
HOURS = np.arange("2020-03-08T00", "2020-03-08T06", dtype="datetime64[h]")
GRAMS = st.floats(min_value=0.0, max_value=1e9, allow_nan=False)


@st.composite
def ledgers(draw: st.DrawFn) -> Ledger:
    keys = draw(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(("manufacture", "transport", "end of life")), st.sampled_from(("x", "y", ""))),
                         unique=True, min_size=1, max_size=12))  # fmt: skip
    rows: list[dict[str, Any]] = [{"asset": a, "phase": p, "tenant": t, "scope": 3, "carbon_gco2e": draw(GRAMS)} for a, p, t in keys]
    hours = draw(st.lists(st.sampled_from(list(HOURS)), unique=True, max_size=4))
    rows += [{**RUNNING, "asset": "a", "hour": hour, "carbon_gco2e": draw(GRAMS)} for hour in hours]
    return Ledger.of(rows)


def test_formula_totals_by_columns() -> None:
    ledger = Ledger.of([
        {**MAKING, "carbon_gco2e": 10.0}, {**RUNNING, "hour": "2020-01-01T05:00Z", "carbon_gco2e": 4.0},
        {**RUNNING, "hour": "2020-01-02T05:00Z", "tenant": "search", "carbon_gco2e": 3.0},
    ])  # fmt: skip
    assert ledger.total_g() == 17.0
    assert ledger.by("phase") == {"manufacture": 10.0, "use": 7.0}
    assert ledger.by("scope") == {3: 10.0, 2: 7.0}
    assert ledger.by("tenant", "phase") == {("", "manufacture"): 10.0, ("", "use"): 4.0, ("search", "use"): 3.0}
    assert ledger.by("hour") == {"": 10.0, "2020-01-01T05": 4.0, "2020-01-02T05": 3.0}
    assert ledger.by("day") == {"": 10.0, "2020-01-01": 4.0, "2020-01-02": 3.0}
    assert ledger.select(tenant="search").total_g() == 3.0
    assert ledger.select(start="2020-01-01T05", end="2020-01-02T05").total_g() == 4.0
    assert ledger.select(scope=[2, 3]).total_g() == 17.0
    assert Ledger.empty().total_g() == 0.0
    assert Ledger.empty().by("phase") == {}


def test_formula_an_instant_of_any_zone_is_counted_in_its_hour_of_utc() -> None:
    from datetime import datetime

    local = datetime.fromisoformat("2020-11-01T01:30-08:00")  # the second 01:30 of that day in California
    assert Ledger.of([{**RUNNING, "hour": local, "carbon_gco2e": 1.0}]).rows()[0]["hour"] == "2020-11-01T09:00Z"


def test_rows_cannot_be_changed() -> None:
    ledger = Ledger.of([{**MAKING, "carbon_gco2e": 1.0}])
    with pytest.raises(ValueError, match=r"read-only"):
        ledger.carbon_gco2e_R[0] = 2.0


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({**MAKING, "carbon_gco2e": -1.0}, "offsets and credits are reported apart, they never subtract"),
        ({**MAKING, "carbon_gco2e": math.nan}, "Carbon is finite and at least 0"),
        ({**MAKING, "carbon_gco2e": math.inf}, "Carbon is finite and at least 0"),
        ({**MAKING, "carbon_gco2e": "much"}, "column carbon_gco2e holds something that is no number"),
        ({**MAKING, "scope": 4, "carbon_gco2e": 1.0}, "A? ?scope of the GHG Protocol is 1, 2 or 3"),
        ({**MAKING, "phase": "offset", "carbon_gco2e": 1.0}, "'offset' is no phase of a ledger"),
        ({**MAKING, "method": "market", "carbon_gco2e": 1.0}, "Scope 2 is counted by location or by market, scopes 1 and 3 by neither"),
        ({**RUNNING, "method": "", "carbon_gco2e": 1.0}, "Scope 2 is counted by location or by market"),
        ({**MAKING, "asset": "", "carbon_gco2e": 1.0}, "names no asset"),
        ({**MAKING, "hour": "yesterday", "carbon_gco2e": 1.0}, "'yesterday' is no hour of UTC"),
        ({**MAKING, "carbon_kg": 1.0}, "'carbon_kg', which is no column"),
        (MAKING, "has no carbon_gco2e"),
    ],
)
def test_a_row_that_no_ledger_has(row: dict[str, Any], message: str) -> None:
    with pytest.raises(BadValue, match=message):
        Ledger.of([row])


def test_the_same_carbon_twice_is_refused() -> None:
    row = {**RUNNING, "hour": "2020-01-01T05:00Z", "carbon_gco2e": 4.0}
    with pytest.raises(BadValue, match=r"asset 'web', phase 'use', scope 2, line 'used' at 2020-01-01T05Z is counted twice"):
        Ledger.of([row, {**row, "carbon_gco2e": 5.0}])
    with pytest.raises(BadValue, match=r"counted twice"):
        Ledger.of([row]) + Ledger.of([row])
    with pytest.raises(BadValue, match=r"is there by the hour and for the whole period"):
        Ledger.of([row, {**RUNNING, "carbon_gco2e": 4.0}])
    assert (Ledger.of([row]) + Ledger.of([{**row, "tenant": "search"}, {**row, "method": "market"}])).total_g("location") == 8.0


def test_both_ways_of_scope_2_are_never_added() -> None:
    ledger = Ledger.of([{**RUNNING, "carbon_gco2e": 4.0}, {**RUNNING, "method": "market", "carbon_gco2e": 1.0}, {**MAKING, "carbon_gco2e": 10.0}])
    with pytest.raises(BadValue, match=r"counts scope 2 both by location and by market; their sum means nothing"):
        ledger.total_g()
    with pytest.raises(BadValue, match=r"Choose one: --method location or market"):
        ledger.by("phase")
    assert (ledger.total_g("location"), ledger.total_g("market")) == (14.0, 11.0)
    assert ledger.by("scope", method="market") == {2: 1.0, 3: 10.0}


def test_unknown_words_are_named() -> None:
    ledger = Ledger.of([{**MAKING, "carbon_gco2e": 1.0}])
    with pytest.raises(UnknownName, match=r"No asset in this ledger named 'webb'. Did you mean 'web'"):
        ledger.select(asset="webb")
    with pytest.raises(BadValue, match=r"'colour' is nothing that totals can be told apart by"):
        ledger.by("colour")


@given(ledgers(), st.lists(st.floats(min_value=0.0, max_value=10.0), min_size=6, max_size=6).filter(lambda weights: sum(weights) > 0.01))
@settings(max_examples=60, deadline=None)
def test_property_spreading_conserves_every_asset_and_phase(ledger: Ledger, weights: list[float]) -> None:
    later = HOURS + np.timedelta64(30, "D")
    moved = spread(ledger, later, weights)
    assert not np.isnat(moved.hour_R).any()
    for key, grams in ledger.by("asset", "phase", "tenant").items():
        assert moved.by("asset", "phase", "tenant").get(key, 0.0) == pytest.approx(grams, rel=1e-12, abs=1e-12)


@given(ledgers(), st.floats(min_value=0.0, max_value=0.6), st.floats(min_value=0.0, max_value=0.4))
@settings(max_examples=60, deadline=None)
def test_property_dividing_and_charging_conserve_every_asset_and_phase(ledger: Ledger, one: float, two: float) -> None:
    divided = divide(ledger, {"x2": one, "y2": two})
    charged = charge(divided, "idle", {"x2": 0.25, "y2": 0.75})
    for step in (divided, charged):
        assert step.by("asset", "phase") == pytest.approx(ledger.by("asset", "phase"), rel=1e-12)
    before = ledger.select(tenant="").total_g() if "" in ledger.names("tenant") else 0.0
    assert divided.by("line").get("idle", 0.0) == pytest.approx((1 - one - two) * before, rel=1e-9, abs=1e-6)
    assert charged.by("line").get("idle", 0.0) == pytest.approx(divided.by("line").get("idle", 0.0), rel=1e-12)  # still a line of its own
    assert not {"idle"} & {line for tenant, line in charged.by("tenant", "line") if not tenant}


@given(ledgers(), st.randoms())
@settings(max_examples=40, deadline=None)
def test_property_parts_sum_to_the_whole_in_any_order(ledger: Ledger, random: Any) -> None:
    order = list(range(len(ledger)))
    random.shuffle(order)
    shuffled = ledger.taken(np.array(order))
    cut = len(order) // 2
    assert shuffled.total_g() == ledger.total_g()
    assert (shuffled.taken(np.arange(cut)) + shuffled.taken(np.arange(cut, len(order)))).total_g() == ledger.total_g()
    for column in ("asset", "phase", "tenant", "hour", "month"):
        assert math.fsum(ledger.by(column).values()) == pytest.approx(ledger.total_g(), rel=1e-12)


def test_moves_that_would_make_or_lose_carbon_are_refused() -> None:
    ledger = Ledger.of([{**MAKING, "carbon_gco2e": 1.0}])
    with pytest.raises(BadValue, match=r"tenants take 1.2 of the whole, which is more than there is"):
        divide(ledger, {"a": 0.6, "b": 0.6})
    with pytest.raises(BadValue, match=r"carbon cannot be divided among no tenants"):
        divide(ledger, {})
    with pytest.raises(BadValue, match=r"the share of 'a' is not between 0 and 1"):
        divide(ledger, {"a": -0.1})
    with pytest.raises(BadValue, match=r"shares of line 'idle' sum to 0.9"):
        charge(ledger, "idle", {"a": 0.9})
    with pytest.raises(BadValue, match=r"every weight of an hour is 0"):
        spread(ledger, HOURS, np.zeros(6))
    with pytest.raises(BadValue, match=r"a weight of an hour is negative or no number"):
        spread(ledger, HOURS, [1, 1, 1, 1, 1, math.nan])
    with pytest.raises(BadValue, match=r"one or more hours, each once"):
        spread(ledger, [HOURS[0], HOURS[0]])
    with pytest.raises(BadValue, match=r"lines of what no tenant takes do not fill it up"):
        divide(ledger, {"a": 0.5}, rest={"idle": 0.2, "stranded": 0.2})


def test_formula_stranded_capacity_is_a_line_of_its_own() -> None:
    divided = divide(Ledger.of([{**MAKING, "carbon_gco2e": 100.0}]), {"a": 0.5}, rest={"idle": 0.3, "stranded": 0.2})
    assert divided.by("line") == {"used": 50.0, "idle": 30.0, "stranded": pytest.approx(20.0)}
