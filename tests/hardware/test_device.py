"""What a device multiplies in, and what it has most of."""

from __future__ import annotations

import pytest

from thrifty.errors import BadValue
from thrifty.hardware import device_names, load


@pytest.mark.parametrize(
    ("device", "stored", "runs"),
    [
        ("h100-sxm5", "bf16", "bf16"), ("h100-sxm5", "fp8_e5m2", "fp8_e4m3"), ("a100-80gb", "fp8_e4m3", "bf16"), ("t4", "bf16", "fp16"),
        ("v100-sxm2-32gb", "int8", "fp16"), ("b200", "nvfp4", "fp4_e2m1"), ("h100-sxm5", "nvfp4", "fp8_e4m3"), ("xeon-8380", "bf16", "fp32"),
        ("tpu-v4", "fp32", "bf16"), ("a100-80gb", "int4", "int4"), ("h100-sxm5", "q4_k", "bf16"),
    ],
)  # fmt: skip
def test_a_format_runs_in_the_next_wider_arithmetic(device: str, stored: str, runs: str) -> None:
    assert load(device).runs_in(stored) == runs
    assert load(device).peak(stored) == load(device).peak_flops[runs]


def test_every_device_runs_what_models_are_stored_in() -> None:
    for device in map(load, device_names()):
        for stored in ("fp32", "bf16", "fp16", "int8", "fp8_e4m3", "q4_k", "int4"):
            assert device.peak(stored) > 0, (device.name, stored)


def test_a_format_without_arithmetic_is_refused() -> None:
    import dataclasses

    odd = dataclasses.replace(load("t4"), name="odd", peak_flops={"int8": 1e12})
    with pytest.raises(BadValue) as caught:
        odd.runs_in("bf16")
    assert str(caught.value) == "odd has no arithmetic for format 'bf16'. Its sheet lists: int8."


def test_the_first_tier_is_the_memory() -> None:
    h100 = load("h100-sxm5")
    assert (h100.memory_bytes, h100.bandwidth_bytes_per_s) == (h100.memory[0].capacity_bytes, h100.memory[0].bandwidth_bytes_per_s)
    assert [tier.name for tier in h100.memory] == ["hbm", "l2"]
