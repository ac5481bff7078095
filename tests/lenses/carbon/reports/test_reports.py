"""Reports: formulas by hand, offsets that never subtract, missing inputs, and files that cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.errors import BadFile, BadValue, ThriftyError, UnknownName
from thrifty.lenses.carbon.ledger import Ledger
from thrifty.lenses.carbon.pages.report import report_page
from thrifty.lenses.carbon.reports import STANDARDS, example_of, report_on
from thrifty.lenses.carbon.reports.inputs import check_numbers
from thrifty.lenses.carbon.reports.sci import FIELDS, sci_report

SCI = {"functional_unit": "request", "functional_units": 1000, "energy": "10 kWh", "intensity": "400 gCO2e/kWh", "embodied": "1 kgCO2e"}


def written(path: Path, content: dict[str, object]) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_formula_a_score_by_hand() -> None:
    machine = {"total_embodied": "1200 kgCO2e", "reserved_time": "1 h", "expected_life": "4 yr", "reserved_resources": 2, "total_resources": 64}
    numbers = check_numbers({**{k: v for k, v in SCI.items() if k != "embodied"}, "pue": 1.25, "hardware": [machine, machine]}, FIELDS, "x")
    report = sci_report(numbers)
    making = 2 * 1.2e6 * (1 / (4 * 365.25 * 24)) * (2 / 64)
    assert report.line("making").value == pytest.approx(making)
    assert report.lines[0].value == pytest.approx((10 * 1.25 * 400 + making) / 1000)


@given(st.floats(0, 1e9), st.floats(1, 1e9))
def test_property_offsets_never_subtract(offset_kg: float, units: float) -> None:
    plain = {**SCI, "functional_units": units}
    without = sci_report(check_numbers(plain, FIELDS, "x"))
    offset = sci_report(check_numbers({**plain, "offsets": f"{offset_kg!r} kgCO2e"}, FIELDS, "x"))
    assert offset.lines == without.lines and offset.apart[0].value == pytest.approx(offset_kg * 1e3)


def test_formula_nothing_is_claimed_where_inputs_are_missing(tmp_path: Path) -> None:
    found = report_on("sci", written(tmp_path / "a.json", {"functional_unit": "request", "functional_units": 5, "energy": "1 kWh"}))
    assert found.lines[0].value is None and found.line("making").value is None
    keys = [each.key for each in found.missing]
    assert {"intensity", "boundary", "embodied", "software"} <= set(keys) and "energy" not in keys
    assert "it does not say" in found.to_dict()["says"] and "compliant" not in json.dumps(found.to_dict()).lower()


def test_formula_a_model_counts_over_its_life(tmp_path: Path) -> None:
    stages = {"data_preparation": "1 kgCO2e", "training": "3 kgCO2e", "fine_tuning": "0 kgCO2e", "retirement": "0 kgCO2e"}
    found = report_on("sci", written(tmp_path / "a.json", {**SCI, "ai": True, "stages": stages}))
    assert found.lines[-1].value == pytest.approx((4000 + 1000 + 4000) / 1000)
    del stages["training"]
    found = report_on("sci", written(tmp_path / "a.json", {**SCI, "ai": True, "stages": stages}))
    assert found.lines[-1].value is None and "stages.training" in [each.key for each in found.missing]


def ledger() -> Ledger:
    return Ledger.of([
        {"asset": "gen", "phase": "use", "scope": 1, "carbon_gco2e": 10.0},
        {"asset": "srv", "phase": "use", "scope": 2, "method": "location", "carbon_gco2e": 100.0},
        {"asset": "srv", "phase": "use", "scope": 2, "method": "market", "carbon_gco2e": 7.0},
        {"asset": "srv", "phase": "manufacture", "scope": 3, "carbon_gco2e": 30.0}, {"asset": "srv", "phase": "transport", "scope": 3, "carbon_gco2e": 2.0},
    ])  # fmt: skip


def test_formula_both_methods_side_by_side() -> None:
    found = report_on("ghg", None, ledger())
    value = {line.name: line.value for line in found.lines}
    assert (value["scope 1"], value["scope 2, by location"], value["scope 2, by market"], value["scope 3"]) == (10, 100, 7, 32)
    assert (value["scopes 1 to 3, by location"], value["scopes 1 to 3, by market"]) == (142, 49)
    assert value["scope 3, category 2 capital goods"] == 30
    assert "scope3.travel" in [each.key for each in found.missing] and "scope3.capital_goods" not in [each.key for each in found.missing]


def test_formula_a_ledger_scores_by_location_only() -> None:
    numbers = check_numbers({"functional_unit": "request", "functional_units": 10}, FIELDS, "x")
    assert sci_report(numbers, ledger()).lines[0].value == pytest.approx((110 + 32) / 10)


def test_a_ledger_and_a_file_never_state_the_same(tmp_path: Path) -> None:
    rows = [{"asset": "a", "phase": "use", "scope": 2, "method": "market", "carbon_gco2e": 5.0}]
    (tmp_path / "r.toml").write_text('functional_unit = "request"\nfunctional_units = 5\npue = 1.2\n')
    with pytest.raises(BadValue, match=r"M or E is stated twice, by pue, a ledger. Keep one."):
        report_on("sci", tmp_path / "r.toml", Ledger.of(rows))
    (tmp_path / "r.toml").write_text('functional_unit = "request"\nfunctional_units = 5\n')
    with pytest.raises(BadValue, match=r"the ledger counts electricity by market alone, and a score takes the grid of the place."):
        report_on("sci", tmp_path / "r.toml", Ledger.of(rows))


def test_formula_certificates_lower_one_method(tmp_path: Path) -> None:
    scope2 = {"electricity": "10 MWh", "location_intensity": "400 gCO2e/kWh", "contracted": "6 MWh", "contracted_intensity": "20 gCO2e/kWh",
              "residual_intensity": "500 gCO2e/kWh"}  # fmt: skip
    found = report_on("ghg", written(tmp_path / "a.json", {"scope2": scope2}))
    assert found.line("scope 2, by location").value == pytest.approx(4e6)
    assert found.line("scope 2, by market").value == pytest.approx(6000 * 20 + 4000 * 500)
    del scope2["residual_intensity"]
    found = report_on("ghg", written(tmp_path / "a.json", {"scope2": scope2}))
    assert found.line("scope 2, by market").value is None and found.line("scopes 1 to 3, by market").value is None


def test_formula_indicators_of_a_data_centre(tmp_path: Path) -> None:
    found = report_on("eu", written(tmp_path / "a.json", {
        "energy": "13 GWh", "it_energy": "10 GWh", "water": "5000 m**3", "reused_heat": "1.3 GWh", "renewable": "6.5 GWh", "it_power": "400 kW",
    }))  # fmt: skip
    assert [line.value for line in found.lines[:4]] == pytest.approx([1.3, 0.5, 0.1, 0.5])
    assert "below the regulation's threshold of 500 kW" in found.notes[0]
    facts = {fact.name: fact for fact in found.facts}
    assert (facts["it_power"].value, facts["it_power"].unit, facts["it_power"].valid_from) == (500, "kW", "2024-06-06")
    assert (facts["deadline_day"].value, facts["deadline_month"].value) == (15, 5) and all(fact.read_on for fact in found.facts)


@pytest.mark.parametrize("standard", STANDARDS)
def test_formula_examples_are_read_and_shown(standard: str, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(example_of(standard), encoding="utf-8")
    found = report_on(standard, tmp_path / "a.toml")
    page = report_page(found, command="c", inputs={})
    assert found.lines[0].value is not None and found.missing and "asks for are missing" in page.summary


BAD: list[tuple[str, dict[str, object], str]] = [
    ("sci", {"energy": "1 kWh"}, "a.json has no functional_unit. A score is per functional unit"),
    ("sci", {"functional_unit": "request", "functional_units": 0}, "a.json: functional_units = 0 is not above 0. Give a number above it."),
    ("sci", {**SCI, "energy": "-4 kWh"}, "a.json: energy = -4 kWh is below 0. Give that or more."),
    ("sci", {**SCI, "energy": 4}, "a.json: energy = 4 has no unit. Write it as text with one, e.g. \"1 joule\"."),
    ("sci", {**SCI, "energy": "4"}, "a.json: energy: unit '' has the wrong dimension for an energy"),
    ("sci", {**SCI, "energy": "4 kg"}, "a.json: energy: unit 'kg' has the wrong dimension for an energy"),
    ("sci", {**SCI, "energy": "nan kWh"}, "a.json: energy: 'nan kWh' is not finite."),
    ("sci", {**SCI, "pue": 0.8}, "a.json: pue = 0.8 is below 1. A building draws at least what its machines draw."),
    ("sci", {**SCI, "enrgy": "4 kWh"}, "a.json: unknown key 'enrgy'. Did you mean 'energy'?"),
    ("sci", {**SCI, "hardware": [{"name": "x"}]}, "a.json: M or E is stated twice, by embodied, hardware. Keep one."),
    ("sci", {**SCI, "period_from": "2026-02-01", "period_to": "2026-01-01"}, "a.json: period_from 2026-02-01 is not before period_to 2026-01-01."),
    ("sci", {**SCI, "stages": {"training": "1 kgCO2e"}}, "a.json states stages of a model's life and not ai = true."),
    ("ghg", {"scope2": {"electricity": "1 MWh", "contracted": "2 MWh"}}, "a.json: scope2.contracted is 2 times scope2.electricity."),
    ("ghg", {"not_relevant": ["travl"]}, "No category of scope 3 named 'travl'. Did you mean 'travel'?"),
    ("ghg", {"not_relevant": ["travel"], "scope3": {"travel": "1 tCO2e"}}, "a.json: scope3.travel has a number and is called not relevant."),
    ("eu", {"energy": "1 GWh", "it_energy": "2 GWh"}, "a.json: it_energy is 2 times energy, so that PUE is 0.5, below 1."),
    ("eu", {"energy": "1 GWh", "renewable": "3 GWh"}, "a.json: renewable is 3 times energy. Its share is 1 at most."),
    ("eu", {"renewable": "3 GWh", "renewable_guarantees": "1 GWh", "renewable_contracts": "1 GWh", "renewable_on_site": "0 GWh"},
     "a.json: renewable_guarantees, renewable_contracts, renewable_on_site add up to 2,000,000 kWh, and renewable is 3,000,000 kWh."),
    ("eu", {"water": "1 m**3", "potable_water": "2 m**3"}, "a.json: potable_water is above water, of which it is a part."),
]  # fmt: skip


@pytest.mark.parametrize(("standard", "content", "message"), BAD)
def test_formula_numbers_that_cannot_be(standard: str, content: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(ThriftyError) as error:
        report_on(standard, written(tmp_path / "a.json", content))
    assert str(error.value).startswith(message) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"expected_life": "0 yr"}, "a.json: hardware[0].expected_life = 0 yr is not above 0."),
        ({"reserved_time": "9 yr"}, "a.json: hardware[0]: reserved_time is 2.25 times expected_life. Its share of a machine is 1 at most."),
        ({"reserved_resources": 70}, "a.json: hardware[0]: reserved_resources is 1.09 times total_resources."),
        ({"total_embodied": None}, "a.json: hardware[0].total_embodied = None has no unit."),
    ],
)
def test_formula_machines_that_cannot_be(changed: dict[str, object], message: str, tmp_path: Path) -> None:
    machine = {"total_embodied": "1 kgCO2e", "reserved_time": "1 h", "expected_life": "4 yr", "reserved_resources": 2, "total_resources": 64}
    content = {**{k: v for k, v in SCI.items() if k != "embodied"}, "hardware": [{**machine, **changed}]}
    with pytest.raises(BadValue) as error:
        report_on("sci", written(tmp_path / "a.json", content))
    assert str(error.value).startswith(message)


def test_formula_files_and_standards_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="No standard named 'iso'"):
        report_on("iso", None, ledger())
    with pytest.raises(BadFile, match="cannot read"):
        report_on("sci", tmp_path / "none.toml")
    (tmp_path / "b.toml").write_text("a = [", encoding="utf-8")
    with pytest.raises(BadFile, match=r"'b\.toml' is not TOML"):
        report_on("sci", tmp_path / "b.toml")
    with pytest.raises(BadValue, match="a ledger holds grams"):
        report_on("eu", None, ledger())
    with pytest.raises(BadValue, match=r"scope3\.capital_goods is stated by the file and by the ledger"):
        report_on("ghg", written(tmp_path / "c.json", {"scope3": {"capital_goods": "1 tCO2e"}}), ledger())
