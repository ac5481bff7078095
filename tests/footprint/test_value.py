"""The algebra of footprints: after, beside, times."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.errors import BadValue
from thrifty.footprint import Footprint, Interval, Quality

COST = st.floats(min_value=0, max_value=1e9)
INTERVALS = st.lists(COST, min_size=3, max_size=3).map(lambda xs: Interval(*sorted(xs)))
FOOTPRINTS = st.builds(
    Footprint, time_s=COST, memory_bytes=COST, energy_j=COST, carbon_gco2e=INTERVALS, cost_usd=st.none() | COST,
    truth=st.sampled_from(["measured", "modelled", "literature"]),
)  # fmt: skip
NOTHING = Footprint(time_s=0, memory_bytes=0, energy_j=0, carbon_gco2e=Interval.exact(0), cost_usd=0)


def numbers(of: Footprint) -> list[float]:
    carbon = of.carbon_gco2e
    return [of.time_s, of.memory_bytes, of.energy_j, carbon.low, carbon.mid, carbon.high, -1.0 if of.cost_usd is None else of.cost_usd]


def near(of: Footprint) -> object:
    return pytest.approx(numbers(of), rel=1e-9, abs=1e-300)


def a_footprint(**changes: object) -> Footprint:
    usual = {"time_s": 2.0, "memory_bytes": 100.0, "energy_j": 30.0, "carbon_gco2e": Interval(1, 2, 3), "cost_usd": 0.5}
    return Footprint(**{**usual, **changes})  # type: ignore[arg-type]


def test_formula_after_and_beside() -> None:
    a, b = a_footprint(), a_footprint(time_s=5.0, memory_bytes=40.0)
    assert numbers(a + b) == [7.0, 100.0, 60.0, 2.0, 4.0, 6.0, 1.0]
    assert numbers(a.beside(b)) == [5.0, 140.0, 60.0, 2.0, 4.0, 6.0, 1.0]
    assert numbers(a * 3) == [6.0, 100.0, 90.0, 3.0, 6.0, 9.0, 1.5]
    assert numbers(a * 0) == [0.0] * 7


@given(FOOTPRINTS, FOOTPRINTS, FOOTPRINTS)
def test_property_after_commutes_and_associates(a: Footprint, b: Footprint, c: Footprint) -> None:
    assert numbers(a + b) == numbers(b + a)
    assert numbers((a + b) + c) == near(a + (b + c))


@given(FOOTPRINTS, FOOTPRINTS, FOOTPRINTS)
def test_property_beside_commutes_and_associates(a: Footprint, b: Footprint, c: Footprint) -> None:
    assert numbers(a.beside(b)) == numbers(b.beside(a))
    assert numbers(a.beside(b).beside(c)) == near(a.beside(b.beside(c)))


@given(FOOTPRINTS)
def test_property_nothing_is_neutral(a: Footprint) -> None:
    assert numbers(a + NOTHING) == numbers(a.beside(NOTHING)) == numbers(a)


@given(FOOTPRINTS, st.integers(1, 1000), st.integers(1, 1000))
def test_property_counts_add_and_multiply(a: Footprint, n: int, m: int) -> None:
    assert numbers(a * n + a * m) == near(a * (n + m))
    assert numbers((a * n) * m) == near(a * (n * m))


@given(FOOTPRINTS, FOOTPRINTS)
def test_property_money_is_unknown_as_soon_as_a_part_is(a: Footprint, b: Footprint) -> None:
    for both in (a + b, a.beside(b)):
        assert (both.cost_usd is None) == (a.cost_usd is None or b.cost_usd is None)


@given(FOOTPRINTS, FOOTPRINTS)
def test_property_a_sum_with_a_model_in_it_is_modelled(a: Footprint, b: Footprint) -> None:
    assert (a + b).truth == (a.truth if a.truth == b.truth else "modelled")


@given(FOOTPRINTS)
def test_property_json_round_trip(a: Footprint) -> None:
    again = json.loads(json.dumps(a.to_dict(), allow_nan=False))
    assert Footprint(**{**again, "carbon_gco2e": Interval(**again["carbon_gco2e"])}) == a


def test_quality_stays_where_both_agree() -> None:
    good, bad = Quality(0.9, "higher"), Quality(0.1, "higher")
    both = a_footprint(quality={"accuracy": good, "f1": good}) + a_footprint(quality={"accuracy": bad, "loss": bad})
    assert dict(both.quality) == {"f1": good, "loss": bad}


@pytest.mark.parametrize("field", ["time_s", "memory_bytes", "energy_j", "cost_usd"])
@pytest.mark.parametrize("value", [-1.0, math.nan])
def test_impossible_numbers_are_refused(field: str, value: float) -> None:
    with pytest.raises(BadValue) as caught:
        a_footprint(**{field: value})
    assert str(caught.value) == f"{field}={value} in a footprint is below zero or not a number. Give 0 or more."


def test_negative_carbon_is_refused() -> None:
    with pytest.raises(BadValue) as caught:
        a_footprint(carbon_gco2e=Interval(-1, 0, 1))
    assert str(caught.value) == "carbon_gco2e=-1 in a footprint is below zero. Give 0 or more."


@pytest.mark.parametrize("times", [-1, math.nan, math.inf])
def test_impossible_counts_are_refused(times: float) -> None:
    with pytest.raises(BadValue) as caught:
        a_footprint() * times
    assert str(caught.value) == f"footprint times {times}: a count must be finite and at least 0."
