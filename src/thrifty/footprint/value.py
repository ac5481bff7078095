"""The Footprint: what a piece of work costs, in one frozen value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from thrifty.errors import BadValue
from thrifty.footprint.interval import Interval
from thrifty.quantities import Truth


@dataclass(frozen=True, slots=True)
class Quality:
    """One named measure of how good the result is, and which way is better."""

    value: float
    better: Literal["higher", "lower"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What a piece of work costs.

    `a + b` is a then b: time, energy, carbon and money add, memory is the larger. `a.beside(b)` is both at once: time is the longer,
    memory adds. `a * n` is n times over, one after the other. Money is None as soon as one part's is unknown.
    """

    time_s: float
    memory_bytes: float
    energy_j: float
    carbon_gco2e: Interval
    cost_usd: float | None = None
    quality: Mapping[str, Quality] = field(default_factory=dict)
    truth: Truth = "modelled"

    def __post_init__(self) -> None:
        for name in ("time_s", "memory_bytes", "energy_j", "cost_usd"):
            value = getattr(self, name)
            if value is not None and (math.isnan(value) or value < 0):
                raise BadValue(f"{name}={value} in a footprint is below zero or not a number. Give 0 or more.")
        if self.carbon_gco2e.low < 0:
            raise BadValue(f"carbon_gco2e={self.carbon_gco2e.low} in a footprint is below zero. Give 0 or more.")

    def __add__(self, other: Footprint) -> Footprint:
        return self._with(other, time_s=self.time_s + other.time_s, memory_bytes=max(self.memory_bytes, other.memory_bytes))

    def beside(self, other: Footprint) -> Footprint:
        """Both at the same time, on different machines."""
        return self._with(other, time_s=max(self.time_s, other.time_s), memory_bytes=self.memory_bytes + other.memory_bytes)

    def __mul__(self, times: float) -> Footprint:
        if not (math.isfinite(times) and times >= 0):
            raise BadValue(f"footprint times {times}: a count must be finite and at least 0.")
        return Footprint(
            time_s=self.time_s * times, memory_bytes=self.memory_bytes if times else 0.0, energy_j=self.energy_j * times,
            carbon_gco2e=self.carbon_gco2e * times, cost_usd=None if self.cost_usd is None else self.cost_usd * times,
            quality=self.quality, truth=self.truth,
        )  # fmt: skip

    __rmul__ = __mul__

    def _with(self, other: Footprint, *, time_s: float, memory_bytes: float) -> Footprint:
        both = {name: q for name, q in {**self.quality, **other.quality}.items() if self.quality.get(name, q) == other.quality.get(name, q)}
        known = self.cost_usd is not None and other.cost_usd is not None
        return Footprint(
            time_s=time_s, memory_bytes=memory_bytes, energy_j=self.energy_j + other.energy_j,
            carbon_gco2e=self.carbon_gco2e + other.carbon_gco2e,
            cost_usd=(self.cost_usd or 0.0) + (other.cost_usd or 0.0) if known else None,
            quality=both, truth=self.truth if self.truth == other.truth else "modelled",
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON."""
        return {
            "time_s": self.time_s, "memory_bytes": self.memory_bytes, "energy_j": self.energy_j, "carbon_gco2e": self.carbon_gco2e.to_dict(),
            "cost_usd": self.cost_usd, "quality": {n: {"value": q.value, "better": q.better} for n, q in self.quality.items()}, "truth": self.truth,
        }  # fmt: skip
