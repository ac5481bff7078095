"""Shapley's value of the capacity game, exactly: every coalition is visited once.

    v(S) = max_t Σ_{i in S} d_i(t)        φ_i = Σ_{S without i} |S|! (n − |S| − 1)! / n! · (v(S + i) − v(S))

A coalition is a number whose bits are its tenants. Its demand is the sum of two tables, one of the lower half of the bits and one of the upper half, so
all 2ⁿ peaks take 2ⁿ·T additions and memory of 2^(n/2)·T, and no rounding is carried from one coalition to the next.
"""

from __future__ import annotations

import functools
import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue

Floats = npt.NDArray[np.float64]
LARGEST: Final = 1e100
"""So that squares and sums over steps stay numbers; its inverse is the least amount that is told from none."""
MOST_EXACT: Final = 22
"""Tenants up to which all coalitions are visited: 4 million peaks."""


def exact_shapley(demand_TN: npt.ArrayLike, *, compiled: bool = True) -> Floats:
    """(N,) shares of the peak, in the unit of demand; they sum to the peak of all together. With Numba if it is there and `compiled`.

    Raises BadValue for more than `MOST_EXACT` tenants that demand anything, no tenant, or demand that is negative or no number.
    """
    demand = checked_demand(demand_TN)
    active = np.flatnonzero(demand.max(axis=0) > 0)
    if len(active) > MOST_EXACT:
        raise BadValue(f"{len(active)} tenants have 2^{len(active)} coalitions; up to {MOST_EXACT} are counted exactly. Choose --method sampled or temporal.")
    share_N = np.zeros(demand.shape[1])
    if len(active):
        scale = demand.max()
        share_N[active] = _value(np.ascontiguousarray(_undominated(demand[:, active]) / scale), compiled) * scale
    return share_N


def coalition_peaks(demand_TN: npt.ArrayLike) -> Floats:
    """(2^N,) v(S) by coalition; bit i of the place is tenant i."""
    demand = checked_demand(demand_TN)
    if demand.shape[1] > MOST_EXACT:
        raise BadValue(f"{demand.shape[1]} tenants have 2^{demand.shape[1]} coalitions; up to {MOST_EXACT} are counted. Take fewer.")
    return _peaks(demand)


def checked_demand(demand_TN: npt.ArrayLike) -> Floats:
    """Demand as a table of steps by tenants. Raises BadValue for no step, no tenant, or demand that is negative or no number."""
    demand = np.asarray(demand_TN, dtype=np.float64)
    if demand.ndim != 2:
        raise BadValue(f"demand has shape {demand.shape}. Give a table: a row a step of time, a column a tenant.")
    if not demand.shape[1]:
        raise BadValue("there is no tenant to attribute carbon to. Name at least one.")
    if not demand.shape[0]:
        raise BadValue("demand has no step of time. Give at least one.")
    if not np.isfinite(demand).all():
        raise BadValue("demand has a value that is no finite number. Mend it: 0 means that the tenant asks for nothing.")
    if (demand < 0).any():
        raise BadValue(f"demand falls to {demand.min():g}, and nobody asks for less than nothing. Give values of at least 0.")
    odd = (demand > LARGEST) | ((demand < 1 / LARGEST) & (demand > 0))
    if odd.any():
        raise BadValue(f"demand has {demand[odd][0]:g}, and amounts lie between {1 / LARGEST:g} and {LARGEST:g}. Give them in a larger or smaller unit.")
    return demand


def _undominated(demand: Floats) -> Floats:
    """The steps that can be the peak of some coalition: one where every tenant asks for no more than in another step never is."""
    steps = np.unique(demand, axis=0)
    if len(steps) > 512:
        return steps
    beaten_by = np.count_nonzero(np.all(steps[:, None, :] <= steps[None, :, :], axis=2), axis=1)
    return np.asarray(steps[beaten_by == 1])  # steps are unique: each is beaten by itself alone


