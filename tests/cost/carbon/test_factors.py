"""Each public model reproduced from its own worked numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.cost.carbon.embodied import public_models as factors
from thrifty.errors import BadValue

GB = 1e9


def test_formula_act_carbon_per_area_at_7_nm() -> None:
    # (583 g/kWh x 2.15 kWh/cm2 + (350 + 200) / 2 + 500) / 0.875, by hand
    assert factors.act_cpa_g_per_cm2(7) == pytest.approx((583 * 2.15 + 275 + 500) / 0.875)


def test_paper_act_dies() -> None:
    # a 694 mm2 CPU in 14 nm: about 11 kg with its package; A100's die: about 19 kg
    assert factors.act_die_g(694, 14) + factors.package_g() == pytest.approx(11e3, rel=0.01)
    assert factors.act_die_g(826, 7) + factors.package_g() == pytest.approx(19.3e3, rel=0.01)


def test_paper_boavizta_cpu() -> None:
    # 0.0197 kg/mm2 x area + 9.14 kg
    assert factors.boavizta_cpu_g(694) == pytest.approx((0.0197 * 694 + 9.14) * 1e3)
    assert factors.boavizta_cpu_g(694) == pytest.approx(23e3, rel=0.01)


def test_paper_boavizta_effective_wafer_area_of_an_a100() -> None:
    # the package's own table of GPUs lists 2876.29 mm2 for the A100's 826 mm2
    assert factors.effective_wafer_mm2(826) == pytest.approx(2876.29, rel=1e-4)


def test_paper_384_gb_of_dram_by_four_models() -> None:
    size = 384 * GB
    assert factors.act_memory_g(size, "ddr") == pytest.approx(28.5e3, rel=0.01)
    assert factors.fair_co2_memory_g(size) == pytest.approx(294e3, rel=0.01)
    assert factors.boavizta_ram_g(size) == pytest.approx(535e3, rel=0.01)
    assert factors.greensku_memory_g(size) == pytest.approx(632e3, rel=0.01)


def test_paper_llmcarbon_dies() -> None:
    # V100: 1.2 kg/cm2 x 8.15 cm2; TPU v4: 1.6 x 4; H100: 1.8 x 8.14
    assert factors.llmcarbon_die_g(815, 12) == pytest.approx(1.2e3 * 8.15)
    assert factors.llmcarbon_die_g(400, 7) == pytest.approx(1.6e3 * 4)
    assert factors.llmcarbon_die_g(814, 4) == pytest.approx(1.8e3 * 8.14)


def test_formula_nearest_node_is_nearest_in_the_logarithm() -> None:
    assert factors.nearest_node("act.epa", 4) == "n5"
    assert factors.nearest_node("act.epa", 12) == "n14"
    assert factors.nearest_node("act.epa", 45) == "n28"
    assert factors.nearest_node("imec.cpa", 8) == "n7"


@given(area=st.floats(min_value=10, max_value=1500), node=st.sampled_from([28.0, 14.0, 7.0, 5.0, 3.0]))
def test_property_carbon_grows_with_area(area: float, node: float) -> None:
    for model in factors.DIE_MODELS.values():
        assert model(area * 1.1, node) == pytest.approx(1.1 * model(area, node))
    assert factors.effective_wafer_mm2(area * 1.1) > 1.1 * factors.effective_wafer_mm2(area)  # yield: more than in proportion


def test_formula_silicon_beyond_one_field_is_several_dies() -> None:
    assert factors.boavizta_gpu_die_g(1600) == pytest.approx(2 * factors.boavizta_gpu_die_g(800))


def test_errors() -> None:
    with pytest.raises(BadValue) as error:
        factors.act_die_g(0, 7)
    assert str(error.value) == "die_area_mm2=0 is not above 0. Give the die area in mm², e.g. 814."
    with pytest.raises(BadValue) as error:
        factors.act_die_g(800, float("nan"))
    assert str(error.value) == "process_node_nm=nan is not above 0. Give the node in nanometres, e.g. 5."
    with pytest.raises(BadValue) as error:
        factors.effective_wafer_mm2(60_000)
    assert str(error.value) == "die_area_mm2=60000 leaves no whole die on a 300 mm wafer. Give the area of one die."
