"""Recommenders of stacked tables: against their torch module, that module against NumPy, and both against the table of the paper."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.workload.families.twins import assert_polynomial, assert_same_parameters, assert_same_rows, matrix_flops, rows, sheet, twin

from thrifty.errors import BadFile, BadValue
from thrifty.formats import get_format
from thrifty.workload import get_entry, load
from thrifty.workload.building import TorchSource, build_module, make_inputs
from thrifty.workload.families import family_of
from thrifty.workload.families.recommenders.stacked import StackedRecommender, StackedShape
from thrifty.workload.table import Kind, Phase, Role

PLAIN: dict[str, Any] = {"tables": 6, "rows": 50, "dim": 8, "pooling": 3, "bottom": 2, "top": 3, "width": 20}
TRANSFORMER: dict[str, Any] = {**PLAIN, "layers": 2, "heads": 2, "hidden": 8, "intermediate": 24, "tokens": 5}
EXPERTS: dict[str, Any] = {**PLAIN, "experts": 4, "top_k": 2}
SIZES = {"plain": PLAIN, "transformer": TRANSFORMER, "experts": EXPERTS}
CLASS = "thrifty.workload.families.recommenders.stacked_torch.StackedRecommender"


def family(name: str) -> StackedRecommender:
    return StackedRecommender(shape=StackedShape(**SIZES[name], table_format="fp32"))


@pytest.mark.parametrize("batch", [1, 4, 33])
@pytest.mark.parametrize("name", ["plain", "transformer"])
def test_peer_forward_rows_are_those_of_the_module(name: str, batch: int) -> None:
    assert_same_rows(family(name), twin("recommender", CLASS, **SIZES[name]), "forward", {"batch": batch}, "fp32")


@pytest.mark.parametrize("name", ["plain", "transformer"])
def test_peer_training_rows_are_those_of_the_module_but_for_its_tables(name: str) -> None:
    """Gradients of tables are dense there; here rows are updated in place by one kernel."""
    ours = rows(family(name).table("training", "fp32", {"batch": 4}))
    theirs = rows(TorchSource(twin("recommender", CLASS, **SIZES[name])).table("training", "fp32", {"batch": 4}))
    assert {row[0] for row in (ours - theirs)} | {row[0] for row in (theirs - ours)} == {"embedding"}
    assert sum((ours - theirs).values()) == sum((theirs - ours).values()) == 1


@pytest.mark.parametrize("name", SIZES)
def test_peer_parameters_are_those_of_the_module(name: str) -> None:
    assert_same_parameters(family(name), twin("recommender", CLASS, **SIZES[name]))


def perceptron(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return np.maximum(x @ weight.T, 0)


def fold(x: np.ndarray, target: int) -> np.ndarray:
    out = np.zeros((len(x), target))
    for start in range(0, x.shape[1], target):
        piece = x[:, start : start + target]
        out[:, : piece.shape[1]] += piece
    return out


@pytest.mark.parametrize("name", ["plain", "experts"])
def test_formula_the_module_is_what_its_page_says(name: str) -> None:
    """Look-ups summed, a perceptron, the fold, and a perceptron or the summed experts of each sample, all done again in NumPy."""
    module = build_module(twin("recommender", CLASS, **SIZES[name]), device="cpu", format="fp64", seed=3)
    inputs = module.example(7, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        found = module(**inputs)["result"].numpy()
    numbers = {key: parameter.detach().numpy() for key, parameter in module.named_parameters()}
    x = inputs["dense"].numpy()
    for layer in range(2):
        x = perceptron(x, numbers[f"bottom.{layer}.weight"])
    pooled = numbers["tables.weight"][inputs["indices"].numpy()].sum(axis=1).reshape(7, 6 * 8)
    x = x + fold(pooled, 20)
    for layer in range(3):
        if name == "plain":
            x = perceptron(x, numbers[f"top.{layer}.weight"])
            continue
        routes = inputs["routes"].numpy().reshape(7, 2)
        experts = numbers[f"top.{layer}.experts"]
        x = np.stack([sum(perceptron(x[i], experts[e]) for e in routes[i]) for i in range(7)])
    np.testing.assert_allclose(found, x, rtol=1e-12, atol=1e-12)


def test_indices_stay_in_their_own_tables() -> None:
    module = build_module(twin("recommender", CLASS, **PLAIN), device="cpu")
    indices = module.example(5, generator=torch.Generator().manual_seed(1))["indices"].reshape(5, 6, 3)
    assert all(bool((indices[:, table] // 50 == table).all()) for table in range(6))


@given(batch=st.integers(1, 300))
def test_formula_matrix_flops(batch: int) -> None:
    """Layers, attention's scores on top; of dense features no gradient is wanted. Experts: top_k of them for each sample."""
    first = 2 * batch * 20 * 20
    layer = 2 * batch * 5 * (4 * 8 * 8 + 2 * 8 * 24) + 2 * 2 * batch * 5 * 5 * 8
    for name, forward in (("plain", 5 * first), ("transformer", 5 * first + 2 * layer), ("experts", (2 + 3 * 2) * first)):
        assert matrix_flops(family(name), "forward", {"batch": batch}) == forward
        assert matrix_flops(family(name), "training", {"batch": batch}) == 3 * forward - first


