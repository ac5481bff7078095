"""Each public model reproduced from its own worked numbers, through the part grammar."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.cost.carbon.embodied import parse_part, price
from thrifty.cost.carbon.embodied.chiplets import Die, Package, price_package, threed_die_g
from thrifty.cost.carbon.embodied.models.boavizta import wafer_mm2

ACT_ROWS = {28: (0.90, 175, 100), 20: (1.20, 190, 110), 14: (1.20, 200, 125), 10: (1.475, 240, 150), 8: (1.52, 240, 150), 7: (2.15, 350, 200),
            5: (2.75, 430, 225), 3: (3.25, 470, 275)}  # fmt: skip
IMEC_ROWS = {28: 0.91, 20: 0.91, 14: 0.97, 10: 1.09, 7: 1.44, 5: 1.54, 3: 1.75}


def kg(text: str, model: str) -> float:
    return price(parse_part(text)).by_model[model]


@pytest.mark.parametrize("node", ACT_ROWS)
@pytest.mark.parametrize("abatement", [95, 97, 99])
def test_paper_act_by_node_and_abatement(node: int, abatement: int) -> None:
    epa, gpa95, gpa99 = ACT_ROWS[node]
    gas = {95: gpa95, 99: gpa99, 97: (gpa95 + gpa99) / 2}[abatement]
    wanted = 3.0 * (583 * epa + gas + 500) / 0.8 + 2 * 150
    assert kg(f"logic:area_mm2=300,node_nm={node},abatement={abatement},yield=0.8,packages=2", "act") == pytest.approx(wanted / 1e3, rel=1e-12)


@pytest.mark.parametrize(("node", "cpa"), IMEC_ROWS.items())
def test_paper_imec_by_node(node: int, cpa: float) -> None:
    assert kg(f"logic:area_mm2=250,node_nm={node}", "imec") == pytest.approx(2.5 * cpa + 0.15, rel=1e-12)


def test_paper_cpu_of_694_mm2_by_two_models() -> None:
    assert kg("logic:area_mm2=694,node_nm=14", "act") == pytest.approx(11, rel=0.01)
    assert kg("logic:area_mm2=694,node_nm=14", "boavizta") == pytest.approx(23, rel=0.01)


def test_paper_a100_die_against_board() -> None:
    """ACT 19 kg for the die; Boavizta 322 kg for the board that its own table describes."""
    assert kg("logic:area_mm2=826,node_nm=7,yield=0.875,fab=taiwan,packages=1", "act") == pytest.approx(19.3, rel=1e-3)
    board = ("logic:area_mm2=826,node_nm=7,use=gpu", "dram:gb=40,type=hbm2,stacks=6", "gpu-board:kg=1.23,heatsink_kg=0.609,casing_kg=0.387,board_cm2=234.36")
    assert sum(kg(part, "boavizta") for part in board) == pytest.approx(321.6, rel=1e-3)
    assert wafer_mm2(826.0) == pytest.approx(2876.29, rel=1e-4)


def test_paper_boavizta_default_board() -> None:
    """The package's answer for a board of 80 GB with its defaults (575.1 kg) less its default die (2808.445 mm2 of wafer): memory and rest."""
    rest = kg("dram:gb=80,type=hbm2e", "boavizta") + kg("gpu-board", "boavizta")
    assert rest + 0.042592 * 2808.445102929598 == pytest.approx(575.1, rel=1e-3)


def test_paper_384_gb_of_dram_differ_22_times() -> None:
    found = price(parse_part("dram:gb=384,type=ddr4"))
    wanted = {"act": 28.5, "fair-co2": 294, "boavizta": 535, "greensku": 632}
    assert {name: found.by_model[name] for name in wanted} == pytest.approx(wanted, rel=2e-3)
    assert found.disagreement == pytest.approx(22, rel=0.01)
    assert (found.kgco2e.low, found.kgco2e.high) == (min(found.by_model.values()), max(found.by_model.values()))


def test_paper_one_terabyte_of_ssd() -> None:
    found = price(parse_part("ssd:gb=1000")).by_model
    assert sorted(found.values()) == pytest.approx([7.2, 12.2, 17.3, 18.0, 51.7, 160], rel=5e-3)


