"""Carbon per core over a service life: of use and of making, with a share of rack and building."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from thrifty.cost.carbon.embodied.servers.parts import Server, number
from thrifty.cost.carbon.embodied.servers.power import server_power_w
from thrifty.cost.carbon.embodied.servers.racking import Limits, racks_per_building, servers_per_rack
from thrifty.errors import BadValue
from thrifty.quantities import YEAR_S

WATT_HOURS_PER_KWH: Final = 1000.0
JOULES_PER_WATT_HOUR: Final = 3600.0
Boundary = Literal["rack", "building"]
Accounts = Literal["thrifty", "published-program"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Where, how long and how hard servers run.

    intensity_g_per_kwh : of the grid; pue: of the building; power_factor: mean draw over the draw at `load_percent`
    hours               : of running within the life; life_years: of the server, for its share of the building
    """

    intensity_g_per_kwh: float
    pue: float
    power_factor: float
    hours: float
    life_years: float
    load_percent: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.intensity_g_per_kwh) and self.intensity_g_per_kwh >= 0):
            raise BadValue(f"intensity={self.intensity_g_per_kwh} gCO2e/kWh is below 0 or not finite. Give e.g. '100 gCO2e/kWh'.")
        if not (math.isfinite(self.pue) and self.pue >= 1):
            raise BadValue(f"pue={self.pue} is below 1. Give what the building draws over what the machines draw, e.g. 1.12.")
        if not 0 < self.power_factor <= 1:
            raise BadValue(f"power_factor={self.power_factor} is outside (0, 1]. Give a share such as 0.66.")
        for name in ("life_years", "hours"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise BadValue(f"{name}={getattr(self, name)} is not above 0. Give e.g. {'51840' if name == 'hours' else '6'}.")

    @classmethod
    def usual(cls, intensity_g_per_kwh: float, *, pue: float | None = None, life_years: float | None = None) -> Use:
        """GreenSKU's life, load and building unless told otherwise; hours go with the life."""
        standard = number("use.life", "time") / YEAR_S
        years = standard if life_years is None else life_years
        return cls(
            intensity_g_per_kwh=intensity_g_per_kwh, pue=number("use.pue", "ratio") if pue is None else pue,
            power_factor=number("use.power_factor", "ratio"), hours=number("use.hours", "time") / JOULES_PER_WATT_HOUR * years / standard, life_years=years,
            load_percent=number("use.load_used", "ratio"),
        )  # fmt: skip




@dataclass(frozen=True, slots=True, kw_only=True)
class PerCore:
    """Grams of CO2e per core over the life, by what they are of; `energy_j` at the building's meter."""

    operational_g: float
    parts_g: float
    chassis_g: float
    rack_g: float
    building_g: float
    energy_j: float
    servers_per_rack: int

    @property
    def embodied_g(self) -> float:
        return self.parts_g + self.chassis_g + self.rack_g + self.building_g

    @property
    def total_g(self) -> float:
        return self.operational_g + self.embodied_g

    def to_dict(self) -> dict[str, float]:
        names = ("operational_g", "parts_g", "chassis_g", "rack_g", "building_g", "embodied_g", "total_g", "energy_j", "servers_per_rack")
        return {name: getattr(self, name) for name in names}


def per_core(
    server: Server, use: Use, *, limits: Limits | None = None, boundary: Boundary = "building", accounts: Accounts = "thrifty"
) -> PerCore:  # fmt: skip
    """Carbon of `server` per core: its own, and equal shares of a full rack and of a full building.

    The published program also multiplies what making fans and parts emitted by PUE and power factor, and a processor's by its voltage regulators;
    `accounts="published-program"` does so for comparison only. Raises NoRoom, BadValue.
    """
    for name, value, known in (("boundary", boundary, ("rack", "building")), ("accounts", accounts, ("thrifty", "published-program"))):
        if value not in known:
            raise BadValue(f"{name}='{value}' is unknown. Choose from: {', '.join(known)}.")
    limits = limits or Limits.usual()
    count = servers_per_rack(server, limits)
    each_w = server_power_w(server, use.load_percent) + number("rack.power", "power") / count
    energy_wh = each_w * use.power_factor * use.pue * use.hours
    parts, fans = server.parts_carbon_g, server.chassis.fan_carbon_g
    if accounts == "published-program":
        scaled = use.pue * use.power_factor
        regulators = number("use.voltage_regulators", "ratio")
        parts = scaled * sum(part.carbon_g * n * (regulators if part.cores else 1.0) for part, n in server.parts.items())
        fans *= scaled
    building = 0.0
    if boundary == "building":
        life = number("building.life", "time") / YEAR_S
        building = number("building.carbon", "carbon") * use.life_years / life / racks_per_building(server, limits) / count
    return PerCore(
        operational_g=energy_wh / WATT_HOURS_PER_KWH * use.intensity_g_per_kwh / server.cores, parts_g=parts / server.cores,
        chassis_g=(server.chassis.carbon_g + fans) / server.cores, rack_g=number("rack.carbon", "carbon") / count / server.cores,
        building_g=building / server.cores, energy_j=energy_wh * JOULES_PER_WATT_HOUR / server.cores, servers_per_rack=count,
    )  # fmt: skip
