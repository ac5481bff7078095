"""A year hour by hour: supply minus load through a battery, for one configuration or for very many."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.cost.carbon.supply.battery import Battery
from thrifty.cost.carbon.supply.checking import Floats, day_bounds, numbers, shares
from thrifty.errors import BadValue

_CHUNK: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replay:
    """What the battery did, in MWh: taken from elsewhere in each step, spilled in each, and held at its end. start_mwh: held before the first."""

    unmet_mwh_T: Floats = field(repr=False)
    spilled_mwh_T: Floats = field(repr=False)
    level_mwh_T: Floats = field(repr=False)
    start_mwh: float

    @property
    def unmet_mwh(self) -> float:
        return float(self.unmet_mwh_T.sum())

    @property
    def spilled_mwh(self) -> float:
        return float(self.spilled_mwh_T.sum())

    @property
    def discharged_mwh(self) -> float:
        """What left the cells; over the capacity it is the number of full cycles."""
        moves = np.diff(self.level_mwh_T, prepend=self.start_mwh)
        return float(-moves[moves < 0].sum())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sums:
    """Of N configurations over all steps. weighted_N: Σ unmet · weight (with gCO2e/kWh as weights: kilograms of CO2e of grid power)."""

    unmet_mwh_N: Floats = field(repr=False)
    spilled_mwh_N: Floats = field(repr=False)
    weighted_N: Floats = field(repr=False)
    discharged_mwh_N: Floats = field(repr=False)
    level_mwh_N: Floats = field(repr=False)


def _loops() -> ModuleType:
    """The loops, imported when they run: Numba takes its time, and most of thrifty never replays anything."""
    from thrifty.cost.carbon.supply import loops

    return loops


def _unit(battery: Battery, step_h: float) -> tuple[tuple[float, ...], int, Any, Any]:
    """The loops' limits of 1 MWh, small steps in a step, and powers of what is left of the room."""
    loops = _loops()
    n, tau = battery.inner_steps(step_h), 1.0 / battery.steps_per_hour
    taper_in, taper_out = battery.eta_c * tau - battery.u_u, battery.eta_d * tau + battery.u_l
    limits = (
        battery.c_charge / battery.eta_c, battery.c_discharge / battery.eta_d, battery.v_l, battery.v_u, battery.eta_c, battery.eta_d, tau, taper_in, taper_out,
    )  # fmt: skip
    return limits, n, loops.shrinkage(1 - battery.eta_c * tau / taper_in, n), loops.shrinkage(1 - battery.eta_d * tau / taper_out, n)


def replay(net_mw_T: npt.ArrayLike, battery: Battery, step_h: float = 1.0, level_mwh: float = 0.0) -> Replay:
    """Run `net_mw_T` (supply minus load, MW, constant within a step) through a battery that starts at `level_mwh`.

    Equal to the loop over small steps to 1e-9 MWh a step (tested), at the cost of one step each. Raises BadValue for numbers that are none, a level outside
    the battery's range, and steps that do not hold a whole number of the battery's small ones.
    """
    net = numbers("net_mw_T", net_mw_T)
    bottom, top = battery.levels()
    if not (math.isfinite(level_mwh) and (bottom <= level_mwh <= top or level_mwh == 0)):
        raise BadValue(f"level_mwh={level_mwh} is outside the battery's {bottom:g} to {top:g} MWh. Start within.")
    level = max(float(level_mwh), bottom)
    unit, n, up_n, down_n = _unit(battery, step_h)
    limits = (*(x * battery.capacity_mwh for x in unit[:4]), *unit[4:])
    unmet, spilled, levels = (np.empty(len(net)) for _ in range(3))
    _loops().replay_one(net, limits, n, float(step_h), up_n, down_n, level, unmet, spilled, levels)
    return Replay(unmet_mwh_T=unmet, spilled_mwh_T=spilled, level_mwh_T=levels, start_mwh=level)


