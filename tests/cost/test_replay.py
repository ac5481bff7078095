"""Stored prices of the whole catalogue on every device stay identical, unless a change says that they should not.

Written by `python -m tests.cost.test_replay`; the formula tests of `test_roofline` and the twins of the families are the oracles that checked it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from thrifty.cost import price
from thrifty.errors import BadValue
from thrifty.hardware import device_names, load
from thrifty.workload import load as load_workload
from thrifty.workload import names

STORED: Final = Path(__file__).parent / "replay" / "prices.json"
FORMAT: Final = "bf16"


def prices(workload: str) -> dict[str, Any]:
    """Time, limit, energy, memory and bound of one workload at its default point, on every device that has arithmetic for the format."""
    run = load_workload(workload, format=FORMAT)
    found: dict[str, Any] = {}
    for name in device_names():
        try:
            priced = price(run, load(name))
        except BadValue:
            continue
        found[name] = [priced.time_s, priced.limit_s, priced.footprint.energy_j, priced.memory.peak_memory_bytes, priced.bound, priced.fits]
    return found


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(STORED.read_text())
    return content["prices"]


def test_replay_covers_the_whole_catalogue(stored: dict[str, Any]) -> None:
    assert set(stored) == set(names())
    assert all(len(devices) >= 30 for devices in stored.values())


@pytest.mark.parametrize("workload", names())
def test_replay_prices(workload: str, stored: dict[str, Any]) -> None:
    now = prices(workload)
    assert set(now) == set(stored[workload])
    for device, values in now.items():
        before = stored[workload][device]
        assert values[3:] == before[3:], device
        assert values[:3] == pytest.approx(before[:3], rel=1e-12), device


if __name__ == "__main__":
    content = {
        "columns": ["time_s", "limit_s", "energy_j", "peak_memory_bytes", "bound", "fits"], "format": FORMAT,
        "oracle": "tests/cost/test_roofline.py (sums by hand, NumPy against Numba) and tests/workload/families (captured twins)",
        "prices": {name: prices(name) for name in names()},
    }  # fmt: skip
    STORED.write_text(json.dumps(content, separators=(",", ":")).replace('},"', '},\n"') + "\n")
