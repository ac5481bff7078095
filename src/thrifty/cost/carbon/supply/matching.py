"""How much of a load clean energy covers: hour by hour, by Google's 24/7 score, and by the yearly sums that hide the difference."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from thrifty.cost.carbon.supply.checking import Floats, numbers, shares
from thrifty.errors import BadValue


def _total(load: Floats) -> float:
    total = float(load.sum())
    if total <= 0:
        raise BadValue("a load of zero in every step has no coverage. Give a load above 0.")
    return total


def coverage(load_mwh_T: npt.ArrayLike, unmet_mwh: npt.ArrayLike) -> float:
    """Share of the load that is met in the hour it falls in: 1 − Σ unmet / Σ load (Carbon Explorer). unmet: one number a step, or their sum.

    Raises BadValue for numbers that are none, an empty load, or more unmet than load.
    """
    total = _total(numbers("load_mwh_T", load_mwh_T, least=0.0))
    unmet = math.fsum(np.ravel(np.asarray(unmet_mwh, dtype=np.float64)))
    if not -1e-9 * total <= unmet <= total * (1 + 1e-9):
        raise BadValue(f"unmet={unmet:g} MWh is not between 0 and the load's {total:g} MWh. Give what of this load is unmet.")
    return min(1.0, max(0.0, 1.0 - unmet / total))


def cfe_score(load_mwh_T: npt.ArrayLike, contracted_mwh_T: npt.ArrayLike, grid_cfe_T: npt.ArrayLike) -> float:
    """Google's 24/7 score: Σ[c + (L − c)·grid share] / ΣL, with c = min(L, contracted clean energy) in each hour.

    grid_cfe_T: share of carbon-free energy in the grid, a number or one an hour. Raises BadValue.
    """
    load = numbers("load_mwh_T", load_mwh_T, least=0.0)
    own = np.minimum(load, numbers("contracted_mwh_T", contracted_mwh_T, least=0.0, length=len(load)))
    grid = shares("grid_cfe_T", grid_cfe_T, len(load))
    return float((own + (load - own) * grid).sum()) / _total(load)


def annual_matching(load_mwh_T: npt.ArrayLike, contracted_mwh_T: npt.ArrayLike) -> float:
    """What a yearly claim would say: min(1, Σ contracted / Σ load), whatever the hours. Raises BadValue."""
    load = numbers("load_mwh_T", load_mwh_T, least=0.0)
    return min(1.0, float(numbers("contracted_mwh_T", contracted_mwh_T, least=0.0, length=len(load)).sum()) / _total(load))
