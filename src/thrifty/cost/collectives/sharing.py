"""What happens side by side: collectives that share tiers, and computing that goes on beside a collective.

Bandwidth is shared max-min fairly: everyone's part grows alike until a tier is full or someone needs no more; who is done leaves the rest to others.
A collective's kernels also hold some of the device's compute units, and the products beside it run that much slower for as long as both last.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thrifty.cost.collectives.links import Floats
from thrifty.cost.facts import load_facts
from thrifty.errors import BadValue

_DONE: Final = 1e-12
_INSTANT_S: Final = 1e-18
"""A transfer shorter than this alone is none."""


def fair_shares(demands_C: ArrayLike, capacity: float) -> Floats:
    """(C,) what each of C users of one tier gets, in the unit of both arguments: no more than it asks for, and max-min fair.

    Raises BadValue for a capacity that is not above 0 or a demand below 0.
    """
    demands = np.asarray(demands_C, dtype=np.float64)
    if not (math.isfinite(capacity) and capacity > 0):
        raise BadValue(f"capacity is {capacity!r}. Give a finite number above 0.")
    if demands.ndim != 1 or np.isnan(demands).any() or (demands < 0).any():
        raise BadValue("demands are not a row of numbers of at least 0. Give one a user, inf for as much as there is.")
    return _fill(demands, np.ones((len(demands), 1)), np.array([capacity]))


def finish_seconds(latency_C: ArrayLike, volume_bytes_CT: ArrayLike, bandwidth_bytes_per_s_T: ArrayLike) -> Floats:
    """(C,) when each of C collectives is done that start together on T shared tiers.

    latency_C       : seconds before a collective starts to send, which nobody shares
    volume_bytes_CT : what each moves over each tier, per device and direction; alone, it takes latency + max over tiers of volume / bandwidth
    bandwidth_T     : bytes/s of each tier

    A collective moves over all its tiers at one pace; paces are max-min fair. Raises BadValue for shapes that do not fit and numbers below 0.
    """
    latency, volume = np.asarray(latency_C, dtype=np.float64), np.asarray(volume_bytes_CT, dtype=np.float64)
    bandwidth = np.asarray(bandwidth_bytes_per_s_T, dtype=np.float64)
    if volume.ndim != 2 or latency.shape != volume.shape[:1] or bandwidth.shape != volume.shape[1:]:
        raise BadValue(f"shapes {latency.shape}, {volume.shape} and {bandwidth.shape} do not fit. Give (C,), (C, T) and (T,).")
    if not (np.isfinite(latency).all() and np.isfinite(volume).all() and (latency >= 0).all() and (volume >= 0).all()):
        raise BadValue("latencies and volumes must be finite numbers, 0 or more. Mend them.")
    if not (np.isfinite(bandwidth).all() and (bandwidth > 0).all()):
        raise BadValue("bandwidths must be finite numbers above 0. Mend them.")
    left, finish, now = np.ones(len(latency)), latency.copy(), 0.0
    volume = np.where(volume / bandwidth > _INSTANT_S, volume, 0.0)
    moving = volume.any(axis=1)
    while moving.any():
        active = moving & (latency <= now)
        waiting = latency[moving & (latency > now)]
        until = float(waiting.min()) if len(waiting) else math.inf
        if not active.any():
            now = until
            continue
        pace = np.zeros(len(left))
        pace[active] = _fill(np.full(int(active.sum()), math.inf), volume[active], bandwidth)
        step = min(until - now, float(np.min(left[active] / pace[active])))
        left -= pace * step
        now = until if step == until - now else now + step
        done = active & (left <= _DONE)
        finish[done] = now
        moving &= ~done
    return finish


def _fill(demands_C: Floats, weights_CT: Floats, capacity_T: Floats) -> Floats:
    """(C,) paces: all rise in proportion to what each could do alone, those on a full tier stop, the others go on (progressive filling)."""
    alone = np.min(np.divide(capacity_T, weights_CT, out=np.full(weights_CT.shape, math.inf), where=weights_CT > 0), axis=1)
    pace, free = np.zeros(len(demands_C)), np.minimum(demands_C, alone) > 0
    spare = capacity_T.astype(np.float64).copy()
    for _ in range(len(demands_C) + len(capacity_T)):
        if not free.any():
            break
        rising = (weights_CT * np.where(free, alone, 0.0)[:, None]).sum(axis=0)
        room_T = np.divide(spare, rising, out=np.full(len(spare), math.inf), where=rising > 0)
        room_C = np.where(free, (demands_C - pace) / alone, math.inf)
        step = min(float(room_T.min()), float(room_C.min()))
        pace = pace + np.where(free, alone, 0.0) * step
        spare = np.maximum(spare - rising * step, 0.0)
        full: NDArray[np.bool_] = room_T <= step * (1 + 1e-12)
        free &= ~(((weights_CT > 0) & full).any(axis=1) | (room_C <= step * (1 + 1e-12)))
    return pace


def communication_tax(level: Literal["low", "high"] = "high") -> float:
    """The share of a device's compute units that a running collective holds, from literature: the range that Calculon's systems state."""
    if level not in ("low", "high"):
        raise BadValue(f"tax level is {level!r}. Choose from: low, high.")
    return load_facts("collectives").get(f"tax.{level}", "ratio")


def taxed_compute_seconds(compute_s: ArrayLike, communication_s: ArrayLike, tax: float) -> Floats:
    """How long computing takes that alone takes compute_s, when a collective of communication_s starts with it and holds the share `tax` of the units.

    Arrays broadcast. While both last, computing runs at 1 - tax: min(compute / (1 - tax), compute + tax · communication).
    """
    if not 0 <= tax < 1:
        raise BadValue(f"tax is {tax!r}. Give a share of the compute units, at least 0 and below 1.")
    compute, communication = np.asarray(compute_s, dtype=np.float64), np.asarray(communication_s, dtype=np.float64)
    if not ((compute >= 0).all() and (communication >= 0).all()):
        raise BadValue("compute_s and communication_s must be numbers of at least 0. Mend them.")
    return np.asarray(np.minimum(compute / (1.0 - tax), compute + tax * communication))


def sharing_factors(groups: Sequence[Sequence[int]], tiers: int) -> tuple[float, ...]:
    """(T,) how many of the given collectives cross each tier at the same time, at least 1: `sharing` of `collective_time`. groups: the tiers of each."""
    counts = [sum(tier in group for group in groups) for tier in range(tiers)]
    for group in groups:
        for tier in group:
            if not 0 <= tier < tiers:
                raise BadValue(f"tier {tier} does not exist. Number them from 0 to {tiers - 1}, innermost first.")
    return tuple(float(max(1, count)) for count in counts)
