"""An elastic job under five policies, on one series: what CarbonScaler is held against.

    agnostic       from the release on, on one server, straight through
    suspend-resume one server, in the greenest slots before the deadline
    best static    the number of servers that emits least when it is kept, in the greenest slots
    scaled         servers by slot (`scale_out`)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.levers.steward.schedule.elastic.scaling import scale_out

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """Cost of the same work under each policy (grams, where prices are grams a server and slot); static_servers: of best static"""

    agnostic: float
    suspend_resume: float
    best_static: float
    static_servers: int
    scaled: float
    bound: float

    def savings(self) -> dict[str, float]:
        """Share that scaling saves against each other policy."""
        others = {"agnostic": self.agnostic, "suspend-resume": self.suspend_resume, "best static": self.best_static}
        return {name: 1 - self.scaled / other if other else 0.0 for name, other in others.items()}


def kept(price_T: Floats, work: float) -> Floats:
    """(T,) shares of slots in which one machine does `work` slots of work most cheaply: whole slots, the dearest one in part."""
    order = np.argsort(price_T, kind="stable")
    share = np.clip(work - np.arange(len(price_T)), 0.0, 1.0)
    taken = np.zeros(len(price_T))
    taken[order] = share
    return taken


def compare_policies(price_T: Floats, marginal: Sequence[float], work: float) -> Policies:
    """All policies over the slots from release to deadline. Raises BadValue where one server alone cannot meet the deadline."""
    if work > len(price_T) + 1e-9:
        raise BadValue(f"{work:g} slots of work do not fit into {len(price_T)} slots on one server: nothing to compare with. Give a later deadline.")
    total_K = np.cumsum(np.asarray(marginal, dtype=np.float64))
    static = [(k + 1) * float(kept(price_T, work / total_K[k]) @ price_T) for k in range(len(total_K))]
    scaled = scale_out(price_T, marginal, work)
    return Policies(
        agnostic=float(np.clip(work - np.arange(len(price_T)), 0.0, 1.0) @ price_T), suspend_resume=static[0], best_static=min(static),
        static_servers=int(np.argmin(static)) + 1, scaled=scaled.cost, bound=scaled.bound,
    )  # fmt: skip


def replanned(
    true_T: Floats, forecast_of: Callable[[int], Floats], marginal: Sequence[float], work: float, every: int
) -> Floats:
    """(T,) servers when a new forecast comes every so many slots and what is left is planned again on it.

    forecast_of: slot -> (T,) forecast issued then, of which what is past is not read. Raises BadValue for `every` below 1.
    """
    if every < 1:
        raise BadValue(f"a forecast every {every} slots cannot be. Give a whole number of at least 1.")
    servers_T = np.zeros(len(true_T))
    curve_K = np.concatenate(([0.0], np.cumsum(np.asarray(marginal, dtype=np.float64))))
    hull_K = _hull(curve_K)
    left = work
    for at in range(0, len(true_T), every):
        if left <= 1e-9 * max(1.0, work):
            break
        plan_T = scale_out(np.maximum(0.0, forecast_of(at)[at:]), marginal, left).servers_T
        end = min(at + every, len(true_T))
        servers_T[at:end] = plan_T[: end - at]
        left -= float(np.interp(servers_T[at:end], np.arange(len(hull_K)), hull_K).sum())
    return servers_T


def _hull(curve_K: Floats) -> Floats:
    """The concave hull of total work at whole numbers of servers."""
    from thrifty.levers.steward.schedule.elastic.scaling import hull_groups

    servers_G, work_G = hull_groups(np.diff(curve_K).tolist())
    corner = np.concatenate(([0.0], np.cumsum(servers_G)))
    return np.asarray(np.interp(np.arange(len(curve_K)), corner, np.concatenate(([0.0], np.cumsum(work_G)))))
