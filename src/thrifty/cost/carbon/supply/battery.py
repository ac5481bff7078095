"""A battery as a linear model with tapering power (the C/L/C model of Kazhamiaka et al., as in Carbon Explorer, ASPLOS 2023)."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import Any

from thrifty.cost.carbon.factors import load_pack
from thrifty.errors import BadValue

# Our field -> key of the sheet.
_SHEET = {
    "c_charge": "c_charge", "c_discharge": "c_discharge", "eta_c": "eta_charge", "eta_d": "eta_discharge", "v_u": "v_upper", "v_l": "v_lower",
    "u_l": "u_lower",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Battery:
    """Capacity and limits. One small step of τ = 1/steps_per_hour hours, level b in MWh:

        charging     p ≤ min(c_charge·C/η_c,    (v_u·C − b)/(η_c·τ − u_u)),  b += η_c·p·τ
        discharging  p ≤ min(c_discharge·C/η_d, (b − v_l·C)/(u_l + η_d·τ)),  b −= η_d·p·τ

    eta_c : what arrives of a MWh that goes in, at most 1; eta_d: what leaves the cells for a MWh that comes out, at least 1
    c_charge, c_discharge : most power, in capacities an hour
    u_u, v_u, u_l, v_l    : how power tapers towards full and towards empty, per hour (u) and as shares of capacity (v); u_u is 0 or negative
    """

    capacity_mwh: float
    c_charge: float
    c_discharge: float
    eta_c: float
    eta_d: float
    u_u: float
    v_u: float
    u_l: float
    v_l: float
    steps_per_hour: int = 60

    def __post_init__(self) -> None:
        def refuse(name: str, rule: str) -> BadValue:
            return BadValue(f"battery: {name}={getattr(self, name)} is not {rule}. Mend it.")

        for name in ("capacity_mwh", "c_charge", "c_discharge", "eta_c", "eta_d", "u_u", "v_u", "u_l", "v_l"):
            if not math.isfinite(getattr(self, name)):
                raise refuse(name, "a finite number")
        if self.capacity_mwh < 0:
            raise refuse("capacity_mwh", "0 or more")
        for name in ("c_charge", "c_discharge"):
            if getattr(self, name) <= 0:
                raise refuse(name, "above 0")
        if not 0 < self.eta_c <= 1:
            raise refuse("eta_c", "above 0 and at most 1: no battery stores more than it is given")
        if self.eta_d < 1:
            raise refuse("eta_d", "at least 1: no battery gives more than it stores")
        if self.u_u > 0:
            raise refuse("u_u", "0 or below: power falls towards full")
        if self.u_l < 0:
            raise refuse("u_l", "0 or above: power falls towards empty")
        if not 0 <= self.v_l < self.v_u <= 1:
            raise BadValue(f"battery: v_l={self.v_l} and v_u={self.v_u} are no range of charge. Give 0 ≤ v_l < v_u ≤ 1.")
        if isinstance(self.steps_per_hour, bool) or not isinstance(self.steps_per_hour, int) or not 1 <= self.steps_per_hour <= 3600:
            raise refuse("steps_per_hour", "a whole number from 1 to 3600")

    @classmethod
    def of(cls, capacity_mwh: float, chemistry: str = "li-ion", **changes: Any) -> Battery:
        """A battery of the pack: li-ion (the default of Carbon Explorer) or li-ion-slow (its alternative). `changes` replace fields.

        Raises BadValue for a capacity below 0 and for a chemistry that the pack does not have.
        """
        return replace(_chemistry(chemistry), capacity_mwh=float(capacity_mwh), **changes)

    def sized(self, capacity_mwh: float) -> Battery:
        """The same kind with another capacity."""
        return replace(self, capacity_mwh=float(capacity_mwh))

    def inner_steps(self, step_h: float) -> int:
        """Small steps in one of `step_h` hours. Raises BadValue unless a whole number fits."""
        count = step_h * self.steps_per_hour if math.isfinite(step_h) else 0.0
        if count < 1 - 1e-9 or abs(count - round(count)) > 1e-9 * count:
            raise BadValue(f"step_h={step_h} does not hold a whole number of the battery's {self.steps_per_hour} steps an hour. Use longer steps, e.g. 1 h.")
        return round(count)

    def levels(self) -> tuple[float, float]:
        """Lowest and highest level in MWh."""
        return self.v_l * self.capacity_mwh, self.v_u * self.capacity_mwh


CHEMISTRIES = ("li-ion", "li-ion-slow")


@functools.cache
def _chemistry(name: str) -> Battery:
    if name not in CHEMISTRIES:
        raise BadValue(f"battery chemistry '{name}' is unknown. Choose from: {', '.join(CHEMISTRIES)}.")
    pack = load_pack()
    numbers: dict[str, Any] = {field: pack.get(f"supply:battery.{name}.{key}", "ratio") for field, key in _SHEET.items()}
    # The sheet states the slope towards full without its sign: sheets hold numbers of at least 0.
    return Battery(capacity_mwh=0.0, u_u=-pack.get(f"supply:battery.{name}.u_upper_below_0", "ratio"), **numbers)
