"""Holds the calibrated model against reality: the same operator table priced and run, side by side."""

from __future__ import annotations

import gc
import json
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch

from thrifty.cost.columns import Columns
from thrifty.cost.sustained import Sustained
from thrifty.files import writing
from thrifty.hardware import Device
from thrifty.hardware.host import validation_path
from thrifty.measure.cases import HOST_CASES, HostCase
from thrifty.measure.memory import measure_memory
from thrifty.measure.profiling import StepSampler
from thrifty.measure.toy import probe_seconds
from thrifty.workload import Kind
from thrifty.workload.building import loss_for
from thrifty.workload.tracing import record_step, settle, training_step

SAMPLED_EVERY: Final = 4
OVERHEAD: Final = 0.05
"""How many steps there are to an instrumented one: at least so many, and more where recording would add more than this share to the run."""
MAIN_CLASS: Final = 0.10
"""A class that takes more than this share of the measured time counts among the main ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRow:
    """One workload: medians of plain steps, and what the model says of the same table. by_class: class → (measured, modelled) seconds; run_overhead: the run,
    sampled steps and all, over as many plain steps."""

    workload: str
    measured_s: float
    modelled_s: float
    measured_bytes: int
    modelled_bytes: int
    repeats: int
    run_overhead: float = 1.0
    by_class: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def time_error(self) -> float:
        """Signed, relative to the measurement."""
        return self.modelled_s / self.measured_s - 1

    @property
    def memory_error(self) -> float:
        return self.modelled_bytes / self.measured_bytes - 1

    def to_dict(self) -> dict[str, Any]:
        return {
            "workload": self.workload, "measured_s": self.measured_s, "modelled_s": self.modelled_s, "measured_bytes": self.measured_bytes,
            "modelled_bytes": self.modelled_bytes, "time_error": self.time_error, "memory_error": self.memory_error, "repeats": self.repeats,
            "run_overhead": self.run_overhead,
            "by_class": {name: {"measured_s": a, "modelled_s": b} for name, (a, b) in self.by_class.items()},
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class HostValidation:
    """All workloads, and how far off the model is."""

    device: Device
    rows: tuple[HostRow, ...]

    def errors(self) -> dict[str, float]:
        """Median and 90th percentile of the absolute relative errors."""
        time, memory = ([abs(e) for e in each] for each in zip(*((r.time_error, r.memory_error) for r in self.rows), strict=True))
        return {
            "median_time_error": statistics.median(time), "p90_time_error": float(np.quantile(time, 0.9)),
            "median_memory_error": statistics.median(memory), "p90_memory_error": float(np.quantile(memory, 0.9)),
        }  # fmt: skip

    def by_class(self) -> dict[str, dict[str, float]]:
        """Seconds of each operator class over all workloads, each workload's time weighing the same; share of the time; signed error."""
        totals: dict[str, list[float]] = {}
        for row in self.rows:
            for name, (measured, modelled) in row.by_class.items():
                entry = totals.setdefault(name, [0.0, 0.0])
                entry[0] += measured / row.measured_s
                entry[1] += modelled / row.measured_s
        whole = sum(measured for measured, _ in totals.values())
        ranked = sorted(totals.items(), key=lambda item: -item[1][0])
        return {name: {"share": m / whole, "error": p / m - 1 if m > 0 else 0.0, "main": float(m / whole > MAIN_CLASS)} for name, (m, p) in ranked}

    def to_dict(self) -> dict[str, Any]:
        content = self.device.calibration.content if self.device.calibration else {}
        return {
            "device": self.device.title, "rows": [row.to_dict() for row in self.rows], **self.errors(), "by_class": self.by_class(),
            "calibrated_at": content.get("made_at"), "fingerprint": content.get("fingerprint"),
        }  # fmt: skip


def validate_case(case: HostCase, sustained: Sustained, device: Device, *, probe_s: float, budget_s: float = 2.0) -> HostRow:
    """Run one workload for about `budget_s` and price the table that it recorded."""
    module, inputs = case.build()
    optimizer = torch.optim.AdamW(module.parameters()) if case.training else None
    loss = loss_for(module) if case.training else None
    if optimizer is not None:
        settle(optimizer)
        step = training_step(module, (), inputs, optimizer, loss)
    else:
        step = lambda: module(**fresh(inputs))  # noqa: E731
    with torch.set_grad_enabled(case.training):
        step()
        first = record_step(module, (), fresh(inputs), training=case.training, optimizer=optimizer, loss=loss)
        memory = measure_memory(step, module, optimizer=optimizer, inputs=inputs)
        plain_s = min(_seconds(step) for _ in range(3))
        every = max(SAMPLED_EVERY, math.ceil((first.total_seconds / plain_s - 1) / OVERHEAD))
        sampler = StepSampler(module, every=every, probe_s=probe_s)
        repeats = max(2 * every, min(80, int(budget_s / max(first.total_seconds, 1e-3))))
        for index in range(repeats):
            current = fresh(inputs)
            with sampler.step("step", index, inputs=current, optimizer=optimizer):
                if optimizer is not None:
                    step()
                else:
                    module(**current)
    profile = sampler.profile("step")
    columns = Columns.of(first.table)
    inside, host = sustained.seconds(columns), sustained.host_seconds(columns)
    by_kind = np.bincount(columns.kind, weights=inside, minlength=len(Kind))
    measured = profile.by_kind()
    modelled = {kind.label: float(by_kind[kind]) for kind in Kind if by_kind[kind] > 0} | {"framework": float(host.sum())}
    return HostRow(
        workload=case.name, measured_s=profile.step_s, modelled_s=float((inside + host).sum()), measured_bytes=memory.peak_memory_bytes,
        modelled_bytes=first.table.peak()[0], repeats=repeats, run_overhead=profile.run_overhead,
        by_class={name: (measured.get(name, 0.0), modelled.get(name, 0.0)) for name in {**measured, **modelled}},
    )  # fmt: skip


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def fresh(inputs: dict[str, Any]) -> dict[str, Any]:
    """Inputs whose cache a call may grow without growing the next one's: the cache object is copied, its tensors are not."""
    import copy

    result = dict(inputs)
    for name in ("past_key_values", "cache"):
        cache: Any = result.get(name)
        if isinstance(getattr(cache, "layers", None), list):
            twin = copy.copy(cache)
            twin.layers = [copy.copy(layer) for layer in cache.layers]
            result[name] = twin
    return result


def validate_host(*, cases: tuple[HostCase, ...] = HOST_CASES, progress: Callable[[str, float], None] | None = None) -> HostValidation:
    """Every case, run and priced by the calibration that is there (made first where it is not): it is frozen before the first case runs.

    The result of all cases is kept beside the calibration, for reports to show. Raises CannotWrite when the cache cannot be written.
    """
    from thrifty.measure.calibration import calibrate

    device = calibrate(progress=progress)
    assert device.calibration is not None
    sustained = Sustained.read(device.calibration.content)
    probe_s = probe_seconds()
    rows = []
    for index, case in enumerate(cases):
        if progress:
            progress(case.name, index / len(cases))
        rows.append(validate_case(case, sustained, device, probe_s=probe_s))
        gc.collect()
    if progress:
        progress("done", 1.0)
    found = HostValidation(device=device, rows=tuple(rows))
    if cases == HOST_CASES:
        with writing(validation_path()) as file:
            file.write(json.dumps(found.to_dict()).encode())
    return found