@pytest.mark.parametrize(
    ("kind", "gram"),
    [("nand-30nm", 31), ("nand-20nm", 15), ("nand-10nm", 10), ("tlc-1z", 5.6), ("tlc-v3", 6.3), ("nytro-3530", 6.21), ("nytro-1551", 3.948),
     ("nytro-3331", 16.916)],
)  # fmt: skip
def test_paper_act_flash(kind: str, gram: float) -> None:
    assert kg(f"ssd:gb=100,type={kind},yield=1", "act") == pytest.approx(gram / 10)


@pytest.mark.parametrize(
    ("kind", "node", "gram"),
    [("ddr3", 50, 600), ("ddr3", 40, 315), ("ddr3", 30, 230), ("lpddr3", 30, 201), ("lpddr3", 20, 184), ("lpddr2", 20, 159), ("lpddr4", 10, 48),
     ("ddr4", 10, 65)],
)  # fmt: skip
def test_paper_act_dram(kind: str, node: int, gram: float) -> None:
    assert kg(f"dram:gb=7,type={kind},node_nm={node},yield=0.5", "act") == pytest.approx(7 * gram / 0.5 / 1e3)


@pytest.mark.parametrize(("kind", "gram"), [("barracuda-pro", 2.35), ("exos-x12", 1.14), ("exos-x16", 1.334), ("exos-15e900", 20.46)])
def test_paper_act_hdd(kind: str, gram: float) -> None:
    assert kg(f"hdd:gb=1000,type={kind}", "act") == pytest.approx(gram)
    assert kg(f"hdd:gb=1000,type={kind}", "boavizta") == 31.11


@pytest.mark.parametrize(("process", "density"), [(30, 0.625), (25, 1.25), (20, 1.75), (18, 2.375)])
def test_paper_boavizta_ram_by_process(process: int, density: float) -> None:
    assert kg(f"dram:gb=32,type=ddr4,node_nm={process}", "boavizta") == pytest.approx(2.20 * 32 / density + 5.22)
    assert kg(f"dram:gb=32,type=ddr4,density={density},modules=2", "boavizta") == pytest.approx(2.20 * 32 / density + 2 * 5.22)


def test_paper_llmcarbon_chips() -> None:
    """V100 1.2 kg/cm2 x 8.15, TPU v4 1.6 x 4, H100 1.8 x 8.14, processors 1 kg/cm2 of any node."""
    for area, node, cpa in ((815, 12, 1.2), (400, 7, 1.6), (814, 4, 1.8), (700, 16, 1.0)):
        assert kg(f"logic:area_mm2={area},node_nm={node}", "llmcarbon") == pytest.approx(cpa * area / 100)
    assert kg("logic:area_mm2=300,node_nm=28,use=cpu", "llmcarbon") == pytest.approx(3.0)


@pytest.mark.parametrize(("layers", "per_m2"), [(2, 0.41), (4, 0.43), (6, 0.71), (8, 0.91), (12, 12 * 0.13)])
def test_paper_boards_by_layers(layers: int, per_m2: float) -> None:
    found = price(parse_part(f"board:area_cm2=2000,layers={layers}")).by_model
    assert found == pytest.approx({"act": per_m2 * 0.2, "boavizta": 0.032549 * 2000})


def test_paper_other_parts() -> None:
    for text, model, wanted in (
        ("psu:kg=2", "boavizta", 48.6), ("psu", "fair-co2", 30.016), ("mainboard", "boavizta", 66.10), ("mainboard", "fair-co2", 109.67),
        ("case", "boavizta", 150), ("case:type=blade", "boavizta", 30.9 + 880 / 16), ("case", "fair-co2", 34.30), ("cooling", "fair-co2", 24.21),
        ("heatsink:kg=2", "boavizta", 11.4824), ("assembly", "boavizta", 6.68), ("nic", "greensku", 58.09), ("cxl", "greensku", 2.47),
        ("base:u=1", "greensku", 350), ("base:u=2", "greensku", 375), ("base", "llmcarbon", 133.9), ("fan:u=2", "greensku", 1.5897), ("rack", "greensku", 500),
        ("building:mw=25", "greensku", 4.5e6), ("metal:kg=3,type=steel", "act", 5.67), ("metal:kg=3,type=aluminium", "act", 45.3),
        ("battery:kwh=10,type=nmc", "act", 870), ("battery:kwh=10,type=lfp", "act", 615), ("passive:kg=0.5,type=mlcc", "act", 0.5 * 6862 / 3.6 * 0.583),
        ("passive:kg=0.5,type=tantalum,fab=hydro", "act", 0.5 * 5567 / 3.6 * 0.024),
    ):  # fmt: skip
        assert kg(text, model) == pytest.approx(wanted, rel=1e-9), text


