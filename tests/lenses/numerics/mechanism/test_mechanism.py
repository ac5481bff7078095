"""Repeated maxima (Qiu and Yao 2025): the lean of errors with all its causes, without each, and with the maximum mended."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from thrifty.errors import BadFile, BadValue
from thrifty.formats import round_to
from thrifty.lenses.contract import Finding
from thrifty.lenses.numerics.cli import app
from thrifty.lenses.numerics.laboratory import attend, golden
from thrifty.lenses.numerics.mechanism import Shown, bias_of, demonstrate, examine, learn, repeated_rows, show_mechanism
from thrifty.lenses.numerics.mechanism.demonstration import defective
from thrifty.lenses.numerics.policy import as_policy


def test_formula_two_bf16_values_and_a_residual_by_hand() -> None:
    """The mechanism without attention: v1 + v2 + r rounded to BF16, values in steps of 2^-6, sums in steps of 2^-5: every other sum is a tie."""
    draw = np.random.default_rng(0)
    v = round_to(-draw.uniform(2.0, 4.0, (1 << 16, 2)), "bf16")
    for residual, mean, ratio in ((5e-4, -0.0073, -0.68), (0.0, 0.0, 0.0)):
        total = v.sum(axis=1) - 2.0 * residual * draw.random(len(v))
        found = bias_of(round_to(total, "bf16") - total)
        assert found.mean == pytest.approx(mean, abs=2e-4) and found.ratio == pytest.approx(ratio, abs=0.01)
        assert found.leans == bool(residual)


@pytest.fixture(scope="module")
def shown() -> dict[str, Shown]:
    return {each.name: each for each in demonstrate(heads=16)}


def test_paper_errors_lean_where_maxima_repeat(shown: dict[str, Shown]) -> None:
    found = shown["two equal maxima"]
    assert found.repeated == found.rows == 256
    assert found.bias.mean == pytest.approx(-0.0073, abs=3e-4) and found.bias.ratio == pytest.approx(-0.68, abs=0.02) and found.bias.leans
    assert shown["positive values"].bias.mean == -found.bias.mean


@pytest.mark.parametrize("name", ["no residual", "P below 1"])
def test_paper_without_a_cause_there_is_no_lean(name: str, shown: dict[str, Shown]) -> None:
    assert abs(shown[name].bias.ratio) < 0.02 and not shown[name].bias.leans
    assert shown[name].bias.rms > 0.005


def test_paper_the_mended_maximum_takes_the_lean_away_and_a_fixed_offset_does_not(shown: dict[str, Shown]) -> None:
    for name in ("mended", "mended, maxima below 0"):
        assert abs(shown[name].bias.ratio) < 0.1 and not shown[name].bias.leans and math.isfinite(shown[name].bias.mean)
    offsets = [each for name, each in shown.items() if name.startswith("offset")]
    assert len(offsets) == 4 and all(each.bias.leans and abs(each.bias.ratio) > 0.5 and each.repeated == 0 for each in offsets)


def test_formula_a_power_of_two_as_offset_halves_the_very_same_errors(shown: dict[str, Shown]) -> None:
    assert shown["offset 0.693"].bias.mean == pytest.approx(shown["two equal maxima"].bias.mean / 2, rel=0.01)


def test_formula_the_baseline_leans_too_and_is_not_mended(shown: dict[str, Shown]) -> None:
    assert shown["baseline"].bias.leans and shown["baseline, mended"].bias == shown["baseline"].bias


def test_paper_errors_of_a_weight_grow_with_steps_and_not_with_the_fix() -> None:
    ill, mended, other, kernel, cured = learn(steps=32)
    assert ill.growth.coherent and ill.growth.exponent > 0.9 and ill.growth.ratio > 5 and ill.growth.leading_share > 0.99 and ill.d.leans
    for each in (mended, other, cured):
        assert not each.growth.coherent and each.growth.exponent < 0.8 and not each.d.leans
    assert other.growth.norms[-1] < 0.01 * ill.growth.norms[-1]
    assert kernel.growth.norms[-1] < 0.5 * ill.growth.norms[-1]


def test_formula_the_fix_leaves_other_rows_as_they_are() -> None:
    """Half of the heads repeat their maxima, half do not."""
    pair = [repeated_rows(heads=4, below=below, seed=3) for below in (False, True)]
    q, k, v = (np.concatenate([getattr(each, name) for each in pair], axis=1) for name in "qkv")
    outs = [np.asarray(attend(q, k, v, policy=policy).out) for policy in (defective(), defective().override("option.repeated_max=7"))]
    true = golden(q, k, v, inputs="given")
    assert np.array_equal(outs[0][:, 4:], outs[1][:, 4:]) and not np.array_equal(outs[0][:, :4], outs[1][:, :4])
    assert np.isfinite(outs[1]).all() and np.abs(outs[1] - true).max() < 2.0**-5
    found = examine(q, k, v, policy=defective().override("in=dt", "o.store=dt"))
    assert found.elsewhere == 0.0 and found.step == 2.0**-6 and 0 < found.repeats.repeated < found.repeats.rows


def test_formula_a_maximum_too_high_for_beta_loses_rows() -> None:
    high = repeated_rows(heads=2, top=20.0, spread=0.0)
    found = examine(high.q, high.k, high.v, policy="fa2_kernel")
    assert found.safe_top == pytest.approx(-math.log(2.0**-149) / 6) and found.plain.lost == 0 and found.mended.lost == found.repeats.rows
    assert found.verdict.endswith("mending loses 32 rows, whose P becomes 0: take a smaller beta.")
    assert examine(high.q, high.k, high.v, policy="fa2_kernel", beta=4.0).mended.lost == 0


def test_formula_examine_sees_the_lean_and_both_ways_to_d() -> None:
    setup = repeated_rows(heads=8, seed=1)
    dout = np.abs(np.random.default_rng(1).standard_normal((1, 8, 16, 64)))
    found = examine(setup.q, setup.k, setup.v, dout, policy=as_policy("fa2_kernel").override("pv.store=dt"))
    assert found.present and found.cured and found.plain.repeated.ratio > 0.6  # away from zero
    assert found.plain.d_out is not None and found.plain.d_p is not None and found.mended.d_out is not None
    assert found.plain.d_out.leans and found.plain.d_out.rms > 100 * found.plain.d_p.rms
    assert not found.mended.d_out.leans
    assert isinstance(found, Finding) and found.verdict.startswith("128 of 128 rows repeat their maximum, and their errors lean (mean over RMS +0.7")
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["cured"] is True
    assert [section.title for section in found.sections()] == ["Repeated maxima"] and len(found.brief()) == 1


def test_formula_examine_finds_nothing_where_there_is_nothing() -> None:
    q, k, v = (np.random.default_rng(seed).standard_normal((2, 24, 16)) for seed in range(3))
    found = examine(q, k, v, policy="fa2_kernel", causal=True)
    assert found.repeats.repeated == 0 and not found.present and not found.cured
    assert found.verdict == "No row holds its largest score more than once, so the mechanism has nothing to work on."
    equal = examine(q, np.zeros_like(k), v, policy="fa2_kernel", causal=True)
    assert equal.repeats.zero == 46 and equal.repeats.most == 24


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: examine(*[np.zeros((1, 2, 2))] * 3, beta=1.0), "beta=1.0 must be a number above 1 and at most 64; 7 is usual."),
        (lambda: learn(steps=4), "steps=4 must be a whole number of at least 8."),
        (lambda: demonstrate(heads=0), "heads=0 must be a whole number from 1 to 4096."),
    ],
)
def test_formula_bad_input_is_one_line(call: Any, said: str) -> None:
    with pytest.raises(BadValue) as why:
        call()
    assert str(why.value) == said


def test_formula_the_command_shows_and_looks(tmp_path: Path) -> None:
    run = CliRunner().invoke
    page = tmp_path / "page.html"
    shown = run(app, ["mechanism", "--heads", "4", "--steps", "8", "--json", "--out", str(page)])
    assert shown.exit_code == 0, shown.output
    said = json.loads(shown.stdout)
    assert said["steps"] == 8 and said["shown"][0]["bias"]["leans"] and "Errors of dW_Q over steps" in page.read_text()
    setup = repeated_rows(heads=2)
    np.savez(tmp_path / "mine.npz", q=setup.q, k=setup.k, v=setup.v, dout=np.ones((1, 2, 16, 64)))
    looked = run(app, ["mechanism", str(tmp_path / "mine.npz"), "--policy", "fa2_paper"])
    assert looked.exit_code == 0 and "32 of 32 rows repeat their maximum" in looked.stdout
    np.savez(tmp_path / "less.npz", q=setup.q)
    for name, message in (("less.npz", "lacks k, v; it has q."), ("none.npz", "cannot be read as arrays")):
        failed = run(app, ["mechanism", str(tmp_path / name)])
        assert isinstance(failed.exception, BadFile) and message in str(failed.exception)


def test_formula_a_study_is_the_same_twice() -> None:
    first, second = (show_mechanism(heads=2, steps=8).to_dict() for _ in range(2))
    assert first == second and first["schema"] == "thrifty.numerics.mechanism_study/1"
