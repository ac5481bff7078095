"""What a training study found: frozen, with everything that its numbers depend on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from thrifty.lenses.numerics.policy import as_policy
from thrifty.lenses.numerics.training.judging.bands import FILTERS, FLOOR, METRICS, OPTIMISED, Bands
from thrifty.lenses.numerics.training.judging.verdict import LEAST_SEEDS, LEAST_STEPS, SCOPE, Judged, judge_each
from thrifty.lenses.numerics.training.running.variants import VARIANTS, Asked
from thrifty.report.numbers import finite

if TYPE_CHECKING:
    from thrifty.lenses.numerics.training.running.gauging import Gauge
    from thrifty.report import Block, Section

MAIN_METRIC, MAIN_FILTER = "w1", "filtered"
"""The study's verdict is of W1 without gauge directions; the others stand beside it."""
LEARNING: Final = ("fp32", "baseline", "optimised")
"""Runs whose validation loss must halve, for a study of a model that learns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One run: at each snapshot its losses (training: mean since the snapshot before) and the hash of its weights; diverged: step at which it ended, if so."""

    steps: tuple[int, ...]
    training: tuple[float | None, ...]
    validation: tuple[float | None, ...]
    digests: tuple[str, ...]
    diverged: int | None = None

    @property
    def learned(self) -> float | None:
        """Last validation loss over the first; None where a loss is no number."""
        first, last = self.validation[0], self.validation[-1]
        return None if self.diverged is not None or first is None or last is None else last / first


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Study:
    """courses: (run, seed) → its course; verdicts: filter → metric → what the rule says; ground: data's hash, machine, versions."""

    asked: Asked
    ground: Mapping[str, str]
    courses: Mapping[tuple[str, int], Course]
    gauge: Gauge
    bands: Bands
    repeat_identical: bool
    verdicts: Mapping[str, Mapping[str, Judged]]

    @property
    def verdict(self) -> Judged:
        return self.verdicts[MAIN_FILTER][MAIN_METRIC]

    def conditions(self) -> dict[str, bool]:
        """What a study needs, and whether this one has it."""
        learned = [course.learned for (name, _), course in self.courses.items() if name in LEARNING]
        return {
            f"{LEAST_SEEDS} seeds or more": self.asked.seeds >= LEAST_SEEDS,
            f"{LEAST_STEPS:,} steps or more": self.asked.steps >= LEAST_STEPS,
            "validation loss of FP32, baseline and optimised runs below half its start": all(each is not None and each < 0.5 for each in learned),
            "the same run done twice is the same bit for bit": self.repeat_identical,
            "gauge directions found are those that theory names": self.gauge.agrees,
        }

    def losses(self) -> list[dict[str, Any]]:
        """One row a run: validation loss at the start and at the end, mean over seeds."""
        rows = []
        for name in dict.fromkeys(name for name, _ in self.courses):
            mine = [course for (other, _), course in self.courses.items() if other == name]
            ended = [course.diverged for course in mine if course.diverged is not None]
            first, last = ([course.validation[at] for course in mine] for at in (0, -1))
            rows.append({
                "run": name, "seeds": len(mine), "validation_start": _mean(first), "validation_end": None if ended else _mean(last),
                "diverged_at_step": min(ended) if ended else None,
            })  # fmt: skip
        return rows

    def ratios(self, metric: str, filter: str) -> dict[str, Any]:
        """D(low)/D(optimised) and D(optimised)/D(floor) at the last step, and of slopes."""
        bands = self.bands

        def both(above: str, below: str) -> dict[str, Any]:
            return {
                "level": bands.level_ratio(above, below, metric, filter).to_dict(),
                "level_over_tensors_too": bands.level_ratio(above, below, metric, filter, over_tensors=True).to_dict(),
                "slope": bands.slope_ratio(above, below, metric, filter).to_dict(),
            }

        return {
            "low_over_optimised": {band.name: both(band.name, OPTIMISED) for band in bands.lows},
            "optimised_over_floor": both(OPTIMISED, FLOOR),
        }

    def band_dict(self, metric: str, filter: str) -> dict[str, Any]:
        """Every band: its curve over steps, its slopes and its distance tensor by tensor after the last step."""
        return {
            name: {
                "role": band.role, "pairs": len(band.pairs), "diverged_at_steps": list(band.diverged),
                "curve": [each.to_dict() for each in self.bands.curve(name, metric, filter)],
                "slope_per_step": self.bands.slope(name, metric, filter).to_dict(),
                "slope_per_step_over_tensors_too": self.bands.slope(name, metric, filter, over_tensors=True).to_dict(),
                "per_tensor": dict(zip(self.bands.tensors[filter], (finite(value) for value in band.per_tensor(metric, filter)), strict=True)),
            }
            for name, band in self.bands.found.items()
        }  # fmt: skip

    def gauge_share(self, metric: str = MAIN_METRIC) -> float:
        """Share of gauge tensors in the sum over tensors of optimised against baseline."""
        raw = self.bands.found[OPTIMISED].per_tensor(metric, "raw")
        kept = self.bands.found[OPTIMISED].per_tensor(metric, "filtered")
        return float(1 - kept.sum() / raw.sum()) if raw.sum() > 0 else 0.0

    def to_dict(self) -> dict[str, Any]:
        asked = self.asked
        return {
            "truth": "measured", "scope": SCOPE, "verdict": self.verdict.verdict, "verdict_metric": MAIN_METRIC, "verdict_filter": MAIN_FILTER,
            "why": self.verdict.why, "conditions": self.conditions(),
            "verdicts": {filter: {metric: judged.to_dict() for metric, judged in metrics.items()} for filter, metrics in self.verdicts.items()},
            "by_reference": {
                filter: {metric: {name: each.verdict for name, each in judge_each(self.bands, metric, filter).items()} for metric in METRICS}
                for filter in FILTERS
            },
            "model": asked.shape.name, "title": asked.shape.title, "parameters": sum(place.size for place in [self.gauge.mask]),
            "steps": asked.steps, "every": asked.every, "snapshots": list(asked.snapshots), "seeds": asked.seeds, "order": asked.order, "format": asked.format,
            "policies": {
                "baseline": asked.baseline.to_dict(), "optimised": asked.optimised.to_dict(),
                **{str(low): as_policy(VARIANTS[low.variant][0]).to_dict() for low in asked.low},
            },
            "hashes": asked.hashes(), "block_k": asked.block_k,
            "low_precision_sites": {str(low): f"attention by {VARIANTS[low.variant][0]}; {VARIANTS[low.variant][1]}" for low in asked.low},
            "ground": dict(self.ground), "losses": self.losses(), "repeat_identical": self.repeat_identical, "gauge": self.gauge.to_dict(),
            "gauge_share_of_w1": self.gauge_share(), "metrics": dict(METRICS), "filters": dict(FILTERS),
            "bands": {filter: {metric: self.band_dict(metric, filter) for metric in METRICS} for filter in FILTERS},
            "ratios": {filter: {metric: self.ratios(metric, filter) for metric in METRICS} for filter in FILTERS},
            "courses": [
                {"run": name, "seed": init, "validation": list(course.validation), "training": list(course.training), "digests": list(course.digests)}
                for (name, init), course in self.courses.items()
            ],
        }  # fmt: skip

    def sections(self) -> Sequence[Section]:
        from thrifty.lenses.numerics.pages.training import sections_of

        return sections_of(self)

    def brief(self) -> Sequence[Block]:
        from thrifty.lenses.numerics.pages.training import brief_of

        return brief_of(self)


def _mean(values: Sequence[float | None]) -> float | None:
    return None if any(value is None for value in values) else float(np.mean(np.array(values, dtype=np.float64)))
