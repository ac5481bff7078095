"""Shapley's value of periods of time: what share of hardware each period of a day or a month is responsible for (Fair-CO2's temporal Shapley).

Players are periods; a set of them needs hardware for its highest peak: the airport game, whose value has a closed form. With peaks sorted upwards,

    φ_(k) = Σ_{j ≤ k} (p_(j) − p_(j−1)) / (n − j + 1)        weight of a period = φ · resource-time used in it

and what a period gets is divided in the same way among its parts (3 days, 8 hours, 1 hour, 5 minutes).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue

Floats = npt.NDArray[np.float64]


def airport_shares(peak_PM: npt.ArrayLike) -> Floats:
    """Shapley's value of v(S) = max of peaks in S, along the last axis; sums to the highest peak. O(M log M).

    Raises BadValue for no peak, or one that is negative or no number.
    """
    peaks = np.asarray(peak_PM, dtype=np.float64)
    if not peaks.ndim or not peaks.shape[-1]:
        raise BadValue("there is no period to share carbon between. Give at least one peak.")
    if not (np.isfinite(peaks).all() and (peaks >= 0).all()):
        raise BadValue("a peak is negative or no number. Give peaks of at least 0.")
    count = peaks.shape[-1]
    order = np.argsort(peaks, axis=-1, kind="stable")
    rises = np.diff(np.take_along_axis(peaks, order, axis=-1), axis=-1, prepend=0.0)
    shares = np.empty_like(peaks)
    np.put_along_axis(shares, order, np.cumsum(rises / np.arange(count, 0, -1), axis=-1), axis=-1)
    return shares


def period_shares(demand_T: npt.ArrayLike, splits: Sequence[int] = ()) -> Floats:
    """(T,) share of 1 of each step, by the demand of all tenants together; divide by demand for the intensity of a unit of resource in a step.

    splits : into how many parts the whole, each of these, and so on are split, e.g. (10, 9, 8, 12) for 30 days in 3 days, 8 hours, 1 hour, 5 minutes;
             their product is T. Nothing: all steps at once
    Raises BadValue for splits that do not fit, demand that is negative or no number, or none at all.
    """
    demand = np.asarray(demand_T, dtype=np.float64)
    if demand.ndim != 1 or not len(demand):
        raise BadValue("demand over time needs one or more steps. Give one number a step.")
    if not (np.isfinite(demand).all() and (demand >= 0).all()):
        raise BadValue("demand is negative or no number at a step. Give values of at least 0.")
    if not demand.any():
        raise BadValue("nobody demands anything at any step, so no share can be told. Give demand above 0 somewhere.")
    parts = tuple(splits) or (len(demand),)
    if any(part < 1 for part in parts):
        raise BadValue(f"splits {','.join(map(str, parts))} hold {min(parts)}, and nothing is split into fewer than 1. Give whole numbers from 1 up.")
    if math.prod(parts) != len(demand):
        raise BadValue(f"splits {'×'.join(map(str, parts))} make {math.prod(parts)} steps, and there are {len(demand)}. Give whole numbers whose product fits.")
    scaled = demand / demand.max()
    share = np.ones(1)
    for level, part in enumerate(parts):
        below = scaled.reshape(len(share), part, math.prod(parts[level + 1 :]))
        weight = airport_shares(below.max(axis=2)) * below.sum(axis=2)
        whole = weight.sum(axis=1, keepdims=True)
        # A period in which nobody asks for anything weighs nothing, so nothing is left to divide within it.
        share = (share[:, None] * np.divide(weight, whole, out=np.zeros_like(weight), where=whole > 0)).ravel()
    return share
