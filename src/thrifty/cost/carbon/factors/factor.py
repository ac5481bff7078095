"""One number about carbon with all that is known of it."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any, Final

from thrifty.cost.carbon.factors.distribution import Distribution
from thrifty.hardware.units import convert

MOST_G_PER_KWH: Final = 3000.0
"""No grid emits as much (coal alone about a third): what is above is grams taken for kilograms. Not a fact, a guard against slips of units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """A number of the pack, or of a catalogue that an adapter reads.

    path         : where in which sheet, e.g. "logic:act.epa.n7"
    value, unit  : as its source states them; `in_unit_of` converts
    distribution : how it may vary, in the same unit; exact where the source gives no spread
    region       : the place that it holds for ("TWN", "us-california"), "" for any
    valid_from, valid_to : the time that it holds for, None for no end
    source, licence, where, read_on : who says so, under which terms, where in it, and when it was read
    sha256       : hash over all the fields above, so that a report names exactly this number
    """

    path: str
    value: float
    unit: str
    distribution: Distribution
    region: str
    valid_from: datetime.date | None
    valid_to: datetime.date | None
    source: str
    licence: str
    where: str
    read_on: str
    sha256: str
    note: str = ""

    def in_unit_of(self, dimension: str) -> float:
        """The value in the unit in which `dimension` is kept (see `quantities.DIMENSIONS`). Raises BadValue for another dimension."""
        return convert(self.value, self.unit, dimension)

    def spread(self, dimension: str) -> Distribution:
        """The distribution in the unit of `dimension`."""
        return self.distribution.scaled(convert(1.0, self.unit, dimension))

    def to_dict(self) -> dict[str, Any]:
        return {
            "path": self.path, "value": self.value, "unit": self.unit, "distribution": self.distribution.to_dict(), "region": self.region,
            "valid_from": None if self.valid_from is None else self.valid_from.isoformat(),
            "valid_to": None if self.valid_to is None else self.valid_to.isoformat(),
            "source": self.source, "licence": self.licence, "where": self.where, "read_on": self.read_on, "sha256": self.sha256, "note": self.note,
        }  # fmt: skip
