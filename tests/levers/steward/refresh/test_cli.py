"""The command: contract, page, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from thrifty.cli import app
from thrifty.errors import BadValue

USUAL = ["steward", "refresh", "--old", "v100-sxm2-32gb", "--new", "h100-sxm5", "--site", "us-california", "--ratio", "3.2", "--years", "5"]


def asked(*words: str) -> dict[str, object]:
    result = CliRunner().invoke(app, [*USUAL, *words, "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    return dict(json.loads(result.stdout))


def test_contract() -> None:
    said = asked()
    assert set(said) >= {"before", "after", "plan", "certificate"}
    assert said["certificate"]["bound"] <= said["certificate"]["value"]  # type: ignore[index]
    assert said["certificate"]["gap"] == 0  # type: ignore[index]
    assert said["plan"]["replace_in_years"] == [0]  # type: ignore[index]


def test_the_answer_follows_the_grid() -> None:
    # Little carbon in the grid: the making of new machines is not paid back within five years.
    assert asked("--intensity", "1")["plan"]["replace_in_years"] == []  # type: ignore[index]
    middling = asked("--intensity", "12")["plan"]
    assert not middling["robust"]  # type: ignore[index]
    assert "Estimates disagree" in middling["answer"]  # type: ignore[index]


def test_a_machine_that_draws_more_never_pays_back() -> None:
    result = CliRunner().invoke(app, ["steward", "refresh", "--old", "h100-sxm5", "--new", "v100-sxm2-32gb", "--ratio", "0.3", "--json"])
    plan = json.loads(result.stdout)["plan"]
    assert not plan["pays_back"]
    assert plan["break_even_years"] == {"low": None, "mid": None, "high": None}
    assert "never pays back: it draws" in plan["answer"]


def test_sunk_carbon_has_no_part() -> None:
    # Whatever making the old machines emitted, keeping them emits only what running them does.
    said = asked()
    before = said["before"]["carbon_gco2e"]  # type: ignore[index]
    assert before["low"] == before["high"]


def test_page_is_one_file(tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    assert CliRunner().invoke(app, [*USUAL, "--out", str(out)]).exit_code == 0
    text = out.read_text(encoding="utf-8")
    assert "Carbon from now on, added up" in text
    assert "<script" not in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--new", "v100-sxm2-32gb"], "old and new are both v100-sxm2-32gb"),
        (["--years", "0"], "years=0 is no whole number"),
        (["--ratio", "-1"], "ratio=-1 is not above 0"),
        (["--utilisation", "nan"], "utilisation=nan is not from 0 to 1"),
        (["--devices", "0"], "devices=0 is no whole number"),
        (["--failures", "x"], "failures=x is no Weibull law"),
        (["--objective", "speed"], "objective='speed' is none of"),
        (["--intensity", "-3"], "intensity '-3' is below 0"),
        (["--intensity", "nan"], "intensity 'nan' is not finite"),
        (["--intensity", "3 kg"], "intensity '3 kg': unit 'kg' has the wrong dimension"),
        (["--years", "2000"], "years=2000 is above 100"),
        (["--workload", "gpt2"], "both state the ratio"),
    ],
)
def test_refusals(words: list[str], said: str) -> None:
    result = CliRunner().invoke(app, [*USUAL, *words])
    assert isinstance(result.exception, BadValue)
    assert said in str(result.exception)
