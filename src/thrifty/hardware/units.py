"""Conversion factors of the units that the catalogue uses, so that reading a sheet does not wait for Pint.

Pint decides: `factors.toml` only remembers what it said (a test asks it again for every entry), and a unit that is not in there is handed to it.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from importlib.resources import files

from thrifty.quantities import to_si


@functools.cache
def remembered_factors() -> Mapping[str, Mapping[str, float]]:
    """Factor by dimension and unit, as stored beside the catalogue."""
    text = (files("thrifty.hardware") / "catalogue" / "factors.toml").read_text(encoding="utf-8")
    return {dimension: {unit: float(factor) for unit, factor in units.items()} for dimension, units in tomllib.loads(text).items()}


def convert(value: float, unit: str, dimension: str) -> float:
    """`value` in the unit that `dimension` is kept in. Raises BadValue for a unit that does not parse or has another dimension."""
    factor = remembered_factors().get(dimension, {}).get(unit)
    return to_si(value, unit, dimension) if factor is None else value * factor
