"""Shares of sites, prices of policies, and the cheapest within a budget."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from thrifty.errors import BadValue, UnknownName
from thrifty.lenses.contract import Finding
from thrifty.lenses.numerics import as_policy, attend, draw, golden
from thrifty.lenses.numerics.cli import app
from thrifty.lenses.numerics.search import Pricer, attribute, cheapest, sampled_shapley, shapley
from thrifty.lenses.numerics.search.budgeting import GROUPS, with_formats
from thrifty.lenses.numerics.search.pricing import wider
from thrifty.report import Page, to_html

SMALL = {"seq": 64, "head_dim": 8, "block_k": 8}
FEW = {"inputs": ["e4m3", "bf16"], "scores": ["bf16", "fp32"], "p": ["e4m3", "bf16"], "state": ["bf16", "fp32"], "output": ["bf16"]}


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=3), st.floats(-5, 5))
def test_formula_shapley_by_hand(single: list[float], pair: float) -> None:
    """Players add up, and two of them have something in common, which they share."""
    names = ("a", "b", "c")

    def value(some: frozenset[str]) -> float:
        return sum(single[names.index(name)] for name in some) + (pair if {"a", "b"} <= some else 0.0)

    found = shapley(names, value)
    assert found["a"] == pytest.approx(single[0] + pair / 2, abs=1e-12) and found["c"] == pytest.approx(single[2], abs=1e-12)
    assert sum(found.values()) == pytest.approx(value(frozenset(names)), abs=1e-12)


def test_formula_shapley_is_the_mean_over_orders() -> None:
    draws = np.random.default_rng(0)
    names = ("a", "b", "c", "d")
    worth = {frozenset(some): float(draws.random()) for size in range(5) for some in itertools.combinations(names, size)}
    mean = dict.fromkeys(names, 0.0)
    for order in itertools.permutations(names):
        for place, name in enumerate(order):
            mean[name] += (worth[frozenset(order[: place + 1])] - worth[frozenset(order[:place])]) / 24
    assert shapley(names, worth.__getitem__) == pytest.approx(mean)
    sampled = sampled_shapley(names, worth.__getitem__, 400)
    assert all(abs(sampled[name][0] - mean[name]) < 5 * sampled[name][1] for name in names)


def test_property_attribution_adds_up() -> None:
    found = attribute(policy="fa_paper", rows=16, permutations=2, **SMALL)
    assert isinstance(found, Finding)
    assert sum(each.share for each in found.families if each.share is not None) == pytest.approx(1.0)
    assert sum(each.share for each in found.sites if each.share is not None) == pytest.approx(1.0)
    assert found.nothing.rmse < 1e-13 < found.everything.rmse
    assert {each.name for each in found.families} == {"s", "p", "l", "alpha", "pv", "o"}
    # state is what errs in Flash 1 stored in BF16; the bounds say so without running
    assert {found.sites[place].name for place in range(4)} <= {"l.add", "o.add", "o.mul", "o.div"}
    by = {each.name: each for each in found.sites}
    assert by["l.add"].predicted is not None and by["s.acc"].predicted is not None and by["l.add"].predicted > 100 * by["s.acc"].predicted
    json.dumps(found.to_dict(), allow_nan=False)
    assert "Families of sites" in to_html(Page(title="t", summary="s", sections=found.sections())) and found.brief()


def test_formula_prices_follow_formats() -> None:
    pricer = Pricer("h100-sxm5", batch=1, heads=16, seq=1024, head_dim=64, block_k=64)
    groups = dict.fromkeys(GROUPS, "bf16")
    wide = pricer.price(with_formats(as_policy("fa2_kernel"), groups), "bf16")
    eight = pricer.price(with_formats(as_policy("fa2_kernel"), {**groups, "inputs": "e4m3", "p": "e4m3"}), "bf16")
    mixed = pricer.price(with_formats(as_policy("fa2_kernel"), {**groups, "inputs": "e4m3"}), "bf16")
    assert eight.compute_s == pytest.approx(wide.compute_s / 2, rel=1e-3) and eight.energy_j < mixed.energy_j < wide.energy_j
    assert wide.moved_bytes == 16 * 1024 * (4 * 64 * 2 + 4) and eight.moved_bytes == 16 * 1024 * (64 * 5 + 4)
    written = pricer.price(with_formats(as_policy("baseline_paper"), groups), "bf16")
    assert written.moved_bytes > 10 * wide.moved_bytes and written.onchip_bytes == 0.0
    narrow = pricer.price(with_formats(as_policy("fa2_kernel"), {**groups, "state": "fp16", "scores": "fp32"}), "bf16")
    assert narrow.energy_j == wide.energy_j and narrow.onchip_bytes > wide.onchip_bytes
    assert wider("fp8_e4m3", "bf16") == "bf16" and wider("fp16", "fp8_e5m2") == "fp16" and wider("fp32", "fp16") == "fp32"


def test_property_the_answer_is_the_cheapest_there_is() -> None:
    found = cheapest(0.02, formats=FEW, rows=64, draws=1, **SMALL)
    assert isinstance(found, Finding) and found.chosen is not None and found.policy is not None
    cheaper = [each for each in found.candidates if each.price.order("energy") < found.chosen.price.order("energy")]
    assert cheaper and all(each.deviates is not None for each in cheaper)
    # those that met the budget on this draw did not on another
    assert sum(each.deviates.max <= 0.02 for each in cheaper if each.deviates is not None) <= found.dropped
    assert found.verified and all(each.max <= 0.02 for each in found.verified.values())
    x = draw("normal", seq=64, head_dim=8, seed=0)
    apart = attend(x.q, x.k, x.v, policy=found.policy, format="fp64", block_k=8).out - golden(x.q, x.k, x.v, policy=found.policy, format="fp64", inputs="given")
    assert np.abs(apart).max() == pytest.approx(found.chosen.deviates.max, rel=1e-9)  # type: ignore[union-attr]
    first = cheapest(0.02, formats=FEW, rows=64, draws=1, everything=False, **SMALL)
    assert first.chosen is not None and dict(first.chosen.formats) == dict(found.chosen.formats)
    assert sum(each.deviates is not None for each in first.candidates) < len(first.candidates) == 16
    assert found.wider_pairs > 0
    json.dumps(found.to_dict(), allow_nan=False)
    assert "The policy, for --policy FILE.toml" in to_html(Page(title="t", summary="s", sections=found.sections())) and found.brief()


def test_property_no_combination_may_be_good_enough() -> None:
    found = cheapest(1e-9, formats=FEW, rows=8, draws=1, everything=False, **SMALL)
    assert found.chosen is None and found.policy is None and "None of 16 combinations keeps max within 1e-09" in str(found.brief()[0])
    assert found.sections()


def test_property_the_written_policy_is_the_policy(tmp_path: object) -> None:
    from pathlib import Path

    from thrifty.lenses.numerics.pages.search import _toml

    policy = with_formats(as_policy("fa3_fp8"), {"p": "e4m3", "state": "fp32"})
    path = Path(str(tmp_path)) / "policy.toml"
    path.write_text(_toml(policy.to_dict()), encoding="utf-8")
    assert as_policy(path).hash("bf16") == policy.hash("bf16")


def test_formula_commands() -> None:
    small = ["--seq", "48", "--head-dim", "8", "--block-k", "8", "--rows", "8"]
    run = CliRunner().invoke(app, ["sites", *small, "--json"])
    assert run.exit_code == 0, run.output
    assert json.loads(run.stdout)["families"][0]["share"] > 0.2
    few = [word for group in ("inputs=bf16", "state=fp32", "scores=fp32") for word in ("--formats", group)]
    run = CliRunner().invoke(app, ["budget", "0.1", *small, *few, "--draws", "1", "--json"])
    assert run.exit_code == 0, run.output
    said = json.loads(run.stdout)
    assert said["chosen"]["formats"]["inputs"] == "bf16" and said["command"].startswith("thrifty numerics budget 0.1 --metric max")


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        (lambda: cheapest(0.0), BadValue, "budget=0.0"),
        (lambda: cheapest(1.0, metric="mean"), BadValue, "metric='mean'"),
        (lambda: cheapest(1.0, formats={"q": ["bf16"]}), BadValue, "group='q'"),
        (lambda: cheapest(1.0, formats={"p": []}), BadValue, "has no formats"),
        (lambda: cheapest(1.0, formats={"p": ["bf61"]}), UnknownName, "bf61"),
        (lambda: cheapest(1.0, device="h1000"), UnknownName, "h1000"),
        (lambda: attribute(permutations=-1), BadValue, "permutations=-1"),
        (lambda: attribute(rows=0), BadValue, "rows=0"),
    ],
)
def test_formula_refusals(call: object, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        call()  # type: ignore[operator]
