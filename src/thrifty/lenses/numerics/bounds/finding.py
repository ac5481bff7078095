"""What bounds say, beside what was measured: how often they hold, and how tight they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.lenses.numerics.bounds.attention_bounds import SiteBound
from thrifty.report.numbers import finite

if TYPE_CHECKING:
    from thrifty.report import Block, Section

Floats = npt.NDArray[np.float64]
QUANTILES: Final = (0.5, 0.9, 0.95, 0.99, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One bound against the errors that it bounds.

    assumes  : under which it holds
    promised : least share of errors within it; over: what it is a share of ("element" or "run")
    median, largest : of the bound's values
    coverage : share of errors within it; used: quantile at `promised` (at most 0.99) of error over bound: 1 is tight, 0.1 ten times too wide
    """

    name: str
    assumes: str
    promised: float
    over: str
    median: float
    largest: float
    coverage: float
    used: float

    @property
    def holds(self) -> bool:
        return self.coverage >= self.promised

    @classmethod
    def of(cls, name: str, assumes: str, bound: Floats, errors: Floats, promised: float, *, whole_runs: bool = False) -> Row:
        """bound broadcasts to errors (runs, …); whole_runs: a run counts where all of its errors are within."""
        bound = np.broadcast_to(bound, errors.shape)
        within: npt.NDArray[np.bool_] = np.asarray(errors <= bound)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(bound == 0, np.where(errors == 0, 0.0, np.inf), errors / bound)
        if whole_runs:
            flat = (errors.shape[0], -1)
            within, ratio = np.asarray(within.reshape(flat).all(axis=1)), ratio.reshape(flat).max(axis=1)
        return cls(
            name=name, assumes=assumes, promised=promised, over="run" if whole_runs else "element", median=float(np.median(bound)), largest=float(bound.max()),
            coverage=float(within.mean()), used=float(np.quantile(ratio, min(promised, 0.99))),
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        held = {name: getattr(self, name) for name in self.__slots__}
        return {**{name: finite(x) if isinstance(x, float) else x for name, x in held.items()}, "holds": self.holds}


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundStudy:
    """Bounds of one computation and the errors of many runs of it.

    subject : in words; settings: all that it depends on; runs, elements: errors measured
    measured : quantile → |error|; curve: the same at 51 quantiles with those of two bounds, for a drawing
    sites   : what each site of a policy can do; empty for plain sums
    digits  : by chance roundings; None where not asked for
    """

    subject: str
    settings: Mapping[str, Any]
    runs: int
    elements: int
    measured: Mapping[float, float]
    bounds: tuple[Row, ...]
    curve: tuple[tuple[str, float, float], ...]
    sites: tuple[SiteBound, ...]
    digits: Mapping[str, Any] | None
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "subject": self.subject, **self.settings, "runs": self.runs, "elements": self.elements,
            "measured": {_label(q): finite(value) for q, value in self.measured.items()}, "bounds": [row.to_dict() for row in self.bounds],
            "sites": [{name: finite(x) if isinstance(x, float) else x for name, x in site.to_dict().items()} for site in self.sites],
            "digits": self.digits, "notes": list(self.notes),
        }  # fmt: skip

    def sections(self) -> Sequence[Section]:
        from thrifty.lenses.numerics.pages.bounds import sections_of

        return sections_of(self)

    def brief(self) -> Sequence[Block]:
        from thrifty.lenses.numerics.pages.bounds import brief_of

        return brief_of(self)


def _label(quantile: float) -> str:
    return "max" if quantile == 1 else f"p{quantile * 100:g}"


def quantiles_of(errors: Floats) -> dict[float, float]:
    """Of all errors together."""
    return {q: float(np.quantile(errors, q)) for q in QUANTILES}


def curve_of(**lines: Floats) -> tuple[tuple[str, float, float], ...]:
    """(line, quantile, value) of each at 51 quantiles."""
    places = np.linspace(0, 1, 51)
    return tuple((name, float(q), float(v)) for name, x in lines.items() for q, v in zip(places, np.quantile(x, places), strict=True) if np.isfinite(v))
