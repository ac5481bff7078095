"""Shares in proportion to amounts: what bills do today, and what the fair share is held against."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.lenses.carbon.attribution.games.capacity import checked_demand
from thrifty.lenses.carbon.attribution.games.periods import period_shares

Floats = npt.NDArray[np.float64]


def time_shares(amount_TN: npt.ArrayLike) -> Floats:
    """By resource-time: Σ_t a_i(t). Of what is reserved, the "reserved" method (cores × run time, as SCI and most clouds do); of what is used, "usage"."""
    amount = checked_demand(amount_TN)
    return _normed(amount.sum(axis=0))


def demand_shares(demand_TN: npt.ArrayLike) -> Floats:
    """By resource-time weighted with the demand of all at that time: Σ_t d_i(t)·D(t). An hour counts in proportion to how busy it is."""
    demand = checked_demand(demand_TN)
    return _normed((demand * demand.sum(axis=1, keepdims=True)).sum(axis=0))


def peak_shares(demand_TN: npt.ArrayLike) -> Floats:
    """By each tenant's own peak, whenever it is."""
    return _normed(checked_demand(demand_TN).max(axis=0))


def temporal_shares(demand_TN: npt.ArrayLike, splits: tuple[int, ...] = ()) -> Floats:
    """By what each period is answerable for (`period_shares`), divided within a period by resource-time."""
    demand = checked_demand(demand_TN)
    total = demand.sum(axis=1)
    per_unit = np.divide(period_shares(total, splits), total, out=np.zeros(len(total)), where=total > 0)
    return _normed((demand * per_unit[:, None]).sum(axis=0))


def _normed(weight_N: Floats) -> Floats:
    total = float(weight_N.sum())
    if total <= 0:
        raise BadValue("no tenant asks for anything at any time, so nobody can be charged. Give demand above 0 somewhere, or report the carbon as idle.")
    return weight_N / total
