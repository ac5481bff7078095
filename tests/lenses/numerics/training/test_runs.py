"""One run: the same bits each time, whatever the machine has to spare; the chaos floor starts one ulp away; variants keep what they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("sklearn", reason="scikit-learn is not installed")

import thrifty.formats as formats  # noqa: E402
from thrifty.errors import BadValue, UnknownName  # noqa: E402
from thrifty.lenses.numerics.training.models.shapes import MODELS, initial  # noqa: E402
from thrifty.lenses.numerics.training.running.runs import start, train, weights_of  # noqa: E402
from thrifty.lenses.numerics.training.running.variants import Asked, Low, runs_of  # noqa: E402


def rows_of(name: str, model: str = "digits", **changes: Any) -> list[dict[str, Any]]:
    asked = Asked.of(model, steps=6, every=3, seeds=2, low=("autocast:bf16", "pure:bf16", "pure:fp16"))
    run = next(run for run in runs_of(asked, {"data": "x"}) if run.name == name)
    return train({**run.configuration, **changes})


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("model", ["digits", "text"])
def test_formula_a_run_is_the_same_bits_each_time_on_any_number_of_threads(model: str) -> None:
    before = torch.get_num_threads()
    one = rows_of("optimised", model)
    torch.set_num_threads(2)
    try:
        assert rows_of("optimised", model) == one
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert [row["step"] for row in one] == [0, 3, 6]
    assert rows_of("optimised", model, init=1)[-1]["digest"] != one[-1]["digest"]
    assert rows_of("optimised", model, order=1)[-1]["digest"] != one[-1]["digest"]
    assert rows_of("baseline", model)[-1]["digest"] != one[-1]["digest"]
    assert rows_of("baseline", model)[0]["digest"] == one[0]["digest"]


@pytest.mark.usefixtures("tiny")
def test_formula_one_tile_of_fa1_is_no_baseline_and_a_policy_against_itself_is_one_run() -> None:
    asked = Asked.of("digits", steps=4, every=2, seeds=2, policy="baseline_paper")
    base, tested = (next(run for run in runs_of(asked, {}) if run.name == name) for name in ("baseline", "optimised"))
    assert base.configuration == tested.configuration


def test_formula_the_floor_starts_one_ulp_away_in_one_weight() -> None:
    plain, nudged = (start(MODELS["digits"], 3, nudge) for nudge in ("", "ulp"))
    (place,) = np.flatnonzero(plain != nudged)
    assert abs(int(plain.view(np.int32)[place]) - int(nudged.view(np.int32)[place])) == 1
    assert np.abs(nudged[place]) > np.abs(plain[place])


@pytest.mark.usefixtures("tiny")
def test_formula_one_ulp_reaches_many_weights() -> None:
    one, other = (weights_of(rows_of(name, steps=60, every=60)[-1]) for name in ("baseline", "floor"))
    assert (one != other).mean() > 0.5


@pytest.mark.usefixtures("tiny")
def test_formula_pure_runs_hold_weights_of_their_format_and_autocast_runs_fp32() -> None:
    pure, autocast = (weights_of(rows_of(f"{variant} bf16")[-1]) for variant in ("pure", "autocast"))
    assert np.array_equal(pure, formats.round(pure, "bf16"))
    assert (autocast != formats.round(autocast, "bf16")).mean() > 0.5


@pytest.mark.usefixtures("tiny")
def test_formula_a_run_that_diverges_says_when_and_keeps_what_was_before() -> None:
    """Squares of gradients vanish in FP16, so a pure run divides by zero at once."""
    rows = rows_of("pure fp16")
    assert [row["step"] for row in rows] == [0]
    assert rows[0]["diverged"] == 2
    assert np.array_equal(weights_of(rows[0]), formats.round(initial(MODELS["digits"], 0), "fp16"))


@pytest.mark.slow
def test_formula_another_process_trains_the_same_bits() -> None:
    """On the true model, untouched by the shrinking that other tests do."""
    asked = Asked.of("digits", steps=2, every=1, seeds=2)
    run = next(run for run in runs_of(asked, {"data": "x"}) if run.name == "fp32")
    code = (
        "import json, sys\nfrom thrifty.lenses.numerics.training.running.runs import train\n"
        "print(train(json.loads(sys.stdin.read()))[-1]['digest'])"
    )
    found = subprocess.run([sys.executable, "-c", code], input=json.dumps(run.configuration), capture_output=True, text=True, check=True, env={**os.environ})
    assert found.stdout.strip() == train(run.configuration)[-1]["digest"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"model": "gpt"}, "model='gpt' is unknown. Choose: digits, text."),
        ({"text": "a.txt"}, "text='a.txt' is no data for the model 'digits'. Leave it out, or choose model text."),
        ({"steps": 1}, "steps=1 must be a whole number of at least 2."),
        ({"seeds": 1}, "seeds=1 must be a whole number of at least 2."),
        ({"steps": 10, "every": 6}, "every=6 leaves 1 snapshot(s) of 10 steps; a slope needs two. Take every=1, say."),
        ({"low": ()}, "low is empty, and the low-precision runs are what deviation is held against. Give autocast:bf16, say."),
        ({"low": ("half:bf16",)}, "low precision 'half:bf16' is unknown. Write variant:format, such as autocast:bf16 or pure:bf16."),
    ],
)
def test_formula_questions_that_cannot_be_asked_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(BadValue) as raised:
        Asked.of(**wrong)
    assert str(raised.value) == said


def test_formula_unknown_formats_and_policies_are_refused() -> None:
    with pytest.raises(UnknownName):
        Asked.of(policy="fa_papr")
    with pytest.raises(UnknownName):
        Low.read("pure:bf17")


def test_formula_a_configuration_holds_what_its_result_depends_on_and_no_more() -> None:
    one, other = (
        {run.name: run.configuration for run in runs_of(Asked.of("digits", policy=policy), {"data": "x"})} for policy in ("fa_paper", "fa2_kernel")
    )
    assert {name for name in one if one[name] != other[name]} == {"optimised"}
