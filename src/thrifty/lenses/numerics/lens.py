"""The numerics lens as `assess` knows it."""

from __future__ import annotations

from dataclasses import dataclass

from thrifty.cost import Case
from thrifty.lenses.numerics.finding import NumericsFinding


@dataclass(frozen=True, slots=True)
class NumericsLens:
    """How far attention of a case's shapes drifts, as real kernels keep their state and as state stored in few bits would."""

    name: str = "numerics"
    question: str = "How far do results drift?"

    def look(self, case: Case) -> NumericsFinding:
        return NumericsFinding.of(case)
