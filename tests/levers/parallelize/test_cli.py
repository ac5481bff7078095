"""The commands: contract of their JSON, what people read, and refusals in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from thrifty.cli import main
from thrifty.errors import ThriftyError
from thrifty.levers.parallelize.cli import app
from thrifty.timeline import read_chrome_trace

RUNNER = CliRunner()
PUBLISHED = ("dlrm-a", "--on", "zionex", "--devices", "128", "--batch", "65536", "--mode", "compat")


def run(*words: str) -> str:
    result = RUNNER.invoke(app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout


def read(*words: str) -> Any:
    return json.loads(run(*words, "--json"))


@pytest.mark.parametrize("mode", ["compat", "physical"])
def test_formula_evaluate_holds_the_contract(mode: str) -> None:
    words = ("evaluate", "dlrm-a", "--on", "zionex", "--devices", "128", "--task", "pretrain", "--plan", "embedding=mp;dense=fsdp:8,ddp:16", "--batch", "65536")
    said = read(*words, "--mode", mode)
    keys = {
        "mode", "iteration_s", "compute_s", "communication_s", "exposed_s", "overlapped_s", "throughput_per_s", "memory_bytes", "capacity_bytes", "fits",
        "critical_path",
    }  # fmt: skip
    assert keys <= set(said)
    assert said["mode"] == mode
    assert {"gemm", "embedding"} <= set(said["compute_s"])
    assert {"all_to_all", "all_reduce", "all_gather", "reduce_scatter"} <= set(said["communication_s"])
    assert sum(part["time_s"] for part in said["critical_path"]) == pytest.approx(said["iteration_s"], rel=1e-6)
    assert said["exposed_s"] == pytest.approx(said["iteration_s"] - sum(said["compute_s"].values()) - sum(said["other_s"].values()), rel=1e-6)
    assert said["throughput_per_s"] == pytest.approx(65536 / said["iteration_s"])


def test_paper_the_first_case() -> None:
    """DLRM-A on 128 GPUs, tables sharded, the rest replicated: 54.00 ms, of which 35.99 wait; 1.2136 million samples a second."""
    said = read("evaluate", *PUBLISHED, "--plan", "embedding=mp;dense=ddp")
    assert said["iteration_s"] == pytest.approx(54.00e-3, rel=2e-3)
    assert said["exposed_s"] == pytest.approx(35.99e-3, rel=2e-3)
    assert said["throughput_per_s"] == pytest.approx(1.2136e6, rel=2e-3)
    assert (said["fits"], said["quirks"] != []) == (False, True)


def test_formula_the_trace_is_the_schedule(tmp_path: Path) -> None:
    said = read("evaluate", *PUBLISHED, "--plan", "dense=ddp", "--trace", str(tmp_path / "t.json"))
    events = read_chrome_trace(tmp_path / "t.json")
    assert max(event.end_s for event in events) == pytest.approx(said["iteration_s"], abs=1e-8)  # type: ignore[union-attr]


def test_formula_a_job_and_a_spread() -> None:
    said = read("evaluate", *PUBLISHED, "--plan", "dense=ddp", "--samples", "5e9", "--spread", "200")
    assert said["job"]["device_hours"] == pytest.approx(5e9 / said["throughput_per_s"] / 3600 * 128)
    assert said["spread"]["p5"] < said["spread"]["p50"] < said["spread"]["p95"]


def test_formula_other_commands_answer() -> None:
    best = read("search", *PUBLISHED, "--top", "2", "--objective", "carbon")
    assert best["best"][0]["plan"] == "embedding=mp:128;dense=tp:8,ddp:16"
    assert best["exact"]
    swept = read("sweep", *PUBLISHED, "--plan", "dense=tp:8,ddp", "--factors", "10")
    assert swept["speedup"]["all"]["10.0"] == pytest.approx(10)
    sides = read("compare", *PUBLISHED, "--plan", "dense=fsdp", "--plan", "dense=ddp")
    assert len(sides["sides"]) == 2
    why = read("explain", *PUBLISHED, "--plan", "dense=tp:8,ddp", "--reach", "1.2")
    assert why["why"]["binding"] == "roce"
    assert why["reach"]["factors"]["all"] == pytest.approx(1.2)


@pytest.mark.parametrize("command", ["evaluate", "search", "sweep", "compare", "explain"])
def test_formula_people_get_a_page_and_words(command: str, tmp_path: Path) -> None:
    plan = () if command == "search" else ("--plan", "dense=ddp")
    said = run(command, *PUBLISHED, *plan, "--out", str(tmp_path / "page.html"))
    assert "dlrm-a" in said
    assert "</html>" in (tmp_path / "page.html").read_text(encoding="utf-8")


BAD = {
    "degrees that do not multiply to the devices": (("--plan", "dense=fsdp:8,ddp:8"), "spreads over 64 of 128"),
    "degrees that do not divide": (("--plan", "dense=fsdp:8,ddp:10"), "80"),
    "a degree below 2": (("--plan", "dense=fsdp:1,ddp"), "is no strategy"),
    "a strategy twice": (("--plan", "dense=ddp:8,ddp:16"), "twice"),
    "an unknown strategy": (("--plan", "dense=magic"), "No strategy named 'magic'"),
    "an unknown class": (("--plan", "heads=ddp"), "No class or option of a plan named 'heads'"),
    "a class that the model lacks": (("--plan", "experts=ep:8,ddp"), "has no such layers"),
    "an unknown mode": (("--mode", "fast"), "mode='fast' is none of"),
    "an unknown task": (("--task", "play"), "No task named 'play'"),
    "an unknown system": (("--on", "nowhere"), "No system named 'nowhere'"),
    "fewer samples than ranks": (("--batch", "64", "--plan", "dense=ddp"), "does not spread evenly over 128"),
    "no samples": (("--batch", "-1"), "batch=-1 is below 0"),
    "devices that fill nodes in part": (("--devices", "12"), "12 devices do not fill"),
    "devices below 1": (("--devices", "-3"), "devices=-3 is below 1"),
    "a plan that cannot fit": (("--on", "zionex", "--devices", "8", "--must-fit"), "lacks"),
    "pretraining with frozen parts": (("--freeze", "top"), "belong to finetune"),
    "an unknown site": (("--site", "moon"), "No site named 'moon'"),
}


@pytest.mark.parametrize("what", BAD)
def test_formula_what_cannot_be_is_one_line(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    words, expected = BAD[what]
    start = ["parallelize", "evaluate", "dlrm-a", "--batch", "65536"]
    for name in ("--batch",):
        if name in words:
            start = start[: start.index(name)]
    assert main([*start, *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert expected in said
    assert said.count("\n") == 1


def test_formula_a_workload_that_does_not_exist() -> None:
    with pytest.raises(ThriftyError, match="No workload named 'dlrm-z'"):
        run("evaluate", "dlrm-z")
