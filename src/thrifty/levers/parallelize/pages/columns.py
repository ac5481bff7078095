"""Columns and facts that several pages show."""

from __future__ import annotations

from thrifty.levers.parallelize.asking.questions import Question
from thrifty.report import Column, Number

NAME = Column(key="name", title="Plan")

TIME = Column(key="time_s", title="Iteration", unit="s", truth="modelled")

RATE = Column(key="rate", title="Samples a second", truth="modelled")

MEMORY = Column(key="memory", title="Memory a device", unit="B", truth="modelled")

ENERGY = Column(key="energy", title="Energy", unit="J", truth="modelled")

CARBON = Column(key="carbon", title="Carbon", unit="gCO2e", truth="modelled")

COST = Column(key="cost", title="Cost", unit="USD", truth="modelled")


def inputs_of(question: Question) -> dict[str, Number | str]:
    tiers = " x ".join(f"{tier.count} {tier.name}" for tier in question.system.tiers)
    return {
        "workload": question.layers.name + (f" ({question.layers.stand_in})" if question.layers.stand_in else ""), "format": question.layers.format,
        "system": f"{question.system.title}: {question.system.devices} devices, {tiers}", "task": question.task.kind,
        "batch": f"{question.batch:,} samples", "mode": question.mode, "site": question.site.name,
    }  # fmt: skip


def modelled(value: float | None, unit: str = "", *, style: str = "auto") -> Number:
    return Number(value=value, unit=unit, truth="modelled", style=style)  # type: ignore[arg-type]
