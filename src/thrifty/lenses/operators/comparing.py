"""Two subjects side by side on one device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from thrifty.lenses.operators.finding import fused_gain
from thrifty.lenses.operators.subjects import Subject
from thrifty.lenses.operators.views.grouping import breakdown
from thrifty.lenses.operators.views.likeness import verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two. shares: of the time by class (of the FLOPs without a device); likeness: of each stage."""

    name: str
    parameters: int
    flops_matrix: int
    bytes_moved: int
    shares: dict[str, float]
    time_s: float | None
    energy_j: float | None
    fused_gain: float | None
    attention_gain: float | None
    likeness: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A against B. ratios: A over B, None where either side is unknown or zero."""

    a: Side
    b: Side

    @property
    def ratios(self) -> dict[str, float | None]:
        names = ("parameters", "flops_matrix", "bytes_moved", "time_s", "energy_j", "fused_gain", "attention_gain")
        return {name: _ratio(getattr(self.a, name), getattr(self.b, name)) for name in names}

    def to_dict(self) -> dict[str, Any]:
        return {"a": self.a.to_dict(), "b": self.b.to_dict(), "ratios": self.ratios}


def _ratio(a: float | None, b: float | None) -> float | None:
    return a / b if a is not None and b else None


def compare_subjects(a: Subject, b: Subject) -> Comparison:
    """Both seen the same way; name the same device for both, or none."""
    return Comparison(a=_side(a), b=_side(b))


def _side(subject: Subject) -> Side:
    groups = breakdown(subject)
    priced = subject.priced
    gain, core = fused_gain(subject) if priced is not None else (None, None)
    likeness = {}
    if subject.device is not None:
        likeness = {stage.name: verdict(work, subject.device, flip=False).likeness for stage, work in subject.stages}
    return Side(
        name=subject.workload.name, parameters=subject.workload.parameters, flops_matrix=sum(g.flops_matrix for g in groups),
        bytes_moved=sum(g.bytes_moved for g in groups), shares={g.name: g.share if g.share is not None else g.flops_share for g in groups},
        time_s=priced.time_s if priced is not None else None, energy_j=priced.footprint.energy_j if priced is not None else None, fused_gain=gain,
        attention_gain=core, likeness={name: str(like) for name, like in likeness.items()},
    )  # fmt: skip
