"""What a device still does under a power cap.

    speed = ((cap - idle) / (full - idle)) ** exponent            power at a speed = idle + (full - idle) * speed ** (1 / exponent)

With the exponent 1/3 this is dynamic power as frequency times voltage squared, voltage falling with frequency. It is a model: work bound by memory loses
less, and no chip slows below a floor. Concave in the cap for every exponent up to 1, so slowing evenly beats racing and resting.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from thrifty.cost.carbon.factors import load_pack
from thrifty.cost.energy import EnergyModel
from thrifty.errors import BadValue
from thrifty.hardware.device import Device

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class CappedDevice:
    """idle_w: on and doing nothing; full_w: at full speed, its TDP; count: how many alike; notes: what was assumed for want of a number"""

    name: str
    idle_w: float
    full_w: float
    exponent: float
    count: int = 1
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (math.isfinite(self.full_w) and 0 <= self.idle_w < self.full_w):
            raise BadValue(f"{self.name} idles at {self.idle_w:g} W and draws {self.full_w:g} W at full speed. Give 0 <= idle < full.")
        if not 0 < self.exponent <= 1:
            raise BadValue(f"exponent={self.exponent:g} of speed over power cannot be. Give a number above 0, up to 1.")
        if self.count < 1:
            raise BadValue(f"{self.count} devices run nothing. Give at least 1.")

    @classmethod
    def of(cls, device: Device, *, count: int = 1, idle_w: float | None = None, exponent: float | None = None) -> CappedDevice:
        """From a device of the catalogue; where neither its sheet nor the caller states its power at rest, the usual share of its kind, with a note."""
        notes: tuple[str, ...] = ()
        if idle_w is None:
            model = EnergyModel.of(device)
            idle_w, notes = model.idle_w, tuple(f"{device.name}: {note}" for note in model.notes if "idle" in note)
        known = load_pack().get("policy:powercap.exponent", "ratio") if exponent is None else exponent
        return cls(name=device.name, idle_w=idle_w, full_w=device.tdp_w, exponent=known, count=count, notes=notes)

    def speed(self, cap_w_T: npt.ArrayLike) -> Floats:
        """Share of full speed under caps of one device; 1 above its full power. Raises BadValue for a cap below its power at rest."""
        caps = np.asarray(cap_w_T, dtype=np.float64)
        if not (caps >= self.idle_w).all():
            least = float(np.min(caps)) if caps.size else math.nan
            raise BadValue(f"a cap of {least:g} W is below the {self.idle_w:g} W that {self.name} draws at rest. Raise it.")
        return np.asarray(np.minimum(1.0, (caps - self.idle_w) / (self.full_w - self.idle_w)) ** self.exponent)

    def power_w(self, speed_T: npt.ArrayLike) -> Floats:
        """What one device draws at a steady share of full speed."""
        return np.asarray(self.idle_w + (self.full_w - self.idle_w) * np.asarray(speed_T, dtype=np.float64) ** (1 / self.exponent))

    def slope_w(self, speed_T: npt.ArrayLike) -> Floats:
        """What a little more speed would draw, per share of full speed."""
        p = 1 / self.exponent
        return np.asarray((self.full_w - self.idle_w) * p * np.asarray(speed_T, dtype=np.float64) ** (p - 1))
