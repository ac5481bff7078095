"""Sweeps of pipelines: every stage at its own sizes, times its repeats; weights of all stages are held through.

A stage whose context grows by one at each repeat is priced at five lengths from its first to its last, and the times between are taken as straight lines:
exact where time grows evenly, and within a part in a thousand of the token-by-token sum where a kernel's tiles make steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.cost.sweeps import Parts, sweep_parts
from thrifty.hardware import Device
from thrifty.workload import Workload, load
from thrifty.workload.pipelines import Pipeline, PlannedStage

_LENGTHS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
_WEIGHTS: Final = (0.125, 0.25, 0.25, 0.25, 0.125)
"""Where along a growing stage it is priced, and what each place weighs (trapezoids)."""


def staged_parts(workload: Workload, devices: Sequence[Device], points: Mapping[str, npt.ArrayLike], *, fused: bool, memory: bool) -> Parts:
    """The parts of a pipeline at `points`; symbols not named stay where the workload is."""
    pipeline = workload.source
    assert isinstance(pipeline, Pipeline)
    arrays = {name: np.atleast_1d(np.asarray(points.get(name, workload.point[name]))).ravel() for name in workload.point}
    for symbol in workload.symbols:
        for extreme in (arrays[symbol.name].min(), arrays[symbol.name].max()):
            symbol.check(extreme.item())
    arrays = {name: column.astype(np.int64) for name, column in zip(arrays, np.broadcast_arrays(*arrays.values()), strict=True)}
    count = len(next(iter(arrays.values())))
    shape = (len(devices), count)
    seconds, energy, bound, beyond = np.zeros(shape), np.zeros(shape), np.zeros((*shape, 3)), np.zeros(count, dtype=np.int64)
    for stage in pipeline.sheet.stages:
        repeat = np.broadcast_to(pipeline.repeat_of(stage, arrays), (count,)).astype(np.float64)
        for sizes, weight in _places(pipeline, stage, arrays, repeat):
            component = load(stage.component, phase=pipeline.phase_of(stage), format=workload.format)
            found = sweep_parts(component, devices, sizes, fused=fused, memory=memory)
            seconds += found.seconds_DP * repeat * weight
            energy += found.energy_j_DP * repeat * weight
            bound += found.bound_s_DP3 * repeat[:, None] * weight
            beyond = np.maximum(beyond, found.memory_bytes_P - component.weight_bytes)
    held = beyond + workload.weight_bytes if memory else np.zeros(count, dtype=np.int64)
    return Parts(seconds_DP=seconds, energy_j_DP=energy, bound_s_DP3=bound, memory_bytes_P=held, sizes=arrays)


def _places(pipeline: Pipeline, stage: PlannedStage, arrays: Mapping[str, Any], repeat: Any) -> list[tuple[dict[str, Any], float]]:
    """Sizes of the stage's component, and the share of its repeats that stands there."""
    sizes = {name: np.broadcast_to(pipeline.size_of(stage, name, text, arrays), repeat.shape) for name, text in stage.at.items()}
    if stage.grows is None:
        return [(sizes, 1.0)]
    last = np.maximum(repeat - 1, 0)
    return [
        ({**sizes, stage.grows: sizes[stage.grows] + np.rint(part * last).astype(np.int64)}, weight)
        for part, weight in zip(_LENGTHS, _WEIGHTS, strict=True)
    ]  # fmt: skip
