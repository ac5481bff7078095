"""CogVideoX's denoiser against diffusers' class, against torch's own count of FLOPs, and against sums by hand."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.workload.families.twins import assert_every_row_the_same, assert_same_parameters, assert_same_rows, assert_true_count, matrix_flops, sheet

from thrifty.errors import BadFile, BadValue
from thrifty.workload import load
from thrifty.workload.building import Blueprint, blueprint_of, build_module, make_inputs
from thrifty.workload.entry import Entry
from thrifty.workload.families import family_of
from thrifty.workload.families.denoising_transformers.cogvideox import Cogvideox, CogvideoxShape
from thrifty.workload.model import WorkPhase
from thrifty.workload.table import Axes, Kind


def small(frames: int = 9, height: int = 48, width: int = 64, text: int = 5, heads: int = 2) -> Cogvideox:
    """Two blocks, made for a video of this size."""
    return Cogvideox(
        shape=CogvideoxShape(
            num_attention_heads=heads, attention_head_dim=16, num_layers=2, in_channels=4, out_channels=4, time_embed_dim=8, text_embed_dim=24,
            max_text_seq_length=text, sample_width=width // 8, sample_height=height // 8, sample_frames=frames,
        )
    )  # fmt: skip


def twin(family: Cogvideox) -> Blueprint:
    pytest.importorskip("diffusers", reason="the twin is a class of diffusers")
    return Blueprint(name="twin", kind="generator", torch_class="diffusers.CogVideoXTransformer3DModel", config=asdict(family.shape), fed=family)


@pytest.mark.parametrize("phase", ["forward", "training"])
@pytest.mark.parametrize("format_name", ["fp32", "bf16"])
@pytest.mark.parametrize("batch", [1, 2])
def test_peer_rows_are_those_of_diffusers(phase: WorkPhase, format_name: str, batch: int) -> None:
    family = small()
    assert_same_rows(family, twin(family), phase, {"batch": batch, "frames": 9, "height": 48, "width": 64, "text": 5}, format_name)


@pytest.mark.parametrize("phase", ["forward", "training"])
@pytest.mark.parametrize(("batch", "frames", "height", "width", "text", "heads"), [(2, 9, 48, 64, 5, 2), (1, 1, 48, 32, 1, 2), (2, 5, 16, 32, 3, 1)])
def test_peer_every_row_is_the_same(phase: WorkPhase, batch: int, frames: int, height: int, width: int, text: int, heads: int) -> None:
    family = small(frames, height, width, text, heads)
    point = {"batch": batch, "frames": frames, "height": height, "width": width, "text": text}
    assert_every_row_the_same(family, twin(family), phase, point)


def test_peer_parameters_are_those_of_diffusers() -> None:
    assert_same_parameters(small(), twin(small()))


@pytest.mark.parametrize("name", ["cogvideox-2b@tiny", "cogvideox-2b@small"])
def test_peer_presets_have_the_parameters_of_their_twins(name: str) -> None:
    pytest.importorskip("diffusers", reason="the twin is a class of diffusers")
    work = load(name)
    assert sum(p.numel() for p in build_module(_entry(name)).parameters()) == work.parameters


def _entry(name: str) -> Entry:
    bare, _, preset = name.partition("@")
    return sheet(bare).at_preset(preset)


def test_paper_true_count() -> None:
    pytest.importorskip("diffusers", reason="the twin is a class of diffusers")
    assert_true_count("cogvideox-2b", 1_693_783_872)


def test_peer_flops_are_torchs_own() -> None:
    """At full size on meta, to the last one: 120.0 TFLOP, of which core attention is 61 %."""
    pytest.importorskip("diffusers", reason="the twin is a class of diffusers")
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    work, blueprint = load("cogvideox-2b"), blueprint_of(sheet("cogvideox-2b"))
    module = build_module(blueprint, format="fp16")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(**make_inputs(module, blueprint, "forward", work.point))
    totals, attention = work.table.totals(), work.table.by_kind()["attention"]
    assert totals["flops_matrix"] == counter.get_total_flops() == 119_997_311_418_368
    assert attention["flops_matrix"] / totals["flops_matrix"] == pytest.approx(0.61, abs=0.005)


def test_peer_the_tiny_preset_runs_and_gives_back_a_video() -> None:
    pytest.importorskip("diffusers", reason="the twin is a class of diffusers")
    import torch

    entry, work = _entry("cogvideox-2b@tiny"), load("cogvideox-2b@tiny")
    module = build_module(entry, device="cpu")
    fed = make_inputs(module, entry, "forward", work.point, "cpu")
    with torch.no_grad():
        out = module(**fed)[0]
    assert out.shape == fed["hidden_states"].shape
    assert bool(out.isfinite().all())


@given(batch=st.integers(1, 3), frames=st.integers(0, 4), height=st.integers(1, 5), width=st.integers(1, 5), text=st.integers(1, 30))
def test_formula_matrix_flops(batch: int, frames: int, height: int, width: int, text: int) -> None:
    """Patches, what the step and the text are turned into, blocks over text and video together, and the way back to pixels."""
    hidden, step, layers = 32, 8, 2
    video = (frames + 1) * height * width
    tokens = batch * (video + text)
    around = 2 * batch * (video * hidden * 16 * 2 + text * hidden * 24 + hidden * step + step * step + step * 2 * hidden)
    block = 2 * tokens * 12 * hidden * hidden + 2 * 2 * batch * (video + text) ** 2 * hidden + 2 * 2 * batch * step * 6 * hidden
    point = {"batch": batch, "frames": 4 * frames + 1, "height": 16 * height, "width": 16 * width, "text": text}
    assert matrix_flops(small(), "forward", point) == around + layers * block


def test_property_polynomials_are_fresh_tables() -> None:
    work = load("cogvideox-2b@tiny")
    points = {"batch": [1, 2, 3], "frames": [9, 17, 49], "height": [64, 96, 160], "width": [96, 160, 64], "text": [16, 20, 50]}
    totals = work.polynomials.totals(points)
    for index in range(3):
        fresh = work.at(**{name: values[index] for name, values in points.items()}).table.totals()
        assert {name: int(values[index]) for name, values in totals.items()} == fresh


def test_text_and_video_attend_to_each_other_in_one_sequence() -> None:
    rows = load("cogvideox-2b").table.rows
    attention = rows[rows["kind"] == Kind.ATTENTION]
    assert len(attention) == 30
    assert set(attention["axes"]) == {Axes.JOINT}
    assert set(attention["seq_q"]) == set(attention["seq_k"]) == {226 + 13 * 30 * 45}


def test_a_number_of_frames_that_its_decoder_cannot_give_is_refused() -> None:
    with pytest.raises(BadValue) as error:
        load("cogvideox-2b", frames=48)
    assert str(error.value) == "frames=48 is no multiple of 4 plus 1. Choose 45 or 49."


def test_a_height_that_does_not_divide_is_refused() -> None:
    with pytest.raises(BadValue) as error:
        load("cogvideox-2b", height=488)
    assert str(error.value) == "height=488 is no multiple of 16. Choose 480 or 496."


def test_it_generates_nothing_token_by_token() -> None:
    with pytest.raises(BadValue) as error:
        small().symbols("prefill")
    assert str(error.value) == "phase='prefill' does not exist for a denoiser, which generates nothing. Choose forward or training."


def test_what_goes_in_comes_out() -> None:
    entry = sheet("cogvideox-2b")
    with pytest.raises(BadFile) as error:
        family_of(replace(entry, shape={**entry.shape, "out_channels": 8}))
    assert str(error.value) == "cogvideox-2b: shape: out_channels=8 is not in_channels=16. A denoiser gives back what it is given."
