"""Whether errors lean to one side. Errors of a sound rounding have a mean near zero, so that sums of many grow with the square root of their number."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

SURE: Final = 4.0
"""Standard errors from zero at which a mean is called one: by chance once in 16,000 looks."""
LEAN: Final = 0.1
"""|mean| over RMS below which a lean is of no consequence: 100 such errors add up to no more than 1.4 times what independent ones do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bias:
    """Of `count` errors: mean, root mean square, and the mean over it (0: no lean, ±1: all errors alike).

    deviations : standard errors of the mean from zero; the errors of a row share their P, so that rows count, not errors
    """

    count: int
    mean: float
    rms: float
    ratio: float
    deviations: float

    @property
    def leans(self) -> bool:
        """The mean is both sure and large."""
        return abs(self.deviations) >= SURE and abs(self.ratio) >= LEAN

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "leans": self.leans}


def bias_of(errors: npt.ArrayLike) -> Bias:
    """Of errors whose last axis is a row. Those that are no finite number are left out; none at all give zeros."""
    given = np.asarray(errors, dtype=np.float64)
    rows = given.reshape(-1, given.shape[-1]) if given.ndim > 1 else given.reshape(-1, 1)
    good = np.isfinite(rows)
    count, largest = int(good.sum()), float(np.abs(np.where(good, rows, 0.0)).max(initial=0.0))
    if largest == 0:
        return Bias(count=count, mean=0.0, rms=0.0, ratio=0.0, deviations=0.0)
    scaled = np.where(good, rows, 0.0) / largest  # so that no square leaves the range of FP64
    mean, rms = float(scaled.sum()) / count, math.sqrt(float((scaled * scaled).sum()) / count)
    # Sums of rows as they stray from the mean: what a row's errors have in common is counted once.
    strays = scaled.sum(axis=1) - mean * good.sum(axis=1)
    spread = math.sqrt(float((strays * strays).sum())) / count
    # Errors that are all alike have no spread: then the number of rows itself says how sure the mean is.
    alike = math.copysign(math.sqrt(float((good.any(axis=1)).sum())), mean)
    return Bias(count=count, mean=mean * largest, rms=rms * largest, ratio=mean / rms, deviations=mean / spread if spread > 1e-9 * abs(mean) else alike)
