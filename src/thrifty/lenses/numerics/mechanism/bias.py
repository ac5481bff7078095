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
    """Of `count` errors: mean, root mean square, and the mean over it (0: no lean, ±1: all errors alike). deviations: standard errors of the mean from zero."""

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
    """Of errors of any shape; those that are no finite number are left out, and none at all give zeros."""
    held = np.asarray(errors, dtype=np.float64).ravel()
    held = held[np.isfinite(held)]
    if held.size == 0 or not held.any():
        return Bias(count=int(held.size), mean=0.0, rms=0.0, ratio=0.0, deviations=0.0)
    largest = float(np.abs(held).max())
    scaled = held / largest  # so that no square leaves the range of FP64
    mean, rms = float(scaled.mean()), math.sqrt(float((scaled * scaled).mean()))
    spread = math.sqrt(max(rms * rms - mean * mean, 0.0) / held.size)
    # Errors that are all alike have no spread: then the count itself says how sure the mean is.
    deviations = mean / spread if spread > 1e-9 * abs(mean) else math.copysign(math.sqrt(held.size), mean)
    return Bias(count=int(held.size), mean=mean * largest, rms=rms * largest, ratio=mean / rms, deviations=deviations)
