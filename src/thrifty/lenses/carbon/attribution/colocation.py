"""Neighbours on one machine who slow each other down: who owes the extra time?

Work i alone needs time t_i on half a machine; beside j it needs t_i·(1 + s_ij). A pair costs ½·(t_i·(1 + s_ij) + t_j·(1 + s_ji)), one alone ½·t_i (the
other half is sold to somebody else). Seats are filled in order of arrival: first and second share a machine, third and fourth the next. Averaged over all
orders, Shapley's value is

    φ_i ∝ t_i + ½ · (mean_j t_i·s_ij + mean_j t_j·s_ji)

that is its own time, and half of what it suffers and of what it inflicts, averaged over whom it can meet (Fair-CO2's interference-aware shares, ISCA
2025). A few sampled pairs estimate the two means. Paying for one's own time instead charges whoever had the noisy neighbour.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue

Floats = npt.NDArray[np.float64]


def seating_shares(time_s_N: npt.ArrayLike, slowdown_NN: npt.ArrayLike) -> Floats:
    """(N,) the fair shares, from all pairs; they sum to 1. slowdown_NN[i, j]: how much longer i takes beside j, 0 for none; its diagonal is not read.

    Raises BadValue for fewer than two, times that are not above 0, or slowdowns below 0.
    """
    time_s, slowdown = _checked(time_s_N, slowdown_NN)
    return interference_shares(time_s, slowdown, ~np.eye(len(time_s), dtype=bool))


def interference_shares(time_s_N: npt.ArrayLike, slowdown_NN: npt.ArrayLike, known_NN: npt.ArrayLike) -> Floats:
    """(N,) estimates from the pairs that were measured: known_NN[i, j] says that i was run beside j, which tells s_ij and s_ji. They sum to 1.

    Raises BadValue where somebody was measured beside nobody.
    """
    time_s, slowdown = _checked(time_s_N, slowdown_NN)
    known = np.asarray(known_NN, dtype=bool) & ~np.eye(len(time_s), dtype=bool)
    if known.shape != slowdown.shape:
        raise BadValue(f"known pairs have shape {known.shape}, slowdowns {slowdown.shape}. Give the same.")
    count = known.sum(axis=1)
    if not count.all():
        raise BadValue(f"work {int((count == 0).argmax())} was measured beside nobody. Sample at least one pair of each.")
    extra = time_s[:, None] * slowdown
    suffered = np.where(known, extra, 0.0).sum(axis=1) / count
    inflicted = np.where(known, extra.T, 0.0).sum(axis=1) / count
    weight = time_s + (suffered + inflicted) / 2
    return np.asarray(weight / weight.sum())


def paid_for_time(time_s_N: npt.ArrayLike, slowdown_NN: npt.ArrayLike, pairs: npt.ArrayLike) -> Floats:
    """(N,) what bills do: everybody pays for the time that its work took beside the neighbour that it happened to have. They sum to 1.

    pairs : (N/2, 2) who shares a machine with whom; whoever is in no pair ran beside nobody
    """
    time_s, slowdown = _checked(time_s_N, slowdown_NN)
    chosen = np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
    if len(np.unique(chosen)) != chosen.size or (chosen.size and not (chosen.min() >= 0 and chosen.max() < len(time_s))):
        raise BadValue("somebody is in two pairs, or in none that there is. Put each number from 0 up in at most one pair.")
    taken = time_s.copy()
    for first, second in ((0, 1), (1, 0)):
        taken[chosen[:, first]] *= 1 + slowdown[chosen[:, first], chosen[:, second]]
    return np.asarray(taken / taken.sum())


def _checked(time_s_N: npt.ArrayLike, slowdown_NN: npt.ArrayLike) -> tuple[Floats, Floats]:
    time_s, slowdown = np.asarray(time_s_N, dtype=np.float64), np.asarray(slowdown_NN, dtype=np.float64)
    if time_s.ndim != 1 or len(time_s) < 2:
        raise BadValue(f"{time_s.size} pieces of work have no neighbours. Give two or more.")
    if not (np.isfinite(time_s).all() and (time_s > 0).all()):
        raise BadValue("a time is not above 0. Give the seconds that each piece of work takes alone.")
    if slowdown.shape != (len(time_s), len(time_s)):
        raise BadValue(f"slowdowns of shape {slowdown.shape} do not fit {len(time_s)} pieces of work. Give one for each of each other.")
    slowdown = np.where(np.eye(len(time_s), dtype=bool), 0.0, slowdown)
    if not (np.isfinite(slowdown).all() and (slowdown >= 0).all()):
        raise BadValue("a slowdown is below 0 or no number. Give 0 for none, 0.2 for a fifth longer.")
    return time_s, slowdown
