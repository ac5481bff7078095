"""One design against a baseline without knowing any carbon: FOCAL's normalised carbon footprint, and what holds whatever its weight.

    NCF = α · A/A₀ + (1 − α) · P/P₀        fixed time: the device works all the time, power P counts
    NCF = α · A/A₀ + (1 − α) · E/E₀        fixed work: the same work is done, energy E counts        (Eeckhout, FOCAL, ASPLOS 2024)

Area A stands for embodied, power or energy for operational carbon; α is the share of embodied carbon in the baseline's total. NCF below 1: less carbon.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from thrifty.cost.carbon.metrics.doors import Floats, positive, shares
from thrifty.errors import BadValue

Verdict = Literal["better", "worse", "depends", "same"]


def ncf(embodied_ratio: npt.ArrayLike, use_ratio: npt.ArrayLike, alpha: npt.ArrayLike) -> Floats:
    """Normalised carbon footprint. embodied_ratio: A/A₀; use_ratio: P/P₀ (fixed time) or E/E₀ (fixed work); alpha from 0 to 1."""
    a, u = positive(embodied_ratio=embodied_ratio, use_ratio=use_ratio)
    (weight,) = shares(alpha=alpha)
    return weight * a + (1 - weight) * u


def whatever_alpha(embodied_ratio: float, use_ratio: float) -> Verdict:
    """What holds for every α from 0 to 1: NCF is linear in it, so its two ends decide."""
    a, u = (float(x) for x in positive(embodied_ratio=embodied_ratio, use_ratio=use_ratio))
    if a == u == 1:
        return "same"
    return "better" if max(a, u) <= 1 else "worse" if min(a, u) >= 1 else "depends"


def turning_alpha(embodied_ratio: float, use_ratio: float) -> float | None:
    """The α at which NCF is 1, None where it is on one side for all α."""
    if whatever_alpha(embodied_ratio, use_ratio) != "depends":
        return None
    return (1 - use_ratio) / (embodied_ratio - use_ratio)


def robust_winner(embodied_D: npt.ArrayLike, *use_D: npt.ArrayLike) -> int | None:
    """Index of the design that is at least as good as each other in embodied carbon and every `use_D` (energy, power, ...), hence for every weight.

    None where there is no such design, or several are the same in all. Raises BadValue for fewer than two designs.
    """
    columns = [positive(embodied_D=embodied_D)[0], *(positive(use_D=column)[0] for column in use_D)]
    if columns[0].ndim != 1 or len(columns[0]) < 2 or any(column.shape != columns[0].shape for column in columns) or len(columns) < 2:
        raise BadValue(f"{columns[0].size} designs with {len(columns) - 1} measures of use leave nothing to compare. Give two or more, one number each.")
    table = np.stack(columns)
    least = (table == table.min(axis=1, keepdims=True)).all(axis=0)
    return int(least.argmax()) if least.sum() == 1 else None
