"""One year's electricity in all the accounts that are in use, side by side, from the same hours.

    location  Σ L(h)·CI(h), what the grid emits for the load         location, annual  ΣL · mean CI, what a yearly report says
    market    what contracts leave open in the year's sum, at the residual mix            annual matching  the same at the grid's mean
    hourly    Σ unmet(h)·CI(h): own supply counts in the hour in which it flows           24/7 CFE  the share that is clean, the grid's clean part included
    marginal  Σ unmet(h)·MCI(h), estimated: what the grid emits *because of* the load; for decisions, never for an inventory

L = PUE · IT load. Shuffling the hours changes the hourly accounts and leaves the annual ones alone (tested).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from thrifty.cost.carbon.operational.supplied import Supply
from thrifty.cost.carbon.series import Intensity, Series, same_steps
from thrifty.cost.carbon.series.series import Floats
from thrifty.cost.carbon.supply import annual_matching, cfe_score, coverage, replay, shift_days, supply_embodied_g
from thrifty.errors import BadValue
from thrifty.footprint import Interval
from thrifty.quantities import YEAR_S

KG_PER_T = 1e3
"""MWh times gCO2e/kWh are kilograms."""
MOST_PUE = 100.0
"""What is above is a slip (per cent for a ratio)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hours:
    """Step by step: load after shifting, own supply, unmet and spilled energy, battery level, intensity. MW and MWh; gCO2e/kWh."""

    load: Series
    shifted_mw_T: Floats = field(repr=False)
    solar_mw_T: Floats = field(repr=False)
    wind_mw_T: Floats = field(repr=False)
    unmet_mwh_T: Floats = field(repr=False)
    spilled_mwh_T: Floats = field(repr=False)
    level_mwh_T: Floats = field(repr=False)
    intensity_T: Floats = field(repr=False)

    @property
    def carbon_t_T(self) -> Floats:
        """Tonnes of CO2e of what own supply leaves open, by step."""
        return self.unmet_mwh_T * self.intensity_T / KG_PER_T


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Accounts:
    """Tonnes of CO2e in each account; shares; energies in MWh; water in cubic metres, None where no factor was given.

    marginal_t : None where no marginal intensity is known; supply_t: embodied carbon of own supply over the period, apart from all accounts
    cfe_score  : None where the grid's clean share is not known
    """

    energy_mwh: float
    location_t: float
    location_annual_t: float
    market_t: float
    annual_matched_t: float
    hourly_t: float
    marginal_t: float | None
    marginal_load_t: float | None
    coverage: float
    annual_matching: float
    cfe_score: float | None
    unmet_mwh: float
    spilled_mwh: float
    moved_mwh: float
    discharged_mwh: float
    supply_t: Interval
    water_m3: float | None
    mean_gco2e_per_kwh: float
    boundary: str
    hours: Hours = field(repr=False)
    notes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without the hours."""
        names = [name for name in self.__slots__ if name not in ("hours", "supply_t", "notes", "sources")]
        return {
            **{name: getattr(self, name) for name in names},
            "supply_embodied_t": {"low": self.supply_t.low, "mid": self.supply_t.mid, "high": self.supply_t.high},
            "truth": "modelled", "notes": list(self.notes), "sources": list(self.sources),
        }  # fmt: skip


def account(
    load: Series, intensity: Intensity, *, pue: float = 1.0, supply: Supply | None = None, flexible_share: float = 0.0, cap_mw: float | None = None,
    marginal: Intensity | None = None, follow_marginal: bool = False, residual: Intensity | None = None, clean_share: Series | None = None,
    water: Mapping[str, float] | None = None,
) -> Accounts:  # fmt: skip
    """Every account of an IT load (MW a step) on a grid.

    supply : own solar, wind and battery in the load's steps; flexible_share, cap_mw: what may move within a local day, and the most load there
        are machines for (MW of the building); it follows carbon after own supply, by `marginal` where follow_marginal
    residual : what no contract claims; the grid's average when left out, with a note; clean_share: of the grid, for the 24/7 score
    water  : "site" and "grid", litres a kilowatt-hour (of IT energy, and of the grid's electricity)

    Raises BadValue for a PUE below 1, loads that are negative or have holes, an intensity that does not cover the load, a cap below it, and intensities
    of another boundary or signal than asked for.
    """
    if load.unit != "MW":
        raise BadValue(f"{load.name} is in {load.unit}. Give a load in MW.")
    if not (math.isfinite(pue) and pue >= 1):
        raise BadValue(f"pue={pue} is below 1. A building draws at least what its machines draw.")
    if pue > MOST_PUE:
        raise BadValue(f"pue={pue:g} is above {MOST_PUE:g}. Give a ratio such as 1.18, not per cent.")
    it = load.whole().values_T
    if it.min() < 0:
        raise BadValue(f"{load.name} falls to {it.min():g} MW at step {int(it.argmin())}. A load is at least 0.")
    if intensity.signal not in ("production", "consumption"):
        raise BadValue(f"{intensity.series.name} is {intensity.signal}. An account of what happened needs production or consumption intensity.")
    notes = list(intensity.notes)
    grid = _over(intensity, load)
    margin = _checked("marginal", marginal, intensity, load, notes)
    left = _checked("residual", residual, intensity, load, notes)
    if left is None and supply is not None:
        notes.append("no residual mix is known: the market account takes the grid's average, which counts others' contracts a second time")
    step_h, mw = load.step_s / 3600.0, pue * it
    solar, wind = supply.generated() if supply is not None else (np.zeros_like(mw), np.zeros_like(mw))
    if supply is not None:
        same_steps(load, supply.solar_share.whole(), supply.wind_share.whole())
    if cap_mw is not None and not cap_mw >= mw.max():
        raise BadValue(f"cap_mw={cap_mw:g} is below the load's {mw.max():g} MW. Give at least the largest load.")
    moved_mw, moved = mw, 0.0
    if flexible_share:
        if cap_mw is None:
            raise BadValue(f"flexible_share={flexible_share:g} needs a capacity. Give the most MW that the building has machines for.")
        if follow_marginal and margin is None:
            raise BadValue("there is no marginal intensity to follow. Follow the average.")
        signal = np.maximum(margin, 0.0) if follow_marginal and margin is not None else grid
        shift = shift_days(mw, load.local()[0], flexible_share=flexible_share, cap_mw=cap_mw, supply_mw_T=solar + wind, intensity_T=signal, step_h=step_h)
        moved_mw, moved = shift.load_mw_T, shift.moved_mwh
    battery = supply.battery if supply is not None else None
    run = None
    if battery is not None and battery.capacity_mwh > 0:
        run = replay(solar + wind - moved_mw, battery, step_h, (supply.start_share if supply else 0.0) * battery.capacity_mwh)
        unmet, spilled, level = run.unmet_mwh_T, run.spilled_mwh_T, run.level_mwh_T
    else:
        net = solar + wind - moved_mw
        unmet, spilled, level = np.maximum(-net, 0.0) * step_h, np.maximum(net, 0.0) * step_h, np.zeros_like(mw)
    drawn, made = mw * step_h, (solar + wind) * step_h
    mean = float(grid.mean())
    open_mwh = max(0.0, float(drawn.sum() - made.sum()))
    clean = None if clean_share is None else _within(clean_share, load)
    embodied = Interval.exact(0.0) if supply is None else _embodied(supply, solar * step_h, wind * step_h, run.discharged_mwh if run else 0.0, load)
    rates = dict(water or {})
    if any(not (math.isfinite(rate) and rate >= 0) for rate in rates.values()) or set(rates) - {"site", "grid"}:
        raise BadValue(f"water={rates} is not of site and grid in litres a kilowatt-hour. Give numbers of at least 0.")
    # Clean energy counts where it is used: what was drawn in the hour less what is left open in it.
    return Accounts(
        energy_mwh=float(drawn.sum()), location_t=float(drawn @ grid) / KG_PER_T, location_annual_t=float(drawn.sum()) * mean / KG_PER_T,
        market_t=open_mwh * (mean if left is None else float(left.mean())) / KG_PER_T, annual_matched_t=open_mwh * mean / KG_PER_T,
        hourly_t=float(unmet @ grid) / KG_PER_T, marginal_t=None if margin is None else float(unmet @ margin) / KG_PER_T,
        marginal_load_t=None if margin is None else float(drawn @ margin) / KG_PER_T, coverage=coverage(drawn, unmet),
        annual_matching=annual_matching(drawn, made), moved_mwh=moved, unmet_mwh=float(unmet.sum()), spilled_mwh=float(spilled.sum()),
        cfe_score=None if clean is None else cfe_score(moved_mw * step_h, np.maximum(moved_mw * step_h - unmet, 0.0), clean),
        discharged_mwh=run.discharged_mwh if run else 0.0, supply_t=embodied,
        water_m3=float(drawn.sum()) * (rates.get("site", 0.0) / pue + rates.get("grid", 0.0)) if rates else None,
        mean_gco2e_per_kwh=mean, boundary=intensity.boundary, notes=tuple(notes), sources=tuple(dict.fromkeys([intensity.source])),
        hours=Hours(
            load=load, shifted_mw_T=moved_mw, solar_mw_T=solar, wind_mw_T=wind, unmet_mwh_T=unmet, spilled_mwh_T=spilled, level_mwh_T=level, intensity_T=grid,
        ),
    )  # fmt: skip


def _over(intensity: Intensity, load: Series) -> Floats:
    series = intensity.over(load.start, load.end, load.step_s)
    same_steps(load, series)
    return series.values_T


def _within(series: Series, load: Series) -> Floats:
    return series.within(load.start, load.end).whole().stepped(load.step_s).values_T


def _checked(signal: str, other: Intensity | None, base: Intensity, load: Series, notes: list[str]) -> Floats | None:
    if other is None:
        return None
    if other.boundary != base.boundary or other.signal != signal:
        raise BadValue(
            f"{other.series.name} is {other.boundary}, {other.signal}; a {base.boundary}, {signal} one is needed. They count different things: "
            "choose series of one kind."
        )
    notes.extend(note for note in other.notes if note not in notes)
    return _over(other, load)


def _embodied(supply: Supply, solar_mwh: Floats, wind_mwh: Floats, discharged_mwh: float, load: Series) -> Interval:
    battery = supply.battery
    low, mid, high = supply_embodied_g(
        solar_mwh_N=[solar_mwh.sum()], wind_mwh_N=[wind_mwh.sum()], battery_mwh_N=[battery.capacity_mwh], discharged_mwh_N=[discharged_mwh],
        years=len(load) * load.step_s / YEAR_S, depth=battery.v_u - battery.v_l,
    )[:, 0] / 1e6  # fmt: skip
    return Interval(float(low), float(mid), float(high))
