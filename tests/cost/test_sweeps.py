"""A sweep equals pricing every point by itself, on every kind of device; polynomials are exact."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cost.tables import little
from tests.cost.test_sustained import content

from thrifty.cost import price, sweep
from thrifty.errors import BadValue
from thrifty.hardware import Calibration, load


@settings(max_examples=15)
@given(points=st.lists(st.tuples(st.integers(1, 50), st.integers(1, 4096)), min_size=1, max_size=5))
def test_property_a_sweep_is_many_prices(points: list[tuple[int, int]]) -> None:
    epyc = load("epyc-9654")
    devices = [load("h100-sxm5"), epyc, replace(epyc, name="seen", calibration=Calibration(path="", content=content()))]
    workload = little()
    batch, seq = (np.array(sizes) for sizes in zip(*points, strict=True))
    found = sweep(workload, devices, {"batch": batch, "seq": seq})
    for index, (b, s) in enumerate(points):
        for d, device in enumerate(devices):
            alone = price(workload.at(batch=b, seq=s), device)
            assert found.time_s_DP[d, index] == pytest.approx(alone.time_s, rel=1e-9)
            assert found.energy_j_DP[d, index] == pytest.approx(alone.footprint.energy_j, rel=1e-9)
        assert found.memory_bytes_P[index] == workload.at(batch=b, seq=s).table.peak()[0]


def test_fused_sweep_is_fused_prices() -> None:
    workload, device = little(batch=4, seq=300), load("l4")
    found = sweep(workload, [device], {"seq": [300]}, fused=True)
    assert found.time_s_DP[0, 0] == pytest.approx(price(workload, device, fused=True).time_s, rel=1e-9)


def test_points_outside_the_range_are_refused() -> None:
    with pytest.raises(BadValue) as refused:
        sweep(little(), [load("l4")], {"seq": [10, 5000]})
    assert str(refused.value) == "seq=5000 is above 4096 (the largest seq of this workload). Choose a whole number from 1 to 4096."
    with pytest.raises(BadValue) as refused:
        sweep(little(), [load("l4")], {"width": [10]})
    assert str(refused.value) == "'little' has no symbol 'width'. Choose from: batch, seq."
