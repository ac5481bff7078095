"""`thrifty carbon compare`: JSON, page, refusals with exit code 2."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from thrifty.errors import BadValue, UnknownName
from thrifty.lenses.carbon.cli import app

RUN = CliRunner()
OLD, NEW = "old:embodied_kg=0,delay_s=1,energy_j=300", "new:embodied_kg=100/150/300,delay_s=0.5,energy_j=100"


def test_json_says_everything_and_repeats() -> None:
    command = ["compare", OLD, NEW, "--site", "sweden", "--samples", "2048", "--json"]
    first, second = RUN.invoke(app, command), RUN.invoke(app, command)
    assert first.exit_code == 0, first.output
    assert first.stdout == second.stdout
    said = json.loads(first.stdout)
    assert said["truth"] == "modelled" and said["samples"] >= 2048
    assert set(said["designs"]) == {"old", "new"}
    assert {"winner", "winners", "chances", "sobol", "value_of_information", "boundary", "pareto", "sources", "notes"} <= set(said)
    assert said["chances"][0]["less"] + said["chances"][0]["equal"] + said["chances"][0]["more"] == pytest.approx(1)
    assert said["command"].startswith("thrifty carbon compare old:embodied_kg=0")


def test_the_page_opens_offline_and_the_terminal_says_who_leads(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    shown = RUN.invoke(app, ["compare", OLD, NEW, "--intensity", "300/400/500", "--samples", "2048", "--metric", "tcdp", "--out", str(page)])
    assert shown.exit_code == 0, shown.output
    assert "new emits least in the mean" in " ".join(shown.stdout.split())
    text = page.read_text(encoding="utf-8")
    assert "<svg" in text and "Boundaries: where two designs come to the same" in text and "https://cdn" not in text


def test_the_catalogue_is_eliminated_under_every_total() -> None:
    said = json.loads(RUN.invoke(app, ["compare", "--catalogue", "--json"]).stdout)
    assert set(said["by_metric"]) == {"carbon", "tcdp", "tcep"}
    assert all(row["eliminated"] > 0.9 for row in said["by_metric"].values())


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        ([OLD], BadValue, "1 design leaves nothing to compare"),
        ([OLD, "h100"], UnknownName, "No device named 'h100'"),
        ([OLD, NEW, "--life", "0"], BadValue, "life=0 is not above 0"),
        ([OLD, NEW, "--utilisation", "1.5"], BadValue, "utilisation=1.5 is not above 0 and at most 1"),
        ([OLD, NEW, "--intensity", "400 g"], BadValue, "intensity='400 g' is no number"),
        ([OLD, NEW, "--pue", "0.5"], BadValue, "pue=0.5 is below 1"),
        ([OLD, NEW, "--samples", "0"], BadValue, "samples=0 is below 1"),
        ([OLD, NEW, "--method", "halton"], BadValue, "method 'halton' is unknown"),
        ([OLD, NEW, "--work", "nan"], BadValue, "work=nan is not above 0 and finite"),
        ([f"d{k}:embodied_kg=1,delay_s=1,energy_j=1" for k in range(13)], BadValue, "13 designs are above 12"),
    ],
)
def test_refusals(words: list[str], kind: type[Exception], said: str) -> None:
    found = RUN.invoke(app, ["compare", *words])
    assert isinstance(found.exception, kind) and said in str(found.exception)