@given(batch=st.integers(1, 40))
def test_formula_tables_are_read_and_updated_where_they_are_looked_up(batch: int) -> None:
    """18 look-ups a sample of 16-bit rows of 8, never more than the 300 rows; a step moves them both ways, with 4 bytes of AdaGrad a row."""
    model = StackedRecommender(shape=StackedShape(**PLAIN))
    hit = min(18 * batch, 300)
    table = model.table("training", "fp32", {"batch": batch})
    forward, update = (table.rows[(table.rows["kind"] == Kind.EMBEDDING) & (table.rows["phase"] == phase)] for phase in (Phase.FORWARD, Phase.BACKWARD))
    assert forward["bytes_weight"].tolist() == update["bytes_weight"].tolist() == [hit * 8 * 2]
    assert update["bytes_written"].tolist() == [hit * (8 * 2 + 4)]
    held = table.storages[[table.strings[index] == "tables.sum_of_squares" for index in table.storages["name"]]]
    assert held["bytes"].tolist() == [300 * 4] and held["role"].tolist() == [Role.OPTIMIZER]


@pytest.mark.parametrize("name", SIZES)
def test_property_counts_are_linear_in_batch_on_both_sides_of_the_break(name: str) -> None:
    (symbol,) = family(name).symbols("training")
    assert symbol.breaks == (17,)
    for start in (2, 17):
        assert_polynomial(family(name), "training", [{"batch": start + 5 * i} for i in range(3)], 1)


@pytest.mark.parametrize("number_format", ["fp32", "bf16", "int8"])
def test_tables_keep_their_own_format(number_format: str) -> None:
    table = StackedRecommender(shape=StackedShape(**PLAIN)).table("forward", number_format, {"batch": 2})
    weights = table.storages[table.storages["role"] == Role.WEIGHT]
    sizes = {table.strings[w["name"]]: (int(w["bytes"]), table.formats[w["format"]]) for w in weights}
    assert sizes["tables.weight"] == (300 * 8 * 2, "fp16")
    assert sizes["top.0.weight"] == (20 * 20 * int(get_format(number_format).bytes_per_number), number_format)


def linear_flops(name: str, point: dict[str, int]) -> float:
    """Of the linear rows outside of the head, as the paper counts them: no attention scores, no router."""
    table = load(name, phase="forward", **point).table
    counted = [
        int(row["flops_matrix"]) for index, row in enumerate(table.rows)
        if row["kind"] == Kind.LINEAR and table.module(index) != "lm_head" and not table.module(index).endswith("mlp.gate")
    ]  # fmt: skip
    return float(sum(counted))


