"""`thrifty numerics attention` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from thrifty.errors import BadValue, UnknownName
from thrifty.lenses.numerics.cli import app
from thrifty.lenses.numerics.inputs import capture
from thrifty.lenses.numerics.laboratory.sweeps import read_axes

SMALL = ("--seq", "64", "--head-dim", "16", "--block-k", "16")


def asked(*words: str) -> Any:
    done = CliRunner().invoke(app, ["attention", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


def test_formula_json_says_what_the_issue_promises() -> None:
    said = json.loads(asked(*SMALL, "--json").stdout)
    assert {"max", "mean", "bias_ratio", "w1", "ratio_to_baseline", "at_floor"} <= set(said)
    assert said["ratio_to_baseline"] == pytest.approx(said["max"] / said["baseline"]["max"])
    assert said["policy"]["name"] == "fa_paper"
    assert said["tiles"] == 4
    assert said["command"].startswith("thrifty numerics attention --policy fa_paper")


def test_formula_the_command_it_prints_gives_the_same_again() -> None:
    words = ("--seq", "48", "--head-dim", "8", "--block-k", "8", "--set", "o.store=fp32", "--set", "option.kv_order=reverse", "--causal", "--heads", "4",
             "--kv-heads", "2", "--alibi", "--window", "20", "--inputs", "normal", "--seed", "0", "--policy", "fa2_kernel", "--splits", "2")  # fmt: skip
    first = json.loads(asked(*words, "--json").stdout)
    again = json.loads(asked(*__import__("shlex").split(first["command"])[3:], "--json").stdout)
    assert first == again
    assert first["policy"]["options"]["kv_order"] == "reverse"
    assert first["splits"] == 2


def test_formula_a_page_and_a_grid(tmp_path: Path) -> None:
    asked(*SMALL, "--out", str(tmp_path / "one.html"))
    assert "What is rounded where" in (tmp_path / "one.html").read_text(encoding="utf-8")
    done = asked("--seq", "48", "--head-dim", "8", "--sweep", "block_k=8:16,format=bf16:fp32", "--json", "--out", str(tmp_path / "grid.html"))
    said = json.loads(done.stdout)
    assert said["axes"] == {"format": ["bf16", "fp32"], "block_k": ["8", "16"]}
    assert len(said["points"]) == 4
    assert said["points"][0]["max"] > said["points"][2]["max"]
    assert "Heat maps" in (tmp_path / "grid.html").read_text(encoding="utf-8")
    single = json.loads(asked("--seq", "48", "--head-dim", "8", "--block-k", "16", "--format", "fp32", "--json").stdout)
    assert said["points"][3]["max"] == single["max"]


def test_formula_the_list_names_everything() -> None:
    said = json.loads(asked("--list", "--json").stdout)
    assert "fa_paper" in said["policies"]
    assert "o.store" in said["sites"]
    assert said["options"]["kv_order"] == "forward"
    assert "uniform" in asked("--list").stdout


def test_formula_inputs_of_a_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "x.npz", **{name: rng.standard_normal((2, 12, 8)) for name in "qkv"})
    said = json.loads(asked("--inputs", str(tmp_path / "x.npz"), "--block-k", "4", "--json").stdout)
    assert (said["heads"], said["seq"], said["head_dim"]) == (2, 12, 8)


@pytest.mark.parametrize(
    ("words", "line"),
    [(("--set", "o.stor=fp32"), "o.store"), (("--set", "o.store"), "must be site=rule"), (("--inputs", "unifrom"), "uniform"), (("--seq", "0"), "seq=0 leaves"),
     (("--inputs", "smollm2:x"), "smollm2:LAYER"), (("--sweep", "blockk"), "block_k"), (("--sweep", "seq=0:1"), "must be a whole number"),
     (("--golden", "best"), "golden"), (("--sweep", "seq", "--inputs", "x.npz"), "draws its inputs")],
)  # fmt: skip
def test_formula_refusals_are_one_line(words: tuple[str, ...], line: str) -> None:
    with pytest.raises((BadValue, UnknownName)) as caught:
        asked(*SMALL, *words)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_formula_axes_of_a_grid() -> None:
    assert read_axes("format,seq=32") == {"seq": ("32",), "format": ("bf16", "fp16", "fp32", "fp64")}
    with pytest.raises(BadValue, match="repeats or leaves out"):
        read_axes("seq=1:1")
    with pytest.raises(BadValue, match="at most"):
        read_axes("seq=" + ":".join(map(str, range(1, 1002))))


@pytest.mark.slow
def test_formula_a_real_layer_is_far_from_gaussian() -> None:
    try:
        made = capture(3, 64)
    except BadValue as why:
        pytest.skip(str(why))
    assert made.q.shape == (9, 64, 64)
    assert made.k.shape == (3, 64, 64)
    assert made.causal
    assert np.abs(made.k).max() > 6 * made.k.std()
