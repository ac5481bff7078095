"""Units are read once, at the edge, and never mixed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.errors import BadValue
from thrifty.quantities import DIMENSIONS, parse, positive_int, show, stated, to_si

FINITE = st.floats(min_value=1e-6, max_value=1e12, allow_nan=False)
PREFIXES = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("989.4 TFLOP/s", "compute", 989.4e12),
        ("1979 TOP/s", "compute", 1979e12),
        ("3.35 TB/s", "bandwidth", 3.35e12),
        ("200 Gbit/s", "bandwidth", 25e9),
        ("80 GiB", "capacity", 80 * 2**30),
        ("80 GB", "capacity", 80e9),
        ("350 W", "power", 350.0),
        ("1 kWh", "energy", 3.6e6),
        ("0.5 pJ/FLOP", "energy_per_flop", 0.5e-12),
        ("4 pJ/bit", "energy_per_byte", 32e-12),
        ("1.98 GHz", "frequency", 1.98e9),
        ("8.14 cm**2", "area", 814.0),
        ("5 nm", "node", 5.0),
        ("2.5 USD/hour", "price_per_time", 2.5),
        ("120 USD/MWh", "price_per_energy", 0.12),
        ("0.4 kgCO2e/kWh", "carbon_per_energy", 400.0),
        ("1.2 kgCO2e/cm**2", "carbon_per_area", 1200.0),
        ("300 gCO2e/GB", "carbon_per_capacity", 3e-7),
        ("120 %", "ratio", 1.2),
        ("3 min", "time", 180.0),
    ],
)
def test_formula_units(text: str, dimension: str, value: float) -> None:
    assert parse(text, dimension) == pytest.approx(value, rel=1e-12)


def test_every_dimension_reads_its_own_unit() -> None:
    for dimension, unit in DIMENSIONS.items():
        assert to_si(7.0, "" if unit == "dimensionless" else unit, dimension) == pytest.approx(7.0)


@given(FINITE, st.sampled_from(sorted(PREFIXES)))
def test_property_prefixes_scale(value: float, prefix: str) -> None:
    assert to_si(value, f"{prefix}byte", "capacity") == pytest.approx(value * PREFIXES[prefix], rel=1e-12)


@given(FINITE, FINITE)
def test_property_conversion_is_linear(a: float, b: float) -> None:
    assert to_si(a + b, "kWh", "energy") == pytest.approx(to_si(a, "kWh", "energy") + to_si(b, "kWh", "energy"), rel=1e-12)


@given(FINITE)
def test_property_bits_are_an_eighth_of_bytes(value: float) -> None:
    assert 8 * to_si(value, "Gbit/s", "bandwidth") == pytest.approx(to_si(value, "GB/s", "bandwidth"), rel=1e-12)


@given(st.floats(min_value=1e-11, max_value=9e17))
def test_property_show_and_parse_round_trip(value: float) -> None:
    shown = show(value, "B", digits=15)
    number, _, unit = shown.partition(" ")
    assert to_si(float(number), unit, "capacity") == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (3.35e12, "B/s", "3.35 TB/s"), (999.6, "B", "1 kB"), (999.4, "B", "999 B"), (0, "J", "0 J"), (1.5e-6, "s", "1.5 µs"), (None, "s", "–"),
        (math.nan, "s", "–"), (math.inf, "s", "–"), (-2500.0, "W", "-2.5 kW"), (1e-15, "s", "1e-15 s"), (2.0, "", "2"),
    ],
)  # fmt: skip
def test_formula_show(value: float | None, unit: str, text: str) -> None:
    assert show(value, unit) == text


@pytest.mark.parametrize(
    ("text", "dimension", "message"),
    [
        ("3.35 TB", "bandwidth", "unit 'TB' has the wrong dimension for a bandwidth. Use one like 'byte/s'."),
        ("5 kg", "carbon", "unit 'kg' has the wrong dimension for a carbon. Use one like 'gCO2e'."),
        ("5 g", "carbon", "unit 'g' has the wrong dimension for a carbon. Use one like 'gCO2e'."),
        ("3 parsec", "area", "'parsec' is not a unit. Use one like 'millimeter**2'."),
        ("3 2*GB/s", "bandwidth", "'2*GB/s' is not a unit. Use one like 'byte/s'."),
        ("many W", "power", "'many W' is not a quantity. Write a number, a space and a unit, e.g. '1 watt'."),
        ("350W", "power", "'350W' is not a quantity. Write a number, a space and a unit, e.g. '1 watt'."),
        ("nan W", "power", "'nan W' is not finite. Write a finite number, e.g. '1 watt'."),
        ("inf W", "power", "'inf W' is not finite. Write a finite number, e.g. '1 watt'."),
    ],
)
def test_bad_quantities_get_one_line(text: str, dimension: str, message: str) -> None:
    with pytest.raises(BadValue) as caught:
        parse(text, dimension)
    assert str(caught.value) == message


@pytest.mark.parametrize("dimension", [d for d, unit in DIMENSIONS.items() if unit not in ("byte", "dimensionless")])
def test_bytes_fit_no_other_dimension(dimension: str) -> None:
    with pytest.raises(BadValue, match="wrong dimension"):
        to_si(1.0, "byte", dimension)


@given(st.integers(min_value=1, max_value=10**15))
def test_property_positive_int_takes_ints_floats_and_their_text(value: int) -> None:
    assert positive_int("batch", value) == positive_int("batch", float(value)) == positive_int("batch", str(value)) == value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0, "batch=0 is below 1. Choose a whole number from 1 up."),
        (-3, "batch=-3 is below 1. Choose a whole number from 1 up."),
        (math.nan, "batch=nan is not a whole number. Choose a whole number from 1 up."),
        ("nan", "batch=nan is not a whole number. Choose a whole number from 1 up."),
        (math.inf, "batch=inf is not a whole number. Choose a whole number from 1 up."),
        (1.5, "batch=1.5 is not a whole number. Choose a whole number from 1 up."),
        ("two", "batch=two is not a whole number. Choose a whole number from 1 up."),
        (True, "batch=True is not a whole number. Choose a whole number from 1 up."),
        (None, "batch=None is not a whole number. Choose a whole number from 1 up."),
        ([1], "batch=[1] is not a whole number. Choose a whole number from 1 up."),
    ],
)
def test_positive_int_refuses(value: object, message: str) -> None:
    with pytest.raises(BadValue) as caught:
        positive_int("batch", value)
    assert str(caught.value) == message


def test_positive_int_says_why_there_is_a_ceiling() -> None:
    with pytest.raises(BadValue) as caught:
        positive_int("seq", 4096, at_most=2048, why="the context of gpt3-175b")
    assert str(caught.value) == "seq=4096 is above 2048 (the context of gpt3-175b). Choose a whole number from 1 to 2048."


@pytest.mark.parametrize("text", ["20MW", "20 MW", " 20  MW ", "2e1MW", "0.02 GW", 20, 20.0, "20"])
def test_a_person_states_a_quantity_with_or_without_a_space(text: object) -> None:
    assert stated("power", text, "power", plain="MW") == pytest.approx(20e6)


@pytest.mark.parametrize(
    ("text", "plain", "message"),
    [
        ("20", "", "power '20' has no unit. Write a number and a unit, e.g. '1 watt'."),
        ("many", "MW", "power 'many' is not a quantity. Write a number and a unit, e.g. '1 MW'."),
        ("", "MW", "power '' is not a quantity."),
        (True, "MW", "power 'True' is not a quantity."),
        ("nan", "MW", "power 'nan' is not finite."),
        ("inf W", "MW", "power 'inf W' is not finite."),
        ("2 kg", "MW", "power '2 kg': unit 'kg' has the wrong dimension for a power. Use one like 'watt'."),
        ("2 zorks", "MW", "power '2 zorks': 'zorks' is not a unit. Use one like 'watt'."),
    ],
)
def test_what_is_no_stated_quantity_is_refused(text: object, plain: str, message: str) -> None:
    with pytest.raises(BadValue) as error:
        stated("power", text, "power", plain=plain)
    assert str(error.value).startswith(message)
