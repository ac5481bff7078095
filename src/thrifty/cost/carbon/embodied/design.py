"""Design carbon: servers that design a chip for months, shared by every chip made and by every product that uses it (ECO-CHIP, CORDOBA)."""

from __future__ import annotations

import math
from typing import Final

from thrifty.cost.carbon.embodied.models.tables import Number, Values
from thrifty.errors import BadValue
from thrifty.quantities import J_PER_KWH

_WHOLE: Final = "a whole number of at least 1"


def design_carbon_g(power_w: float, time_s: float, intensity_gco2e_per_kwh: float, volume: int, products: int = 1) -> float:
    """Grams of CO2e of designing, a chip: E = P · t · CI / (volume · products).

    `power_w` of the farm that designs for `time_s`; `volume` chips are made for each of `products` that use the same die. Raises BadValue for a negative,
    infinite or missing number.
    """
    for name, value in (("power_w", power_w), ("time_s", time_s), ("intensity_gco2e_per_kwh", intensity_gco2e_per_kwh)):
        if not (math.isfinite(value) and value >= 0):
            raise BadValue(f"{name}={value} is below 0 or not finite. Give 0 or more.")
    for name, count in (("volume", volume), ("products", products)):
        if not (math.isfinite(count) and count >= 1 and count == int(count)):
            raise BadValue(f"{name}={count} is not {_WHOLE}. Give how many share the design.")
    return power_w * time_s / J_PER_KWH * intensity_gco2e_per_kwh / (volume * products)


def designing_g(v: Values) -> Number:
    """The same from the completed parameters of a part of kind logic: `design_kwh` at `design_ci`."""
    return v["design_kwh"] * v["design_ci"] / (v["volume"] * v["products"])
