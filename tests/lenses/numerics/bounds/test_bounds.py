"""Bounds of attention: weights against finite differences, coverage over runs, and what breaks them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from thrifty.errors import BadValue
from thrifty.lenses.contract import Finding
from thrifty.lenses.numerics import attend, draw, golden
from thrifty.lenses.numerics.bounds import attention_bound, attention_study, sum_study
from thrifty.lenses.numerics.cli import app
from thrifty.report import Page, to_html

POLICIES = ("baseline_paper", "baseline_eager", "fa_paper", "fa2_paper", "fa2_kernel", "fa3_fp8", "fa4", "sdpa_cpu")
CASES: dict[str, dict[str, Any]] = {"plain": {}, "causal": {"causal": True}, "window": {"window": 9}, "alibi": {"alibi": True}}


@pytest.mark.parametrize("policy", POLICIES)
def test_property_errors_stay_within(policy: str) -> None:
    """Deterministic bounds hold for every element, whatever the mask; what is walked without rounding is golden."""
    format = "e4m3" if policy == "fa3_fp8" else "bf16"
    for name, options in CASES.items():
        for kind in ("uniform", "normal"):
            x = draw(kind, seq=48, head_dim=8, heads=2, kv_heads=1, seed=3)
            bound = attention_bound(x.q, x.k, x.v, policy=policy, format=format, block_k=8, rows=range(48), **options)
            best = golden(x.q, x.k, x.v, policy=policy, format=format, block_k=8, **options)
            got = attend(x.q, x.k, x.v, policy=policy, format=format, block_k=8, **options).out
            error = np.abs(got - best)[None]
            assert np.allclose(bound.exact[0], best, rtol=1e-12, atol=1e-13), name
            assert (error <= bound.worst * 1.05).all(), name  # first order
            assert (bound.probable <= bound.worst).all() and (bound.everywhere >= bound.probable).all()


def test_property_splits_are_walked() -> None:
    x = draw("normal", seq=40, head_dim=8, seed=1)
    for options in ({"splits": 3}, {"split_size": 16, "causal": True}):
        bound = attention_bound(x.q, x.k, x.v, policy="fa2_paper", block_k=8, rows=range(40), **options)
        error = np.abs(attend(x.q, x.k, x.v, policy="fa2_paper", block_k=8, **options).out - golden(x.q, x.k, x.v, causal="causal" in options))
        assert np.isfinite(bound.worst).all() and (error <= bound.worst[0] * 1.05).all()


def test_formula_weights_are_derivatives() -> None:
    """One site in FP16, the rest in FP64: the walked bound of that site scales with its unit roundoff, and is the only one that matters."""
    x = draw("normal", seq=32, head_dim=8, seed=2)
    policy = {"preset": "fa_paper", "sites": {"*": "fp64", "l.add": "fp16"}, "accumulators": {"*": "fma:fp64"}}
    from thrifty.lenses.numerics import Policy

    found = {}
    for name in ("fp16", "bf16"):
        said = Policy.from_dict({**policy, "sites": {**policy["sites"], "l.add": name}})  # type: ignore[dict-item]
        found[name] = attention_bound(x.q, x.k, x.v, policy=said, block_k=8)
        assert found[name].sites[0].site == "l.add" and found[name].sites[0].worst > 1e6 * found[name].sites[1].worst
    assert found["bf16"].worst == pytest.approx(8 * found["fp16"].worst, rel=1e-6)


def test_property_growth_follows_the_tiles() -> None:
    """State in BF16: uniform inputs sum tile after tile, so halving tiles raises the bound; state in FP32 does not feel it."""
    x = draw("uniform", seq=256, head_dim=16, seed=0)
    grown = {
        policy: [float(attention_bound(x.q, x.k, x.v, policy=policy, block_k=block, rows=[0, 255]).probable.mean()) for block in (8, 32, 128)]
        for policy in ("fa_paper", "fa2_kernel")
    }
    assert grown["fa_paper"][0] > 1.5 * grown["fa_paper"][1] > 2 * grown["fa_paper"][2]
    assert max(grown["fa2_kernel"]) < 1.05 * min(grown["fa2_kernel"])


def test_formula_study_of_attention() -> None:
    study = attention_study(policy="fa_paper", seq=128, head_dim=16, block_k=16, runs=4, rows=6, digits=6)
    assert isinstance(study, Finding) and study.elements == 4 * 6 * 16
    assert all(row.holds for row in study.bounds) and study.bounds[1].median < study.bounds[0].median / 2
    assert study.digits is not None and 0.5 < study.digits["digits"] < 3 and study.digits["right_at_least_sure"] > 0.9
    assert {each.site for each in study.sites} >= {"l.add", "o.add", "p.store", "s.acc"}
    json.dumps(study.to_dict(), allow_nan=False)
    assert "Bounds and measured errors" in to_html(Page(title="t", summary="s", sections=study.sections())) and study.brief()


def test_formula_studies_of_sums() -> None:
    good = sum_study(64, runs=20)
    assert all(row.holds for row in good.bounds)
    stagnant = sum_study(1024, runs=20)
    rows = {row.name: row for row in stagnant.bounds}
    assert rows["walked, worst case"].holds and not rows["walked, probable"].holds and "stagnates" in stagnant.notes[0]
    assert 0.45 < stagnant.settings["relative_error"] < 0.55  # the brief: -50 % at 1024
    chance = sum_study(1024, runs=20, rounding="stochastic")
    assert all(row.holds for row in chance.bounds) and chance.settings["relative_error"] < 0.1
    cut = sum_study(512, runs=5, accumulator="hopper-bf16")
    assert {row.name for row in cut.bounds} == {"γ(n) Σ|x|", "walked, worst case"} and all(row.holds for row in cut.bounds)
    json.dumps(stagnant.to_dict(), allow_nan=False)
    assert sum_study(1024, inputs="ones", runs=3).measured[1.0] == 768.0  # 2^8 and no further


def test_formula_command() -> None:
    run = CliRunner().invoke(app, ["bounds", "--seq", "64", "--head-dim", "8", "--block-k", "8", "--runs", "2", "--digits", "0", "--json"])
    assert run.exit_code == 0, run.output
    said = json.loads(run.stdout)
    assert {"measured", "bounds", "sites", "golden", "exp_range"} <= set(said) and said["bounds"][1]["coverage"] >= 0.95
    run = CliRunner().invoke(app, ["bounds", "--sum", "64", "--runs", "3"])
    assert run.exit_code == 0 and "walked, probable" in run.stdout


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: attention_bound(np.ones((0, 4)), np.ones((3, 4)), np.ones((3, 4))), "a bound needs one at least"),
        (lambda: attention_bound(np.ones((2, 4)), np.ones((3, 4)), np.ones((3, 4)), rows=[5]), "places from 0 to 1"),
        (lambda: attention_study(runs=0), "runs=0"),
        (lambda: sum_study(0), "n=0"),
        (lambda: sum_study(8, rounding="rz"), "rounding='rz'"),
        (lambda: sum_study(8, rounding="stochastic", accumulator="fma:fp32"), "rounds to nearest"),
    ],
)
def test_formula_refusals(call: object, said: str) -> None:
    with pytest.raises(BadValue, match=said):
        call()  # type: ignore[operator]
