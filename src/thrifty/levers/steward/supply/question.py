"""What is asked of a clean supply: a load, a grid and weather by the step, a target, limits, and what each megawatt weighs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from thrifty.cost.carbon.factors import load_pack
from thrifty.cost.carbon.supply import Battery, cycle_life
from thrifty.cost.carbon.supply.checking import numbers, shares
from thrifty.errors import BadValue
from thrifty.quantities import YEAR_S

Floats = npt.NDArray[np.float64]
Kind = Literal["coverage", "cfe"]
Objective = Literal["carbon", "cost"]
KINDS: Final = get_args(Kind)
UNITS: Final[dict[str, str]] = {"carbon": "kgCO2e", "cost": "USD"}
SLACK: Final = 1e-9
"""Share of the load by which a target may be missed and still holds: rounding of a year's sum."""
DEPTHS: Final = (1.0, 0.8, 0.6)
"""Shares of a battery that a cycle may take, for which the pack states cycle lives; deepest first."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rates:
    """What supply weighs over the question's period, in kgCO2e or USD.

    solar_per_mw, wind_per_mw, server_per_mw : of a megawatt rated, and of machines for a megawatt of load more
    calendar_per_mwh : of a battery by its calendar life; a battery weighs the larger of this and its wear
    making_per_mwh   : of a whole battery, from which `wear` takes what a cycle uses up
    grid_T           : of a MWh from the grid in each step
    """

    solar_per_mw: float
    wind_per_mw: float
    server_per_mw: float
    calendar_per_mwh: float
    making_per_mwh: float
    grid_T: Floats = field(repr=False)

    def wear(self, depth: float) -> float:
        """Of a MWh that leaves the cells, where cycles take `depth` of the capacity."""
        return self.making_per_mwh / (depth * cycle_life(depth))


@dataclass(frozen=True, slots=True, kw_only=True)
class Most:
    """The largest supply that may be built: MW, MWh, and MW of machines beyond the largest load."""

    solar_mw: float
    wind_mw: float
    battery_mwh: float
    extra_mw: float = 0.0

    def __post_init__(self) -> None:
        for name in ("solar_mw", "wind_mw", "battery_mwh", "extra_mw"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise BadValue(f"most {name}={getattr(self, name)} is no finite size of at least 0. Mend it.")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Question:
    """Steps of `step_h` hours from `start`; the load is what the building draws.

    solar_share_T, wind_share_T : of rated power; intensity_T: gCO2e/kWh of the grid; clean_T: its carbon-free share, where kind is "cfe"
    days_T   : local day of each step; flexible: share of each step's load that may move within its day
    target   : coverage, or 24/7 CFE, to be reached; kind says which
    server_w : power of one server, of which machines for moved load are made up
    prices   : USD a MWh of grid electricity, NaN where nobody says
    """

    name: str
    start: datetime
    step_h: float
    load_mw_T: Floats = field(repr=False)
    solar_share_T: Floats = field(repr=False)
    wind_share_T: Floats = field(repr=False)
    intensity_T: Floats = field(repr=False)
    days_T: npt.NDArray[np.int64] = field(repr=False)
    target: float
    most: Most
    kind: Kind = "coverage"
    clean_T: Floats | None = field(default=None, repr=False)
    flexible: float = 0.0
    objective: Objective = "carbon"
    chemistry: str = "li-ion"
    depths: tuple[float, ...] = DEPTHS
    price_usd_per_mwh: float = math.nan
    server_w: float = field(default_factory=lambda: load_pack().get("sizing:server.power", "power"))
    zone: str = "UTC"
    notes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise BadValue(f"kind='{self.kind}' is none of {', '.join(KINDS)}. Choose one of them.")
        if self.objective not in UNITS:
            raise BadValue(f"objective='{self.objective}' is none of {', '.join(UNITS)}. Choose one of them.")
        if not (math.isfinite(self.target) and 0 <= self.target <= 1):
            raise BadValue(f"target={self.target} is not from 0 to 1. Give the share of the load, e.g. 0.95.")
        if not (math.isfinite(self.flexible) and 0 <= self.flexible <= 1):
            raise BadValue(f"flexible={self.flexible} is not from 0 to 1. Give the share of the load that may wait, e.g. 0.4.")
        if not (math.isfinite(self.server_w) and self.server_w > 0):
            raise BadValue(f"server_w={self.server_w} is not above 0. Give the watts of one server.")
        load = numbers("load_mw_T", self.load_mw_T, least=0.0)
        if load.max() <= 0:
            raise BadValue("a load of zero in every step needs no supply. Give a load above 0.")
        for name in ("solar_share_T", "wind_share_T"):
            shares(name, getattr(self, name), len(load))
        numbers("intensity_T", self.intensity_T, least=0.0, length=len(load))
        if self.kind == "cfe" and self.clean_T is None:
            raise BadValue("the grid's carbon-free share is not known, and a 24/7 score counts it. Use a region with generation by fuel, or kind coverage.")
        if self.clean_T is not None:
            shares("clean_T", self.clean_T, len(load))
        if self.price_usd_per_mwh < 0 or math.isinf(self.price_usd_per_mwh):
            raise BadValue(f"price_usd_per_mwh={self.price_usd_per_mwh} is below 0 or not finite. Give USD a MWh, e.g. 80.")
        if self.objective == "cost" and not math.isfinite(self.price_usd_per_mwh):
            raise BadValue("the price of grid electricity is not known here. Choose objective carbon, or a site with a price.")
        if not self.depths or any(depth not in DEPTHS for depth in self.depths):
            raise BadValue(f"depths={self.depths} are not among {', '.join(f'{d:g}' for d in DEPTHS)}, for which cycle lives are stated. Choose from them.")

    @property
    def years(self) -> float:
        return len(self.load_mw_T) * self.step_h * 3600 / YEAR_S

    @property
    def load_mwh(self) -> float:
        return float(self.load_mw_T.sum()) * self.step_h

    @property
    def unit(self) -> str:
        return UNITS[self.objective]

    @property
    def counted_T(self) -> Floats:
        """How much a MWh unmet in each step counts against the target: 1, or for the 24/7 score the grid's share that is not clean."""
        return np.ones(len(self.load_mw_T)) if self.kind == "coverage" or self.clean_T is None else 1.0 - self.clean_T

    @property
    def allowed_mwh(self) -> float:
        """Most counted unmet energy at which the target holds."""
        return (1.0 - self.target + SLACK) * self.load_mwh

    def battery(self, depth: float) -> Battery:
        """The kind of battery whose cycles take at most `depth` of it: the rest stays at the bottom."""
        return Battery.of(0.0, self.chemistry, v_l=1.0 - depth)

    def rates(self, objective: Objective | None = None, end: Literal["low", "mid", "high"] = "mid") -> Rates:
        """What supply weighs by the pack: made over its life, of which the period takes its share. end: of the ranges of making."""
        pack, years, hours = load_pack(), self.years, self.step_h
        sun, wind = float(self.solar_share_T.sum()) * hours, float(self.wind_share_T.sum()) * hours
        servers = 1e6 / self.server_w * years / (pack.get("supply:life.server", "time") / YEAR_S)
        calendar = years / (pack.get("supply:life.battery_calendar", "time") / YEAR_S)
        if (objective or self.objective) == "carbon":
            kg = {kind: pack.get(f"supply:embodied.{kind}.{end}", "carbon_per_energy") for kind in ("solar", "wind", "battery")}
            server = pack.get("supply:embodied.server.mid", "carbon") / 1e3
            return Rates(
                solar_per_mw=sun * kg["solar"], wind_per_mw=wind * kg["wind"], server_per_mw=servers * server,
                calendar_per_mwh=kg["battery"] * calendar, making_per_mwh=kg["battery"], grid_T=np.asarray(self.intensity_T, dtype=np.float64),
            )  # fmt: skip
        usd = {kind: pack.get(f"sizing:price.{kind}", dimension) for kind, dimension in _PRICES.items()}
        share = years / (pack.get("supply:life.supply_mid", "time") / YEAR_S)
        return Rates(
            solar_per_mw=usd["solar"] * 1e6 * share, wind_per_mw=usd["wind"] * 1e6 * share, server_per_mw=servers * usd["server"],
            calendar_per_mwh=usd["battery"] * 1e3 * calendar, making_per_mwh=usd["battery"] * 1e3,
            grid_T=np.full(len(self.load_mw_T), self.price_usd_per_mwh),
        )  # fmt: skip

    def asking(self, **changes: Any) -> Question:
        """The same with other fields."""
        return replace(self, **changes)


_PRICES: Final = {"solar": "price_per_power", "wind": "price_per_power", "battery": "price_per_energy", "server": "price"}
