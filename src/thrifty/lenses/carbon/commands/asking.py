"""How a command line of `thrifty carbon` states quantities, times and periods."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Final

from thrifty.errors import BadValue
from thrifty.quantities import DIMENSIONS, stated

MOST: Final = 1e24
"""Watts or joules; the sun's light on Earth is below 1e18 W. What is above is a slip."""


def quantity(name: str, text: str, dimension: str, *, least: float = 0.0, plain: str = "") -> float:
    """A number with its unit, with or without a space ("20MW", "20 MW"), in the unit of `dimension`. plain: the unit of a number without one, "" for none.

    Raises BadValue for a number without a unit, another dimension, and what is not finite, below `least` or above `MOST`.
    """
    value = stated(name, text, dimension, plain=plain, example=f"20 {plain or _example(dimension)}")
    if value < least:
        raise BadValue(f"{name} '{text}' is below {least:g}. Mend it.")
    if value > MOST:
        raise BadValue(f"{name} '{text}' is more than there is on Earth. Mend it.")
    return value


def _example(dimension: str) -> str:
    return {"power": "MW", "energy": "MWh", "time": "h"}.get(dimension, DIMENSIONS[dimension])


def moment(name: str, text: str, zone: str) -> datetime:
    """An instant (in UTC: differences of local times forget daylight saving) of "2020-01-01", "2020-01-01T07:00", local to `zone`, or "...T07:00Z".

    Raises BadValue.
    """
    from thrifty.cost.carbon.series.series import time_zone
    from thrifty.cost.carbon.series.stamps import YEARS

    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise BadValue(f"{name}='{text}' is no ISO date or time. Write e.g. 2020-01-01, or 2020-01-01T07:00Z.") from None
    if not YEARS[0] <= read.year <= YEARS[1]:
        raise BadValue(f"{name}='{text}' lies outside the years {YEARS[0]} to {YEARS[1]}. Mend it.")
    return (read if read.tzinfo is not None else read.replace(tzinfo=time_zone(zone))).astimezone(UTC)


def named_shares(name: str, words: list[str] | None) -> dict[str, float]:
    """Shares from 0 to 1 by name, of words such as wind=0.5. Raises BadValue."""
    found: dict[str, float] = {}
    for word in words or ():
        key, _, value = word.partition("=")
        try:
            share = float(value)
        except ValueError:
            share = math.nan
        if not key or not 0 <= share <= 1:
            raise BadValue(f"{name}='{word}' is no share. Write e.g. --{name} wind=0.5, with 0 to 1.")
        if key in found:
            raise BadValue(f"{name} says {key} twice. Say it once.")
        found[key] = share
    return found
