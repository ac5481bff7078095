"""The commands: contract of their JSON, what people read, and refusals in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from thrifty import hardware
from thrifty.cli import main
from thrifty.cost.plans.plan import STRATEGIES
from thrifty.cost.plans.tasks import PARTS
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


def test_formula_a_page_says_the_whole_command(tmp_path: Path) -> None:
    words = ("evaluate", "gpt2", "--on", "dgx-a100", "--batch", "8", "--plan", "dense=ddp;micro=1", "--task", "finetune", "--train-layers", "0")
    run(*words, "--site", "france", "--out", str(tmp_path / "page.html"))
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "thrifty parallelize evaluate gpt2 --on dgx-a100 --task finetune --train-layers 0 --plan" in page
    assert "--site france" in page


def test_formula_help_lists_the_words_that_errors_send_to_it_for() -> None:
    said = run("evaluate", "--help")
    whole = "".join(said.split())  # however wide the terminal is, and wherever it breaks a line
    for word in (*STRATEGIES, *PARTS, "schedule=1f1b|gpipe|interleaved|zero-bubble", "micro=N"):
        assert word in whole
    assert said.count("[default: ") == len([line for line in said.splitlines() if "[default: " in line])


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
    "freezing what is not there": (("--task", "finetune", "--freeze", "interaction"), "interaction is to be frozen, and dlrm-a has no such part"),
    "freezing everything": (("--task", "finetune", "--freeze", "dense", "--freeze", "embedding"), "nothing is trained"),
    "training more layers than there are": (("--task", "finetune", "--train-layers", "1000"), "trained_layers=1000 is above the 20 layers"),
    "a rank that is not low": (("--task", "finetune", "--lora-rank", "100000"), "lora_rank=100000 is no low rank"),
    "a format of frozen weights where none are": (("--task", "finetune", "--base-format", "int4"), "none are frozen"),
    "training in whole numbers": (("--format", "int4"), "in which nothing is trained"),
    "no format": (("--format", ""), "format='' names no number format"),
    "decoding while training": (("--phase", "decode"), "phase=decode belongs to inference"),
    "a cache without decoding": (("--task", "inference", "--context", "5"), "context=5 are tokens cached before decoding"),
    "decoding what writes no tokens": (("--task", "inference", "--phase", "decode"), "has no decode phase"),
    "a job of nan samples": (("--samples", "nan"), "samples=nan is no size of a job"),
    "a job beyond numbers": (("--samples", "1e308"), "samples=1e+308 is no size of a job"),
    "draws below 0": (("--spread", "-1"), "spread=-1 is below 0"),
    "more draws than memory holds": (("--spread", "1000000000"), "are more than memory holds"),
    "degrees on one device": (("--devices", "1", "--plan", "dense=tp:8"), "tp:8 spreads over 8 ranks, which do not divide 1 device"),
    "more devices than a node joins": (("--on", "dgx-a100", "--devices", "16"), "devices=16 is above the 8 that nvlink of 'dgx-a100' joins"),
    "a plan of two lines": (("--plan", "dense=a\nb"), "is no STRATEGY:DEGREE"),
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


SEARCHES = {
    "degrees of context parallelism that no devices have": (("--cp", "3"), "with cp=3 multiply to 8 devices"),
    "degrees that are no numbers": (("--cp", "nan"), "no whole number from 1 up"),
    "endless degrees": (("--cp", "inf"), "no whole number from 1 up"),
    "nothing to show": (("--top", "0"), "top=0 is below 1"),
    "an objective twice": (("--objective", "time=1,time=2"), "time stands twice"),
    "a weight beyond numbers": (("--objective", "time=1e308"), "time=1e308 is no weight"),
    "an endless deadline": (("--deadline-hours", "inf", "--samples", "1"), "deadline_s=inf is no limit"),
    "an endless job": (("--deadline-hours", "1", "--samples", "inf"), "samples=inf is no limit"),
    "limits of two pools for one": (("--ttft-ms", "5"), "the phase is not disaggregated"),
    "a batch for two pools": (("--task", "inference", "--phase", "disaggregated", "--batch", "7"), "batch has no meaning for phase=disaggregated"),
    "two pools in compat": (("--task", "inference", "--phase", "disaggregated", "--mode", "compat"), "mode has no meaning for phase=disaggregated"),
}


@pytest.mark.parametrize("what", SEARCHES)
def test_formula_what_cannot_be_searched_is_one_line(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    words, expected = SEARCHES[what]
    assert main(["parallelize", "search", "gpt2", "--on", "dgx-a100", *(() if "--phase" in words else ("--batch", "16")), *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert expected in said
    assert said.count("\n") == 1


def test_formula_two_pools_need_a_model_that_writes_tokens() -> None:
    with pytest.raises(ThriftyError, match="has no decode phase"):
        run("search", "dlrm-a", "--on", "dgx-a100", "--task", "inference", "--phase", "disaggregated")


def test_formula_decoding_leaves_a_place_for_the_new_token() -> None:
    """GPT-2 holds 1024 tokens: 1023 are cached where nobody says otherwise."""
    words = ("evaluate", "gpt2", "--on", "dgx-a100", "--batch", "8", "--plan", "dense=ddp", "--task", "inference", "--phase", "decode")
    assert read(*words)["iteration_s"] == read(*words, "--context", "1023")["iteration_s"]
    with pytest.raises(ThriftyError, match="context=1024 leaves no place for a new token in the 1024 of 'gpt2'"):
        run(*words, "--context", "1024")


def test_formula_systems_that_nobody_published_are_compared_in_one_mode() -> None:
    sides = read("compare", "gpt2", "--on", "dgx-a100", "--batch", "16", "--plan", "dense=fsdp", "--plan", "dense=tp:5,ddp")["sides"]
    assert sides[0]["evaluation"]["mode"] == "physical"
    assert sides[0]["other_mode"] is None
    assert "do not divide 8 devices" in sides[1]["refusal"]


def test_formula_what_one_device_is_given_can_be_asked_again() -> None:
    best = read("search", "gpt2", "--on", "dgx-a100", "--devices", "1", "--batch", "2", "--top", "1")["best"][0]
    again = read("evaluate", "gpt2", "--on", "dgx-a100", "--devices", "1", "--batch", "2", "--plan", best["plan"])
    assert again["iteration_s"] == pytest.approx(best["evaluation"]["iteration_s"])


@pytest.mark.parametrize("value", ["0", "nan", "-25", "1e-300"])
def test_formula_a_system_of_ones_own_without_bandwidth(value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = (Path(str(hardware.__file__)).parent / "catalogue" / "systems" / "zionex.toml").read_text(encoding="utf-8")
    (tmp_path / "mine.toml").write_text(sheet.replace("value = 25\n", f"value = {value}\n"), encoding="utf-8")
    assert main(["parallelize", "evaluate", "dlrm-a", "--on", str(tmp_path / "mine.toml"), "--batch", "65536", "--json"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1


def test_formula_a_name_that_is_too_long() -> None:
    with pytest.raises(ThriftyError, match="No workload named"):
        run("evaluate", "x" * 5000)


def test_formula_a_workload_that_does_not_exist() -> None:
    with pytest.raises(ThriftyError, match="No workload named 'dlrm-z'"):
        run("evaluate", "dlrm-z")
