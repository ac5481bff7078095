"""Assessments of little workloads: one priced on two devices of the catalogue, one really run here on a calibration that is made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.cost.test_sustained import content

from thrifty.hardware import Calibration, Device, MemoryTier


def calibrated() -> Device:
    """This machine, as a calibration on made-up curves would describe it."""
    extra: dict[str, Any] = {
        "made_at": "2026-11-24T12:00:00+00:00", "seconds": 31.5, "spread": {"median": 0.02, "p90": 0.08, "measurements": 900},
        "fingerprint": {"cpu": "Toy", "threads": "2", "schema": "1"},
    }  # fmt: skip
    memory = (MemoryTier(name="ram", capacity_bytes=16e9, bandwidth_bytes_per_s=20e9),)
    return Device(
        name="this-machine", title="this machine: Toy, 2 threads", vendor="Toy", kind="cpu", year=0, peak_flops={"fp32": 100e9, "bf16": 150e9},
        vector_flops=20e9, memory=memory, memory_technology="DDR", tdp_w=10.0, idle_w=2.0, truth="measured", notes=("power is modelled, not measured",),
        calibration=Calibration(path="toy.json", content={**content(), **extra}),
    )  # fmt: skip


BUILD = '''
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(32, 64)
        self.second = torch.nn.Linear(64, 8)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))

def build(batch=4):
    return Net().eval(), (torch.ones(batch, 32),)
'''


def write_module(folder: Path, name: str) -> str:
    """A user's own module in `folder`; its name for `assess`."""
    (folder / f"{name}.py").write_text(BUILD)
    return f"{name}:build"
