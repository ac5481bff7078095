"""CogVideoX's decoder of latents against diffusers' `decode`, against torch's own count of FLOPs, and against sums by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace

import pytest
from tests.workload.families.twins import assert_every_row_the_same, assert_same_parameters, assert_same_rows, assert_true_count, sheet

from thrifty.errors import BadFile, BadValue
from thrifty.workload import load
from thrifty.workload.building import Blueprint, TorchSource, blueprint_of, build_module, make_inputs
from thrifty.workload.families import family_of
from thrifty.workload.families.decoders.cogvideox_decoder import CogvideoxDecoder, CogvideoxDecoderShape
from thrifty.workload.model import WorkPhase
from thrifty.workload.table import Kind, OperatorTable

WORDS = "the twin is made of diffusers' classes"
SMALL = CogvideoxDecoder(shape=CogvideoxDecoderShape(latent_channels=4, block_out_channels=(8, 16, 16, 32), layers_per_block=1, norm_num_groups=4))


def twin() -> Blueprint:
    pytest.importorskip("diffusers", reason=WORDS)
    name = "thrifty.workload.families.decoders.video_decoders_torch.CogvideoxDecoder"
    return Blueprint(name="twin", kind="generator", torch_class=name, config=asdict(SMALL.shape), fed=SMALL)


def at(batch: int, frames: int, height: int = 16, width: int = 24) -> dict[str, int]:
    return {"batch": batch, "frames": frames, "height": height, "width": width}


@pytest.mark.parametrize(("phase", "format_name"), [("forward", "fp32"), ("forward", "fp16"), ("training", "fp32")])
@pytest.mark.parametrize(("batch", "frames"), [(1, 9), (2, 17), (1, 5), (2, 1)])
def test_peer_rows_are_those_of_decode(phase: WorkPhase, format_name: str, batch: int, frames: int) -> None:
    """Three latent frames in one go, five in two, two, and a single picture."""
    assert_same_rows(SMALL, twin(), phase, at(batch, frames), format_name, peak=0.001)


@pytest.mark.parametrize(("phase", "batch", "frames"), [("forward", 1, 9), ("forward", 2, 17), ("training", 1, 9), ("training", 2, 9), ("training", 2, 1)])
def test_peer_every_row_is_the_same(phase: WorkPhase, batch: int, frames: int) -> None:
    assert_every_row_the_same(SMALL, twin(), phase, at(batch, frames))


def test_peer_memory_is_the_same_row_by_row() -> None:
    """What every convolution keeps for the next frames is held until those have gone through, whether anyone reads it or not."""
    point = at(1, 17)
    assert list(SMALL.table("forward", "fp32", point).live_bytes()) == list(TorchSource(twin()).table("forward", "fp32", point).live_bytes())


@pytest.mark.parametrize("height", [2048, 4096])
def test_peer_large_inputs_are_convolved_in_parts(height: int) -> None:
    """Above 2 GiB; nothing of this size is allocated."""
    from thrifty.workload.building.meta import MetaAnswers
    from thrifty.workload.building.sources import record_at

    point, blueprint = at(1, 9, height, 4096), twin()
    with MetaAnswers():
        captured = record_at(build_module(blueprint, format="fp16"), blueprint, "forward", point)
    ours = SMALL.table("forward", "fp16", point)

    def convolutions(table: OperatorTable) -> Counter[tuple[str, int]]:
        rows, modules = table.rows, table.modules()
        return Counter((str(modules[i]), int(rows["m"][i])) for i in range(len(rows)) if rows["kind"][i] == Kind.CONV)

    assert convolutions(ours) == convolutions(captured)
    assert max(Counter(name for name, _ in convolutions(ours)).values()) > 1
    assert list(ours.live_bytes()) == list(captured.live_bytes())


def test_peer_parameters_are_those_of_the_decoder_alone() -> None:
    assert_same_parameters(SMALL, twin())


@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_peer_presets_have_the_parameters_of_their_twins(preset: str) -> None:
    pytest.importorskip("diffusers", reason=WORDS)
    entry = sheet("cogvideox-vae-decoder").at_preset(preset)
    assert sum(p.numel() for p in build_module(entry).parameters()) == load(entry).parameters


def test_paper_true_count() -> None:
    pytest.importorskip("diffusers", reason=WORDS)
    assert_true_count("cogvideox-vae-decoder", 123_368_451)


def test_peer_flops_are_torchs_own() -> None:
    """At full size on meta, to the last one: as much as 2.6 denoising steps."""
    pytest.importorskip("diffusers", reason=WORDS)
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    work, blueprint = load("cogvideox-vae-decoder"), blueprint_of(sheet("cogvideox-vae-decoder"))
    module = build_module(blueprint, format="fp16")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(**make_inputs(module, blueprint, "forward", work.point))
    assert work.table.totals()["flops_matrix"] == counter.get_total_flops() == 315_027_947_520_000


def test_peer_the_tiny_preset_gives_a_video_of_the_size_asked_for() -> None:
    pytest.importorskip("diffusers", reason=WORDS)
    import torch

    entry, work = sheet("cogvideox-vae-decoder").at_preset("tiny"), load("cogvideox-vae-decoder@tiny")
    module = build_module(entry, device="cpu")
    with torch.no_grad():
        video = module(**make_inputs(module, entry, "forward", work.point, "cpu"))
    assert video.shape == (1, 3, work.point["frames"], work.point["height"], work.point["width"])
    assert bool(video.isfinite().all())


def test_formula_convolutions_over_time_at_full_width() -> None:
    """The last block, by hand: 49 frames of 480 × 720 through a convolution of 256 to 128 channels and seven of 128 to 128, 27 taps each."""
    table = load("cogvideox-vae-decoder").table
    rows, modules = table.rows, table.modules()
    chosen = [i for i in range(len(rows)) if modules[i].startswith("decoder.up_blocks.3.") and rows["taps"][i] == 27]
    assert int(rows["flops_matrix"][chosen].sum()) == 2 * 49 * 480 * 720 * 27 * 128 * (256 + 7 * 128)


def test_property_polynomials_are_fresh_tables() -> None:
    work = load("cogvideox-vae-decoder@tiny")
    points = {"batch": [2, 3, 5], "frames": [9, 9, 9], "height": [16, 64, 40], "width": [96, 16, 32]}
    totals = work.polynomials.totals(points)
    for index in range(3):
        fresh = work.at(**{name: values[index] for name, values in points.items()}).table.totals()
        assert {name: int(values[index]) for name, values in totals.items()} == fresh


def test_an_even_number_of_latent_frames_gives_four_frames_each() -> None:
    """As the twin does: only an odd number begins with a frame of its own."""
    rows, modules = SMALL.table("forward", "fp32", at(1, 5)).rows, SMALL.table("forward", "fp32", at(1, 5)).modules()
    (last,) = [i for i in range(len(rows)) if modules[i] == "decoder.conv_out.conv"]
    assert int(rows["m"][last]) == 8 * 16 * 24


def test_sizes_that_do_not_divide_are_refused() -> None:
    with pytest.raises(BadValue) as error:
        load("cogvideox-vae-decoder", width=724)
    assert str(error.value) == "width=724 is no multiple of 8. Choose 720 or 728."


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"block_out_channels": [128, 256]},
            "block_out_channels=(128, 256) are not four numbers. Write one a block: the video is made 8 times as high and wide.",
        ),
        ({"norm_num_groups": 24}, "norm_num_groups=24 does not divide block_out_channels=(128, 256, 256, 512). Choose one that does."),
    ],
)
def test_shapes_that_are_no_decoder_are_refused(changed: dict[str, object], message: str) -> None:
    entry = sheet("cogvideox-vae-decoder")
    with pytest.raises(BadFile) as error:
        family_of(replace(entry, shape={**entry.shape, **changed}))
    assert str(error.value) == f"cogvideox-vae-decoder: shape: {message}"
