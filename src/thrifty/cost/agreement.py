"""How well a model agrees with measurements: the two numbers that every validation prints."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def mean_error(predicted_R: npt.ArrayLike, measured_R: npt.ArrayLike) -> float:
    """Mean of |predicted / measured - 1|: a relative error, as a fraction."""
    return float(np.mean(np.abs(np.asarray(predicted_R, dtype=np.float64) / np.asarray(measured_R, dtype=np.float64) - 1.0)))


def spearman(predicted_R: npt.ArrayLike, measured_R: npt.ArrayLike) -> float:
    """Correlation of ranks; ties share the mean of theirs. NaN for fewer than two rows or where all are tied."""
    spread = []
    for values in (predicted_R, measured_R):
        _, place, count = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True, return_counts=True)
        ranks = (np.cumsum(count) - (count - 1) / 2.0)[place]
        spread.append(ranks - ranks.mean())
    norm = float(np.sqrt((spread[0] @ spread[0]) * (spread[1] @ spread[1])))
    return float(spread[0] @ spread[1]) / norm if norm > 0 else float("nan")
