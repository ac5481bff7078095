"""What a plan costs, in either mode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

Mode = Literal["physical", "compat"]
MODES: Final[tuple[Mode, ...]] = get_args(Mode)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanMemory:
    """Bytes that the fullest device holds, by role; `by_stage`: the sum for a device of every pipeline stage."""

    weights: float
    gradients: float = 0.0
    optimizer: float = 0.0
    activations: float = 0.0
    kv_cache: float = 0.0
    buffers: float = 0.0
    workspace: float = 0.0
    by_stage: tuple[float, ...] = ()

    @property
    def total_bytes(self) -> float:
        return self.weights + self.gradients + self.optimizer + self.activations + self.kv_cache + self.buffers + self.workspace

    def to_dict(self) -> dict[str, Any]:
        roles = ("weights", "gradients", "optimizer", "activations", "kv_cache", "buffers", "workspace")
        return {**{role: getattr(self, role) for role in roles}, "by_stage": list(self.by_stage)}


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticalPart:
    """Seconds of the iteration that one resource or kind of work decides: its share of the critical path."""

    name: str
    stream: str
    time_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One iteration of one plan.

    compute_s, communication_s : busy seconds of a device by kind of work
    exposed_s    : that the iteration waits for communication: what is left of it without computing and `other_s` (physical: launches, idle stages; compat
                   has no other, so that bubbles are in here, as published); overlapped_s: communication behind computing
    critical_path: what the iteration waits for, longest first; the sum is iteration_s
    samples      : of one iteration, over all devices; `unit` and `units` (tokens or samples) for the throughput
    quirks       : compat: rules of the published model that bear on this answer and that physics contradicts
    notes        : what was assumed
    """

    mode: Mode
    workload: str
    system: str
    devices: int
    plan: str
    task: str
    batch: int
    iteration_s: float
    compute_s: Mapping[str, float]
    communication_s: Mapping[str, float]
    exposed_s: float
    overlapped_s: float
    unit: str
    units: int
    memory: PlanMemory
    capacity_bytes: float
    critical_path: tuple[CriticalPart, ...] = ()
    other_s: Mapping[str, float] = field(default_factory=dict)
    quirks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def throughput_per_s(self) -> float:
        """Samples per second (sequences, for language models)."""
        return self.batch / self.iteration_s

    @property
    def memory_bytes(self) -> float:
        return self.memory.total_bytes

    @property
    def fits(self) -> bool:
        return self.memory_bytes <= self.capacity_bytes

    @property
    def shortfall_bytes(self) -> float:
        return max(0.0, self.memory_bytes - self.capacity_bytes)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and names for JSON."""
        return {
            "mode": self.mode, "truth": "modelled",
            "workload": self.workload, "system": self.system, "devices": self.devices, "plan": self.plan, "task": self.task,
            "batch": self.batch, "iteration_s": self.iteration_s, "compute_s": dict(self.compute_s), "communication_s": dict(self.communication_s),
            "other_s": dict(self.other_s), "exposed_s": self.exposed_s, "overlapped_s": self.overlapped_s, "throughput_per_s": self.throughput_per_s,
            "unit": self.unit, "units_per_s": self.units / self.iteration_s, "memory_bytes": self.memory_bytes, "memory": self.memory.to_dict(),
            "capacity_bytes": self.capacity_bytes, "fits": self.fits, "shortfall_bytes": self.shortfall_bytes,
            "critical_path": [{"name": p.name, "stream": p.stream, "time_s": p.time_s} for p in self.critical_path],
            "quirks": list(self.quirks), "notes": list(self.notes),
        }  # fmt: skip
