"""The command: contract, page, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from thrifty.cli import app
from thrifty.errors import ThriftyError

USUAL = ["steward", "supply", "--power", "20MW", "--from", "2020-03-01", "--to", "2020-03-15", "--depth", "1"]


def test_contract_and_page(tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    words = [*USUAL, "--target", "0.9", "--grid", "300", "--json", "--out", str(out)]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0
    said = json.loads(result.stdout)
    assert set(said) >= {"before", "after", "plan", "certificate"}
    certificate, plan = said["certificate"], said["plan"]
    assert 0 <= certificate["gap"] < 0.2
    assert certificate["bound"] <= certificate["value"]
    assert plan["coverage"] >= 0.9 - 1e-8
    assert said["after"]["carbon_gco2e"]["mid"] < said["before"]["carbon_gco2e"]["mid"]
    assert said["after"]["carbon_gco2e"]["mid"] == pytest.approx(certificate["value"] * 1e3)
    assert plan["annual_only"]["annual_matched_t"] == 0
    assert plan["annual_only"]["hourly_t"] > 0
    assert plan["search"]["checked"] == len(plan["search"]["front"])
    text = out.read_text(encoding="utf-8")
    for title in ("Making against the grid", "month by month", "drawn from the grid, hour by hour"):
        assert title in text
    assert "<script" not in text


def test_kinds_of_target_differ() -> None:
    # The grid's own clean share counts for a 24/7 score, so less must be built than for the same coverage.
    plans = {}
    for kind in ("coverage", "cfe"):
        words = [*USUAL, "--target", "0.97", "--kind", kind, "--wind-max", "60", "--json"]
        plans[kind] = json.loads(CliRunner().invoke(app, words, catch_exceptions=False).stdout)["plan"]
    assert plans["cfe"]["cfe_score"] >= 0.97 - 1e-8
    assert plans["cfe"]["total_t"] <= plans["coverage"]["total_t"] * (1 + 1e-6)


def test_a_target_that_costs_carbon_says_so() -> None:
    words = ["steward", "supply", "--site", "france", "--weather", "sand-point", "--power", "5MW", "--from", "2023-03-01", "--to", "2023-03-15", "--json"]
    said = json.loads(CliRunner().invoke(app, words, catch_exceptions=False).stdout)
    assert said["after"]["carbon_gco2e"]["mid"] > said["before"]["carbon_gco2e"]["mid"]
    assert "here the target costs carbon" in said["plan"]["answer"]


def test_a_grid_of_direct_emissions_is_said_to_be_favoured() -> None:
    said = json.loads(CliRunner().invoke(app, [*USUAL, "--boundary", "direct", "--json"], catch_exceptions=False).stdout)
    assert any("the grid is favoured" in note for note in said["notes"])


@pytest.mark.parametrize(("day", "hours"), [("2020-03-08", 23), ("2020-11-01", 25), ("2020-05-03", 24)])
def test_a_day_has_the_hours_that_its_clocks_give_it(day: str, hours: int) -> None:
    words = [*USUAL, "--from", day, "--to", day[:-1] + str(int(day[-1]) + 1), "--target", "0", "--battery-max", "0", "--json"]
    said = json.loads(CliRunner().invoke(app, words, catch_exceptions=False).stdout)
    assert said["before"]["energy_j"] == pytest.approx(20e6 * 3600 * hours)
    assert said["command"].count("--target 0") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--target", "1.5"], "target=1.5 is not from 0 to 1"),
        (["--price", "-1"], "price_usd_per_mwh=-1.0 is below 0 or not finite"),
        (["--solar-max", "nan"], "solar_max=nan is not finite"),
        (["--from", "2020-03-08T02:30", "--to", "2020-03-09"], "does not exist in America/Los_Angeles, clocks skip it"),
        (["--from", "2020-11-01T01:30", "--to", "2020-11-03"], "comes twice in America/Los_Angeles"),
        (["--power", "0MW"], "power '0MW' is not above 0"),
        (["--power", "-3MW"], "is not above 0"),
        (["--power", "20"], ""),
        (["--power", "nanMW"], "is not finite"),
        (["--load", "x.csv"], "by --power or by --load, one of them"),
        (["--solar-max", "-5"], "most solar_mw=-5.0 is no finite size"),
        (["--site", "france"], "no hours of sun and wind are known of 'france'"),
        (["--pue", "0.8"], "pue=0.8 is below 1"),
        (["--folder", "x"], "Add --grid N"),
        (["--grid", "-1"], "grid=-1 is below 0"),
        (["--depth", "0.7"], "are not among 1, 0.8, 0.6"),
        (["--from", "2020-04-31"], "is no time"),
        (["--site", "eia-ne", "--from", "2020-01-01", "--to", "2021-01-01"], "without a value"),
        (["--wind-max", "0", "--solar-max", "40", "--battery-max", "0"], "is out of reach: 0."),
    ],
)
def test_refusals(words: list[str], said: str) -> None:
    result = CliRunner().invoke(app, [*USUAL, *words])
    if said:
        assert isinstance(result.exception, ThriftyError)
        assert said in str(result.exception)
        assert "\n" not in str(result.exception)
    else:
        assert result.exit_code == 0