def replay_many(
    load_mw_T: npt.ArrayLike, solar_share_T: npt.ArrayLike, wind_share_T: npt.ArrayLike, *, solar_mw_N: npt.ArrayLike, wind_mw_N: npt.ArrayLike,
    battery_mwh_N: npt.ArrayLike, battery: Battery, weights_T: npt.ArrayLike | None = None, step_h: float = 1.0, start_share: float = 0.0,
    flexible_share: npt.ArrayLike = 0.0, cap_mw_N: npt.ArrayLike | None = None, days_T: npt.ArrayLike | None = None, threads: int = 1,
    compiled: bool | None = None,
) -> Sums:  # fmt: skip
    """Sums over time of N configurations of solar (MW), wind (MW) and battery (MWh), each hour of supply = rated power · share of it.

    battery     : the kind; its own capacity is not used
    weights_T   : of unmet energy in each step, 0 when left out
    start_share : level at the start as a share of capacity, from v_l to v_u of the battery; 0 means its bottom
    flexible_share : share of the load that may move within its day, a number or one a step; then cap_mw_N, the most load each configuration has
        machines for, and days_T, the day of each step (`Series.local`), are needed; moved as in `shift_days`, before the battery sees the rest
    threads     : the loops hold no lock, so threads share the work; compiled: None for Numba where it is installed, False for NumPy

    Raises BadValue for numbers that are none or below 0, for arrays whose lengths differ, and for a load above its cap.
    """
    load = numbers("load_mw_T", load_mw_T, least=0.0)
    steps = len(load)
    solar, wind = (numbers(name, values, least=0.0, length=steps) for name, values in (("solar_share_T", solar_share_T), ("wind_share_T", wind_share_T)))
    weights = np.zeros(steps) if weights_T is None else numbers("weights_T", weights_T, length=steps)
    count = len(numbers("solar_mw_N", solar_mw_N, least=0.0))
    rated = [numbers(name, v, least=0.0, length=count) for name, v in (("solar_mw_N", solar_mw_N), ("wind_mw_N", wind_mw_N), ("battery_mwh_N", battery_mwh_N))]
    if not (math.isfinite(start_share) and (battery.v_l <= start_share <= battery.v_u or start_share == 0)):
        raise BadValue(f"start_share={start_share} is outside the battery's {battery.v_l:g} to {battery.v_u:g}. Start within.")
    if threads < 1:
        raise BadValue(f"threads={threads} is below 1. Use at least one.")
    flexible = shares("flexible_share", flexible_share, steps)
    shifting = bool(flexible.any())
    if shifting and (cap_mw_N is None or days_T is None):
        raise BadValue(f"flexible_share={flexible.max():g} needs cap_mw_N and days_T. Give the most load and the day of each step, or no flexible load.")
    cap = numbers("cap_mw_N", cap_mw_N, least=0.0, length=count) if shifting and cap_mw_N is not None else np.full(count, np.inf)
    if cap.min() < load.max():
        raise BadValue(f"cap_mw_N={cap.min():g} is below the load's {load.max():g} MW. Give at least the largest load.")
    bounds = day_bounds(days_T, steps) if shifting and days_T is not None else np.array([0, steps])
    unit, n, up_n, down_n = _unit(battery, step_h)
    level = max(start_share, battery.v_l) * rated[2]
    loops = _loops()
    sums = np.empty((count, len(loops.SUMS)))
    chosen: Callable[..., None] = loops.sum_many if (loops.COMPILED if compiled is None else compiled) else loops.sum_many_arrays
    size = min(_CHUNK, -(-count // threads))

    def part(first: int) -> None:
        these = slice(first, first + size)
        own = [array[these] for array in (*rated, level, cap)]
        chosen(load, solar, wind, weights, flexible, bounds, *own, shifting, unit, n, float(step_h), up_n, down_n, sums[these])

    if threads == 1:
        for first in range(0, count, size):
            part(first)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(part, range(0, count, size)))
    columns = [np.ascontiguousarray(sums[:, column]) for column in range(len(loops.SUMS))]
    return Sums(unmet_mwh_N=columns[0], spilled_mwh_N=columns[1], weighted_N=columns[2], discharged_mwh_N=columns[3], level_mwh_N=columns[4])
