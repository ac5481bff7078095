"""Units at the edge, SI floats inside, and the three kinds of truth.

A data sheet says ``3.35 TB/s``; the rest of the package sees ``3.35e12`` in a field whose name ends in the unit.
Pint does the conversion once, while a file is loaded; it is imported only then. Bytes, FLOPs, money and grams of CO2e are
dimensions of their own, so that a mass can never be added to an emission nor a GB be read as a Gbit.
"""

from __future__ import annotations

import functools
import math
import re
from typing import TYPE_CHECKING, Final, Literal

from thrifty.errors import BadValue

if TYPE_CHECKING:
    import pint

Truth = Literal["measured", "modelled", "literature"]
"""Where a number comes from: run here and now, computed by a named model, or read in a named source."""

HOUR_S: Final = 3600.0
DAY_S: Final = 86400.0
YEAR_S: Final = 365.25 * DAY_S
J_PER_KWH: Final = 3.6e6
HOURS_PER_YEAR: Final = YEAR_S / HOUR_S
G_PER_KG: Final = 1e3
"""Definitions, not measurements: the one place of what rooms convert between. A year is the mean Julian one, as in the units below."""

DIMENSIONS: Final[dict[str, str]] = {
    # what a sheet may state -> the unit that the loaded float is in
    "compute": "FLOP/s",
    "bandwidth": "byte/s",
    "capacity": "byte",
    "power": "watt",
    "energy": "joule",
    "energy_per_flop": "joule/FLOP",
    "energy_per_byte": "joule/byte",
    "energy_per_area": "kilowatt_hour/centimeter**2",
    "time": "second",
    "frequency": "hertz",
    "area": "millimeter**2",
    "node": "nanometer",
    "price": "USD",
    "price_per_time": "USD/hour",
    "price_per_energy": "USD/kilowatt_hour",
    "price_per_power": "USD/watt",
    "carbon": "gCO2e",
    "carbon_per_energy": "gCO2e/kilowatt_hour",
    "carbon_per_area": "gCO2e/centimeter**2",
    "carbon_per_capacity": "gCO2e/byte",
    "carbon_per_mass": "gCO2e/kilogram",
    "carbon_per_power": "gCO2e/watt",
    "carbon_per_time": "gCO2e/second",
    "carbon_per_freight": "gCO2e/(kilogram*kilometer)",
    "energy_per_mass": "joule/kilogram",
    "energy_per_capacity_time": "joule/(byte*second)",
    "power_per_capacity": "watt/byte",
    "capacity_per_area": "byte/millimeter**2",
    "count_per_area": "1/millimeter**2",
    "price_per_carbon": "USD/tCO2e",
    "price_eur_per_carbon": "EUR/tCO2e",
    "exchange": "USD/EUR",
    "volume": "litre",
    "volume_per_energy": "litre/kilowatt_hour",
    "mass": "kilogram",
    "length": "millimeter",
    "ratio": "dimensionless",
    "count": "dimensionless",
    "year": "dimensionless",
}


_DEFINITIONS: Final = """
femto- = 1e-15 = f-
pico- = 1e-12 = p-
nano- = 1e-9 = n-
micro- = 1e-6 = µ- = u-
milli- = 1e-3 = m-
centi- = 1e-2 = c-
kilo- = 1e3 = k-
mega- = 1e6 = M-
giga- = 1e9 = G-
tera- = 1e12 = T-
peta- = 1e15 = P-
exa- = 1e18 = E-
kibi- = 2**10 = Ki-
mebi- = 2**20 = Mi-
gibi- = 2**30 = Gi-
tebi- = 2**40 = Ti-
meter = [length] = m
litre = 1e-3 * meter ** 3 = L
second = [time] = s
gram = [mass] = g
byte = [information] = B
FLOP = [work]
gCO2e = [carbon]
USD = [money]
EUR = [euro]
minute = 60 * second = min
hour = 60 * minute = h
day = 24 * hour = d
year = 365.25 * day = yr
hertz = 1 / second = Hz
bit = byte / 8 = b
OP = FLOP
newton = kilogram * meter / second ** 2 = N
joule = newton * meter = J
watt = joule / second = W
watt_hour = watt * hour = Wh
kgCO2e = 1e3 * gCO2e
tCO2e = 1e6 * gCO2e
percent = 0.01 = %
""".strip().splitlines()
"""An integer multiply or add (OP) counts like a floating one; a bit is an eighth of a byte, which is a dimension of its own."""


