"""Stages really run on this machine, each beside what the calibrated model says of the very table that was recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from thrifty.errors import BadValue
from thrifty.lenses.operators.subjects import Subject
from thrifty.workload import Stage, Workload
from thrifty.workload.entries import find_entry

if TYPE_CHECKING:
    from pathlib import Path

    from thrifty.measure.traced import TraceProfile
    from thrifty.measure.validation import HostRow
    from thrifty.workload.entry import Entry

BUDGET_S = 1.5
"""How long each stage is run for, about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredStage:
    """One stage, once: medians of plain steps, and the model."""

    stage: Stage
    component: str
    row: HostRow

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.stage.name, "repeats": self.stage.repeat, "component": self.component, **self.row.to_dict()}


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredSubject:
    """All stages of a subject on this machine. Whole times are the stages' times their repeats; nothing else is extrapolated."""

    name: str
    device: str
    stages: tuple[MeasuredStage, ...]

    @property
    def measured_s(self) -> float:
        return sum(each.row.measured_s * each.stage.repeat for each in self.stages)

    @property
    def modelled_s(self) -> float:
        return sum(each.row.modelled_s * each.stage.repeat for each in self.stages)

    def by_class(self) -> dict[str, tuple[float, float]]:
        """Class → (measured, modelled) seconds, all repeats."""
        found: dict[str, list[float]] = {}
        for each in self.stages:
            for name, (seen, said) in each.row.by_class.items():
                pair = found.setdefault(name, [0.0, 0.0])
                pair[0] += seen * each.stage.repeat
                pair[1] += said * each.stage.repeat
        return {name: (a, b) for name, (a, b) in sorted(found.items(), key=lambda item: -item[1][0])}

    def to_dict(self) -> dict[str, Any]:
        return {
            "workload": self.name, "on": self.device, "measured_s": self.measured_s, "modelled_s": self.modelled_s,
            "time_error": self.modelled_s / self.measured_s - 1, "stages": [each.to_dict() for each in self.stages],
            "by_class": {name: {"measured_s": a, "modelled_s": b} for name, (a, b) in self.by_class().items()},
        }  # fmt: skip


def measure_subject(
    subject: Subject, *, budget_s: float = BUDGET_S, progress: Callable[[str, float], None] | None = None
) -> MeasuredSubject:  # fmt: skip
    """Run every stage of `subject` with random weights for about `budget_s` each, in fp32, and price what was recorded by this machine's calibration.

    Raises BadValue for a stage that no installed torch class runs, NoRoom where it does not fit in memory, MissingExtra without torch.
    """
    from thrifty.cost.sustained import Sustained
    from thrifty.measure.calibration import calibrate
    from thrifty.measure.cases import catalogue_case
    from thrifty.measure.toy import probe_seconds
    from thrifty.measure.validation import validate_case

    tell = progress or (lambda what, share: None)
    device = calibrate(progress=progress)
    assert device.calibration is not None
    sustained, probe_s = Sustained.read(device.calibration.content), probe_seconds()
    found = []
    for place, (stage, work) in enumerate(subject.stages):
        tell(f"running: {work.name}", place / len(subject.stages))
        _buildable(work)
        row = validate_case(catalogue_case(work.name, work.phase, work.point), sustained, device, probe_s=probe_s, budget_s=budget_s)
        found.append(MeasuredStage(stage=stage, component=work.name, row=row))
    return MeasuredSubject(name=subject.workload.name, device=device.title, stages=tuple(found))


def profile_kernels(
    subject: Subject, *, device: str = "cpu", keep: Path | None = None, progress: Callable[[str, float], None] | None = None
) -> dict[str, TraceProfile]:  # fmt: skip
    """Every stage of `subject`, once, under torch's profiler on "cpu" or "cuda": what its kernels (operators, on a CPU) took by class and module.

    keep : a folder for the traces, one a stage, for a viewer
    Raises BadValue where there is no such device, and as `measure_subject` does.
    """
    import torch

    from thrifty.measure.cuda_profile import check_profiled, profile_cuda
    from thrifty.workload.building import blueprint_of, build_module, make_inputs
    from thrifty.workload.building.modules import quiet

    tell = progress or (lambda what, share: None)
    check_profiled(device)
    found = {}
    for place, (stage, work) in enumerate(subject.stages):
        tell(f"running: {work.name}", place / len(subject.stages))
        blueprint = blueprint_of(_buildable(work))
        module = build_module(blueprint, device=device, format="fp32" if device == "cpu" else work.format)
        inputs = make_inputs(module, blueprint, work.phase, work.point, device=device)

        def call(module: torch.nn.Module = module, inputs: dict[str, Any] = inputs) -> None:
            module(**inputs)

        trace = keep / f"{stage.name}.json.gz" if keep is not None else None
        with quiet(), torch.inference_mode():
            found[stage.name] = profile_cuda(call, module, device=device, keep=trace)
    return found


def _buildable(work: Workload) -> Entry:
    entry = find_entry(work.name)
    if entry is None or entry.torch_class is None:
        raise BadValue(f"'{work.name}' has no torch module that could run here. Name a model of the catalogue that has one.")
    return entry
