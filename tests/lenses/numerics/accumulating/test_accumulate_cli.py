"""`thrifty numerics accumulate`: numbers for machines, pages for people, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from thrifty.errors import ThriftyError
from thrifty.lenses.numerics.accumulating import probe, sum_errors
from thrifty.lenses.numerics.accumulating.probing import stagnation
from thrifty.lenses.numerics.cli import app

RUN = CliRunner()


def said(*words: str) -> str:
    result = RUN.invoke(app, ["accumulate", *words])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_paper_hopper_fp8_and_its_repair(tmp_path: Path) -> None:
    page = tmp_path / "sums.html"
    found = json.loads(said("-a", "hopper-e4m3", "-a", "hopper-e4m3:promote=128", "-a", "fma:fp32", "--side", "8", "--out", str(page), "--json"))
    rows = {row["accumulator"]: row for row in found["rows"] if row["k"] == 4096}
    assert rows["hopper-e4m3"]["bias"] == pytest.approx(-0.066, abs=0.002) and rows["hopper-e4m3"]["mean_to_rms"] < -0.99
    assert rows["hopper-e4m3:promote=128"]["bias"] == pytest.approx(-5e-4, rel=0.1)
    assert abs(rows["fma:fp32"]["mean_to_rms"]) < 0.3
    assert found["operands"] == {"hopper-e4m3": "fp8_e4m3", "hopper-e4m3:promote=128": "fp8_e4m3", "fma:fp32": "bf16"}
    assert found["command"].startswith("thrifty numerics accumulate --accumulator hopper-e4m3 --accumulator")
    assert "RMS error by length" in page.read_text(encoding="utf-8")


def test_formula_probes_and_list() -> None:
    text = said("--probe", "-a", "hopper-e4m3", "-a", "cdna1-fp16")
    assert "MI100" in text
    assert [(each["survivor"], each["kept_bits"]) for each in json.loads(said("--probe", "-a", "hopper-e4m3", "-a", "cdna1-fp16", "--json"))["probes"]] == [
        (0.0, 13), (0.25, None)
    ]  # fmt: skip
    assert "blackwell-nvfp4" in said("--list")
    assert len(json.loads(said("--list", "--json"))["tensor_cores"]) > 200
    assert probe("volta-fp16").ones == 0 and stagnation("sequential:bf16", 600) == 256


def test_property_exact_has_no_error_and_one_seed_one_answer() -> None:
    study = sum_errors(["exact:fp64", "blackwell-nvfp4"], k=100, inputs="normal", side=4, seed=3)
    assert {row.k for row in study.rows} == {16, 32, 64, 100}
    assert all(row.rmse == 0 for row in study.rows if row.accumulator == "exact:fp64")
    assert study == sum_errors(["exact:fp64", "blackwell-nvfp4"], k=100, inputs="normal", side=4, seed=3)
    overflows = sum_errors(["sequential:fp16"], k=1 << 17, inputs="ones", format="fp32", side=1)
    assert overflows.last()[0].bias == pytest.approx(2048 / 2**17 - 1)


@pytest.mark.parametrize(("words", "says"), [
    (["-a", "hoper-bf16"], "Did you mean 'hopper-bf16'"), (["--k", "0"], "k=0"), (["--inputs", "unifrom"], "Did you mean 'uniform'"), (["-a", ""], "is empty"),
    (["--side", "5000"], "side=5000"), (["--probe", "-a", "fma:fp32"], "is none"), (["--format", "bf17", "-a", "fma:fp32"], "No format named"),
])  # fmt: skip
def test_formula_refusals_are_one_line(words: list[str], says: str) -> None:
    result = RUN.invoke(app, ["accumulate", *words])
    assert isinstance(result.exception, ThriftyError) and says in str(result.exception) and "\n" not in str(result.exception)
