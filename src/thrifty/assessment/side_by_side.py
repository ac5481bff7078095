"""The model against the measurement: the same steps, the same numbers, and how far apart they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from thrifty.cost import Case
from thrifty.cost.columns import Columns
from thrifty.cost.sustained import Sustained
from thrifty.measure import StepProfile
from thrifty.workload import Kind

NUMERIC = ("prefill_tokens_per_s", "decode_tokens_per_s", "time_to_first_token_s", "samples_per_s", "peak_memory_bytes")
"""Keys that the measurement and the model both answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassError:
    """Seconds of one operator class in one kind of step. "framework" is what the step spends outside operators."""

    step: str
    kind: str
    measured_s: float
    modelled_s: float

    @property
    def error(self) -> float | None:
        """Signed, relative to the measurement; None where nothing was measured."""
        return self.modelled_s / self.measured_s - 1 if self.measured_s > 0 else None

    def to_dict(self) -> dict[str, Any]:
        return {"step": self.step, "kind": self.kind, "measured_s": self.measured_s, "modelled_s": self.modelled_s, "error": self.error}


def modelled_rates(case: Case) -> dict[str, float | None]:
    """What the model says of a job: rates, time to first token, peak memory."""
    first, job = case.priced[0], case.job
    batch = job.point.get("batch", 1)
    memory = float(max(priced.memory.peak_memory_bytes for priced in case.priced))
    rates: dict[str, float | None] = dict.fromkeys(NUMERIC)
    rates["peak_memory_bytes"] = memory
    if first.workload.phase != "prefill":
        return rates | {"samples_per_s": batch / first.time_s if first.workload.phase == "forward" else None}
    rates["prefill_tokens_per_s"] = batch * job.point["seq"] / first.time_s
    rates["time_to_first_token_s"] = first.time_s
    rates["decode_tokens_per_s"] = batch / case.priced[1].time_s if len(case.priced) > 1 else None
    return rates


def errors(measured: Mapping[str, Any], modelled: Mapping[str, float | None]) -> dict[str, float | None]:
    """Signed relative error of every key that both know."""
    result: dict[str, float | None] = {}
    for key in NUMERIC:
        truth, model = measured.get(key), modelled.get(key)
        result[key] = model / truth - 1 if truth and model is not None else None
    return result


def class_errors(profile: StepProfile, sustained: Sustained) -> list[ClassError]:
    """Every operator class of one kind of step, the costliest first, and the step as a whole last."""
    columns = Columns.of(profile.table)
    inside, host = sustained.seconds(columns), sustained.host_seconds(columns)
    total = np.bincount(columns.kind, weights=inside, minlength=len(Kind))
    modelled = {kind.label: float(total[kind]) for kind in Kind if total[kind] > 0} | {"framework": float(host.sum())}
    measured = profile.by_kind()
    rows = [
        ClassError(step=profile.name, kind=kind, measured_s=measured.get(kind, 0.0), modelled_s=modelled.get(kind, 0.0))
        for kind in sorted({**measured, **modelled}, key=lambda k: -measured.get(k, 0.0))
    ]
    return [*rows, ClassError(step=profile.name, kind="total", measured_s=profile.step_s, modelled_s=float((inside + host).sum()))]
