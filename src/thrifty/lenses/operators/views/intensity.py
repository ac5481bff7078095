"""Work per byte, three ways, and where that stands under a device's roof.

    AI_cap  = FLOPs / bytes of parameters        what the paper plots: weights stand for traffic
    AI_alg  = FLOPs / algorithmic bytes          every operand once, every result once
    AI_dram = FLOPs / bytes that leave a cache   reads last touched longer ago than the cache holds, and all writes

Only the last two may say what bounds a stage. FLOPs are those of matrix products.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from thrifty.cost.columns import CACHE_BYTES, cold_bytes
from thrifty.hardware import Device
from thrifty.workload import OperatorTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Intensity:
    """FLOP per byte; None where there are no such bytes. ridge: where the device's roof bends (peak / bandwidth), None without a device."""

    capacity: float | None
    algorithmic: float | None
    dram: float | None
    ridge: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return {"ai_cap": self.capacity, "ai_alg": self.algorithmic, "ai_dram": self.dram, "ridge": self.ridge}


def last_cache_bytes(device: Device | None) -> float:
    """What the device's largest tier on chip holds; a processor's last-level cache where no sheet says."""
    return device.memory[1].capacity_bytes if device is not None and len(device.memory) > 1 else float(CACHE_BYTES)


def intensity(table: OperatorTable, device: Device | None = None, format_name: str = "") -> Intensity:
    """Of one run of a table, all stages and repeats; weights count once."""
    repeats = table.repeats
    flops = int((table.rows["flops_matrix"] * repeats).sum())
    weights = table.weight_bytes_touched()
    moved = int(((table.rows["bytes_read"] + table.rows["bytes_written"]) * repeats).sum())
    left = int(((cold_bytes(table, int(last_cache_bytes(device))) + table.rows["bytes_written"]) * repeats).sum())
    ridge = None if device is None else device.peak(format_name) / device.bandwidth_bytes_per_s
    return Intensity(
        capacity=flops / weights if weights else None, algorithmic=flops / moved if moved else None, dram=flops / left if left else None, ridge=ridge
    )  # fmt: skip
