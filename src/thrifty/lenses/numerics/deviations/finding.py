"""A deviation report: frozen, flat for machines, as sections for readers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from thrifty.lenses.numerics.deviations.pairs import Pair
from thrifty.report.numbers import finite

if TYPE_CHECKING:
    from thrifty.report import Block, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Worst:
    """The element that lies farthest from golden: where, what all three say, how many numbers of the format apart, and what it was made of."""

    index: tuple[int, ...]
    value: float
    baseline: float | None
    golden: float
    ulps: int
    operands: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        return {
            "index": list(self.index), "value": finite(self.value), "baseline": finite(self.baseline), "golden": finite(self.golden),
            "difference": finite(self.value - self.golden), "ulps": self.ulps, "operands": dict(self.operands),
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """How far an optimised result, and its baseline, lie from golden.

    names      : of the optimised result and the baseline
    format     : of results, in which ulps and floors are meant
    golden     : what golden is, in words
    optimised, baseline : against golden; between: optimised against baseline; the last two None without a baseline
    worst      : of the optimised result; None where no element can be compared
    blocks     : largest |optimised - golden| in blocks of rows by blocks of columns, over all leading axes
    notes      : what a reader must know before quoting a number
    """

    names: tuple[str, str]
    format: str
    golden: str
    optimised: Pair
    baseline: Pair | None
    between: Pair | None
    worst: Worst | None
    blocks: tuple[tuple[float, ...], ...]
    notes: tuple[str, ...]

    @property
    def ratio_to_baseline(self) -> float:
        """Largest deviation over the baseline's; 1 where both are 0, infinite where the baseline's alone is, NaN without a baseline."""
        return _ratio(self.optimised.max, math.nan if self.baseline is None else self.baseline.max)

    @property
    def rmse_ratio(self) -> float:
        """The same of RMSE."""
        return _ratio(self.optimised.rmse, math.nan if self.baseline is None else self.baseline.rmse)

    @property
    def at_floor(self) -> bool:
        """The optimised result deviates no more than rounding once to the format does."""
        return self.optimised.at_floor

    def to_dict(self) -> dict[str, Any]:
        """Flat: the optimised result's measures, then the rest by name."""
        return {
            **self.optimised.to_dict(), "ratio_to_baseline": finite(self.ratio_to_baseline), "rmse_ratio": finite(self.rmse_ratio),
            "baseline_at_floor": None if self.baseline is None else self.baseline.at_floor, "worst": None if self.worst is None else self.worst.to_dict(),
            "baseline": None if self.baseline is None else self.baseline.to_dict(), "between": None if self.between is None else self.between.to_dict(),
            "names": list(self.names), "format": self.format, "golden": self.golden, "notes": list(self.notes),
        }  # fmt: skip

    def sections(self) -> Sequence[Section]:
        from thrifty.lenses.numerics.pages.deviation import sections_of

        return sections_of(self)

    def brief(self) -> Sequence[Block]:
        from thrifty.lenses.numerics.pages.deviation import brief_of

        return brief_of(self)


def _ratio(a: float, b: float) -> float:
    if b == 0:
        return 1.0 if a == 0 else math.inf if a > 0 else math.nan
    return a / b
