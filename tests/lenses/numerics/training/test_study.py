"""Whole studies, tiny: JSON, page, resumption, what a study lacks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("pyarrow", reason="pyarrow is not installed")

from thrifty.cli import app
from thrifty.errors import BadValue
from thrifty.lenses.numerics.pages.training import training_page
from thrifty.lenses.numerics.training import SCOPE, Study, train_study
from thrifty.lenses.numerics.training.finding import Course
from thrifty.lenses.numerics.training.running import runs
from thrifty.lenses.numerics.training.running.variants import Asked
from thrifty.lenses.numerics.training.study import refused
from thrifty.report import to_html

ASKED: dict[str, Any] = {"steps": 6, "every": 2, "seeds": 2, "low": ("pure:bf16", "pure:fp16"), "workers": 1}


def quiet(what: str, share: float) -> None:
    """Progress that says nothing."""


def study(folder: Path | None = None, **changes: Any) -> Study:
    return train_study(**{**ASKED, "folder": folder, "progress": quiet, **changes})


@pytest.mark.usefixtures("tiny")
def test_formula_a_study_says_all_it_has_and_all_it_lacks() -> None:
    found = study()
    said = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert (said["verdict"], said["why"], said["scope"]) == ("inconclusive", "2 seeds are fewer than 5", SCOPE)
    assert said["repeat_identical"] is True
    assert said["gauge"]["found"] == said["gauge"]["known"] == ["block0.key.bias"]
    assert [name for name, met in said["conditions"].items() if not met] == [
        "5 seeds or more", "1,000 steps or more", "validation loss of FP32, baseline and optimised runs below half its start",
    ]  # fmt: skip
    bands = said["bands"]["filtered"]["w1"]
    assert list(bands) == ["optimised", "floor", "other seeds", "pure bf16", "pure fp16", "attention's format"]
    assert bands["optimised"]["curve"][0] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert bands["optimised"]["curve"][-1]["value"] > 0
    assert bands["other seeds"]["curve"][0]["value"] > 0
    assert bands["pure fp16"]["diverged_at_steps"] == [2]
    assert "block0.key.bias" in said["bands"]["raw"]["w1"]["optimised"]["per_tensor"]
    assert "block0.key.bias" not in bands["optimised"]["per_tensor"]
    assert list(said["ratios"]["filtered"]["w1"]["low_over_optimised"]) == ["pure bf16"]
    page = to_html(training_page(found, command="thrifty numerics train-study", generated="now"))
    assert "it is no proof of stability" in page
    assert "2 seeds are fewer than 5" in page


@pytest.mark.usefixtures("tiny")
def test_formula_a_killed_study_goes_on_and_ends_as_if_it_had_not_been(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = study(tmp_path / "whole").to_dict()
    counted, train = [], runs.train

    def counting(configuration: dict[str, Any], seed: int = 0) -> Any:
        if len(counted) == 5:
            raise KeyboardInterrupt
        counted.append(configuration["init"])
        return train(configuration, seed)

    monkeypatch.setattr(runs, "train", counting)
    with pytest.raises(KeyboardInterrupt):
        study(tmp_path / "killed")
    counted.append(None)  # from here on none is killed
    before = len(counted)
    assert study(tmp_path / "killed").to_dict() == whole
    assert len(counted) - before == 8  # 13 runs, 5 of which were there
    assert study(tmp_path / "killed").to_dict() == whole
    assert len(counted) - before == 8
    study(tmp_path / "killed", seeds=3)
    assert len(counted) - before == 14  # six kinds of run for the third seed


@pytest.mark.usefixtures("tiny")
def test_formula_an_optimised_policy_that_is_the_baseline_does_not_drift() -> None:
    found = study(policy="baseline_paper", low=("autocast:bf16",))
    for filter in ("filtered", "raw"):
        assert not found.bands.found["optimised"].apart[filter]["max"].any()
    assert found.to_dict()["ratios"]["filtered"]["w1"]["low_over_optimised"]["autocast bf16"]["level"]["value"] is None
    to_html(training_page(found, command="", generated="now"))


@pytest.mark.usefixtures("tiny")
def test_formula_a_run_that_is_not_the_same_twice_gives_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    train, calls = runs.train, []

    def shaken(configuration: dict[str, Any], seed: int = 0) -> Any:
        calls.append(configuration)
        return [{**row, "digest": f"{row['digest']}{len(calls)}"} for row in train(configuration, seed)]

    monkeypatch.setattr(runs, "train", shaken)
    found = study(low=("autocast:bf16",))
    assert not found.repeat_identical
    assert found.verdict.why == "the same run done twice differs on this machine, so distances hold noise"


@pytest.mark.usefixtures("tiny")
def test_formula_a_run_that_fails_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:

    def failing(configuration: dict[str, Any], seed: int = 0) -> Any:
        raise ValueError("no memory")

    monkeypatch.setattr(runs, "train", failing)
    with pytest.raises(BadValue, match=r"^13 of 13 runs failed, the first with: ValueError: no memory"):
        study()


@pytest.mark.usefixtures("tiny")
def test_formula_the_command_prints_json_and_writes_a_page(tmp_path: Path) -> None:
    asked = ["numerics", "train-study", "--model", "text", "--steps", "4", "--every", "2", "--seeds", "2", "--low", "pure:bf16", "--workers", "1"]
    found = CliRunner().invoke(app, [*asked, "--json", "--out", str(tmp_path / "page.html")])
    assert found.exit_code == 0, found.output
    said = json.loads(found.stdout)
    assert (said["model"], said["steps"], said["verdict"]) == ("text", 4, "inconclusive")
    page = (tmp_path / "page.html").read_text()
    assert "thrifty numerics train-study --model text --steps 4 --every 2 --seeds 2 --low pure:bf16" in page


@pytest.mark.parametrize(("wrong", "said"), [
    ({"policy": "fa3_fp8"}, "policy 'fa3_fp8' has option quantise=block"), ({"baseline": "baseline_fp8"}, "policy 'baseline_fp8' has option"),
    ({"format": "e8m0"}, "no negative numbers"),
])  # fmt: skip
def test_formula_what_cannot_be_trained_is_refused_before_any_run(wrong: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "train", lambda *_: pytest.fail("a run was begun"))
    with pytest.raises(BadValue, match=said):
        study(**wrong)


@pytest.mark.parametrize(("steps", "last", "why"), [
    (999, 0.1, "999 steps are fewer than 1,000"), (1000, 0.6, "validation loss did not fall below half its start in 1 runs, baseline 0 among them"),
    (1000, 0.4, ""),
])  # fmt: skip
def test_formula_a_model_that_has_not_learned_gives_no_verdict(steps: int, last: float, why: str) -> None:
    courses = {
        (name, 0): Course(steps=(0, steps), training=(1.0, 1.0), validation=(1.0, end), digests=("", ""))
        for name, end in (("fp32", 0.1), ("baseline", last), ("optimised", 0.9), ("pure bf16", 0.9))
    }  # fmt: skip
    assert refused(Asked.of(steps=steps, every=steps // 2 if steps == 1000 else 111), courses, True) == why
