"""Defaults of every kind of device."""

from __future__ import annotations

from typing import get_args

import pytest

from thrifty.cost.defaults import MATRIX_CLASSES, defaults_for
from thrifty.hardware.device import DeviceKind


@pytest.mark.parametrize("kind", get_args(DeviceKind))
def test_property_efficiencies_are_shares(kind: DeviceKind) -> None:
    defaults = defaults_for(kind)
    assert set(defaults.efficiency) == set(MATRIX_CLASSES)
    for share in (*defaults.efficiency.values(), defaults.bandwidth_efficiency, defaults.vector_efficiency):
        assert 0 < share <= 1
    assert 0 < defaults.launch_fused_s <= defaults.launch_s < 1e-3
    assert defaults.tile_q == defaults.tile_k == 128
    assert defaults.kv_on_chip_bytes > 0


def test_paper_default_efficiencies_of_a_gpu() -> None:
    gpu = defaults_for("gpu")
    assert dict(gpu.efficiency) == {"conv": 0.5, "linear": 0.6, "attention": 0.5}
    assert gpu.bandwidth_efficiency == 0.8
