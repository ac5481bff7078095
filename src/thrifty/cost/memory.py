"""Does it fit? What a workload holds at its fullest moment, by role, and what the backend takes besides.

`peak_memory_bytes` is resident weights plus the peak of torch's allocator: every storage of the operator table that is alive at the
fullest row, and the workspace that the backend takes from the allocator. What the process holds outside of it (driver, libraries)
stands in `process_bytes` and counts only when asking whether the work fits on a device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from thrifty.cost.defaults import Backend
from thrifty.cost.facts import load_facts
from thrifty.errors import NoRoom
from thrifty.hardware.device import Device
from thrifty.quantities import show
from thrifty.workload.model import Workload
from thrifty.workload.table import Kind, Role

_MATRIX = (Kind.LINEAR, Kind.CONV, Kind.ATTENTION)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryAccount:
    """Bytes that a workload holds at its peak on one backend.

    by_role         : weight, buffer, input, cache, activation, gradient, optimizer, at the fullest row
    workspace_bytes : what the backend takes from the allocator besides
    process_bytes   : what the process holds outside the allocator
    peak_row        : the first row of the table that holds the most; its operator and module are in peak_op, peak_module
    """

    by_role: Mapping[str, int]
    workspace_bytes: int
    process_bytes: int
    peak_row: int
    peak_op: str
    peak_module: str
    backend: Backend

    @classmethod
    def of(cls, workload: Workload, device: Device | None = None) -> MemoryAccount:
        """Account for `workload` on the backend of `device` (default: the tensors alone, no backend)."""
        table = workload.table
        _, row = table.peak()
        stored = {role.label: int(table.storages["bytes"][table.storages["role"] == role].sum()) for role in Role}
        by_role = table.held_at(row) if len(table) else stored  # where nothing runs, what is there before the first row
        backend = backend_of(device)
        multiplies = bool(len(table)) and any((table.rows["kind"] == kind).any() for kind in _MATRIX)
        workspace, process = _workspace(backend, device)
        return cls(
            by_role=by_role, workspace_bytes=workspace if multiplies else 0, process_bytes=process, peak_row=row,
            peak_op=table.op(row) if len(table) else "", peak_module=table.module(row) if len(table) else "", backend=backend,
        )  # fmt: skip

    @property
    def peak_memory_bytes(self) -> int:
        """Resident weights plus the peak of torch's allocator."""
        return sum(self.by_role.values()) + self.workspace_bytes

    @property
    def total_bytes(self) -> int:
        """The same: what a footprint calls memory."""
        return self.peak_memory_bytes

    @property
    def needed_bytes(self) -> int:
        """All that the device's memory must hold, the process's own share included."""
        return self.peak_memory_bytes + self.process_bytes

    def shortfall_bytes(self, device: Device) -> int:
        """Bytes that the largest memory of `device` lacks; 0 when the work fits."""
        return max(0, self.needed_bytes - int(device.memory_bytes))

    def fits(self, device: Device) -> bool:
        """Whether the work fits in the largest memory of `device`."""
        return self.shortfall_bytes(device) == 0

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and names for JSON."""
        return {
            "peak_memory_bytes": self.peak_memory_bytes, "by_role": dict(self.by_role), "workspace_bytes": self.workspace_bytes,
            "process_bytes": self.process_bytes, "peak_op": self.peak_op, "peak_module": self.peak_module, "backend": self.backend,
        }  # fmt: skip

    def require(self, device: Device) -> None:
        """Raise NoRoom when the work does not fit on `device`."""
        short = self.shortfall_bytes(device)
        if short:
            raise NoRoom(
                f"needs {show(self.needed_bytes, 'B')}, {device.name} has {show(device.memory_bytes, 'B')}: {show(short, 'B')} short. "
                "Take a smaller batch, sequence or format, or a larger device."
            )


def backend_of(device: Device | None) -> Backend:
    """The torch backend that runs on `device`: cuda on NVIDIA's GPUs and SoCs, cpu on CPUs, other elsewhere or without a device."""
    if device is None:
        return "other"
    if device.kind == "cpu":
        return "cpu"
    return "cuda" if device.vendor.lower() == "nvidia" and device.kind in ("gpu", "soc") else "other"


def _workspace(backend: Backend, device: Device | None) -> tuple[int, int]:
    sheet = load_facts("efficiencies")
    recent = backend == "cuda" and device is not None and device.name.startswith(tuple(sheet.texts["workspace.cuda.capability_9"]))
    allocator = "allocator_capability_9" if recent else "allocator"
    return int(sheet.get(f"workspace.{backend}.{allocator}", "capacity")), int(sheet.get(f"workspace.{backend}.process", "capacity"))
