"""`thrifty carbon embodied`: the contract of its JSON, what people read, and refusals in one line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from thrifty.cli import main


def run(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["carbon", "embodied", *words]) == 0
    return capsys.readouterr().out


def read(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    return json.loads(run(capsys, *words, "--json"))


def test_contract_of_one_part(capsys: pytest.CaptureFixture[str]) -> None:
    said = read(capsys, "logic:area_mm2=826,node_nm=7,yield=0.875,fab=taiwan,packages=1")
    assert said["kgco2e"]["low"] < said["kgco2e"]["mid"] < said["kgco2e"]["high"]
    assert said["by_model"]["act"] == pytest.approx(19.3, rel=1e-2) and len(said["by_model"]) >= 4
    assert said["by_part"][0]["share"] == 1.0 and said["by_part"][0]["models"] == sorted(said["by_model"])
    assert {source["key"] for source in said["sources"]} >= {"act-2022", "imec-2022", "boaviztapi"}
    assert said["truth"] == "modelled" and said["model"] == "ensemble" and not said["single_model"]


def test_contract_of_devices_and_single_models(capsys: pytest.CaptureFixture[str]) -> None:
    board = read(capsys, "a100-80g")
    assert [row["name"] for row in board["by_part"]] == ["die", "package", "memory", "board"]
    assert sum(row["kgco2e"]["mid"] for row in board["by_part"]) == pytest.approx(board["kgco2e"]["mid"])
    processor = read(capsys, "epyc-9654")
    assert [row["name"] for row in processor["by_part"]] == ["die", "package"] and processor["by_model"]["boavizta"] == pytest.approx(33.98, rel=1e-3)
    one = read(capsys, "dram:gb=384,type=ddr4", "--model", "act")
    assert one["single_model"] and one["by_model"] == {"act": pytest.approx(28.5, rel=1e-2)}
    assert one["kgco2e"]["low"] < one["kgco2e"]["mid"] < one["kgco2e"]["high"]
    two = read(capsys, "dram:gb=384,type=ddr4", "--model", "act,greensku")
    assert two["kgco2e"]["high"] / two["kgco2e"]["low"] == pytest.approx(22.2, rel=1e-2)


def test_a_bill_on_the_terminal_and_as_a_page(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    page = tmp_path / "bill.html"
    shown = run(capsys, "--bom", "server-2018", "--out", str(page))
    for words in ("Carbon of making server-2018", "drives / data drive", "together", "Does not cover", "interpolated between 12 and 16 nm", "modelled"):
        assert words in shown
    text = page.read_text()
    assert text.count("<svg") >= 2 and not re.search(r'(?:src|href)="https?://[^"]+\.(?:js|css)', text)
    assert "What each model says, by part" in text and "Where the models lie" in text
    assert "thrifty carbon embodied --bom server-2018" in text


def test_single_models_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    shown = run(capsys, "rack", "nic")
    assert "Single model for rack" in shown and "greensku alone" in shown


def test_kinds_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    shown = run(capsys, "--kinds")
    assert all(words in shown for words in ("area_mm2=814", "taiwan", "package", "server-2018", "ensemble, act"))
    assert read(capsys, "--kinds")["kinds"]["dram"]["keys"]["gb"]["needed"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "error: parts are needed, once. Give PART... or --bom FILE; list kinds with: thrifty carbon embodied --kinds"),
        (("nic", "--bom", "x.toml"), "error: parts are needed, once. Give PART... or --bom FILE; list kinds with: thrifty carbon embodied --kinds"),
        (("logic:area_mm2=-10,node_nm=7",), "error: area_mm2=-10 is not above 0. Give e.g. area_mm2=814."),
        (("logic:area_mm2=10,node_nm=7,yield=1.5",), "error: yield=1.5 is outside (0, 1]. Give e.g. yield=0.875."),
        (("nic", "--model", "guess"), "error: No model named 'guess'. List them with: ensemble, act, imec"),
        (("nic", "--model", "act"), "error: act covers no part of nic. Choose another model, or ensemble."),
        (("--bom", "none.json"), "error: none.json cannot be read: No such file or directory. Give a bill of materials in TOML or JSON."),
    ],
)
def test_errors(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str) -> None:
    assert main(["carbon", "embodied", *words]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith(message) and said.err.count("\n") == 1
