"""The operators lens as `assess` knows it."""

from __future__ import annotations

from dataclasses import dataclass

from thrifty.cost import Case
from thrifty.lenses.operators.finding import OperatorsFinding, look
from thrifty.lenses.operators.subjects import Subject


@dataclass(frozen=True, slots=True)
class OperatorsLens:
    """What dominates in a case's first part (a language model's prompt, anything else's whole run)."""

    name: str = "operators"
    question: str = "What dominates?"

    def look(self, case: Case) -> OperatorsFinding:
        work = case.job.parts[0].workload
        return look(Subject(workload=work, device=case.device, site=case.site), flip=work.origin.startswith("family"))  # a capture takes a second a batch
