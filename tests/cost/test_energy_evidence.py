"""The energy model against published measurements, misses included."""

from __future__ import annotations

import math

import pytest

from thrifty.cost.energy import EnergyModel
from thrifty.cost.energy_evidence import EnergyValidation, fit_shares, validate_energy
from thrifty.cost.facts import load_facts, load_sources
from thrifty.errors import UnknownName
from thrifty.hardware import load
from thrifty.hardware.device import Device


@pytest.fixture(scope="module")
def validation() -> EnergyValidation:
    return validate_energy()


def test_paper_at_least_ten_published_energies_are_computed(validation: EnergyValidation) -> None:
    computed = [row for row in validation.rows if row.ratio is not None]
    assert len(computed) >= 18 and validation.all_checked >= 10
    assert {row.source for row in computed} >= {"ml-energy-2023", "ml-energy-2024", "olmo2-2025", "patterson-2021"}
    assert all(row.source in load_sources() and row.how for row in validation.rows)


def test_paper_the_published_error_is_what_the_rows_say(validation: EnergyValidation) -> None:
    sheet = load_facts("energy")
    for stated, computed in (
        ("gpu_median", validation.median_error), ("gpu_p90", validation.p90_error),
        ("all_median", validation.all_median_error), ("all_p90", validation.all_p90_error),
    ):  # fmt: skip
        value = sheet.get(f"model.error.{stated}", "ratio")
        assert value / 2.5 < computed <= value, (stated, computed)


def test_paper_rows_with_a_known_time_lie_closer_than_tdp_times_time(validation: EnergyValidation) -> None:
    strict = [row for row in validation.rows if row.use == "check" and row.boundary == "device" and row.time_truth == "literature"]
    known = [row for row in strict if row.ratio is not None and row.bound_ratio is not None]
    assert known
    ours = sorted(abs(math.log(row.ratio)) for row in known if row.ratio)
    bound = sorted(abs(math.log(row.bound_ratio)) for row in known if row.bound_ratio)
    assert ours[len(ours) // 2] < bound[len(bound) // 2] / 3
    assert all(0.75 < (row.ratio or 0) < 1.25 for row in known)


def test_paper_the_shares_are_the_fit_of_their_rows_rounded() -> None:
    sheet = load_facts("energy")
    for kind in ("gpu", "tpu"):
        for part, value in fit_shares(kind).items():  # type: ignore[arg-type]
            if not math.isnan(value):
                assert sheet.get(f"anchor.{kind}.{part}", "ratio") == pytest.approx(value, abs=0.006), (kind, part)


def test_misses_are_in_the_table(validation: EnergyValidation) -> None:
    by_name = {row.name: row for row in validation.rows}
    assert by_name["h100-olmo2-7b-training"].time_truth == "modelled"  # utilisation was below the default: the model comes out low
    assert (by_name["h100-olmo2-7b-training"].ratio or 1) < 0.7
    assert by_name["v100-gpt3-training"].boundary == "system" and (by_name["v100-gpt3-training"].ratio or 1) < 0.7


def test_a_device_without_a_sheet_leaves_its_rows_open() -> None:
    def only_h100(name: str) -> Device:
        if name != "h100-sxm5":
            raise UnknownName(name)
        return load(name)

    validation = validate_energy(only_h100)
    assert {row.device for row in validation.rows if row.ratio is not None} == {"h100-sxm5"}
    assert math.isnan(validation.median_error) and validation.all_checked == 2
    assert validation.to_dict()["rows"][0]["modelled_j"] is None


def test_models_say_how_far_they_were_off() -> None:
    assert EnergyModel.of(load("h100-sxm5")).published_error == "median 11%, 90th percentile 18% against published measurements with known time"
    assert EnergyModel.of(load("xeon-8380")).published_error == "not checked: no published measurement of a cpu in the table"
    assert EnergyModel.of(load("tpu-v3")).published_error == "median 13% over all published rows; a TPU's are of whole systems"
