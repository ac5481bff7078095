"""`thrifty carbon workload`, `predictors` and `report` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from thrifty.cli import main
from thrifty.lenses.carbon.ledger import read_ledger


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["carbon", *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_job_as_json_and_page_and_ledger(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    files = [str(tmp_path / name) for name in ("a.html", "ledger.csv")]
    code, out, _ = run(capsys, "workload", "smollm2-135m", "--on", "a100-80gb", "--tokens", "1e9", "--json", "--out", files[0], "--export", files[1])
    said = json.loads(out)
    assert code == 0 and said["truth"] == "modelled" and said["units"] == pytest.approx(1e9)
    assert said["references"][0]["truth"] == "literature" and said["references"][0]["reason"]
    assert read_ledger(files[1]).total_g() == pytest.approx(said["footprint"]["carbon_gco2e"]["mid"])
    assert "What others predict" in Path(files[0]).read_text(encoding="utf-8")


def test_a_ledger_of_a_job_becomes_a_report(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    ledger, numbers = str(tmp_path / "l.json"), tmp_path / "n.toml"
    _, out, _ = run(capsys, "workload", "smollm2-135m", "--task", "serve", "--requests", "1e4", "--batch", "8", "--json", "--export", ledger)
    numbers.write_text('functional_unit = "request"\nfunctional_units = 1e4\n', encoding="utf-8")
    code, text, _ = run(capsys, "report", str(numbers), "--standard", "sci", "--ledger", ledger, "--json")
    assert code == 0
    assert json.loads(text)["lines"][0]["value"] == pytest.approx(json.loads(out)["per"]["request"]["mid"])


def test_predictors_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "predictors", "--json")
    said = json.loads(out)
    assert code == 0 and len(said["llmcarbon"]) == 6 and {check["run"] for check in said["ours"]} == {"llama-65b", "llama-13b", "gpt3-175b"}


def test_reports_print_what_is_missing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, example, _ = run(capsys, "report", "--standard", "eu", "--example")
    (tmp_path / "eu.toml").write_text(example, encoding="utf-8")
    code, text, _ = run(capsys, "report", str(tmp_path / "eu.toml"), "--standard", "eu")
    assert code == 0 and "Missing inputs" in text and "cooling_degree_days" in text and "No advice" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("workload", "smollm2-135m"), "error: a training job needs its size once."),
        (("workload", "smollm2-135m", "--task", "cook"), "error: task='cook' is none of train, finetune, serve."),
        (("workload", "smollm2-135m", "--task", "serve", "--tokens", "4"), "error: tokens belongs to --task train, and the task is serve."),
        (("workload", "smollm2-135m", "--tokens", "4", "--devices", "3"), "error: devices=3 of 'h100-sxm5' are joined by nothing."),
        (("report", "--standard", "iso"), "error: No standard named 'iso'."),
        (("report", "--standard", "iso", "--example"), "error: No standard named 'iso'."),
    ],
)
def test_mistakes_are_one_line(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str) -> None:
    code, out, err = run(capsys, *words)
    assert code == 2 and out == "" and err.startswith(message) and err.count("\n") == 1
