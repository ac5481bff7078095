"""What the paper prints or measures beside what its model answers here: shown, held to nothing. The rows stand in `catalogue/published_results.toml`."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Final

from thrifty.cost.facts import load_facts
from thrifty.cost.plans.compat.evaluating import evaluate_compat
from thrifty.cost.plans.compat.suite import published
from thrifty.cost.plans.evaluation import Evaluation
from thrifty.cost.plans.plan import Plan
from thrifty.cost.plans.tasks import Task
from thrifty.hardware import load_system

_SHEET: Final = "published_results"
_DIMENSIONS: Final = {"serialized": "time", "exposed": "ratio", "throughput": "ratio", "gain": "ratio", "job": "time"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRow:
    """One published number and the answer, both in SI: seconds, samples a second, or a ratio. `where` says who measured or modelled it, and where."""

    name: str
    quantity: str
    published: float
    ours: float
    where: str

    @property
    def relative_error(self) -> float:
        return self.ours / self.published - 1

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "relative_error": self.relative_error}


def beside_published() -> tuple[PublishedRow, ...]:
    """Every row of the sheet with its answer, in the order of the sheet."""
    sheet = load_facts(_SHEET)
    rows = []
    for path, fact in sheet.facts.items():
        name = path.removesuffix(".result")
        ask = {key.removeprefix(f"{name}.ask."): value for key, value in sheet.texts.items() if key.startswith(f"{name}.ask.")}
        quantity = str(ask["quantity"])
        value = fact.value if fact.unit == "1/s" else sheet.get(path, _DIMENSIONS[quantity])
        rows.append(PublishedRow(name=name, quantity=quantity, published=value, ours=_answer(ask, quantity), where=fact.where))
    return tuple(rows)


def _answer(ask: dict[str, Any], quantity: str) -> float:
    found = _evaluate(ask, str(ask["plan"]))
    communication = sum(found.communication_s.values())
    if quantity == "serialized":
        return sum(found.compute_s.values()) + communication
    if quantity == "exposed":
        return found.exposed_s / communication
    if quantity == "throughput":
        return found.throughput_per_s
    if quantity == "gain":
        return _evaluate(ask, "dense=fsdp").iteration_s / found.iteration_s
    return float(ask["samples"]) / found.throughput_per_s if quantity == "job" else math.nan


def _evaluate(ask: dict[str, Any], plan: str) -> Evaluation:
    system = load_system(str(ask["system"])).sized(int(ask["devices"]))
    task = Task(kind=ask.get("task", "pretrain"))
    return evaluate_compat(published(str(ask["model"])), system, Plan.parse(plan), batch=int(ask["batch"]), task=task)
