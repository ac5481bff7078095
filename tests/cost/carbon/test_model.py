"""Embodied and operational carbon of a device at a site."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.cost.carbon import CarbonModel, Embodied, operational_g, operational_g_per_j
from thrifty.errors import BadValue
from thrifty.footprint import Interval
from thrifty.hardware.device import Device, MemoryTier, Site

A100 = Device(
    name="toy-a100", title="Toy", vendor="NVIDIA", kind="gpu", year=2020, peak_flops={"bf16": 312e12}, vector_flops=19.5e12,
    memory=(MemoryTier(name="hbm", capacity_bytes=40e9, bandwidth_bytes_per_s=1.555e12),), memory_technology="HBM2", tdp_w=400.0,
    die_area_mm2=826.0, process_node_nm=7.0,
)  # fmt: skip
XEON = replace(
    A100, name="toy-xeon", kind="cpu", vendor="Intel", memory=(MemoryTier(name="ddr", capacity_bytes=384e9, bandwidth_bytes_per_s=2e11),),
    memory_technology="DDR4", die_area_mm2=694.0, process_node_nm=14.0,
)  # fmt: skip
PARIS = Site(name="paris", title="Paris", country="FR", year=2024, intensity_gco2e_per_kwh=50.0, intensity_scope="life-cycle", pue=1.2)


def test_formula_operational_carbon() -> None:
    assert operational_g_per_j(PARIS) == pytest.approx(1.2 * 50 / 3.6e6)
    assert operational_g(3.6e6, PARIS) == pytest.approx(60.0)


def test_parts_add_and_memory_disagrees_by_more_than_ten() -> None:
    embodied = Embodied.of(XEON)
    parts = (embodied.die_gco2e, embodied.package_gco2e, embodied.memory_gco2e, embodied.board_gco2e)
    assert embodied.total_gco2e.mid == pytest.approx(sum(part.mid for part in parts))
    assert embodied.memory_gco2e.high / embodied.memory_gco2e.low > 10
    assert set(embodied.models["memory"]) == {"act", "boavizta", "fair-co2", "greensku", "llmcarbon"}
    assert set(embodied.models["die"]) == {"act", "boavizta", "fair-co2", "greensku", "imec", "llmcarbon", "threed"}
    assert embodied.notes == ("llmcarbon: no factors for 14 nm: interpolated between 12 and 16 nm in log(node)",)
    assert set(Embodied.of(A100).models["board"]) == {"act", "boavizta", "llmcarbon", "nvidia-pcf"}
    assert Embodied.of(A100).memory_gco2e.high / Embodied.of(A100).memory_gco2e.low > 10


def test_paper_the_spread_reaches_from_a_bare_die_to_a_whole_board() -> None:
    # the two ends that public models give for an A100: 19 kg (ACT, die and package) and 322 kg (Boavizta, 80 GB board)
    total = Embodied.of(replace(A100, memory=(replace(A100.memory[0], capacity_bytes=80e9),))).total_gco2e
    assert total.low < 25e3 and total.high > 300e3


def test_a_missing_die_area_or_node_widens_and_is_said() -> None:
    known, blank = Embodied.of(A100), Embodied.of(replace(A100, die_area_mm2=None, process_node_nm=None))
    assert blank.die_gco2e.low < known.die_gco2e.low and blank.die_gco2e.high > known.die_gco2e.high
    assert blank.notes[:2] == ("die area unknown: 150 to 1700 mm² taken, as for a gpu", "process node unknown: 3 to 28 nm taken")
    assert "act: no factors for 4 nm: those of 5 nm taken" in Embodied.of(replace(A100, process_node_nm=4.0)).notes
    assert "no factors for 40 nm: those of 28 nm taken" in Embodied.of(replace(A100, process_node_nm=40.0)).notes
    assert Embodied.of(replace(A100, memory_technology="rope")).notes == ("memory technology 'rope' unknown: DDR factors taken",)


def test_memory_on_the_die_is_not_counted_twice() -> None:
    embodied = Embodied.of(replace(A100, memory_technology="on-chip SRAM"))
    assert embodied.memory_gco2e == Interval.exact(0.0)
    assert embodied.notes == ("largest memory is SRAM on the die: counted with the die",)


def test_formula_carbon_is_operational_plus_share_of_life() -> None:
    model = CarbonModel.of(A100, PARIS)
    year = 365.25 * 86400
    assert (model.life_s.low, model.life_s.mid, model.life_s.high) == pytest.approx((4 * year, 5 * year, 6 * year))
    answer = model.carbon(7.2e6, 3600.0)
    assert answer.mid == pytest.approx(120 + model.embodied.total_gco2e.mid * 3600 / (5 * year))
    assert answer.low == pytest.approx(120 + model.embodied.total_gco2e.low * 3600 / (6 * year))
    assert answer.high == pytest.approx(120 + model.embodied.total_gco2e.high * 3600 / (4 * year))
    assert model.carbon(0.0, 0.0) == Interval.exact(0.0)
    assert model.name == "carbon-ensemble-2" and {"act", "boavizta", "imec", "llmcarbon"} <= set(model.models)
    assert "boaviztapi" in model.sources


@given(energy=st.floats(min_value=0, max_value=1e15), time=st.floats(min_value=0, max_value=1e9))
def test_property_coefficients_price_points_like_the_method(energy: float, time: float) -> None:
    model = CarbonModel.of(A100, PARIS)
    low, mid, high = model.coefficients() @ np.array([energy, time])
    answer = model.carbon(energy, time)
    assert (low, mid, high) == pytest.approx((answer.low, answer.mid, answer.high))
    assert low <= mid <= high


def test_a_direct_intensity_is_said() -> None:
    model = CarbonModel.of(A100, replace(PARIS, intensity_scope="direct"))
    assert model.notes[-1:] == ("grid of 'paris' counts power plants' own emissions only, not their building and fuel supply",)


def test_errors() -> None:
    with pytest.raises(BadValue) as error:
        CarbonModel.of(A100, replace(PARIS, pue=0.9))
    assert str(error.value) == "site 'paris': pue=0.9 is below 1. A building draws at least what its machines draw."
    with pytest.raises(BadValue) as error:
        CarbonModel.of(A100, replace(PARIS, intensity_gco2e_per_kwh=-1.0))
    assert str(error.value) == "site 'paris': intensity -1.0 gCO2e/kWh is below 0. Give 0 or more."
    with pytest.raises(BadValue) as error:
        CarbonModel.of(A100, PARIS).carbon(-1.0, 1.0)
    assert str(error.value) == "energy_j=-1.0 is below 0 or not a number. Give 0 or more."
    with pytest.raises(BadValue) as error:
        CarbonModel.of(A100, PARIS).carbon(1.0, float("nan"))
    assert str(error.value) == "time_s=nan is below 0 or not a number. Give 0 or more."