@given(area=st.floats(20, 800), node=st.sampled_from([28.0, 20.0, 14.0, 12.0, 10.0, 8.0, 7.0, 5.0, 3.0]), fab=st.floats(0, 900))
def test_property_threed_of_columns_is_threed_of_packages(area: float, node: float, fab: float) -> None:
    """The same model twice: closed form here, `chiplets.price_package` there."""
    package = Package(type="2d", dies=(Die(area_mm2=area, node_nm=node),), fab_g_per_kwh=fab)
    assert kg(f"logic:area_mm2={area!r},node_nm={node},fab_ci={fab!r}", "threed") == pytest.approx(price_package(package).total_g / 1e3, rel=1e-12)
    assert kg(f"logic:area_mm2={area!r},node_nm={node},packages=0", "threed") == pytest.approx(threed_die_g(area, node) / 1e3, rel=1e-12)


@given(area=st.floats(20, 400), node=st.sampled_from([28.0, 14.0, 7.0, 5.0, 3.0]))
def test_property_twice_the_die_is_more_than_twice_where_yield_falls(area: float, node: float) -> None:
    one, two = (price(parse_part(f"logic:area_mm2={a!r},node_nm={node},use=gpu,packages=0")).by_model for a in (area, 2 * area))
    assert two["threed"] > 2 * one["threed"] and two["boavizta"] > 2 * one["boavizta"]
    assert two["act"] == pytest.approx(2 * one["act"])


@pytest.mark.parametrize(("node", "below", "above"), [(6, 5, 7), (9, 8, 10), (22, 20, 28), (4.5, 3, 5)])
def test_formula_between_nodes_in_the_logarithm(node: float, below: int, above: int) -> None:
    share = (math.log(node) - math.log(below)) / (math.log(above) - math.log(below))
    ends = [kg(f"logic:area_mm2=100,node_nm={end}", "act") for end in (below, above)]
    found = price(parse_part(f"logic:area_mm2=100,node_nm={node}"))
    assert found.by_model["act"] == pytest.approx(ends[0] * (1 - share) + ends[1] * share)
    assert f"act: no factors for {node:g} nm: interpolated between {below} and {above} nm in log(node)" in found.notes


@pytest.mark.parametrize(("node", "row"), [(12, 14), (16, 14), (4, 5)])
def test_formula_names_of_one_generation_share_a_row(node: int, row: int) -> None:
    found = price(parse_part(f"logic:area_mm2=100,node_nm={node}"))
    assert found.by_model["act"] == kg(f"logic:area_mm2=100,node_nm={row}", "act")
    assert f"act: no factors for {node} nm: those of {row} nm taken" in found.notes


@pytest.mark.parametrize("node", [14, 7, 5])
@pytest.mark.parametrize("area_mm2", [50, 120, 200, 300])
def test_formula_twice_the_die_costs_more_than_twice_as_much(area_mm2: int, node: int) -> None:
    """Large dies fail more often; ACT and imec by themselves do not know it, the ensemble's median does."""
    one, two = (price(parse_part(f"logic:area_mm2={area},node_nm={node},packages=0")) for area in (area_mm2, 2 * area_mm2))
    assert two.kgco2e.mid > 2 * one.kgco2e.mid
    assert two.by_model["imec"] == pytest.approx(2 * one.by_model["imec"]) and two.by_model["threed"] > 2 * one.by_model["threed"]
    assert two.kgco2e.low <= min(two.by_model.values()) and two.kgco2e.high >= max(two.by_model.values())


def test_formula_a_stated_yield_or_use_is_taken_as_it_is() -> None:
    stated = price(parse_part("logic:area_mm2=600,node_nm=7,yield=0.875"))
    assert stated.kgco2e.mid == sorted(stated.by_model.values())[2] and not any("no yield stated" in note for note in stated.notes)
    sold = price(parse_part("logic:area_mm2=600,node_nm=7,use=gpu"))
    assert not any("no yield stated" in note for note in sold.notes)
    assert any("45% by its area, instead of 87.5%" in note for note in price(parse_part("logic:area_mm2=826,node_nm=7")).notes)
