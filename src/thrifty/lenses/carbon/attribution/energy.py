"""Electricity of shared machines divided as Google bills it (Schneider and Mattia, 2024): what they draw at rest by reservation, the rest by use."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.lenses.carbon.attribution.games.capacity import checked_demand

Floats = npt.NDArray[np.float64]


def energy_shares(reserved_TN: npt.ArrayLike, used_TN: npt.ArrayLike, *, capacity: float, idle_share: float) -> tuple[Floats, float]:
    """((N,) tenants' shares of the energy, the share left to capacity that nobody reserved).

    reserved_TN, used_TN, capacity : in one unit of resource; idle_share: share of the energy that the machines draw at rest, the same at every step.
    Energy above that of rest is taken to follow use. Raises BadValue for more reserved than there is, or a share outside 0 to 1.
    """
    reserved, used = checked_demand(reserved_TN), checked_demand(used_TN)
    if reserved.shape != used.shape:
        raise BadValue(f"use has {used.shape[0]} steps of {used.shape[1]} tenants, reservations {reserved.shape[0]} of {reserved.shape[1]}. Give the same.")
    if not (np.isfinite(idle_share) and 0 <= idle_share <= 1):
        raise BadValue(f"idle_share={idle_share} is not between 0 and 1. Give the share of energy that machines draw at rest, e.g. 0.5.")
    most = float(reserved.sum(axis=1).max())
    if not (np.isfinite(capacity) and capacity > 0) or most > capacity * (1 + 1e-12):
        raise BadValue(f"capacity={capacity:g} is less than the {most:g} that is reserved at one time, or not above 0. Give what the machines have.")
    whole = float(used.sum())
    if whole <= 0:
        idle_share = 1.0  # nobody uses anything: all energy is that of rest
    at_rest_N = reserved.sum(axis=0) / (capacity * len(reserved))
    by_use_N = used.sum(axis=0) / whole if whole > 0 else np.zeros(used.shape[1])
    return idle_share * at_rest_N + (1 - idle_share) * by_use_N, idle_share * (1 - float(at_rest_N.sum()))
