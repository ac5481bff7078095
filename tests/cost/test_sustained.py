"""Interpolation in a calibration, against values placed on known curves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.cost.tables import LAYERS, little

from thrifty.cost.columns import CACHE_BYTES, Columns
from thrifty.cost.sustained import SCHEMA, Curve, Surface, Sustained
from thrifty.errors import BadFile
from thrifty.workload import Kind

SIZES = [1, 16, 256, 4096]


def content() -> dict[str, Any]:
    """A calibration whose rates are powers of the sizes, so that interpolation in the logarithms is exact everywhere."""
    m, n, k = np.meshgrid(SIZES, SIZES, SIZES, indexing="ij")
    linear = {"axes": {"m": SIZES, "n": SIZES, "k": SIZES}, "flops_per_s": (1e9 * m**0.5 * n**0.25 * k**0.125).tolist()}
    twice = {"flops_per_s": [linear["flops_per_s"]] * 2}
    q, s, _ = np.meshgrid(SIZES, SIZES, [16, 64], indexing="ij")
    attention = {"axes": {"seq_q": SIZES, "seq_k": SIZES, "head_dim": [16, 64]}, "flops_per_s": (1e9 * q**0.5 * s**0.1).tolist()}
    curve = {"bytes": [100.0, 1e9], "seconds": [1e-6, 1e1]}  # one nanosecond a hundred bytes: linear in bytes
    return {
        "schema": SCHEMA, "linear": {"fp32": linear, "bf16": linear}, "bmm": {"fp32": {"axes": {"batch": [1, 9], **linear["axes"]}, **twice}},
        "conv": {"fp32": {"axes": {"taps": [1, 9], **linear["axes"]}, **twice}},
        "attention": attention, "attention_causal": attention, "attention_backward": attention,
        "curves": {"fp32": {"add": curve, "norm": curve}}, "host": {"view_s": 1e-6, "call_s": 5e-6, "call_hot_s": 2e-6, "backward_s": 3e-6, "floor_s": 1e-6},
    }  # fmt: skip


def test_formula_surface_is_exact_on_powers_and_constant_beyond_its_edges() -> None:
    surface = Surface.read(content()["linear"]["fp32"])
    sizes = {"m": np.array([7.0, 4096.0, 1e6]), "n": np.array([100.0, 33.0, 1e9]), "k": np.array([3.0, 3000.0, 0.5])}
    m, n, k = (np.clip(sizes[name], 1, 4096) for name in "mnk")
    np.testing.assert_allclose(surface.rate(sizes), 1e9 * m**0.5 * n**0.25 * k**0.125, rtol=1e-12)


def test_formula_curve_keeps_its_last_rate_and_its_first_time() -> None:
    curve = Curve.read({"bytes": [100.0, 1e4, 1e6], "seconds": [1e-6, 1e-5, 1e-2]})
    np.testing.assert_allclose(curve.seconds(np.array([1.0, 100.0, 1e3, 1e6, 4e6])), [1e-6, 1e-6, 10**-5.5, 1e-2, 4e-2], rtol=1e-9)


def test_formula_rows_of_a_little_transformer() -> None:
    columns = Columns.of(little(seq=256, number_format="bf16").table)
    sustained = Sustained.read(content())
    seconds = sustained.seconds(columns)
    assert seconds[0] == pytest.approx(columns.flops_matrix[0] / (1e9 * 256**0.5 * 64**0.25 * 64**0.125))
    assert seconds[1] == pytest.approx(columns.flops_matrix[1] / (1e9 * 256**0.5 * 256**0.1))
    assert seconds[2] == pytest.approx(columns.bytes_moved[2] * 1e-8, rel=1e-9)
    host = sustained.host_seconds(columns)  # all of it stays in the caches
    assert host.sum() == pytest.approx(LAYERS * (2 * 1e-6 + 2e-6))


def test_formula_a_step_beyond_the_caches_pays_more_for_its_calls_and_reads_cold() -> None:
    columns = Columns.of(little(batch=64, seq=4096).table)
    sustained = Sustained.read(content())
    assert columns.bytes_moved.sum() > CACHE_BYTES
    assert sustained.host_seconds(columns).sum() == pytest.approx(LAYERS * (2 * 1e-6 + 5e-6))
    size = 64 * 4096 * 64 * 2
    assert columns.bytes_cold[0] == size + 64 * 64 * 2  # the input and the weight were last touched a step ago
    assert columns.bytes_cold[1] == columns.bytes_cold[2] == 0  # made just before; what no cache holds is slow on the curve itself
    assert columns.bytes_cold[3] == 64 * 64 * 2  # the next layer's weight alone
    small = Columns.of(little(batch=1, seq=16).table)
    assert not small.bytes_cold.any()
    assert small.hot.all()


def test_an_operator_without_a_curve_takes_its_kind_s_then_addition_s() -> None:
    sustained = Sustained.read(content())
    add = sustained.curves["fp32.add"]
    assert sustained.curve("bf16", "norm", Kind.NORM) is sustained.curves["fp32.norm"]
    assert sustained.curve("fp32", "erfinv", Kind.ELEMENTWISE) is add
    assert sustained.curve("fp32", "embedding", Kind.EMBEDDING) is add


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 99}, "calibration has schema 99, not 1. Make it again: thrifty hardware calibrate"),
        ({"host": None}, "calibration lacks or garbles 'NoneType' object has no attribute 'items'. Make it again: thrifty hardware calibrate"),
        (
            {"attention": {"axes": {"seq_q": [1, 2]}, "flops_per_s": [1.0]}},
            "calibration lacks or garbles a surface whose rates do not fill its axes. Make it again: thrifty hardware calibrate",
        ),
        ({"linear": {"fp32": {"axes": {}}}}, "calibration lacks or garbles 'flops_per_s'. Make it again: thrifty hardware calibrate"),
    ],
)
def test_a_damaged_calibration_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadFile) as refused:
        Sustained.read(content() | change)
    assert str(refused.value) == message
