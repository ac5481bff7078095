"""One plan's answer with everything that is said about it, and its schedule as a trace."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thrifty.cost.plans.answering import schedule_of, smallest_change, spread_of
from thrifty.cost.plans.evaluation import Evaluation
from thrifty.cost.plans.plan import Plan
from thrifty.errors import BadValue
from thrifty.footprint import Footprint
from thrifty.levers.parallelize.asking.questions import Job, Question
from thrifty.timeline import Spread, write_chrome_trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a plan costs.

    job    : of all samples asked for, or None; spread: of the iteration time, or None
    change : the smallest change that fits, "" where the plan fits
    """

    question: Question
    plan: Plan
    evaluation: Evaluation
    footprint: Footprint
    job: Job | None = None
    spread: Spread | None = None
    change: str = ""

    @classmethod
    def of(cls, question: Question, plan: Plan, *, samples: float = 0.0, spread: int = 0) -> Answer:
        """Evaluated, priced, and where it does not fit, mended. spread: so many iterations drawn. Raises BadValue."""
        if spread < 0:
            raise BadValue(f"spread={spread} is below 0. Give how many iterations to draw.")
        evaluation = question.answer(plan)
        footprint = question.footprint(evaluation, plan)
        asked = (question.layers, question.system, plan)
        return cls(
            question=question, plan=plan, evaluation=evaluation, footprint=footprint,
            job=Job.of(question, evaluation, footprint, samples) if samples else None,
            spread=spread_of(*asked, batch=question.batch, task=question.task, mode=question.mode, samples=spread) if spread else None,
            change="" if evaluation.fits else smallest_change(*asked, batch=question.batch, task=question.task, mode=question.mode),
        )  # fmt: skip

    @property
    def shortfall(self) -> str:
        """What is lacking and what would mend it, in one line."""
        e = self.evaluation
        return (
            f"'{self.plan}' needs {e.memory_bytes / 1e9:.1f} GB of {e.capacity_bytes / 1e9:.1f} GB a device and lacks {e.shortfall_bytes:,.0f} bytes. "
            f"{self.change or 'Use more devices.'}"
        )

    def to_dict(self) -> dict[str, Any]:
        """The evaluation's keys, and beside them footprint, job, spread and the change that fits."""
        return {
            **self.evaluation.to_dict(), "footprint": self.footprint.to_dict(), "site": self.question.site.name,
            "job": self.job.to_dict() if self.job else None, "spread": self.spread.to_dict() if self.spread else None, "change_that_fits": self.change,
        }  # fmt: skip


def write_trace(question: Question, plan: Plan, path: Path) -> Path:
    """The schedule of one iteration as a Chrome trace, which Perfetto opens. Raises CannotWrite."""
    events = schedule_of(question.layers, question.system, plan, batch=question.batch, task=question.task, mode=question.mode)
    about = {"workload": question.layers.name, "system": question.system.name, "plan": str(plan), "mode": question.mode, "truth": "modelled"}
    return write_chrome_trace(events, path, about)
