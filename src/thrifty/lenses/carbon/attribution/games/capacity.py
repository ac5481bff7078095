"""Shapley's value of the capacity game, exactly: every coalition is visited once.

    v(S) = max_t Σ_{i in S} d_i(t)        φ_i = Σ_{S without i} |S|! (n − |S| − 1)! / n! · (v(S + i) − v(S))

A coalition is a number whose bits are its tenants. Its demand is the sum of two tables, one of the lower half of the bits and one of the upper half, so
all 2ⁿ peaks take 2ⁿ·T additions and no memory of size 2ⁿ·T, and no rounding is carried from one coalition to the next.
"""

from __future__ import annotations

import functools
import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue

Floats = npt.NDArray[np.float64]
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
    count = demand.shape[1]
    weight = np.array([1 / (count * math.comb(count - 1, size)) for size in range(count)])
    if compiled and (kernel := _kernel()) is not None:
        half = count // 2
        return np.asarray(kernel(_sums(demand[:, :half]), _sums(demand[:, half:]), weight))
    peak_S = _peaks(demand)
    size_S = np.zeros(1, dtype=np.int8)
    for _ in range(count):
        size_S = np.concatenate([size_S, size_S + 1])
    weight_S = np.append(weight, 0.0)[size_S]
    shares = np.empty(count)
    for tenant in range(count):
        peak, each = peak_S.reshape(-1, 2, 1 << tenant), weight_S.reshape(-1, 2, 1 << tenant)
        shares[tenant] = ((peak[:, 1] - peak[:, 0]) * each[:, 0]).sum()
    return shares


@functools.cache
def _kernel() -> Any:
    try:
        import numba
    except ImportError:
        return None
    return numba.njit(cache=True, error_model="numpy")(_loop)


def _loop(lower_ST: Floats, upper_ST: Floats, weight: Floats) -> Floats:
    count, low = len(weight), len(lower_ST)
    total = low * len(upper_ST)
    peak_S, size_S = np.empty(total), np.empty(total, dtype=np.int8)
    size_S[0] = 0
    for high in range(len(upper_ST)):
        for place in range(low):
            most = 0.0
            for step in range(lower_ST.shape[1]):
                most = max(most, lower_ST[place, step] + upper_ST[high, step])
            coalition = high * low + place
            peak_S[coalition] = most
            size_S[coalition] = size_S[coalition >> 1] + (coalition & 1)
    shares = np.zeros(count)
    for tenant in range(count):
        bit = 1 << tenant
        found = 0.0
        for block in range(0, total, 2 * bit):
            part = 0.0  # sums of blocks of sums lose less to rounding than one long sum
            for coalition in range(block, block + bit):
                part += weight[size_S[coalition]] * (peak_S[coalition + bit] - peak_S[coalition])
            found += part
        shares[tenant] = found
    return shares
