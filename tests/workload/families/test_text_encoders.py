"""CLIP's and T5's text encoders against transformers' classes, torch's own counter, published counts, and sums by hand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.workload.families.twins import (
    assert_every_row_the_same,
    assert_polynomial,
    assert_same_parameters,
    assert_same_rows,
    assert_true_count,
    matrix_flops,
    sheet,
)

from thrifty.errors import BadValue
from thrifty.workload import load
from thrifty.workload.building import Blueprint, blueprint_of, build_module
from thrifty.workload.building.inputs import loss_for, make_inputs
from thrifty.workload.families import Family, family_of
from thrifty.workload.families.language.text_encoders import ClipText, ClipTextShape, T5Encoder, T5EncoderShape
from thrifty.workload.model import WorkPhase
from thrifty.workload.table import Axes, Kind

pytest.importorskip("transformers")

NAMES = ["clip-l-text", "open-clip-h-text", "open-clip-g-text", "t5-xxl-encoder", "umt5-xxl-encoder"]


def clip(**more: Any) -> tuple[ClipText, Blueprint]:
    config = {
        "vocab_size": 100, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 20, **more
    }  # fmt: skip
    family = ClipText(shape=ClipTextShape(**config))
    name = "CLIPTextModelWithProjection" if "projection_dim" in more else "CLIPTextModel"
    return family, Blueprint(name="twin", kind="generator", torch_class=f"transformers.{name}", config=config, fed=family)


def t5(name: str = "T5EncoderModel", **more: Any) -> tuple[T5Encoder, Blueprint]:
    config = {"vocab_size": 100, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 3, "feed_forward_proj": "gated-gelu", **more}
    family = T5Encoder(shape=T5EncoderShape(**config))
    return family, Blueprint(name="twin", kind="generator", torch_class=f"transformers.{name}", config=config, fed=family)


TWINS: dict[str, tuple[Family, Blueprint]] = {
    "clip": clip(eos_token_id=2),
    "open-clip": clip(hidden_act="gelu", projection_dim=16, eos_token_id=99),
    "t5": t5(),
    "t5-relu": t5(feed_forward_proj="relu"),
    "umt5": t5("UMT5EncoderModel", model_type="umt5"),
}


@pytest.mark.parametrize("name", TWINS)
@pytest.mark.parametrize("phase", ["forward", "training"])
@pytest.mark.parametrize("point", [{"batch": 2, "seq": 12}, {"batch": 1, "seq": 1}], ids=["some", "one"])
def test_peer_every_row_is_the_same(name: str, phase: WorkPhase, point: dict[str, int]) -> None:
    assert_every_row_the_same(*TWINS[name], phase, point)


@pytest.mark.parametrize("name", TWINS)
@pytest.mark.parametrize("phase", ["forward", "training"])
@pytest.mark.parametrize("format_name", ["fp32", "bf16", "fp16"])
def test_peer_rows_and_peak_are_the_same_in_every_format(name: str, phase: WorkPhase, format_name: str) -> None:
    assert_same_rows(*TWINS[name], phase, {"batch": 2, "seq": 12}, format_name, peak=0.011)


@pytest.mark.parametrize("name", TWINS)
def test_peer_parameters_are_the_same(name: str) -> None:
    assert_same_parameters(*TWINS[name])


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("clip-l-text", 123_060_480),
        ("open-clip-h-text", 340_387_840),
        ("open-clip-g-text", 694_659_840),
        ("t5-xxl-encoder", 4_762_310_656),
        ("umt5-xxl-encoder", 5_680_910_336),
    ],
)
def test_paper_true_counts(name: str, parameters: int) -> None:
    assert_true_count(name, parameters)


@pytest.mark.parametrize(("name", "flops"), [("clip-l-text", 13.30e9), ("t5-xxl-encoder", 1191.9e9)])
def test_paper_flops(name: str, flops: float) -> None:
    """Products of one prompt of 77 (CLIP) and 128 (T5) tokens, two operations a multiply-add."""
    assert load(name).table.totals()["flops_matrix"] == pytest.approx(flops, rel=4e-4)


@pytest.mark.parametrize("name", NAMES)
def test_peer_flop_counter_at_full_size(name: str) -> None:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    workload, blueprint = load(name), blueprint_of(sheet(name))
    module = build_module(blueprint)
    inputs = make_inputs(module, blueprint, "forward", workload.point)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(**inputs)
    assert workload.table.totals()["flops_matrix"] == counter.get_total_flops()


@pytest.mark.parametrize("name", TWINS)
def test_peer_flop_counter_of_a_training_step(name: str) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    family, blueprint = TWINS[name]
    point = {"batch": 2, "seq": 12}
    module = build_module(blueprint)
    inputs = make_inputs(module, blueprint, "training", point)
    with FlopCounterMode(display=False) as counter:
        loss_for(module)(module(**inputs)).backward()
    assert matrix_flops(family, "training", point) == counter.get_total_flops()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_peer_presets_have_the_rows_of_their_twins(name: str, preset: str) -> None:
    workload, entry = load(f"{name}@{preset}"), sheet(name).at_preset(preset)
    assert_same_rows(family_of(entry), blueprint_of(entry), "forward", workload.point, workload.format)
    assert workload.parameters == entry.parameters


@pytest.mark.parametrize("name", NAMES)
def test_peer_tiny_runs(name: str) -> None:
    import torch

    entry = sheet(name).at_preset("tiny")
    blueprint = blueprint_of(entry)
    module = build_module(blueprint, device="cpu")
    inputs = make_inputs(module, blueprint, "forward", load(entry.name).point, "cpu")
    with torch.inference_mode():
        made = module(**inputs)
    assert torch.isfinite(made.last_hidden_state).all()


def test_formula_attention_of_clip_is_causal_and_over_the_text() -> None:
    """Products of one layer: four projections of h², two of h · f, and 4 · s² · h of core attention, half of it hidden."""
    table = TWINS["clip"][0].table("forward", "fp32", {"batch": 2, "seq": 10})
    rows = table.rows[table.rows["kind"] == Kind.ATTENTION]
    assert set(rows["axes"].tolist()) == {Axes.SELF}
    assert rows["causal"].all()
    assert rows["flops_matrix"].tolist() == [2 * 4 * 10 * 10 * 32] * 2
    assert table.totals()["flops_matrix"] == 2 * (2 * 20 * 32 * (4 * 32 + 2 * 64) + 2 * 4 * 10 * 10 * 32)


@settings(max_examples=25)
@given(batch=st.integers(1, 4), seq=st.integers(2, 40))
def test_formula_flops_of_t5(batch: int, seq: int) -> None:
    """Products of one layer: four projections of d · heads · d_kv, three of d · d_ff, and core attention."""
    layer = 2 * batch * seq * 32 * (4 * 24 + 3 * 48) + 4 * batch * seq * seq * 24
    assert matrix_flops(TWINS["t5"][0], "forward", {"batch": batch, "seq": seq}) == 2 * layer
    assert matrix_flops(TWINS["t5"][0], "training", {"batch": batch, "seq": seq}) == 3 * 2 * layer


def test_formula_distances_are_worked_out_once_in_t5_and_in_every_layer_in_umt5() -> None:
    for name, times in (("t5", 1), ("umt5", 2)):
        table = TWINS[name][0].table("forward", "fp32", {"batch": 2, "seq": 12})
        looked_up = [table.module(row) for row in range(len(table)) if table.module(row).endswith("relative_attention_bias")]
        assert len(looked_up) == times
        assert (table.ops() == "aten.log").sum() == times


@pytest.mark.parametrize("name", ["open-clip", "t5", "umt5"])
@pytest.mark.parametrize("phase", ["forward", "training"])
def test_property_counts_are_of_second_degree_in_the_sequence(name: str, phase: WorkPhase) -> None:
    # Of an embedding no more rows are read than there are: 32 buckets and 100 tokens are reached from the second point on.
    assert_polynomial(TWINS[name][0], phase, [{"batch": 100, "seq": seq} for seq in (8, 11, 14, 17)], 2)


@pytest.mark.parametrize("name", ["clip-l-text@tiny", "t5-xxl-encoder@tiny", "umt5-xxl-encoder@tiny"])
def test_property_polynomials_are_exact(name: str) -> None:
    workload = load(name)
    points = [{"batch": 3, "seq": 40}, {"batch": 1, "seq": 9}, {"batch": 5, "seq": 77}]
    columns = {symbol: [point[symbol] for point in points] for symbol in points[0]}
    totals = workload.polynomials.totals(columns)
    for index, point in enumerate(points):
        assert {count: int(values[index]) for count, values in totals.items()} == workload.at(point).table.totals(), point


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(BadValue) as error:
        clip(hidden_act="relu")
    assert str(error.value) == "hidden_act='relu' is none that CLIP's text encoders have. Choose quick_gelu or gelu."
    with pytest.raises(BadValue) as error:
        t5(feed_forward_proj="gelu")
    assert str(error.value) == "feed_forward_proj='gelu' is none that T5 was published with. Choose gated-gelu or relu."
    with pytest.raises(BadValue) as error:
        t5(model_type="mt5")
    assert str(error.value) == "model_type='mt5' is no T5. Choose t5 or umt5."


def test_a_prompt_longer_than_its_positions_is_refused() -> None:
    with pytest.raises(BadValue) as error:
        load("clip-l-text").at(seq=78)
    assert str(error.value) == "seq=78 is above 77 (the largest context of this workload). Choose a whole number from 1 to 77."


def test_it_generates_nothing() -> None:
    with pytest.raises(BadValue) as error:
        load("t5-xxl-encoder", phase="prefill")
    assert str(error.value) == "phase='prefill' does not exist for a text encoder, which generates nothing. Choose forward or training."