@pytest.mark.parametrize(
    ("name", "billions", "giga_flop", "look_up_mb"),
    [
        ("dlrm-a", 801.17, 0.638, 11.55), ("dlrm-b", 332.11, 0.060, 6.60), ("dlrm-f", 11993, 0.005, 0.66), ("dlrm-a-transformer", 801.18, 2.65, 11.55),
        ("dlrm-b-transformer", 332.13, 2.07, 6.60), ("dlrm-a-moe", 803.56, 0.957, 11.55), ("dlrm-b-moe", 332.34, 0.090, 6.60),
    ],
)  # fmt: skip
def test_paper_model_suite_of_recommenders(name: str, billions: float, giga_flop: float, look_up_mb: float) -> None:
    """Parameters, forward FLOPs a sample and bytes looked up a sample, as MAD-Max's table prints them (B's look-ups a thousandth below what it prints)."""
    workload = load(name, phase="forward")
    assert workload.parameters / 1e9 == pytest.approx(billions, abs=0.006 if billions < 1000 else 0.5)
    assert linear_flops(name, {"batch": 1}) / 1e9 == pytest.approx(giga_flop, abs=0.5 * 10 ** -(3 if giga_flop < 2 else 2))
    table = workload.table
    looked_up = int(table.rows["bytes_weight"][table.rows["kind"] == Kind.EMBEDDING].sum())
    assert looked_up / 1e6 == pytest.approx(look_up_mb, rel=1e-3, abs=0.005)
    assert get_entry(name).is_stand_in and load(f"{name}:published").parameters == workload.parameters


@pytest.mark.parametrize(
    ("name", "billions", "giga_flop", "seq"),
    [
        ("gpt3-175b:published", 174.59, 712_484, 2048), ("llama-65b:published", 50.54, 205_246, 2048), ("llama2-70b:published", 50.55, 410_491, 4096),
        ("llm-moe:published", 1815.5, 4_505_297, 8192),
    ],
)  # fmt: skip
def test_paper_model_suite_of_language_models(name: str, billions: float, giga_flop: float, seq: int) -> None:
    """Parameters (the mixture's routers, 0.0011 %, are ours) and forward FLOPs a sequence, without attention scores and the head."""
    workload = load(name)
    assert workload.details["stand_in"] is True
    assert workload.parameters / 1e9 == pytest.approx(billions, abs=0.006 if billions < 1000 else 0.05)
    assert linear_flops(name, {"seq": seq}) / 1e9 == pytest.approx(giga_flop, rel=2e-6)


def test_paper_small_variants_have_a_sixteenth_of_the_rows() -> None:
    for name in ("dlrm-a", "dlrm-b", "dlrm-f"):
        assert 16 * get_entry(f"{name}@small").shape["rows"] == get_entry(name).shape["rows"]
        assert load(f"{name}@tiny", phase="training", batch=4).table.unknown() == {}


def test_it_is_fed_what_its_page_says() -> None:
    module = build_module(twin("recommender", CLASS, **EXPERTS), device="cpu")
    fed = make_inputs(module, twin("recommender", CLASS, **EXPERTS), "training", {"batch": 4}, "cpu", 0)
    assert {name: tuple(value.shape) for name, value in fed.items()} == {"dense": (4, 20), "indices": (24, 3), "routes": (8,)}
    assert {name: feed.shape for name, feed in family("experts").feeds("training", {"batch": 4}).items()} == {  # type: ignore[union-attr]
        "dense": (4, 20), "indices": (24, 3), "routes": (8,),
    }  # fmt: skip
    assert torch.isfinite(module(**fed)["result"]).all()


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({**PLAIN, "pooling": 0}, "pooling=0 is below 1. Write a whole number from 1 up."),
        ({**TRANSFORMER, "tokens": 0}, "tokens=0 is below 1. Write a whole number from 1 up."),
        ({**TRANSFORMER, "heads": 3}, "heads=3 does not divide hidden=8. Choose a divisor of it."),
        ({**EXPERTS, "top_k": 5}, "top_k=5 is not between 1 and experts=4. Choose a number in between."),
        ({**PLAIN, "table_format": "fp17"}, "table_format: No format named 'fp17'. Did you mean 'fp16'? List them with: thrifty formats"),
    ],
)  # fmt: skip
def test_sizes_that_do_not_go_together(sizes: dict[str, Any], words: str) -> None:
    with pytest.raises(BadValue) as error:
        StackedShape(**sizes)
    assert str(error.value) == words
    with pytest.raises(BadFile) as bad:
        family_of(dataclasses.replace(sheet("dlrm-a"), shape=sizes))
    assert str(bad.value) == f"dlrm-a: shape: {words}"


def test_it_generates_nothing() -> None:
    with pytest.raises(BadValue) as error:
        load("dlrm-a", phase="decode")
    assert str(error.value) == "phase='decode' does not exist for a recommender, which generates nothing. Choose forward or training."
