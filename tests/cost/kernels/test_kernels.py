"""Kernels by size: formulas by hand, physics that holds at every size, measured rows, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thrifty.cost.facts import load_facts, load_sources
from thrifty.cost.kernels import attention_time, functions, gemm_time, kernel_ground, kernel_parameters, plain_functions, stream_time
from thrifty.cost.kernels.parameters import FITTED, FloatArray
from thrifty.cost.kernels.rows import COLUMNS, PLACE
from thrifty.errors import BadValue, UnknownName
from thrifty.hardware import load

SIZE = st.integers(1, 40_000)
GPUS = ("a100-80gb", "h100-sxm5", "h200-sxm", "b200", "l40s", "rtx-pro-6000-server")


def made_row(**values: float) -> FloatArray:
    """A device of 100 units at 1 TFLOP/s and 1 TB/s in all, without any overhead but what `values` say."""
    row = np.zeros(len(COLUMNS))
    plain = dict.fromkeys(("flop_s", "byte_s", "prefill_flop_s", "prefill_byte_s", "decode_flop_s", "decode_byte_s"), 1e-12)
    plain |= {"units": 100, "input_bytes": 2, "output_bytes": 2, "attention_bytes": 2, "unit_byte_s": 1e-15, "decode_unit_byte_s": 1e-15, "backward": 3}
    for name, value in (plain | values).items():
        row[PLACE[name]] = value
    return row


def test_formula_one_tile_of_one_wave() -> None:
    # 100 tiles of 128 x 256 on 100 units: one full wave, padding none, so FLOPs over the peak; memory is far faster here.
    row = made_row(byte_s=1e-18, launch_s=5e-6, tile_s=1e-3)
    m, n, k = 1280, 2560, 512
    assert plain_functions().gemm(m, n, k, 1, row) == pytest.approx(5e-6 + 2 * m * n * k * 1e-12 + 1e-3)


def test_formula_a_last_wave_that_is_not_full_is_lost_by_the_share_of_rounding() -> None:
    row = made_row(byte_s=1e-18, rounding=1.0, tile_s=1.0)  # a wave takes a second and more: few waves win, so the largest tile is taken
    two = plain_functions().gemm(12_800, 256, 64, 1, row)  # 100 tiles of 128 x 256
    three = plain_functions().gemm(12_801, 256, 64, 1, row)  # 101 of them: two waves
    assert two == pytest.approx(1.0, rel=0.01) and three == pytest.approx(2.0, rel=0.01)
    half = plain_functions().gemm(12_801, 256, 64, 1, made_row(byte_s=1e-18, rounding=0.0, tile_s=1.0))
    assert half == pytest.approx(1.01, rel=0.01)


def test_formula_few_tiles_split_their_inner_sum() -> None:
    # One tile of 64 x 64: alone it runs at a hundredth of the peak; split by 100 the inner sum of 12 800 runs at all of it.
    row = made_row(byte_s=1e-18, split_s=1e-7)
    partial = 100 * 64 * 64 * 8 * 1e-15 / 100
    assert plain_functions().gemm(64, 64, 12_800, 1, row) == pytest.approx(2 * 64 * 64 * 12_800 * 1e-12 + 1e-7 + partial)
    assert plain_functions().gemm(64, 64, 127, 1, row) == pytest.approx(100 * 2 * 64 * 64 * 127 * 1e-12)  # too short a sum to split


def test_formula_a_product_of_one_row_reads_the_matrix_once() -> None:
    row = made_row(flop_s=1e-18)
    assert plain_functions().gemm(1, 8192, 8192, 1, row) == pytest.approx(2 * (8192 * 8192 + 8192 + 8192) * 1e-12, rel=1e-4)


def test_formula_causal_attention_skips_half_but_for_the_diagonal() -> None:
    row = made_row(prefill_byte_s=1e-18)
    full = plain_functions().attention(8, 100, 100, 1024, 1024, 64, 64, False, False, row)
    causal = plain_functions().attention(8, 100, 100, 1024, 1024, 64, 64, True, False, row)
    assert full == pytest.approx(8 * 100 * 1024**2 * 2 * 128 * 1e-12)
    assert causal / full == pytest.approx((1024 - 1023 / 2 + 64) / 1024)
    assert plain_functions().attention(8, 100, 100, 1024, 1024, 64, 64, True, True, row) == pytest.approx(3 * causal)


def test_formula_a_decoding_step_reads_keys_and_values_of_the_groups_once() -> None:
    row = made_row(decode_flop_s=1e-18)
    moved = 2 * 64 * (8 * 4096 + 32) * 256  # bytes x sequences x (keys of 8 groups + queries of 32 heads) x (head + value)
    assert plain_functions().attention(64, 32, 8, 1, 4096, 128, 128, True, False, row) == pytest.approx(moved * 1e-12, rel=1e-4)


def test_formula_backward_attention_is_five_products_at_the_published_shares() -> None:
    row = kernel_parameters(load("h100-sxm5"), "bf16")
    assert row[PLACE["backward"]] == pytest.approx(2.5 * 73 / 63)


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(GPUS), format_name=st.sampled_from(("bf16", "fp8_e4m3", "fp32")), m=SIZE, n=SIZE, k=SIZE, batch=st.integers(1, 64))
def test_property_no_product_beats_the_peaks(name: str, format_name: str, m: int, n: int, k: int, batch: int) -> None:
    device = load(name)
    seconds = float(gemm_time(m, n, k, format_name, device, batch=batch))
    stored = {"bf16": 2, "fp8_e4m3": 1, "fp32": 4}[format_name]
    assert seconds > 2.0 * batch * m * n * k / device.peak(format_name)
    assert seconds > batch * ((m + n) * k * stored + m * n * max(stored, 2)) / device.bandwidth_bytes_per_s


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(GPUS), batch=st.integers(1, 64), groups=st.integers(1, 16), group=st.integers(1, 8), queries=st.integers(1, 5000),
    more=st.integers(0, 5000), head_dim=st.sampled_from((64, 128, 192)), causal=st.booleans(),
)  # fmt: skip
def test_property_no_attention_beats_the_peaks(
    name: str, batch: int, groups: int, group: int, queries: int, more: int, head_dim: int, causal: bool
) -> None:
    device, keys, heads = load(name), queries + more, groups * group
    seconds = float(attention_time(batch, heads, queries, keys, head_dim, "bf16", device, kv_heads=groups, causal=causal))
    scores = queries * (keys - (queries - 1) / 2) if causal else queries * keys
    assert seconds > batch * heads * scores * 4 * head_dim / device.peak("bf16")
    assert seconds > 2 * batch * 2 * head_dim * (groups * keys + heads * queries) / device.bandwidth_bytes_per_s


@settings(max_examples=100, deadline=None)
@given(name=st.sampled_from(GPUS), sizes=st.tuples(SIZE, SIZE, SIZE), axis=st.integers(0, 2))
def test_property_more_work_takes_no_less_where_units_are_full(name: str, sizes: tuple[int, int, int], axis: int) -> None:
    base = [sizes[0] + 4096, sizes[1] + 4096, sizes[2]]
    more = [size + (256 if place == axis else 0) for place, size in enumerate(base)]
    assert float(gemm_time(*more, "bf16", name)) >= float(gemm_time(*base, "bf16", name))


def test_property_whole_waves_add_up() -> None:
    launch = kernel_parameters(load("h100-sxm5"), "bf16")
    waves = gemm_time(132 * 128 * np.arange(4, 9), 256, 8192, "bf16", "h100-sxm5")
    steps = np.diff(waves)
    assert steps == pytest.approx(steps[0], rel=1e-6) and steps[0] < waves[0] / 4 and waves[0] > launch[PLACE["launch_s"]]


@settings(max_examples=60, deadline=None)
@given(m=SIZE, n=SIZE, k=SIZE, batch=st.integers(1, 64), name=st.sampled_from((*GPUS, "mi300x", "xeon-8380")))
def test_property_compiled_is_plain(m: int, n: int, k: int, batch: int, name: str) -> None:
    row = kernel_parameters(load(name), "bf16")
    fast, plain = functions(), plain_functions()
    assert fast.gemm(float(m), float(n), float(k), float(batch), row) == pytest.approx(plain.gemm(m, n, k, batch, row), rel=1e-12)
    keys = float(max(m, n))
    for backward in (False, True):
        arguments = (float(batch), 32.0, 8.0, float(m), keys, 128.0, 64.0, True, backward, row)
        assert fast.attention(*arguments) == pytest.approx(plain.attention(*arguments), rel=1e-12)
    assert fast.stream(keys, row) == plain.stream(keys, row)


# (device, m, n, k, microseconds): medians over vLLM, SGLang and TensorRT-LLM in gemm_perf.parquet of aiconfigurator-core 0.12.0 (Apache-2.0, NVIDIA).
PRODUCTS = (
    ("h100-sxm5", 1, 4096, 4096, 15.76), ("h100-sxm5", 128, 8192, 8192, 50.75), ("h100-sxm5", 4096, 4096, 4096, 174.29),
    ("h100-sxm5", 8192, 16384, 8192, 3042.7), ("h100-sxm5", 16, 512, 512, 3.362), ("h200-sxm", 64, 12288, 4096, 29.09),
    ("h200-sxm", 2048, 2048, 2048, 24.20), ("b200", 8192, 8192, 8192, 699.7), ("b200", 1, 16384, 4096, 23.61), ("b300", 4096, 12288, 3072, 180.38),
    ("a100-80gb", 4096, 4096, 4096, 539.5), ("a100-80gb", 256, 1024, 1024, 8.518),
)  # fmt: skip
# (device, sequences, heads, kv_heads, queries, keys, microseconds): vLLM's rows of context_ and generation_attention_perf.parquet, heads of 128, BF16.
ATTENTIONS = (
    ("h100-sxm5", 1, 32, 8, 4096, 4096, 264.3), ("h100-sxm5", 4, 32, 32, 2048, 2048, 399.6), ("h100-sxm5", 1, 64, 8, 16384, 16384, 7187.8),
    ("h100-sxm5", 64, 32, 8, 1, 4096, 353.6), ("b200", 1, 32, 8, 4096, 4096, 165.6), ("b200", 64, 32, 8, 1, 4096, 158.7),
)  # fmt: skip


@pytest.mark.parametrize("device, m, n, k, us", PRODUCTS)
def test_replay_measured_products(device: str, m: int, n: int, k: int, us: float) -> None:
    assert float(gemm_time(m, n, k, "bf16", device)) * 1e6 == pytest.approx(us, rel=0.12)


@pytest.mark.parametrize("device, batch, heads, kv_heads, queries, keys, us", ATTENTIONS)
def test_replay_measured_attention(device: str, batch: int, heads: int, kv_heads: int, queries: int, keys: int, us: float) -> None:
    assert float(attention_time(batch, heads, queries, keys, 128, "bf16", device, kv_heads=kv_heads)) * 1e6 == pytest.approx(us, rel=0.12)


def test_arrays_broadcast_and_equal_single_calls() -> None:
    table = gemm_time(np.array([[1], [64], [4096]]), np.array([128, 4096]), 1024, "bf16", "h100-sxm5", batch=2)
    assert table.shape == (3, 2)
    assert table[2, 1] == float(gemm_time(4096, 4096, 1024, "bf16", "h100-sxm5", batch=2))
    assert stream_time([1e6, 2e6], "h100-sxm5").shape == (2,) and stream_time(1e9, "h100-sxm5").shape == ()


def test_what_an_answer_stands_on() -> None:
    assert kernel_ground(load("h100-sxm5"), "bf16").basis == "fitted"
    assert kernel_ground(load("h100-sxm5"), "fp16").basis == "fitted"
    carried = kernel_ground(load("h200-sxm"), "bf16")
    assert carried.text == "transferred from h100-sxm5, with the peaks, bandwidth and 132 units of h200-sxm" and carried.fitted_on == ("h100-sxm5",)
    assert kernel_ground(load("h100-sxm5"), "fp32").text.endswith("; products in fp32 with the constants of bf16")
    for name in ("mi300x", "gaudi-2", "v100-sxm2-32gb", "xeon-8380", "tpu-v4"):
        device = load(name)
        assert kernel_ground(device, "bf16").basis == "defaults"
        expected = 2 * 4096**3 / (device.peak("bf16") * load_facts("efficiencies").get(f"efficiency.{device.kind}.linear", "ratio"))
        assert float(gemm_time(4096, 4096, 4096, "bf16", device)) == pytest.approx(expected, rel=0.05)


def test_at_most_ten_constants_a_kernel_and_device_all_with_a_known_source() -> None:
    sheet = load_facts("kernels")
    fits: dict[str, list[str]] = {}
    for path in sheet.facts:
        if path.startswith("fit."):
            kernel, _, name = path.rpartition(".")
            fits.setdefault(kernel, []).append(name)
    assert len(fits) == 21 and all(tuple(names) == FITTED[kernel.split(".")[2]] and len(names) <= 10 for kernel, names in fits.items())
    assert all(fact.source in load_sources() for fact in sheet.facts.values())
    assert {device for chip, device in ((k, v) for k, v in sheet.texts.items() if k.startswith("family."))} == {path.split(".")[1] for path in fits}


@pytest.mark.parametrize("size", [0, -1, float("nan"), float("inf")])
def test_bad_sizes_are_refused(size: float) -> None:
    with pytest.raises(BadValue, match=f"^k={size:g} is below 1 or not a finite number. Give numbers from 1 up.$"):
        gemm_time(1, 1, size, "bf16", "h100-sxm5")
    with pytest.raises(BadValue, match=r"^moved_bytes="):
        stream_time(size, "h100-sxm5")


def test_other_mistakes_are_one_line_each() -> None:
    with pytest.raises(BadValue, match=r"^n='many' is not a number. Give numbers from 1 up.$"):
        gemm_time(1, "many", 1, "bf16", "h100-sxm5")
    shapes = r"^sizes of shapes m \(2,\), n \(3,\), k \(\), batch \(\) do not broadcast. Give arrays of one shape, or single numbers.$"
    with pytest.raises(BadValue, match=shapes):
        gemm_time([1, 2], [1, 2, 3], 1, "bf16", "h100-sxm5")
    with pytest.raises(BadValue, match=r"^kv_heads=3 does not divide heads=32. Choose a divisor.$"):
        attention_time(1, 32, 1, 1, 64, "bf16", "h100-sxm5", kv_heads=3)
    with pytest.raises(BadValue, match=r"^queries=9 are more than keys=8. Causal attention needs a key for every query.$"):
        attention_time(1, 32, 9, 8, 64, "bf16", "h100-sxm5")
    with pytest.raises(UnknownName):
        gemm_time(1, 1, 1, "bf16", "h100-sxm7")
    with pytest.raises(UnknownName):
        gemm_time(1, 1, 1, "bf17", "h100-sxm5")
