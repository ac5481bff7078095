"""How many servers share a rack, and how many racks a building."""

from __future__ import annotations

import math
from dataclasses import dataclass

from thrifty.cost.carbon.embodied.servers.parts import Server, number
from thrifty.cost.carbon.embodied.servers.power import server_power_w
from thrifty.errors import BadValue, NoRoom


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a rack may draw and how high it is, units that it needs for itself included; `load_provisioned`: the load for which power is set aside."""

    rack_power_w: float
    rack_units: int
    load_provisioned: float

    def __post_init__(self) -> None:
        for name in ("rack_power_w", "rack_units"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise BadValue(f"{name}={getattr(self, name)} is not above 0. Give e.g. {'30 kW' if name == 'rack_power_w' else '42'}.")

    @classmethod
    def usual(cls) -> Limits:
        """Those of the sheet."""
        return cls(
            rack_power_w=number("rack.limit", "power"), rack_units=int(number("rack.units", "count")),
            load_provisioned=number("use.load_provisioned", "ratio"),
        )  # fmt: skip


def provisioned_w(server: Server, limits: Limits) -> float:
    """Watts set aside for one server: at the load provisioned for, with what its power supply loses."""
    return server_power_w(server, limits.load_provisioned) * (2.0 - number("use.supply_efficiency", "ratio"))


def servers_per_rack(server: Server, limits: Limits | None = None) -> int:
    """min(⌊(P_rack − P_overhead)/P_provisioned⌋, ⌊(units − overhead)/height⌋). Raises NoRoom where not even one fits."""
    limits = limits or Limits.usual()
    by_power = math.floor((limits.rack_power_w - number("rack.power", "power")) / provisioned_w(server, limits))
    by_space = math.floor((limits.rack_units - number("rack.overhead_units", "count")) / server.chassis.units)
    count = min(by_power, by_space)
    if count < 1:
        what = "power" if by_power < 1 else "space"
        raise NoRoom(f"not one '{server.name}' fits the {what} of a rack of {limits.rack_power_w:g} W and {limits.rack_units} units. Give the rack more.")
    return count


def racks_per_building(server: Server, limits: Limits | None = None) -> int:
    """min(⌊P_building/P_rack⌋, most racks), racks full of this server at the power set aside for them."""
    limits = limits or Limits.usual()
    rack_w = servers_per_rack(server, limits) * provisioned_w(server, limits) + number("rack.power", "power")
    return min(math.floor(number("building.limit", "power") / rack_w), int(number("building.racks", "count")))
