"""The anchored energy model: its formula by hand, its bounds, its limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.cost.energy import EnergyModel, arithmetic_floor_j_per_flop, dram_floor_j_per_byte
from thrifty.cost.facts import load_facts
from thrifty.errors import BadValue
from thrifty.hardware.device import Device, MemoryTier
from thrifty.workload.builder import TableBuilder
from thrifty.workload.table import Kind, Role

GPU = Device(
    name="toy-gpu", title="Toy", vendor="NVIDIA", kind="gpu", year=2020, peak_flops={"bf16": 100e12, "fp32": 25e12}, vector_flops=20e12,
    memory=(
        MemoryTier(name="hbm", capacity_bytes=40e9, bandwidth_bytes_per_s=1e12),
        MemoryTier(name="l2", capacity_bytes=40e6, bandwidth_bytes_per_s=4e12),
    ),
    memory_technology="HBM2e", tdp_w=350.0, idle_w=50.0,
)  # fmt: skip
CPU = replace(GPU, name="toy-cpu", kind="cpu", vendor="Intel", memory_technology="DDR5-4800", tdp_w=270.0, idle_w=None)
quantity = st.floats(min_value=0, max_value=1e18)


def share(kind: str, part: str) -> float:
    return load_facts("energy").get(f"anchor.{kind}.{part}", "ratio")


def test_formula_coefficients_hand_out_dynamic_power_at_the_peaks() -> None:
    model = EnergyModel.of(GPU)
    assert model.static_w == pytest.approx(50 + share("gpu", "awake") * 300)
    assert model.j_per_flop["bf16"] == pytest.approx(share("gpu", "compute") * 300 / 100e12)
    assert model.j_per_flop["fp32"] == pytest.approx(4 * model.j_per_flop["bf16"])
    assert model.j_per_byte == pytest.approx(share("gpu", "memory") * 300 / 1e12)
    assert model.j_per_byte_onchip == pytest.approx(model.j_per_byte / 4)
    assert model.notes == ()
    assert EnergyModel.of(replace(GPU, memory=GPU.memory[:1])).j_per_byte_onchip is None


def test_formula_energy_of_work_below_the_limit() -> None:
    model = EnergyModel.of(GPU)
    expected = model.static_w * 2 + model.j_per_flop["bf16"] * 1e13 + model.j_per_vector_flop * 1e11 + model.j_per_byte * 1e11
    assert model.energy_j(time_s=2.0, flops_matrix=1e13, flops_vector=1e11, bytes_moved=1e11) == pytest.approx(expected)
    assert model.energy_j(time_s=1.0, flops_matrix=1e12, format_name="fp8_e4m3") == model.energy_j(time_s=1.0, flops_matrix=1e12, format_name="bf16")


@given(time_s=st.floats(min_value=1e-9, max_value=1e6), flops=quantity, moved=quantity)
def test_property_a_chip_never_passes_tdp_nor_falls_below_idle(time_s: float, flops: float, moved: float) -> None:
    model = EnergyModel.of(GPU)
    joules = model.energy_j(time_s=time_s, flops_matrix=flops, bytes_moved=moved)
    assert model.idle_w * time_s <= joules <= model.tdp_bound_j(time_s) * (1 + 1e-12)


@given(flops=quantity, more=quantity)
def test_property_more_work_takes_no_less_energy(flops: float, more: float) -> None:
    model = EnergyModel.of(GPU)
    assert model.energy_j(time_s=1.0, flops_matrix=flops + more) >= model.energy_j(time_s=1.0, flops_matrix=flops)


def test_a_cpu_adds_its_dram_and_says_what_it_assumed() -> None:
    model = EnergyModel.of(CPU)
    floor = dram_floor_j_per_byte(CPU)
    assert floor is not None and model.dram_j_per_byte == floor == pytest.approx(20.3e-12 * 8)
    assert model.notes == ("idle power unknown: 0.137 of TDP taken, as for a cpu",)
    assert model.energy_j(time_s=1.0, bytes_moved=1e15) == pytest.approx(270 + floor * 1e15)
    strange = EnergyModel.of(replace(CPU, memory_technology="core rope"))
    assert strange.notes[-1] == "energy of memory technology 'core rope' unknown: DRAM outside the package left out"
    assert strange.dram_j_per_byte == 0.0


@pytest.mark.parametrize(
    ("technology", "row"),
    [("HBM2e", "HBM2E"), ("HBM2", "HBM2"), ("LPDDR5X", "LPDDR5"), ("GDDR6X", "GDDR6X"), ("DDR4-3200", "DDR4"), ("HBM3e", "HBM3E")],
)
def test_memory_technologies_find_their_row(technology: str, row: str) -> None:
    assert dram_floor_j_per_byte(replace(GPU, memory_technology=technology)) == load_facts("energy").get(f"dram.{row}", "energy_per_byte")


def test_formula_operators_are_priced_row_by_row() -> None:
    builder = TableBuilder()
    weight = builder.storage(200, Role.WEIGHT, "bf16")
    result = builder.storage(100, Role.ACTIVATION, "bf16")
    builder.row(
        Kind.LINEAR, "mm", "a", "bf16", reads=[(weight, 200)], writes=[(result, 100)],
        flops_matrix=1000, flops_vector=7, flops_skipped=100, flops_recomputed=10,
    )  # fmt: skip
    builder.row(Kind.ELEMENTWISE, "add", "b", "fp32", reads=[(result, 100)], flops_vector=50, bytes_staged=30)
    model, seconds = EnergyModel.of(GPU), np.array([1.0, 2.0])
    joules = model.operator_joules(builder.build(), seconds)
    assert joules[0] == pytest.approx(model.static_w + 910 * model.j_per_flop["bf16"] + 7 * model.j_per_vector_flop + 300 * model.j_per_byte)
    assert joules[1] == pytest.approx(2 * model.static_w + 50 * model.j_per_vector_flop + 130 * model.j_per_byte)
    assert EnergyModel.of(GPU).operator_joules(TableBuilder().build(), np.zeros(0)).shape == (0,)


def test_paper_arithmetic_alone_is_far_below_a_device() -> None:
    # Horowitz: 1.1 + 0.4 pJ for a 16-bit multiply-add in 45 nm
    assert arithmetic_floor_j_per_flop("fp16", 45.0) == pytest.approx(0.75e-12)
    assert arithmetic_floor_j_per_flop("q4_0", 45.0) == arithmetic_floor_j_per_flop("bf16", 45.0)
    assert arithmetic_floor_j_per_flop("bf16", 7.0) < EnergyModel.of(GPU).j_per_flop["bf16"]
    model, floor = EnergyModel.of(GPU), dram_floor_j_per_byte(GPU)
    assert floor is not None and floor < model.j_per_byte


def test_errors() -> None:
    with pytest.raises(BadValue) as error:
        EnergyModel.of(replace(GPU, idle_w=350.0))
    assert str(error.value) == "toy-gpu: idle power 350 W is not below its TDP of 350 W. Mend its sheet."
    with pytest.raises(BadValue) as error:
        EnergyModel.of(GPU).energy_j(time_s=float("nan"))
    assert str(error.value) == "time_s=nan is below 0 or not a number. Give 0 or more."
    with pytest.raises(BadValue) as error:
        EnergyModel.of(GPU).energy_j(time_s=1.0, bytes_moved=-1.0)
    assert str(error.value) == "bytes_moved=-1.0 is below 0 or not a number. Give 0 or more."
    with pytest.raises(BadValue) as error:
        arithmetic_floor_j_per_flop("int64", 7.0)
    assert str(error.value) == "no 45 nm energy of a multiply-add in 'int64'. Choose bf16, fp16, tf32, fp32 or int8."
