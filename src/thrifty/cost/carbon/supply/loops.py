"""The battery's loops over time in closed form within each step. Compiled where Numba is installed, else plain Python and NumPy with the same results.

Within a step of n small ones the net power is constant. With x the room to the level's limit (gap to full, or charge above empty), each small step
first moves e = p·η·τ, while the taper allows the power p (x ≥ p·taper), then a fixed share of x: after k linear steps, x shrinks by r = 1 − η·τ/taper
each. So a step costs O(1), whatever n is.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any, Final, TypeVar

import numpy as np

_Loop = TypeVar("_Loop", bound=Callable[..., Any])

try:
    from numba import njit

    COMPILED = True
except ImportError:
    COMPILED = False

SUMS: Final = ("unmet_mwh", "spilled_mwh", "weighted", "discharged_mwh", "level_mwh")
"""What the loops over configurations return a configuration, in this order."""


def _jit(loop: _Loop) -> _Loop:
    compiled: _Loop = njit(cache=True, nogil=True)(loop) if COMPILED else loop
    return compiled


@_jit
def moved(x: Any, p: Any, per_step: Any, taper: Any, n: Any, shrink_n: Any) -> Any:
    """MWh by which the level moves in n small steps. x: room; p: power; per_step = η·τ; shrink_n[j]: r to the power j."""
    e = p * per_step
    y = p * taper
    if x - (n - 1) * e >= y:
        return n * e
    if x <= 0.0:
        return 0.0
    if x < y:
        return x - x * shrink_n[n]
    k = min(int((x - y) / e) + 1, n)
    return x - (x - k * e) * shrink_n[n - k]


@_jit
def replay_one(net_T: Any, limits: Any, n: Any, step_h: Any, up_n: Any, down_n: Any, level: Any, unmet_T: Any, spilled_T: Any, level_T: Any) -> None:
    """Fill unmet_T, spilled_T (MWh of each step) and level_T (at its end). limits: most in, most out (MW), bottom, top (MWh), then `pace`."""
    most_in, most_out, bottom, top, eta_in, eta_out, tau, taper_in, taper_out = limits
    for t in range(len(net_T)):
        net = net_T[t]
        if net > 0.0:
            d = moved(top - level, min(net, most_in), eta_in * tau, taper_in, n, up_n)
            level = level + d
            spilled_T[t] = net * step_h - d / eta_in
            unmet_T[t] = 0.0
        else:
            d = moved(level - bottom, min(-net, most_out), eta_out * tau, taper_out, n, down_n)
            level = level - d
            unmet_T[t] = -net * step_h - d / eta_out
            spilled_T[t] = 0.0
        level_T[t] = level


@_jit
def shift_scales(load_T: Any, solar_T: Any, wind_T: Any, flexible_T: Any, cap: Any, solar: Any, wind: Any, start: Any, end: Any) -> Any:
    """Of one day: the shares of all sheddable energy that is given and of all room that is taken, so that both sums are equal and one share is 1."""
    sheddable = room = 0.0
    for t in range(start, end):
        net = solar * solar_T[t] + wind * wind_T[t] - load_T[t]
        if net > 0.0:
            room += min(net, cap - load_T[t])
        else:
            sheddable += min(-net, flexible_T[t] * load_T[t])
    moving = min(sheddable, room)
    if moving <= 0.0:
        return 0.0, 0.0
    return moving / sheddable, moving / room


@_jit
def sum_many(
    load_T: Any, solar_T: Any, wind_T: Any, weights_T: Any, flexible_T: Any, bounds_D: Any, solar_N: Any, wind_N: Any, capacity_N: Any, level_N: Any,
    cap_N: Any, shifting: Any, unit: Any, n: Any, step_h: Any, up_n: Any, down_n: Any, sums_NS: Any,
) -> None:  # fmt: skip
    """Fill sums_NS (see `SUMS`), one configuration after the other. unit: `limits` of a battery of 1 MWh; bounds_D: steps at which days begin, and the end."""
    in_unit, out_unit, bottom_unit, top_unit, eta_in, eta_out, tau, taper_in, taper_out = unit
    step_in, step_out, per_in, per_out = eta_in * tau, eta_out * tau, 1.0 / eta_in, 1.0 / eta_out
    for i in range(len(solar_N)):
        capacity, solar, wind, level, cap = capacity_N[i], solar_N[i], wind_N[i], level_N[i], cap_N[i]
        most_in, most_out, bottom, top = in_unit * capacity, out_unit * capacity, bottom_unit * capacity, top_unit * capacity
        unmet = spilled = weighted = discharged = give = take = 0.0
        for day in range(len(bounds_D) - 1):
            if shifting:
                give, take = shift_scales(load_T, solar_T, wind_T, flexible_T, cap, solar, wind, bounds_D[day], bounds_D[day + 1])
            for t in range(bounds_D[day], bounds_D[day + 1]):
                net = solar * solar_T[t] + wind * wind_T[t] - load_T[t]
                if net > 0.0:
                    if shifting:
                        net -= min(net, cap - load_T[t]) * take
                    d = moved(top - level, min(net, most_in), step_in, taper_in, n, up_n)
                    level += d
                    spilled += net * step_h - d * per_in
                else:
                    if shifting:
                        net += min(-net, flexible_T[t] * load_T[t]) * give
                    d = moved(level - bottom, min(-net, most_out), step_out, taper_out, n, down_n)
                    level -= d
                    rest = -net * step_h - d * per_out
                    unmet += rest
                    weighted += rest * weights_T[t]
                    discharged += d
        sums_NS[i, 0], sums_NS[i, 1], sums_NS[i, 2], sums_NS[i, 3], sums_NS[i, 4] = unmet, spilled, weighted, discharged, level


def moved_array(x_N: Any, p_N: Any, per_step: float, taper: float, n: int, shrink_n: Any) -> Any:
    """`moved` over arrays."""
    e = p_N * per_step
    y = p_N * taper
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = np.where(x_N < y, 0.0, np.minimum(np.floor((x_N - y) / e) + 1.0, n))
    k = np.where(e > 0, whole, n).astype(np.int64)
    left = (x_N - k * e) * shrink_n[n - k]
    return np.where(x_N - (n - 1) * e >= y, n * e, np.where(x_N <= 0.0, 0.0, x_N - left))


def sum_many_arrays(
    load_T: Any, solar_T: Any, wind_T: Any, weights_T: Any, flexible_T: Any, bounds_D: Any, solar_N: Any, wind_N: Any, capacity_N: Any, level_N: Any,
    cap_N: Any, shifting: Any, unit: Any, n: Any, step_h: Any, up_n: Any, down_n: Any, sums_NS: Any,
) -> None:  # fmt: skip
    """`sum_many` with NumPy: all configurations at once, step after step."""
    in_unit, out_unit, bottom_unit, top_unit, eta_in, eta_out, tau, taper_in, taper_out = unit
    level = level_N.astype(np.float64).copy()
    sums_NS[:] = 0.0
    for start, end in itertools.pairwise(bounds_D):
        net_DN = np.outer(solar_T[start:end], solar_N) + np.outer(wind_T[start:end], wind_N) - load_T[start:end, None]
        if shifting:
            room_DN = np.minimum(np.maximum(net_DN, 0.0), cap_N - load_T[start:end, None])
            shed_DN = np.minimum(np.maximum(-net_DN, 0.0), (flexible_T * load_T)[start:end, None])
            room_N, shed_N = room_DN.sum(axis=0), shed_DN.sum(axis=0)
            moving_N = np.minimum(room_N, shed_N)
            give_N, take_N = (np.where(moving_N > 0, moving_N / np.where(whole > 0, whole, 1.0), 0.0) for whole in (shed_N, room_N))
            net_DN += shed_DN * give_N - room_DN * take_N
        for step, net in enumerate(net_DN):
            up = net > 0.0
            d_in = moved_array(top_unit * capacity_N - level, np.minimum(np.maximum(net, 0.0), in_unit * capacity_N), eta_in * tau, taper_in, n, up_n)
            wanted = np.minimum(np.maximum(-net, 0.0), out_unit * capacity_N)
            d_out = moved_array(level - bottom_unit * capacity_N, wanted, eta_out * tau, taper_out, n, down_n)
            d_in, d_out = np.where(up, d_in, 0.0), np.where(up, 0.0, d_out)
            rest = np.where(up, 0.0, -net * step_h - d_out / eta_out)
            level += d_in - d_out
            sums_NS[:, 0] += rest
            sums_NS[:, 1] += np.where(up, net * step_h - d_in / eta_in, 0.0)
            sums_NS[:, 2] += rest * weights_T[start + step]
            sums_NS[:, 3] += d_out
    sums_NS[:, 4] = level


def shrinkage(rate: float, n: int) -> Any:
    """(n + 1,): powers 0 to n of what is left of the room after one small step."""
    return np.array([math.pow(rate, j) for j in range(n + 1)])
