"""The rule: is the growth of what is tested bounded by the growth of what the field accepts?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from thrifty.lenses.numerics.training.judging.bands import METRICS, OPTIMISED, Bands
from thrifty.lenses.numerics.training.judging.intervals import Estimate

Verdict = Literal["bounded", "not bounded", "inconclusive"]
SCOPE: Final = "this bounds the similarity of divergence; it is no proof of stability"
LEAST_SEEDS: Final = 5
LEAST_STEPS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A verdict with its ground. binding: the reference whose growth is least, "" where there is none."""

    verdict: Verdict
    binding: str
    why: str
    optimised: Estimate
    reference: Estimate | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict, "binding": self.binding or None, "why": self.why, "optimised": self.optimised.to_dict(),
            "reference": None if self.reference is None else self.reference.to_dict(),
        }  # fmt: skip


def judge(optimised: Estimate, references: Mapping[str, Estimate]) -> Judged:
    """Slopes against slopes, by the reference that grows least (it binds). There is no margin.

    bounded      : the upper end of the tested slope's interval is at most the binding slope, and the intervals do not overlap
    inconclusive : the intervals overlap, or there is nothing to compare
    not bounded  : else
    """
    finite = {name: each for name, each in references.items() if all(math.isfinite(end) for end in (each.value, each.low, each.high))}
    if not finite:
        return Judged(verdict="inconclusive", binding="", why="no reference trained to its end", optimised=optimised, reference=None)
    binding = min(finite, key=lambda name: finite[name].value)
    held = finite[binding]
    if not all(math.isfinite(end) for end in (optimised.value, optimised.low, optimised.high)):
        return Judged(verdict="inconclusive", binding=binding, why="the tested slope has no interval", optimised=optimised, reference=held)
    if optimised.overlaps(held):
        verdict, word = "inconclusive", "overlaps"
    elif optimised.high <= held.value:
        verdict, word = "bounded", "lies below"
    else:
        verdict, word = "not bounded", "lies above"
    why = f"the interval of the tested slope, {_span(optimised)}, {word} that of {binding}, {_span(held)}, per thousand steps"
    return Judged(verdict=verdict, binding=binding, why=why, optimised=optimised, reference=held)  # type: ignore[arg-type]


def judge_bands(bands: Bands, metric: str, filter: str, refused: str = "") -> Judged:
    """One metric's verdict. refused: why the study may not decide, "" where it may."""
    references = {band.name: bands.slope(band.name, metric, filter) for band in bands.references}
    found = judge(bands.slope(OPTIMISED, metric, filter), references)
    ended = bands.found[OPTIMISED].diverged
    if not (refused or ended):
        return found
    why = refused or f"an optimised run diverged to no number at step {ended[0]}"
    return replace(found, verdict="inconclusive" if refused else "not bounded", why=why)


def judge_each(bands: Bands, metric: str, filter: str) -> dict[str, Judged]:
    """The rule held against every reference alone, so that a reader sees which one binds and by how much the others do not."""
    tested = bands.slope(OPTIMISED, metric, filter)
    return {band.name: judge(tested, {band.name: bands.slope(band.name, metric, filter)}) for band in bands.references}


def judge_all(bands: Bands, refused: str = "") -> dict[str, dict[str, Judged]]:
    """Filter → metric → verdict."""
    return {filter: {metric: judge_bands(bands, metric, filter, refused) for metric in METRICS} for filter in bands.tensors}


def _span(found: Estimate) -> str:
    return f"{found.low * 1e3:.3g} to {found.high * 1e3:.3g}"
