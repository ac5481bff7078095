"""`thrifty carbon account` and `attribute`: the contract of their JSON, their pages, and the words of refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from thrifty.errors import BadFile, BadValue, UnknownName
from thrifty.lenses.carbon.cli import app
from thrifty.lenses.carbon.ledger import read_ledger

RUNNER = CliRunner()
FLEET = """
[fleet]
name = "racks"
site = "us-california"
start = "2020-07-01T00:00-07:00"
end = "2020-07-03T00:00-07:00"

[[asset]]
name = "node"
count = 4
embodied = "1523 kgCO2e"
life = "4 yr"
idle = "100 W"
busy = "400 W"
market = "30 gCO2e/kWh"
capacity = { cores = 96, memory_gb = 768 }
tenants = [{ name = "web", reserved = { cores = 48, memory_gb = 576 }, used = { cores = 24 } }, { name = "ads", reserved = { cores = 12 } }]

[[asset]]
name = "switch"
embodied = "58 kgCO2e"
life = "5 yr"
power = "19 W"
line = "overhead"
"""


@pytest.fixture
def fleet(tmp_path: Path) -> str:
    (tmp_path / "fleet.toml").write_text(FLEET)
    return str(tmp_path / "fleet.toml")


@pytest.fixture
def demand(tmp_path: Path) -> str:
    rows = [f"2020-07-01T{hour:02d}:00Z,{4 if hour < 12 else 0},{0 if hour < 12 else 2},0" for hour in range(24)]
    (tmp_path / "demand.csv").write_text("time,day,night,nobody\n" + "\n".join(rows) + "\n")
    return str(tmp_path / "demand.csv")


def run(*words: str) -> str:
    result = RUNNER.invoke(app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout


def read(*words: str) -> Any:
    return json.loads(run(*words, "--json"))


def test_formula_parts_of_an_account_sum_to_the_whole(fleet: str) -> None:
    said = read("account", fleet)
    assert said["truth"] == "modelled"
    for column in ("phase", "scope", "asset", "tenant", "line"):
        assert sum(said[f"kg_by_{column}"].values()) == pytest.approx(said["total_kg"])
    assert said["kg_by_line"]["idle"] > 0 < said["kg_by_line"]["stranded"]
    assert said["making_kg"]["node"]["mid"] == pytest.approx(4 * 1523 * 48 / (4 * 8766))
    assert said["total_kg_by_method"]["market"] < said["total_kg_by_method"]["location"] == said["total_kg"]
    assert read("account", fleet, "--method", "market")["total_kg"] == said["total_kg_by_method"]["market"]


def test_formula_a_decision_leaves_out_what_is_spent(fleet: str) -> None:
    bill, decision = read("account", fleet), read("account", fleet, "--ledger", "decision")
    assert decision["total_kg"] == pytest.approx(bill["kg_by_phase"]["use"])
    bought = read("account", fleet, "--ledger", "decision", "--buy", "node")
    assert bought["total_kg"] == pytest.approx(bill["total_kg"] - bill["making_kg"]["switch"]["mid"])


def test_totals_by_pairs_and_by_other_periods(fleet: str) -> None:
    said = read("account", fleet, "--by", "tenant", "--by", "day", "--from", "2020-07-01T00:00Z", "--to", "2020-07-02T00:00Z")
    assert {(row["tenant"], row["day"]) for row in said["by"]} == {("web", "2020-07-01"), ("ads", "2020-07-01"), ("", "2020-07-01")}
    assert sum(row["kg"] for row in said["by"]) == pytest.approx(said["total_kg"])


def test_formula_charging_idle_capacity_keeps_it_a_line_of_its_own(fleet: str) -> None:
    apart, charged = read("account", fleet), read("account", fleet, "--charge-idle", "used")
    assert charged["kg_by_line"] == pytest.approx(apart["kg_by_line"])
    assert charged["kg_by_tenant"][""] == pytest.approx(apart["kg_by_line"]["overhead"])
    assert charged["total_kg"] == pytest.approx(apart["total_kg"])


def test_rows_go_out_and_come_back(fleet: str, tmp_path: Path) -> None:
    said = read("account", fleet, "--export", str(tmp_path / "rows.json"), "--seal", str(tmp_path / "seal.json"))
    assert len(read_ledger(tmp_path / "rows.json")) == said["rows"]
    assert read("account", str(tmp_path / "rows.json"))["kg_by_tenant"] == pytest.approx(said["kg_by_tenant"])
    seal = json.loads((tmp_path / "seal.json").read_text())
    assert seal["rows"] == said["rows"]
    assert seal["head"] == seal["hashes"][-1]
    with pytest.raises(BadValue, match="is a ledger, whose period and grids are fixed"):
        run("account", str(tmp_path / "rows.json"), "--from", "2020-07-01T00:00Z")


def test_pages_have_their_drawings(fleet: str, demand: str, tmp_path: Path) -> None:
    run("account", fleet, "--out", str(tmp_path / "account.html"))
    page = (tmp_path / "account.html").read_text()
    for words in ("Carbon an hour, by day and hour", "Hour of the day, UTC", "Carbon by asset and phase", "Carbon by tenant and line", "Scope 2 by market"):
        assert words in page
    assert page.count("<svg") >= 3
    run("attribute", "--demand", demand, "--total-kg", "100", "--capacity", "8", "--out", str(tmp_path / "attribute.html"))
    page = (tmp_path / "attribute.html").read_text()
    for words in ("Shares by every method", "What a unit of the resource is charged", "(idle: nobody)"):
        assert words in page


def test_what_people_read(fleet: str, demand: str) -> None:
    said = run("account", fleet)
    for words in ("racks, 2020-07-01T00:00:00-07:00", "billing ledger, scope 2 by location", "(nobody)", "stranded", "modelled"):
        assert words in said
    said = run("attribute", "--demand", demand, "--method", "sampled", "--blocks", "16")
    assert "±" in said
    assert "16 blocks of drawn orders, seed 0" in said


@pytest.mark.parametrize(("method", "day"), [("shapley", 0.75), ("reserved", 2 / 3), ("demand", 0.8), ("peak", 2 / 3)])
def test_formula_attribution_holds_the_contract(demand: str, method: str, day: float) -> None:
    said = read("attribute", "--demand", demand, "--method", method, "--total-kg", "120")
    rows = {row["tenant"]: row for row in said["tenants"]}
    assert rows["day"]["share"] == pytest.approx(day)
    assert rows["day"]["kg"] + rows["night"]["kg"] == pytest.approx(120.0) == said["total_kg"]
    assert rows["nobody"]["kg"] == 0.0  # a null player pays nothing
    assert said["shares_by_method"][method] == pytest.approx({name: row["share"] for name, row in rows.items()})
    assert said["idle_kg"] == 0.0


def test_formula_temporal_by_days_and_hours(demand: str) -> None:
    flat = read("attribute", "--demand", demand, "--method", "temporal")
    assert flat["total_kg"] is None
    assert flat["tenants"][0]["share"] == pytest.approx(6 / 7)  # φ = 2/24 by night, 2/24 + 2/12 by day; times 2 and 4 cores
    halves = read("attribute", "--demand", demand, "--method", "temporal", "--splits", "2,12")
    assert halves["tenants"][0]["share"] == pytest.approx(6 / 7)  # each half is flat: φ = 1 and 3, times 24 and 48
    with pytest.raises(BadValue, match="splits 5×5 make 25 steps, and there are 24"):
        run("attribute", "--demand", demand, "--method", "temporal", "--splits", "5,5")


def test_thirty_days_of_five_minutes(tmp_path: Path) -> None:
    table = np.random.default_rng(0).integers(1, 50, (8640, 3))
    np.savetxt(tmp_path / "month.csv", table, delimiter=",", header="a,b,c", comments="", fmt="%d")
    said = read("attribute", "--demand", str(tmp_path / "month.csv"), "--method", "temporal", "--splits", "10,9,8,12", "--out", str(tmp_path / "month.html"))
    assert sum(row["share"] for row in said["tenants"]) == pytest.approx(1.0)
    page = (tmp_path / "month.html").read_text()
    assert "Dearest is step" in page and "The data beneath sums 8,640 tiles." in page and len(page) < 600_000


def test_the_study_says_what_was_published(tmp_path: Path) -> None:
    said = read("attribute", "--study", "--trials", "20", "--out", str(tmp_path / "study.html"))
    assert said["published"]["schedules"]["reserved"] == {"mean": pytest.approx(0.803), "worst": pytest.approx(2.79)}
    assert said["schedules"][0]["setup"] == "usual"
    assert "Mean deviation by set-up" in (tmp_path / "study.html").read_text()
    assert "80.3%" in run("attribute", "--study", "--trials", "20")


def test_words_of_refusals(fleet: str, demand: str) -> None:
    for words, kind, message in (
        (("account", fleet, "--ledger", "both"), BadValue, "ledger='both' is neither. Choose billing, or decision"),
        (("account", fleet, "--buy", "node"), BadValue, "buy names what a decision could add, and the ledger is billing"),
        (("account", fleet, "--ledger", "decision", "--buy", "nod"), UnknownName, "No asset in this ledger named 'nod'. Did you mean 'node'"),
        (("account", fleet, "--method", "both"), BadValue, "'both' is no way to count scope 2"),
        (("account", fleet, "--by", "colour"), BadValue, "'colour' is nothing that totals can be told apart by"),
        (("account", fleet, "--from", "2020-07-01"), BadValue, "names no time zone"),
        (("account", fleet, "--from", "2019-07-01T00:00Z"), BadValue, "does not cover"),
        (("account", fleet, "--boundary", "wide"), BadValue, "boundary='wide' is unknown"),
        (("account", fleet, "--charge-idle", "fair"), BadValue, "'fair' is no rule for idle capacity"),
        (("account", fleet + "x"), BadFile, "no such file"),
        (("attribute",), BadValue, "attribute needs a demand file, or --study and no file"),
        (("attribute", "--demand", demand, "--study"), BadValue, "attribute needs a demand file, or --study and no file"),
        (("attribute", "--demand", demand, "--total-kg", "1", "--embodied-kg", "1"), BadValue, "Give one or the other"),
        (("attribute", "--demand", demand, "--total-kg", "-1"), BadValue, "offsets never subtract"),
        (("attribute", "--demand", demand, "--method", "fair"), BadValue, "'fair' is no way to attribute carbon"),
        (("attribute", "--demand", demand, "--splits", "a"), BadValue, "are no whole numbers"),
    ):
        with pytest.raises(kind, match=message):
            run(*words)
