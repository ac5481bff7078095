"""The remembered factors: Pint is asked again for each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.errors import BadValue
from thrifty.hardware.units import convert, remembered_factors
from thrifty.quantities import DIMENSIONS, to_si

ENTRIES = [(dimension, unit) for dimension, units in remembered_factors().items() for unit in units]


def test_remembered_dimensions_are_known() -> None:
    assert set(remembered_factors()) <= set(DIMENSIONS)


@pytest.mark.parametrize(("dimension", "unit"), ENTRIES)
def test_formula_a_remembered_factor_is_what_pint_says(dimension: str, unit: str) -> None:
    assert convert(1.0, unit, dimension) == pytest.approx(to_si(1.0, unit, dimension), rel=1e-12)


@given(st.floats(min_value=1e-9, max_value=1e18), st.sampled_from(ENTRIES), st.floats(min_value=1e-3, max_value=1e3))
def test_property_conversion_is_linear(value: float, entry: tuple[str, str], factor: float) -> None:
    dimension, unit = entry
    assert convert(value * factor, unit, dimension) == pytest.approx(convert(value, unit, dimension) * factor, rel=1e-12)


def test_the_same_unit_means_nothing_in_another_dimension() -> None:
    assert convert(1, "GB/s", "bandwidth") == 1e9
    with pytest.raises(BadValue):
        convert(1, "GB/s", "capacity")
    assert convert(8, "Gbit/s", "bandwidth") == pytest.approx(1e9)