def _sums(demand: Floats) -> Floats:
    """(2^k, T) demand of every coalition of few tenants."""
    table = np.zeros((1, demand.shape[0]))
    for tenant in range(demand.shape[1]):
        table = np.concatenate([table, table + demand[:, tenant]])
    return table


def _peaks(demand: Floats) -> Floats:
    half = demand.shape[1] // 2
    lower, upper = _sums(demand[:, :half]), _sums(demand[:, half:])
    return np.concatenate([(lower + row).max(axis=1) for row in upper])


def _value(demand: Floats, compiled: bool) -> Floats:
    """φ_i = Σ_{S with i} x(S) − Σ_S w(|S|)·v(S) with x(S) = (w(|S| − 1) + w(|S|))·v(S): sums of x by lower and by upper half give every φ in one pass."""
    count, half = demand.shape[1], demand.shape[1] // 2
    without = np.array([*(1 / (count * math.comb(count - 1, size)) for size in range(count)), 0.0])
    both = without + np.concatenate([[0.0], without[:-1]])
    lower, upper = _sums(demand[:, :half]), _sums(demand[:, half:])
    lower_size, upper_size = _sizes(half), _sizes(count - half)
    kernel = _kernel() if compiled else None
    pass_over = kernel if kernel is not None else _rows
    by_lower, by_upper, base = pass_over(np.ascontiguousarray(lower.T), upper, lower_size, upper_size, without, both)
    shares = [by_lower[(np.arange(len(lower)) >> tenant) & 1 == 1].sum() for tenant in range(half)]
    shares += [by_upper[(np.arange(len(upper)) >> tenant) & 1 == 1].sum() for tenant in range(count - half)]
    return np.maximum(np.array(shares) - base, 0.0)


def _sizes(count: int) -> npt.NDArray[np.int64]:
    """(2^k,) members of every coalition of few tenants."""
    sizes = np.zeros(1, dtype=np.int64)
    for _ in range(count):
        sizes = np.concatenate([sizes, sizes + 1])
    return sizes


def _rows(
    lower_TS: Floats, upper_ST: Floats, lower_size: npt.NDArray[np.int64], upper_size: npt.NDArray[np.int64], without: Floats, both: Floats
) -> tuple[Floats, Floats, float]:
    by_lower, by_upper, base = np.zeros(lower_TS.shape[1]), np.empty(len(upper_ST)), 0.0
    for row, size in enumerate(upper_size):
        peak = (lower_TS + upper_ST[row][:, None]).max(axis=0)
        found = both[lower_size + size] * peak
        by_lower += found
        by_upper[row] = found.sum()
        base += float(without[lower_size + size] @ peak)
    return by_lower, by_upper, base


@functools.cache
def _kernel() -> Any:
    try:
        import numba
    except ImportError:
        return None
    return numba.njit(cache=True, error_model="numpy")(_loop)


def _loop(
    lower_TS: Floats, upper_ST: Floats, lower_size: npt.NDArray[np.int64], upper_size: npt.NDArray[np.int64], without: Floats, both: Floats
) -> tuple[Floats, Floats, float]:
    steps, low = lower_TS.shape
    by_lower, by_upper, base = np.zeros(low), np.zeros(len(upper_ST)), 0.0
    peak = np.empty(low)
    for row in range(len(upper_ST)):
        more = upper_ST[row, 0]
        for place in range(low):
            peak[place] = lower_TS[0, place] + more
        for step in range(1, steps):
            more = upper_ST[row, step]
            for place in range(low):
                reached = lower_TS[step, place] + more
                peak[place] = reached if reached > peak[place] else peak[place]  # so that it becomes one vector instruction
        part, rest = 0.0, 0.0
        for place in range(low):
            size = lower_size[place] + upper_size[row]
            found = both[size] * peak[place]
            by_lower[place] += found
            part += found
            rest += without[size] * peak[place]
        by_upper[row] = part
        base += rest
    return by_lower, by_upper, base