@functools.cache
def _registry() -> pint.UnitRegistry[float]:
    import pint

    # An empty registry with just these: Pint's own file makes a byte dimensionless and takes a quarter of a second to read.
    registry: pint.UnitRegistry[float] = pint.UnitRegistry(None, cache_folder=None)
    registry.load_definitions(_DEFINITIONS)
    return registry


@functools.cache
def _factor(unit: str, dimension: str) -> float:
    import pint

    target = DIMENSIONS[dimension]
    registry = _registry()
    try:
        parsed = registry.parse_units(unit)
    except Exception as error:  # Pint raises half a dozen types for text that is no unit
        raise BadValue(f"'{unit}' is not a unit. Use one like '{target}'.") from error
    try:
        return float(registry.Quantity(1.0, parsed).to(target).magnitude)
    except pint.DimensionalityError as error:
        raise BadValue(f"unit '{unit}' has the wrong dimension for {'an' if dimension[0] in 'aeiou' else 'a'} {dimension}. Use one like '{target}'.") from error


def to_si(value: float, unit: str, dimension: str) -> float:
    """Convert `value` in `unit` to the unit in which `dimension` is kept (see `DIMENSIONS`).

    Raises BadValue for a unit that does not parse or has another dimension.
    """
    return value * _factor(unit, dimension)


def parse(text: str, dimension: str) -> float:
    """Read a quantity such as ``"350 W"`` or ``"0.12 USD/kWh"`` as the float that `dimension` is kept in."""
    number, _, unit = text.strip().partition(" ")
    try:
        value = float(number)
    except ValueError:
        raise BadValue(f"'{text}' is not a quantity. Write a number, a space and a unit, e.g. '1 {DIMENSIONS[dimension]}'.") from None
    if not math.isfinite(value):
        raise BadValue(f"'{text}' is not finite. Write a finite number, e.g. '1 {DIMENSIONS[dimension]}'.")
    return to_si(value, unit.strip(), dimension)


_STATED: Final = re.compile(r"\s*(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|nan|[+-]?inf)\s*(?P<unit>\D.*?)?\s*", re.IGNORECASE)


def stated(what: str, value: object, dimension: str, *, plain: str = "", example: str = "") -> float:
    """A quantity as a person states it, in the unit of `dimension`: "20MW", "20 MW", or a number or its text in the unit `plain` ("": a unit must be there).

    What may be below 0 is the caller's to say. Raises BadValue, beginning with `what`, for anything else, numbers that are not finite and wrong units.
    """
    match = _STATED.fullmatch(str(value)) if not isinstance(value, bool) else None
    fix = f"Write a number and a unit, e.g. '{example or f'1 {plain or DIMENSIONS[dimension]}'}'."
    if match is None:
        raise BadValue(f"{what} '{value}' is not a quantity. {fix}")
    unit = match["unit"] or plain
    if not unit:
        raise BadValue(f"{what} '{value}' has no unit. {fix}")
    number = float(match["number"])
    if not math.isfinite(number):
        raise BadValue(f"{what} '{value}' is not finite. {fix}")
    try:
        return to_si(number, unit, dimension)
    except BadValue as error:
        raise BadValue(f"{what} '{value}': {error}") from None


def positive_int(name: str, value: object, *, at_most: int | None = None, why: str = "") -> int:
    """Return `value` as an int of at least 1, or raise BadValue with rule, value and fix.

    Accepts ints, integral floats and their text; refuses booleans, NaN and fractions.
    """
    fix = f"Choose a whole number from 1{f' to {at_most}' if at_most is not None else ' up'}."
    number: float
    try:
        number = float(value) if not isinstance(value, bool) else math.nan  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or number != int(number):
        raise BadValue(f"{name}={value} is not a whole number. {fix}")
    if number < 1:
        raise BadValue(f"{name}={value} is below 1. {fix}")
    if at_most is not None and number > at_most:
        raise BadValue(f"{name}={value} is above {at_most}{f' ({why})' if why else ''}. {fix}")
    return int(number)


_PREFIXES: Final = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"), (1e-12, "p"))


def show(value: float | None, unit: str, digits: int = 3) -> str:
    """Write a number for people: an SI prefix and `digits` significant digits, e.g. ``show(3.35e12, "B/s") == "3.35 TB/s"``."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return f"0 {unit}".rstrip()
    for scale, prefix in _PREFIXES:
        if abs(value) >= scale * (1 - 0.5 * 10.0**-digits):
            return f"{value / scale:.{digits}g} {prefix}{unit}".rstrip()
    return f"{value:.{digits}g} {unit}".rstrip()
