"""The published models by name: totals as the suite states them, and what is refused."""

from __future__ import annotations

import pytest

from thrifty.cost.facts import load_facts, load_sources
from thrifty.cost.plans.compat import published, published_models
from thrifty.cost.plans.compat.sublayers import read
from thrifty.errors import UnknownName


@pytest.mark.parametrize(
    ("name", "billions", "gigaflop", "lookup_mb"),
    [
        ("dlrm-a", 801.17, 0.638, 11.55), ("dlrm-b", 332.11, 0.060, 6.60), ("dlrm-f", 11993, 0.005, 0.66), ("dlrm-a-transformer", 801.18, 2.65, 11.55),
        ("dlrm-b-transformer", 332.13, 2.07, 6.60), ("dlrm-a-moe", 803.56, 0.957, 11.55), ("dlrm-b-moe", 332.34, 0.090, 6.60), ("gpt3-175b", 174.59, 712484, 0),
        ("llama-65b", 50.54, 205246, 0), ("llama2-70b", 50.55, 410491, 0), ("llm-moe", 1815.5, 4505297, 0), ("vit-l", 0.30, 0, 0), ("vit-120b", 120.8, 0, 0),
    ],
)  # fmt: skip
def test_paper_totals_of_the_suite(name: str, billions: float, gigaflop: float, lookup_mb: float) -> None:
    reading = read(published(name))
    weights = reading.table_bytes / published(name).bytes_per_table_weight + sum(run.repeat * one.weights for run in reading.runs for one in run.sublayers)
    flops = sum(run.repeat * one.flops for run in reading.runs for one in run.sublayers)
    last_digit = 0.005 if billions < 1 else 0.05 if billions in (1815.5, 120.8) else 0.006
    assert weights / 1e9 == pytest.approx(billions, abs=last_digit if billions < 5000 else 0.5)
    if gigaflop:
        assert flops / 1e9 == pytest.approx(gigaflop, abs=0.5 if gigaflop > 1e3 else 0.0051 if gigaflop > 1 else 0.0005)
    if lookup_mb:
        assert reading.lookup_bytes / 1e6 == pytest.approx(lookup_mb, abs=0.0061)


def test_formula_small_variants_have_a_sixteenth_of_the_rows() -> None:
    assert read(published("dlrm-a-small")).table_bytes == read(published("dlrm-a")).table_bytes / 16


def test_formula_one_model_by_either_name() -> None:
    assert published("gpt3-175b:published") == published("gpt3-175b")


def test_every_stand_in_says_so() -> None:
    assert "21846" in published("llama-65b").stand_in and "21846" in published("llama2-70b-32k").stand_in
    assert published("gpt3-175b").stand_in == ""


def test_every_number_of_the_suite_has_its_ground() -> None:
    sheet = load_facts("published_models")
    for path, fact in sheet.facts.items():
        assert fact.source in load_sources() and len(fact.where) > 4, path
    assert all(fact.source == "thrifty" for path, fact in sheet.facts.items() if path.startswith("vit-10b")), "inferred sizes must not pass for the paper's"


def test_errors_of_an_unknown_model() -> None:
    with pytest.raises(UnknownName, match="No published model named 'dlrm-c'"):
        published("dlrm-c")
    assert len(published_models()) == len(set(published_models()))
