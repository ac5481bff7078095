"""How far two sets of weights are apart, tensor by tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Words = npt.NDArray[np.float32]

METRICS: Final[dict[str, str]] = {
    "w1": "Wasserstein-1: mean distance of sorted weights, which forgets where they stand",
    "max": "largest difference of a weight",
    "l2": "root of the sum of squared differences",
}
"""Metric → what it is."""


class Snapshots:
    """Weights of all runs, by (run, seed): (snapshots, parameters). Sorted tensors are kept, since each run is compared with several.

    places : of tensors in the flat vector;  kept : (parameters,) True where a weight counts; a tensor without any is left out
    """

    def __init__(self, weights: Mapping[tuple[str, int], Words], places: Mapping[str, slice], kept: npt.NDArray[np.bool_] | None = None) -> None:
        self.weights = weights
        whole = {name: np.arange(place.start, place.stop) for name, place in places.items()}
        chosen = whole if kept is None else {name: where[kept[where]] for name, where in whole.items()}
        self.places: dict[str, Any] = {
            name: places[name] if len(where) == len(whole[name]) else where for name, where in chosen.items() if len(where)
        }  # fmt: skip
        self._sorted: dict[tuple[str, int, str], Floats] = {}

    @property
    def tensors(self) -> tuple[str, ...]:
        return tuple(self.places)

    def _ranked(self, run: tuple[str, int], tensor: str) -> Floats:
        key = (*run, tensor)
        if key not in self._sorted:
            self._sorted[key] = np.sort(self.weights[run][:, self.places[tensor]].astype(np.float64), axis=1)
        return self._sorted[key]

    def between(self, one: tuple[str, int], other: tuple[str, int]) -> dict[str, Floats]:
        """Metric → (snapshots, tensors). Where a run ended early (it diverged), NaN."""
        count = max(len(self.weights[one]), len(self.weights[other]))
        both = min(len(self.weights[one]), len(self.weights[other]))
        found = {metric: np.full((count, len(self.places)), np.nan) for metric in METRICS}
        for column, tensor in enumerate(self.places):
            place = self.places[tensor]
            apart = self.weights[one][:both, place].astype(np.float64) - self.weights[other][:both, place]
            found["max"][:both, column] = np.abs(apart).max(axis=1)
            found["l2"][:both, column] = np.sqrt(np.square(apart).sum(axis=1))
            found["w1"][:both, column] = np.abs(self._ranked(one, tensor)[:both] - self._ranked(other, tensor)[:both]).mean(axis=1)
        return found


def stacked(pairs: Sequence[dict[str, Floats]], snapshots: int) -> dict[str, Floats]:
    """Metric → (pairs, snapshots, tensors); NaN where runs of a pair had ended."""
    return {metric: np.stack([_padded(each[metric], snapshots) for each in pairs]) for metric in METRICS}


def _padded(values: Floats, snapshots: int) -> Floats:
    return np.pad(values, ((0, snapshots - len(values)), (0, 0)), constant_values=np.nan)
