"""The real thing: run it, time it, weigh it, and hold the models against it.

Data flows in this order: `timing` times a call; `probes` are the small calls that `calibration` times to learn what this machine sustains, `toy` what the
framework adds; `generation` lets a language model answer; `profiling` samples steps, `memory` the allocator; `running` puts these together
for one workload; `cases` and `validation` hold the calibrated model against workloads that calibration never saw. `traced` says where the time of a
recorded trace went, classed by `trace_classes`; `cuda_profile` records one.

What it does not know: energy (no sensor is read), other programs on the machine (the spread tells of them), kernels inside a CUDA graph.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

# Read once, when torch is loaded: its profiler otherwise tells stderr of every start and stop.
os.environ.setdefault("KINETO_LOG_LEVEL", "99")

if TYPE_CHECKING:
    from thrifty.measure.calibration import calibrate
    from thrifty.measure.cuda_profile import profile_cuda
    from thrifty.measure.generation import Generation, generate_greedy
    from thrifty.measure.memory import MemoryUse, measure_memory
    from thrifty.measure.profiling import StepProfile, StepSampler
    from thrifty.measure.running import Run, make_and_run, run
    from thrifty.measure.traced import TraceProfile, profile_of_trace
    from thrifty.measure.validation import HostValidation, validate_host

__all__ = [
    "Generation", "HostValidation", "MemoryUse", "Run", "StepProfile", "StepSampler", "TraceProfile", "calibrate", "generate_greedy", "make_and_run",
    "measure_memory", "profile_cuda", "profile_of_trace", "run", "validate_host",
]  # fmt: skip

_HOME: Final = {
    "calibrate": "calibration", "Generation": "generation", "generate_greedy": "generation", "MemoryUse": "memory", "measure_memory": "memory",
    "StepProfile": "profiling", "StepSampler": "profiling", "Run": "running", "make_and_run": "running", "run": "running", "HostValidation": "validation",
    "validate_host": "validation", "TraceProfile": "traced", "profile_of_trace": "traced", "profile_cuda": "cuda_profile",
}  # fmt: skip
"""Where each public name lives; nearly all need torch, so each is loaded on first touch."""


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'thrifty.measure' has no attribute '{name}'")
    import importlib

    value = getattr(importlib.import_module(f"thrifty.measure.{_HOME[name]}"), name)
    globals()[name] = value
    return value
