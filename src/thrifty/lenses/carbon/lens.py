"""The carbon lens as `assess` knows it."""

from __future__ import annotations

from dataclasses import dataclass

from thrifty.cost import Case
from thrifty.lenses.carbon.finding import CarbonFinding


@dataclass(frozen=True, slots=True)
class CarbonLens:
    """Running against making, part by part, and hour by hour where the site's grid is known so."""

    name: str = "carbon"
    question: str = "Who emits what, and when?"

    def look(self, case: Case) -> CarbonFinding:
        return CarbonFinding.of(case)
