"""Bands: pairs of runs that differ in one thing, their distances over steps, and estimates of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from thrifty.lenses.numerics.training.judging.distances import METRICS, Snapshots, stacked
from thrifty.lenses.numerics.training.judging.intervals import Draws, Estimate, estimate, ratio, slopes

Floats = npt.NDArray[np.float64]
Role = Literal["under test", "floor", "reference", "context"]
FILTERS: Final[dict[str, str]] = {"filtered": "without gauge directions", "raw": "all weights"}
OPTIMISED, FLOOR, SEEDS = "optimised", "floor", "other seeds"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Band:
    """Pairs of runs. pairs: of seeds, (i, i) where both runs have one seed; apart: filter → metric → (pairs, snapshots, tensors); diverged: steps, if any."""

    name: str
    role: Role
    title: str
    pairs: tuple[tuple[int, int], ...]
    apart: Mapping[str, Mapping[str, Floats]]
    diverged: tuple[int, ...] = ()

    def per_tensor(self, metric: str, filter: str) -> Floats:
        """(tensors,) at the last snapshot, mean over pairs."""
        return np.asarray(self.apart[filter][metric][:, -1].mean(axis=0))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bands:
    """All bands of a study. steps: of the snapshots; tensors: filter → names; draws: filter → resamples of seeds, and of seeds and tensors."""

    steps: tuple[int, ...]
    tensors: Mapping[str, tuple[str, ...]]
    found: Mapping[str, Band]
    draws: Mapping[str, tuple[Draws, Draws]]

    @property
    def references(self) -> list[Band]:
        """Bands of what the field accepts, those left out that diverged."""
        return [band for band in self.found.values() if band.role == "reference" and not band.diverged]

    @property
    def lows(self) -> list[Band]:
        """The low-precision ones among them."""
        return [band for band in self.references if band.name != SEEDS]

    def curve(self, name: str, metric: str, filter: str) -> list[Estimate]:
        """Mean over tensors at each snapshot, with its interval over seeds."""
        band = self.found[name]
        return [estimate(band.apart[filter][metric][:, at], band.pairs, self.draws[filter][0]) for at in range(len(self.steps))]

    def slope(self, name: str, metric: str, filter: str, *, over_tensors: bool = False) -> Estimate:
        """Growth a step of the mean over tensors, with its interval over seeds (over_tensors: over both)."""
        band = self.found[name]
        return estimate(slopes(self.steps, band.apart[filter][metric]), band.pairs, self.draws[filter][over_tensors])

    def level_ratio(self, above: str, below: str, metric: str, filter: str, *, over_tensors: bool = False) -> Estimate:
        """How many times farther apart one band is than another after the last step."""
        one, other = ((self.found[name].apart[filter][metric][:, -1], self.found[name].pairs) for name in (above, below))
        return ratio(one, other, self.draws[filter][over_tensors])

    def slope_ratio(self, above: str, below: str, metric: str, filter: str) -> Estimate:
        """How many times faster one band grows than another."""
        one, other = ((slopes(self.steps, self.found[name].apart[filter][metric]), self.found[name].pairs) for name in (above, below))
        return ratio(one, other, self.draws[filter][0])


def bands_of(
    runs: Mapping[tuple[str, int], npt.NDArray[np.float32]], places: Mapping[str, slice], gauge: npt.NDArray[np.bool_], steps: Sequence[int], seeds: int,
    lows: Sequence[str], diverged: Mapping[tuple[str, int], int],
) -> Bands:  # fmt: skip
    """Compare runs in pairs. runs: (name, seed) → (snapshots, parameters); diverged: step at which a run ended."""
    views = {"filtered": Snapshots(runs, places, ~gauge), "raw": Snapshots(runs, places)}
    same = tuple((seed, seed) for seed in range(seeds))
    others = tuple((one, other) for one in range(seeds) for other in range(one + 1, seeds))
    plan: list[tuple[str, Role, str, str, str, tuple[tuple[int, int], ...]]] = [
        (OPTIMISED, "under test", "optimised attention against baseline attention", "optimised", "baseline", same),
        (FLOOR, "floor", "baseline attention, one weight one ulp larger at the start, against itself", "floor", "baseline", same),
        (SEEDS, "reference", "baseline attention from two initialisations", "baseline", "baseline", others),
        *((low, "reference", f"{low} training against FP32 training", low, "fp32", same) for low in lows),
        ("attention's format", "context", "baseline attention in its format against FP32 training", "baseline", "fp32", same),
    ]  # fmt: skip
    made = {}
    for name, role, title, one, other, pairs in plan:
        apart = {filter: stacked([view.between((one, i), (other, j)) for i, j in pairs], len(steps)) for filter, view in views.items()}
        ended = tuple(sorted({diverged[key] for i, j in pairs for key in ((one, i), (other, j)) if key in diverged}))
        made[name] = Band(name=name, role=role, title=title, pairs=pairs, apart=apart, diverged=ended)
    draws = {filter: (Draws.of(seeds), Draws.of(seeds, len(view.tensors))) for filter, view in views.items()}
    return Bands(steps=tuple(steps), tensors={filter: view.tensors for filter, view in views.items()}, found=made, draws=draws)


__all__ = ["FILTERS", "FLOOR", "METRICS", "OPTIMISED", "SEEDS", "Band", "Bands", "bands_of"]
