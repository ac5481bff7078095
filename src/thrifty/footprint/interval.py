"""A number with the range in which it may lie."""

from __future__ import annotations

import math
from dataclasses import dataclass

from thrifty.errors import BadValue


@dataclass(frozen=True, slots=True)
class Interval:
    """low ≤ mid ≤ high. Sums and positive multiples act on each end, as for quantities whose errors go together (the cautious case)."""

    low: float
    mid: float
    high: float

    def __post_init__(self) -> None:
        if any(math.isnan(x) for x in (self.low, self.mid, self.high)) or not self.low <= self.mid <= self.high:
            raise BadValue(f"interval ({self.low}, {self.mid}, {self.high}) is not ordered. Give low <= mid <= high.")

    @classmethod
    def exact(cls, value: float) -> Interval:
        return cls(value, value, value)

    def __add__(self, other: Interval) -> Interval:
        return Interval(self.low + other.low, self.mid + other.mid, self.high + other.high)

    def __mul__(self, factor: float) -> Interval:
        if factor < 0:
            raise BadValue(f"interval times {factor}: a footprint cannot be multiplied by a negative number. Give 0 or more.")
        return Interval(self.low * factor, self.mid * factor, self.high * factor)

    __rmul__ = __mul__

    def to_dict(self) -> dict[str, float]:
        return {"low": self.low, "mid": self.mid, "high": self.high}
