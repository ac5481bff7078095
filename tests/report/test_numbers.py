"""Numbers as texts."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.report import Number, number_text
from thrifty.report.numbers import column_texts, scale_of

NBSP = "\u00a0"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (3.35e12, "B/s", "3.35 TB/s"), (0.0123, "s", "12.3 ms"), (999.7e-3, "s", "1 s"),
        (119.0, "s", "119 s"), (5400.0, "s", "90 min"),
        (86400.0, "s", "24 h"),
        (31557600.0 * 2, "s", "2 yr"), (0.021, "gCO2e", "21 mgCO2e"), (5.2e6, "gCO2e", "5.2 tCO2e"), (3.1e9, "gCO2e", "3.1 ktCO2e"),
        (475.0, "gCO2e/kWh", "475 gCO2e/kWh"),
        (0.5, "FLOP/B", "0.5 FLOP/B"), (48.68, "tokens/s", "48.7 tokens/s"),
        (12345.6, "tokens/s", "12,346 tokens/s"),
        (0.0021, "USD/hour", "0.0021 USD/hour"),
        (1.2e-7, "USD", "1.2×10⁻⁷ USD"),
        (0.0, "B", "0 B"), (-0.0012, "J", "-1.2 mJ"), (2.5e-13, "s", "0.25 ps"),
        (1e-15, "J", "0.001 pJ"), (5e-324, "", "4.94×10⁻³²⁴"), (-1.5e-310, "", "-1.5×10⁻³¹⁰"),
    ],
)  # fmt: skip
def test_formula_number_text(value: float, unit: str, text: str) -> None:
    assert number_text(value, unit).replace(NBSP, " ") == text


def test_formula_styles() -> None:
    assert number_text(0.051, style="percent") == f"5.1{NBSP}%"
    assert number_text(134515008, style="si") == f"135{NBSP}M"
    assert number_text(134515008, style="integer") == "134,515,008"
    assert number_text(0.25, "s", "plain") == f"0.25{NBSP}s"


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_what_is_no_number_is_a_dash(value: float | None) -> None:
    assert number_text(value, "s") == "–"
    assert Number(value=value, unit="s", truth="measured", low=1, high=2).to_dict()["value"] is None


def test_number_says_its_range_and_ground() -> None:
    number = Number(value=0.021, unit="gCO2e", low=0.008, high=0.06, truth="modelled", model="m", source="s")
    assert str(number).replace(NBSP, " ") == "21 mgCO2e (8 mgCO2e to 60 mgCO2e) [modelled]"
    assert number.to_dict() == {"value": 0.021, "unit": "gCO2e", "truth": "modelled", "low": 0.008, "high": 0.06, "model": "m", "source": "s"}


def test_formula_column_has_one_unit_and_one_line_of_points() -> None:
    texts, unit = column_texts([1.31, 0.0041, 0.0124, None], "s")
    assert unit == "ms"
    assert [text.strip("\u2007\u2008") for text in texts] == ["1,310", "4.1", "12.4", "–"]
    assert {len(text) - (text + "\u2008").replace("\u2008", ".").index(".") for text in texts} == {2}


def test_a_column_over_many_decades_has_a_unit_a_cell() -> None:
    texts, unit = column_texts([1e-6, 10.0], "s")
    assert (unit, [text.replace(NBSP, " ") for text in texts]) == ("", ["1 µs", "10 s"])


@given(st.floats(min_value=1e-12, max_value=1e18), st.sampled_from(["B", "FLOP/s", "J", "W"]))
def test_property_a_text_reads_back_within_its_digits(value: float, unit: str) -> None:
    factor, label = scale_of(value, unit)
    number, _, shown = number_text(value, unit).partition(NBSP)
    assert shown == label
    assert float(number.replace(",", "")) * factor == pytest.approx(value, rel=5.1e-3)
