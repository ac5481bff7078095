"""Repeated maxima: errors lean and add up under the broken policy, and do not under the fixed one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("torch", reason="torch is not installed")

from thrifty.cli import app
from thrifty.errors import BadValue
from thrifty.lenses.numerics.training import repeated_maxima


def test_paper_errors_of_the_output_lean_where_maxima_repeat_and_the_option_mends_it() -> None:
    found = repeated_maxima(steps=8)
    broken, fixed = found.watched["broken"], found.watched["fixed"]
    assert found.repeated == 1.0
    # Qiu and Yao's sign: values are negative, and so are the errors of the output.
    assert broken.output.ratio < -0.1
    assert broken.output.leans
    assert abs(fixed.output.ratio) < 0.02


@pytest.mark.slow
def test_paper_the_errors_of_a_gradient_add_up_over_steps_and_the_option_mends_it() -> None:
    found = repeated_maxima(steps=100)
    broken, fixed = found.watched["broken"], found.watched["fixed"]
    assert abs(broken.dsum.ratio) > 5 * abs(fixed.dsum.ratio)
    assert broken.gradient.coherent
    assert not fixed.gradient.coherent
    assert broken.gradient.ratio > 2 * fixed.gradient.ratio
    assert found.shown
    # The honest half: at this size training does not fail of it.
    assert not found.failed
    assert json.dumps(found.to_dict(), allow_nan=False)


def test_formula_the_command_says_it_in_json_and_on_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    found = CliRunner().invoke(app, ["numerics", "train-study", "--repeated-maxima", "--steps", "8", "--order", "3", "--json", "--out", str(page)])
    assert found.exit_code == 0, found.output
    said = json.loads(found.stdout)
    assert (said["steps"], said["seed"], said["beta"]) == (8, 3, 2.0)
    assert said["broken"]["hash"] != said["fixed"]["hash"]
    assert "thrifty numerics train-study --repeated-maxima --steps 8 --order 3" in page.read_text()


def test_formula_a_fix_that_goes_too_far_is_told() -> None:
    """At beta 7 and maxima near 17, e to (1 - 7)·17 is below what FP32 holds."""
    with pytest.raises(BadValue, match=r"^with beta=7 all of P vanishes at step 0: maxima are too large\. Take a smaller beta\.$"):
        repeated_maxima(steps=8, beta=7.0)


@pytest.mark.parametrize(("wrong", "said"), [({"steps": 7}, "steps=7 must be"), ({"beta": 1.0}, "beta=1.0 must be")])
def test_formula_other_questions_are_refused(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(BadValue, match=said):
        repeated_maxima(**wrong)  # type: ignore[arg-type]
