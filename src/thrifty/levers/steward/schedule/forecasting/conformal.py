"""A naive day-ahead forecast with intervals that hold as often as they say (split conformal prediction).

Forecast of an hour: the same hour of the last day that is known. Its errors on days gone by, each divided by the usual error at that lead, are the scores;
the interval is forecast ± quantile · usual error, with the quantile at rank ceil((n + 1) · coverage) of the n scores. Exchangeable days make the promise
exact; days have trends, so it is checked on days held out. `band` scores a whole day by its worst hour: it holds for all hours of a day at once,
which is what a bound on regret needs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Conformal:
    """scale_H : usual error at each step of the day; quantile: of single steps; band: of whole days; days: on which it was calibrated"""

    coverage: float
    scale_H: Floats = field(repr=False)
    quantile: float
    band: float
    days: int

    def around(self, forecast_T: Floats, step_of_day_T: npt.NDArray[np.int64], *, whole_days: bool = False) -> tuple[Floats, Floats]:
        """(low, high) of each step; never below 0."""
        reach = (self.band if whole_days else self.quantile) * self.scale_H[step_of_day_T]
        return np.maximum(0.0, forecast_T - reach), forecast_T + reach


def conformal_day_ahead(history_DH: Floats, coverage: float) -> Conformal:
    """Calibrate on days (D) of H steps each, in order. The first half sets the usual error a step, the second the quantile.

    Raises BadValue for a coverage outside 0 to 1, or fewer days than it needs: ceil(coverage / (1 - coverage)) in the second half.
    """
    check_coverage(coverage)
    errors_DH = np.abs(np.diff(history_DH, axis=0))
    half = len(errors_DH) // 2
    needed = math.ceil(coverage / (1 - coverage) - 1e-9)
    if len(errors_DH) - half < needed or half < 1:
        raise BadValue(f"{len(history_DH)} days of history are too few for {coverage:.0%} coverage. Give at least {2 * needed + 1} days before the first job.")
    scale_H = np.maximum(np.median(errors_DH[:half], axis=0), 1e-9)
    scores_DH = errors_DH[half:] / scale_H
    return Conformal(coverage=coverage, scale_H=scale_H, quantile=_rank(scores_DH.ravel(), coverage), band=_rank(scores_DH.max(axis=1), coverage),
                     days=len(history_DH))  # fmt: skip


def check_coverage(coverage: float) -> None:
    """Raises BadValue for a coverage outside 0 to 1."""
    if not (math.isfinite(coverage) and 0 < coverage < 1):
        raise BadValue(f"coverage={coverage:g} cannot be. Give a share between 0 and 1, e.g. 0.9.")


def _rank(scores: Floats, coverage: float) -> float:
    rank = math.ceil((len(scores) + 1) * coverage - 1e-9)
    return float(np.sort(scores)[min(rank, len(scores)) - 1])
