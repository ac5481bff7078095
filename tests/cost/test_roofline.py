"""The roofline against sums by hand, and the compiled loop against NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cost.tables import HEADS, WIDTH, little

from thrifty.cost.columns import Columns
from thrifty.cost.defaults import defaults_for
from thrifty.cost.roofline import device_arrays, limit_seconds, roofline_seconds
from thrifty.hardware import load
from thrifty.workload import Kind


def test_formula_every_row_of_a_little_transformer() -> None:
    device, default = load("h100-sxm5"), defaults_for("gpu")
    workload = little(batch=2, seq=40)
    columns = Columns.of(workload.table)
    seconds, parts = roofline_seconds(columns, device_arrays([device], columns.formats))
    tokens, peak = 80, device.peak("bf16")
    bandwidth = device.bandwidth_bytes_per_s * default.bandwidth_efficiency
    move = tokens * WIDTH * 2
    linear = max(2 * tokens * WIDTH**2 / (peak * default.efficiency["linear"]), (2 * move + WIDTH**2 * 2) / bandwidth) + default.launch_s
    assert seconds[0, 0] == pytest.approx(linear, rel=1e-12)
    scores = 2 * HEADS * 40 * 40
    skipped = 2 * 2 * HEADS * (40 * 39 // 2) * 2 * (WIDTH // HEADS)
    work = (2 * scores * 2 * (WIDTH // HEADS) - skipped) * (default.tile_q / 40) * (default.tile_k / 40)
    compute = max(work / (peak * default.efficiency["attention"]), 6 * scores / (device.vector_flops * default.vector_efficiency))
    assert parts[0, 1] == pytest.approx([compute, 4 * move / bandwidth, default.launch_s], rel=1e-12)
    norm = 6 * move / bandwidth + 6 * default.launch_s
    assert seconds[0, 2] == pytest.approx(norm, rel=1e-12)


def test_formula_fused_takes_away_staging_and_launches() -> None:
    device, default = load("a100-80gb"), defaults_for("gpu")
    columns = Columns.of(little(batch=8, seq=512).table)
    eager, _ = roofline_seconds(columns, device_arrays([device], columns.formats))
    fused, parts = roofline_seconds(columns, device_arrays([device], columns.formats, fused=True))
    assert (fused < eager).all()
    assert parts[0, 2, 1] == pytest.approx(2 * 8 * 512 * WIDTH * 2 / (device.bandwidth_bytes_per_s * default.bandwidth_efficiency))


def test_formula_long_keys_are_read_again_for_every_block_of_queries() -> None:
    device, default = load("rtx-4090"), defaults_for("gpu")
    short, long = Columns.of(little(seq=128).table), Columns.of(little(seq=4096).table)
    arrays = device_arrays([device], short.formats)
    rate = device.bandwidth_bytes_per_s * default.bandwidth_efficiency
    plain = long.bytes_moved[1] / rate
    head_bytes = 4096 * 2 * (WIDTH // HEADS) * 2
    again = (math.ceil(4096 / default.tile_q) - 1) * HEADS * head_bytes / rate if head_bytes > default.kv_on_chip_bytes else 0.0
    assert roofline_seconds(long, arrays)[1][0, 1, 1] == pytest.approx(plain + again)
    assert roofline_seconds(short, arrays)[1][0, 1, 1] == pytest.approx(short.bytes_moved[1] / rate)


@given(batch=st.integers(1, 40), seq=st.integers(1, 4096))
def test_property_compiled_and_numpy_agree_and_nothing_beats_physics(batch: int, seq: int) -> None:
    devices = [load(name) for name in ("h100-sxm5", "epyc-9654", "tpu-v4", "raspberry-pi-5")]
    columns = Columns.of(little(batch, seq).table)
    arrays = device_arrays(devices, columns.formats)
    compiled, parts = roofline_seconds(columns, arrays)
    plain, plain_parts = roofline_seconds(columns, arrays, compiled=False)
    np.testing.assert_allclose(compiled, plain, rtol=1e-13)
    np.testing.assert_allclose(parts, plain_parts, rtol=1e-13)
    for index, device in enumerate(devices):
        assert (compiled[index] >= limit_seconds(columns, device)).all()


def test_property_a_kind_without_an_efficiency_of_its_own_has_that_of_linear() -> None:
    arrays = device_arrays([load("h100-sxm5")], ["bf16"])
    assert arrays.efficiency_DK[0, Kind.ELEMENTWISE] == arrays.efficiency_DK[0, Kind.LINEAR]
