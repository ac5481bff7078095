"""Rows of scores whose largest value stands more than once."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """Of `rows` with at least one score: how many hold their maximum more than once, by its sign, and the most often that one stands.

    by_count : (times, rows) for every number of times, 1 first
    """

    rows: int
    repeated: int
    positive: int
    zero: int
    negative: int
    most: int
    by_count: tuple[tuple[int, int], ...]

    @property
    def share(self) -> float:
        """Rows with a repeated maximum over all rows."""
        return self.repeated / self.rows if self.rows else 0.0

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "by_count": [list(each) for each in self.by_count], "share": self.share}


def count_maxima(scores: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """How often each row's maximum stands in it, over the last axis; 0 where all scores are -inf (masked) or one is NaN."""
    held = np.asarray(scores, dtype=np.float64)
    if held.shape[-1] == 0:
        return np.zeros(held.shape[:-1], dtype=np.int64)
    highest = held.max(axis=-1, keepdims=True)
    return np.where(np.isneginf(highest[..., 0]), 0, (held == highest).sum(axis=-1)).astype(np.int64)


def repeats_of(scores: npt.ArrayLike) -> Repeats:
    """Of scores as they are stored, masked ones -inf, rows along the last axis."""
    held = np.asarray(scores, dtype=np.float64)
    counts = count_maxima(held).ravel()
    highest = held.max(axis=-1).ravel() if held.shape[-1] else np.zeros(counts.shape)
    seen, again = counts > 0, counts > 1
    times, rows = np.unique(counts[seen], return_counts=True)
    return Repeats(
        rows=int(seen.sum()), repeated=int(again.sum()), positive=int((again & (highest > 0)).sum()), zero=int((again & (highest == 0)).sum()),
        negative=int((again & (highest < 0)).sum()), most=int(counts.max(initial=0)),
        by_count=tuple((int(time), int(row)) for time, row in zip(times, rows, strict=True)),
    )  # fmt: skip
