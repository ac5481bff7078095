"""Wan's decoder of latents against diffusers' `decode`, against torch's own count of FLOPs, and against sums by hand."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
from tests.workload.families.twins import assert_every_row_the_same, assert_same_parameters, assert_same_rows, assert_true_count, sheet

from thrifty.errors import BadFile, BadValue
from thrifty.workload import load
from thrifty.workload.building import Blueprint, TorchSource, blueprint_of, build_module, make_inputs
from thrifty.workload.families import family_of
from thrifty.workload.families.decoders.wan_decoder import WanDecoder, WanDecoderShape
from thrifty.workload.model import WorkPhase
from thrifty.workload.table import Axes, Kind

WORDS = "the twin is made of diffusers' classes"
SMALL = WanDecoder(shape=WanDecoderShape(base_dim=8, z_dim=4, num_res_blocks=1))


def twin() -> Blueprint:
    pytest.importorskip("diffusers", reason=WORDS)
    name = "thrifty.workload.families.decoders.video_decoders_torch.WanDecoder"
    return Blueprint(name="twin", kind="generator", torch_class=name, config=asdict(SMALL.shape), fed=SMALL)


def at(batch: int, frames: int, height: int = 16, width: int = 24) -> dict[str, int]:
    return {"batch": batch, "frames": frames, "height": height, "width": width}


@pytest.mark.parametrize(
    ("phase", "batch", "frames", "peak"), [("forward", 1, 9, 0.001), ("forward", 2, 13, 0.001), ("forward", 2, 1, 0.001), ("training", 2, 9, 0.02)]
)  # fmt: skip
def test_peer_rows_are_those_of_decode(phase: WorkPhase, batch: int, frames: int, peak: float) -> None:
    """The first latent frame, the second (nothing kept of time yet), the third (something kept) and one more."""
    assert_same_rows(SMALL, twin(), phase, at(batch, frames), "fp32", peak=peak)


def test_peer_rows_are_those_of_decode_in_bf16() -> None:
    """Norms and enlargements are widened to fp32 and narrowed again."""
    assert_same_rows(SMALL, twin(), "forward", at(1, 9), "bf16", peak=0.01)


@pytest.mark.parametrize(("batch", "frames"), [(1, 9), (2, 13), (2, 1)])
def test_peer_every_row_is_the_same(batch: int, frames: int) -> None:
    assert_every_row_the_same(SMALL, twin(), "forward", at(batch, frames))


def test_peer_bf16_moves_as_many_bytes() -> None:
    ours, theirs = SMALL.table("forward", "bf16", at(2, 9)), TorchSource(twin()).table("forward", "bf16", at(2, 9))
    assert ours.totals() == theirs.totals()


def test_peer_training_flops_are_torchs_own() -> None:
    pytest.importorskip("diffusers", reason=WORDS)
    from torch.utils.flop_counter import FlopCounterMode

    module, point = build_module(twin()), at(1, 9)
    with FlopCounterMode(display=False) as counter:
        module(**make_inputs(module, twin(), "training", point)).mean().backward()
    assert SMALL.table("training", "fp32", point).totals()["flops_matrix"] == counter.get_total_flops()


def test_peer_parameters_are_those_of_the_decoder_alone() -> None:
    assert_same_parameters(SMALL, twin())


@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_peer_presets_have_the_parameters_of_their_twins(preset: str) -> None:
    pytest.importorskip("diffusers", reason=WORDS)
    entry = sheet("wan-vae-decoder").at_preset(preset)
    assert sum(p.numel() for p in build_module(entry).parameters()) == load(entry).parameters


def test_paper_true_count() -> None:
    pytest.importorskip("diffusers", reason=WORDS)
    assert_true_count("wan-vae-decoder", 73_295_603)


def test_peer_flops_are_torchs_own() -> None:
    """At full size on meta, to the last one: about as much as one denoising step, and nearly all of it convolutions."""
    pytest.importorskip("diffusers", reason=WORDS)
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    work, blueprint = load("wan-vae-decoder"), blueprint_of(sheet("wan-vae-decoder"))
    module = build_module(blueprint)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(**make_inputs(module, blueprint, "forward", work.point))
    assert work.table.totals()["flops_matrix"] == counter.get_total_flops() == 275_352_205_639_680
    assert work.table.by_kind()["conv"]["flops_matrix"] / counter.get_total_flops() == pytest.approx(0.995, abs=0.001)


def test_peer_the_tiny_preset_gives_a_video_of_the_size_asked_for() -> None:
    pytest.importorskip("diffusers", reason=WORDS)
    import torch

    entry, work = sheet("wan-vae-decoder").at_preset("tiny"), load("wan-vae-decoder@tiny")
    module = build_module(entry, device="cpu")
    with torch.no_grad():
        video = module(**make_inputs(module, entry, "forward", work.point, "cpu"))
    assert video.shape == (1, 3, work.point["frames"], work.point["height"], work.point["width"])
    assert bool(video.isfinite().all())


def test_formula_the_video_so_far_is_copied_each_time() -> None:
    """Frame 1, then 5, 9, 13, … up to 81: 20 copies."""
    table = load("wan-vae-decoder").table
    copies = [i for i in range(len(table)) if table.op(i) == "aten.cat" and table.module(i) == ""]
    assert list(table.rows["m"][copies]) == [3 * 480 * 832 * (4 * i + 1) for i in range(1, 21)]


def test_formula_attention_is_within_each_latent_frame() -> None:
    rows = load("wan-vae-decoder").table.rows
    attention = rows[rows["kind"] == Kind.ATTENTION]
    assert len(attention) == 21
    assert set(attention["axes"]) == {Axes.SPATIAL}
    assert int(attention["flops_matrix"].sum()) == 21 * 4 * (60 * 104) ** 2 * 384


def test_property_polynomials_are_fresh_tables() -> None:
    work = load("wan-vae-decoder@tiny")
    points = {"batch": [2, 3, 5], "frames": [9, 9, 9], "height": [16, 64, 40], "width": [96, 16, 32]}
    totals = work.polynomials.totals(points)
    for index in range(3):
        fresh = work.at(**{name: values[index] for name, values in points.items()}).table.totals()
        assert {name: int(values[index]) for name, values in totals.items()} == fresh


def test_sizes_that_do_not_exist_are_refused() -> None:
    with pytest.raises(BadValue) as error:
        load("wan-vae-decoder", frames=80)
    assert str(error.value) == "frames=80 is no multiple of 4 plus 1. Choose 77 or 81."


def test_another_number_of_blocks_is_refused() -> None:
    entry = sheet("wan-vae-decoder")
    with pytest.raises(BadFile) as error:
        family_of(replace(entry, shape={**entry.shape, "dim_mult": [1, 2]}))
    assert str(error.value) == (
        "wan-vae-decoder: shape: dim_mult=(1, 2), temperal_downsample=(False, True, True) are not four blocks, of which two make time longer. "
        "Write four and three values: a video is made 8 times as high and wide, and 4 times as long."
    )
