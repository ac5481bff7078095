"""What a fleet is: assets with their making, life, place, power, capacity and tenants."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from thrifty.cost.carbon.factors.factor import MOST_G_PER_KWH
from thrifty.cost.carbon.operational.accounts import MOST_PUE
from thrifty.cost.carbon.series import Series
from thrifty.errors import BadValue
from thrifty.lenses.carbon.attribution import Demand
from thrifty.lenses.carbon.ledger.depreciation import DEPRECIATIONS

MOST: Final = 1e24
"""Of grams, watts and grams a second: what is above is a slip."""
RULES: Final = ("reserved", "demand", "peak", "shapley", "sampled", "temporal")
"""By what making is divided among tenants; all but the first need a demand file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """reserved, used: amounts of each resource, at all hours; what is used is what is reserved where nothing is said."""

    name: str
    reserved: Mapping[str, float]
    used: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asset:
    """`count` equal machines. Amounts are of one machine, in grams, watts and seconds; capacity, reservations and use are of all of them.

    device, part, embodied_g : what was made: a device of the catalogue, a part in words, or grams; at most one
    bought   : None for the start of the period; life_s: None for the mean of published lives
    load     : of all machines; or power_w of one; or idle_w and busy_w with use
    fuel_g_per_s : burnt here (scope 1); market_g_per_kwh: of the contracts for its electricity, None where there are none
    demand   : what tenants reserve of the first resource hour by hour, instead of `tenants`
    """

    name: str
    count: int = 1
    device: str = ""
    part: str = ""
    embodied_g: float | None = None
    transport_g: float = 0.0
    end_of_life_g: float = 0.0
    life_s: float | None = None
    bought: datetime | None = None
    site: str
    pue: float | None = None
    load: Series | None = None
    power_w: float | None = None
    idle_w: float | None = None
    busy_w: float | None = None
    fuel_g_per_s: float = 0.0
    market_g_per_kwh: float | None = None
    line: str = "used"
    capacity: Mapping[str, float] = field(default_factory=dict)
    tenants: tuple[Tenant, ...] = ()
    demand: Demand | None = None

    def __post_init__(self) -> None:
        said = f"asset '{self.name}'"
        if sum((bool(self.device), bool(self.part), self.embodied_g is not None)) > 1:
            raise BadValue(f"{said} states its making more than once. Give one of device, part, embodied.")
        for what, value in (("embodied", self.embodied_g), ("transport", self.transport_g), ("end_of_life", self.end_of_life_g), ("fuel", self.fuel_g_per_s),
                            ("market", self.market_g_per_kwh), ("power", self.power_w), ("idle", self.idle_w), ("busy", self.busy_w)):  # fmt: skip
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise BadValue(f"{said}: {what} is {value}. Give a finite amount of at least 0; offsets never subtract.")
            if value is not None and value > MOST:
                raise BadValue(f"{said}: {what} is {value:g}, more than there is on Earth. Mend it.")
        if self.market_g_per_kwh is not None and self.market_g_per_kwh > MOST_G_PER_KWH:
            raise BadValue(f"{said}: market is {self.market_g_per_kwh:g} gCO2e/kWh; no fuel emits so much. Check grams against kilograms.")
        if self.life_s is not None and not (math.isfinite(self.life_s) and self.life_s > 0):
            raise BadValue(f"{said} has a life of {self.life_s} s. Give one above 0, e.g. life = '5 yr'.")
        if self.pue is not None and not (math.isfinite(self.pue) and self.pue >= 1):
            raise BadValue(f"{said}: pue={self.pue} is below 1. A building draws at least what its machines draw.")
        if self.pue is not None and self.pue > MOST_PUE:
            raise BadValue(f"{said}: pue={self.pue:g} is above {MOST_PUE:g}. Give a ratio such as 1.18, not per cent.")
        if self.load is not None and self.power_w is not None:
            raise BadValue(f"{said} has both a load and a power. Give one of them.")
        if self.busy_w is not None and (self.idle_w is None or self.load is not None or self.power_w is not None or self.busy_w < self.idle_w):
            raise BadValue(f"{said}: busy goes with idle, which is not above it, and neither with load nor power. Mend them.")
        if self.line not in ("used", "overhead"):
            raise BadValue(f"{said} is of line '{self.line}'. Choose used, or overhead for what serves no tenant by itself.")
        if (self.tenants or self.demand is not None) and (not self.capacity or self.line == "overhead"):
            raise BadValue(f"{said} has tenants and no capacity to share, or is overhead. Give capacity = {{ cores = 96 }}, or no tenants.")
        if self.tenants and self.demand is not None:
            raise BadValue(f"{said} states tenants and a demand file. Give one of them.")
        for resource, amount in self.capacity.items():
            if not (math.isfinite(amount) and amount > 0):
                raise BadValue(f"{said} has a capacity of {amount} {resource}. Give an amount above 0.")
        names = [tenant.name for tenant in self.tenants]
        for tenant in self.tenants:
            if not tenant.name or names.count(tenant.name) > 1:
                raise BadValue(f"{said} names tenant '{tenant.name}' {names.count(tenant.name)} times. Give each a name of its own.")
            for amounts in (tenant.reserved, tenant.used or {}):
                for resource, amount in amounts.items():
                    if resource not in self.capacity:
                        raise BadValue(f"{said}, tenant '{tenant.name}': '{resource}' is no resource of it. It has: {', '.join(self.capacity)}.")
                    if not (math.isfinite(amount) and amount >= 0):
                        raise BadValue(f"{said}, tenant '{tenant.name}' has {amount} of {resource}. Give an amount of at least 0.")
        for resource, amount in self.capacity.items():
            taken = sum(tenant.reserved.get(resource, 0.0) for tenant in self.tenants)
            if taken > amount * (1 + 1e-12):
                raise BadValue(f"{said}: tenants reserve {taken:g} {resource}, and there are {amount:g}. Reserve no more than there is.")
        if self.demand is not None and self.demand.peak > (whole := next(iter(self.capacity.values()))) * (1 + 1e-12):
            raise BadValue(f"{said}: tenants ask for {self.demand.peak:g} at one time, and there are {whole:g}. Give a demand within capacity.")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fleet:
    """name, assets; start, end: the usual period; depreciation: how making is charged over a life; rule: by what it is divided among tenants."""

    name: str
    assets: tuple[Asset, ...]
    start: datetime | None = None
    end: datetime | None = None
    depreciation: str = "linear"
    rule: str = "reserved"

    def __post_init__(self) -> None:
        names = [asset.name for asset in self.assets]
        if not names:
            raise BadValue(f"fleet '{self.name}' has no asset. Describe at least one: [[asset]].")
        for name in names:
            if not name or names.count(name) > 1:
                raise BadValue(f"fleet '{self.name}' names asset '{name}' {names.count(name)} times. Two entries of one asset would count it twice.")
        if self.depreciation not in DEPRECIATIONS:
            raise BadValue(f"'{self.depreciation}' is no depreciation. Choose from: {', '.join(DEPRECIATIONS)}.")
        if self.rule not in RULES:
            raise BadValue(f"'{self.rule}' is no rule to divide making by. Choose from: {', '.join(RULES)}.")
