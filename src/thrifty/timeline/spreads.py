"""What came out of many samples: where they lie, and how sure that is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue

RESAMPLES: Final = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Percentiles and mean of samples, in their unit; `p95_low` and `p95_high` are the bootstrap's interval of p95.

    A percentile is the smallest sample that so many are not above.
    """

    samples: int
    mean: float
    p5: float
    p50: float
    p95: float
    p95_low: float
    p95_high: float

    def to_dict(self) -> dict[str, float]:
        """Plain numbers for JSON."""
        return {name: getattr(self, name) for name in ("samples", "mean", "p5", "p50", "p95", "p95_low", "p95_high")}

    @classmethod
    def of(cls, values_S: npt.ArrayLike, *, confidence: float = 0.95, seed: int = 0) -> Spread:
        """Of samples (S,). Raises BadValue."""
        values = np.sort(np.asarray(values_S, dtype=np.float64).ravel())
        if not (len(values) and np.isfinite(values).all()):
            raise BadValue("a spread needs one sample or more, all of them finite.")
        if not 0 < confidence < 1:
            raise BadValue(f"confidence of {confidence}. Give a number between 0 and 1.")
        count = len(values)
        rank = {percent: max(math.ceil(count * percent / 100), 1) for percent in (5, 50, 95)}
        # The rank that the k-th smallest of a resample has among the samples is that of the k-th smallest of `count` uniform numbers: one Beta draw
        # each, in place of `count`.
        draws = np.random.default_rng(seed).beta(rank[95], count + 1 - rank[95], RESAMPLES)
        resampled = values[np.minimum((draws * count).astype(np.int64), count - 1)]
        low, high = np.quantile(resampled, [(1 - confidence) / 2, (1 + confidence) / 2], method="inverted_cdf")
        p5, p50, p95 = (float(values[rank[percent] - 1]) for percent in (5, 50, 95))
        return cls(
            samples=count, mean=float(values.mean()), p5=p5, p50=p50, p95=p95,
            p95_low=min(float(low), p95), p95_high=max(float(high), p95),
        )  # fmt: skip
