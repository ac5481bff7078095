"""How many servers in which slot: CarbonScaler (Hanafy et al., SIGMETRICS 2024).

Servers are bought where a gram does most work: pairs (slot, server) in order of price / marginal work, until the work is done, the last pair in part. With
marginal work that never rises this is a continuous knapsack whose precedence holds by itself, so it is optimal. Where it rises, servers are taken in
the groups of the concave hull of total work: a part of a group is time shared between its ends within the slot, so the hull is reached, not only bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scaled:
    """servers_T : mean servers in every slot; cost: of all; bound: what no plan of this work can be below (the dual of the knapsack)"""

    servers_T: Floats
    cost: float
    bound: float


def hull_groups(marginal: Sequence[float]) -> tuple[Floats, Floats]:
    """(G,) servers and (G,) work of each group of the concave hull of total work over servers; work a server falls from group to group.

    Servers that add nothing on the hull are left out.
    """
    total = np.concatenate(([0.0], np.cumsum(np.asarray(marginal, dtype=np.float64))))
    corners = [0]
    while corners[-1] < len(total) - 1:
        at = corners[-1]
        ahead = np.arange(at + 1, len(total))
        slope = (total[ahead] - total[at]) / (ahead - at)
        if slope.max() <= 0:
            break
        corners.append(int(ahead[np.flatnonzero(slope >= slope.max() * (1 - 1e-12))[-1]]))
    at_K = np.array(corners)
    return np.diff(at_K).astype(np.float64), np.diff(total[at_K])


def scale_out(price_T: Floats, marginal: Sequence[float], work: float) -> Scaled:
    """Least cost of `work` (slots of one server) at `price_T` a server and slot. Raises BadValue when all servers in all slots cannot do it.

    price_T: at least 0; marginal: work of the 1st, 2nd, ... server in a slot
    """
    servers_G, work_G = hull_groups(marginal)
    most = float(work_G.sum() * len(price_T))
    if work > most * (1 + 1e-9):
        raise BadValue(f"{work:g} slots of work do not fit: all servers in all {len(price_T)} slots do {most:g}. Give a later deadline or more servers.")
    unit_TG = np.asarray(price_T)[:, None] * (servers_G / work_G)
    # By price a unit of work; within a slot by group, which keeps precedence where prices are 0.
    order = np.lexsort((np.tile(np.arange(len(work_G)), len(price_T)), np.repeat(np.arange(len(price_T)), len(work_G)), unit_TG.ravel()))
    done = np.cumsum(np.tile(work_G, len(price_T))[order])
    last = min(int(np.searchsorted(done, work - 1e-12 * max(1.0, work))), len(order) - 1)
    taken = np.zeros(unit_TG.size)
    taken[order[:last]] = 1.0
    taken[order[last]] = min(1.0, (work - (done[last - 1] if last else 0.0)) / np.tile(work_G, len(price_T))[order[last]])
    taken_TG = taken.reshape(unit_TG.shape)
    servers_T = taken_TG @ servers_G
    dual = unit_TG.ravel()[order[last]]
    bound = dual * work - float((np.maximum(0.0, dual - unit_TG) * work_G).sum())
    return Scaled(servers_T=servers_T, cost=float(servers_T @ price_T), bound=bound)
