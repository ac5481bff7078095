"""What a predictor says of a job."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from thrifty.errors import BadValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One predictor's answer; a literature predictor, whatever it is fed.

    energy_j : at the meter of the building, PUE included; operational_gco2e its carbon; embodied_gco2e None where the predictor has no such part
    device_s : device-seconds that it counts with; assumed: what it assumes that ours does not, as a reader would say it
    """

    predictor: str
    energy_j: float
    operational_gco2e: float
    embodied_gco2e: float | None
    device_s: float
    assumed: Mapping[str, str] = field(default_factory=dict)

    @property
    def total_gco2e(self) -> float:
        return self.operational_gco2e + (self.embodied_gco2e or 0.0)

    def times(self, count: float) -> Prediction:
        """`count` such jobs."""
        return Prediction(
            predictor=self.predictor, energy_j=self.energy_j * count, operational_gco2e=self.operational_gco2e * count,
            embodied_gco2e=None if self.embodied_gco2e is None else self.embodied_gco2e * count, device_s=self.device_s * count, assumed=self.assumed,
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        return {
            "predictor": self.predictor, "truth": "literature", "energy_j": self.energy_j, "operational_gco2e": self.operational_gco2e,
            "embodied_gco2e": self.embodied_gco2e, "device_s": self.device_s, "assumed": dict(self.assumed),
        }  # fmt: skip


def above_zero(**numbers: float) -> None:
    """Raises BadValue for the first number that is not finite and above 0."""
    for name, value in numbers.items():
        if not (math.isfinite(value) and value > 0):
            raise BadValue(f"{name}={value} is not above 0. Give a finite number above 0.")


def check_grid(pue: float, intensity_g_per_kwh: float) -> None:
    """Raises BadValue for a PUE below 1 or an intensity below 0."""
    if not (math.isfinite(pue) and pue >= 1):
        raise BadValue(f"pue={pue} is below 1. A building draws at least what its machines draw.")
    if not (math.isfinite(intensity_g_per_kwh) and intensity_g_per_kwh >= 0):
        raise BadValue(f"intensity={intensity_g_per_kwh} gCO2e/kWh is below 0. Give 0 or more.")
