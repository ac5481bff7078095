"""The video UNet family against diffusers' class, torch's own counter, published counts, and sums by hand."""

from __future__ import annotations

from typing import Any

import pytest
from tests.workload.families.twins import assert_every_row_the_same, assert_same_parameters, assert_same_rows, assert_true_count, matrix_flops, sheet

from thrifty.errors import BadValue
from thrifty.workload import load
from thrifty.workload.building import Blueprint, TorchSource, blueprint_of, build_module
from thrifty.workload.building.inputs import make_inputs
from thrifty.workload.families import family_of
from thrifty.workload.families.unets.unet3d import Unet3d, Unet3dShape
from thrifty.workload.model import WorkPhase
from thrifty.workload.scaling import Polynomials
from thrifty.workload.table import Axes, Kind, OperatorTable

pytest.importorskip("diffusers")

SHAPE: dict[str, Any] = {
    "block_out_channels": (32, 64), "down_block_types": ("CrossAttnDownBlock3D", "DownBlock3D"), "up_block_types": ("UpBlock3D", "CrossAttnUpBlock3D"),
    "layers_per_block": 1, "cross_attention_dim": 24, "attention_head_dim": 8, "norm_num_groups": 8,
}  # fmt: skip
SMALL = Unet3d(shape=Unet3dShape(**SHAPE))
TWIN = Blueprint(name="twin", kind="generator", torch_class="diffusers.UNet3DConditionModel", config=SHAPE, fed=SMALL)


def point(batch: int, frames: int, latent: int, text: int) -> dict[str, int]:
    return {"batch": batch, "frames": frames, "latent": latent, "text": text}


TWO, ODD = point(2, 3, 8, 5), point(1, 4, 7, 5)
"""The second is one sample, which torch sees in other orders without copies, of a side that does not halve evenly."""


@pytest.mark.parametrize(("phase", "at"), [("forward", TWO), ("forward", ODD), ("training", ODD)])
def test_peer_every_row_is_the_same(phase: WorkPhase, at: dict[str, int]) -> None:
    assert_every_row_the_same(SMALL, TWIN, phase, at)


@pytest.mark.parametrize("phase", ["forward", "training"])
def test_peer_rows_are_the_same_in_fp16(phase: WorkPhase) -> None:
    assert_same_rows(SMALL, TWIN, phase, TWO, "fp16", peak=1e-3)


@pytest.mark.parametrize("at", [point(2, 1, 8, 5), point(1, 3, 2, 1), point(2, 3, 1, 1)], ids=["one frame", "one pixel below", "one pixel"])
def test_peer_rows_where_an_axis_is_one(at: dict[str, int]) -> None:
    assert_same_rows(SMALL, TWIN, "forward", at, "fp32", peak=1e-3)


def test_peer_views_and_calls_are_the_twins() -> None:
    """What an eager framework does around the operators of a forward pass."""
    ours, theirs = (source.table("forward", "fp32", point(2, 3, 8, 5)).rows for source in (SMALL, TorchSource(TWIN)))
    assert (ours["views"] == theirs["views"]).all()
    assert (ours["calls"] == theirs["calls"]).all()


def test_peer_kinds_of_attention_do_not_depend_on_sizes() -> None:
    """Frames, height, width and text all eight long: the stem and every temp_attentions are temporal, attn1 of attentions spatial, attn2 cross."""
    table = TorchSource(TWIN).table("forward", "fp32", point(8, 8, 8, 8))
    for module, row in zip(table.modules(), table.rows, strict=True):
        if row["kind"] == Kind.ATTENTION:
            over_frames = "temp_attentions" in module or module.startswith("transformer_in")
            assert row["axes"] == (Axes.TEMPORAL if over_frames else Axes.SPATIAL if module.endswith("attn1") else Axes.CROSS), module


def test_peer_parameters_are_the_same() -> None:
    assert_same_parameters(SMALL, TWIN)


def test_paper_true_count() -> None:
    assert_true_count("unet3d", 1_411_233_860)


def of_kind(table: OperatorTable, kind: Kind, *axes: Axes) -> int:
    chosen = table.rows["kind"] == kind
    return int(table.rows["flops_matrix"][chosen & ((not axes) | (table.rows["axes"] == (axes[0] if axes else 0)))].sum())


@pytest.mark.parametrize(("frames", "total", "attention"), [(16, 4887e9, 143.7e9), (32, 9788e9, 301.4e9), (64, 19632e9, 658.7e9)])
def test_paper_flops_at_the_default_shape(frames: int, total: float, attention: float) -> None:
    """Products and convolutions of one step, counted by torch's own counter when the suite was planned; 48 % of them convolutions."""
    table = load("unet3d", frames=frames).table
    assert table.totals()["flops_matrix"] == pytest.approx(total, rel=1e-4)
    assert of_kind(table, Kind.ATTENTION) == pytest.approx(attention, rel=4e-4)
    assert of_kind(table, Kind.CONV) / table.totals()["flops_matrix"] == pytest.approx(0.48, abs=0.005)


@pytest.mark.parametrize(("frames", "latent", "text"), [(16, 32, 77), (5, 24, 9)])
def test_formula_core_attention(frames: int, latent: int, text: int) -> None:
    """4 F S² c over pixels, 4 F S T c over text, twice 4 S F² c over frames, in five blocks at each of three sides and one in the middle; and the stem's."""
    table = load("unet3d", frames=frames, latent=latent, text=text).table
    sides = [(latent // 2**level, 320 * min(2**level, 4), count) for level, count in enumerate((5, 5, 5, 1))]
    assert of_kind(table, Kind.ATTENTION, Axes.SPATIAL) == sum(n * 4 * frames * side**4 * c for side, c, n in sides)
    assert of_kind(table, Kind.ATTENTION, Axes.CROSS) == sum(n * 4 * frames * side**2 * text * c for side, c, n in sides)
    stem = 2 * 4 * latent**2 * frames**2 * 8 * 64
    assert of_kind(table, Kind.ATTENTION, Axes.TEMPORAL) == stem + sum(n * 2 * 4 * side**2 * frames**2 * c for side, c, n in sides)
    folded = {(int(row["axes"]), int(row["batch"]), int(row["seq_q"])) for row in table.rows if row["kind"] == Kind.ATTENTION}
    assert folded == {
        place for side, _, _ in sides for place in ((Axes.SPATIAL, frames, side**2), (Axes.CROSS, frames, side**2), (Axes.TEMPORAL, side**2, frames))
    }


def test_peer_flop_counter_at_full_size() -> None:
    """torch's own counter on meta tensors, guidance's batch of two, a side that does not halve evenly."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    at, blueprint = point(2, 16, 20, 77), blueprint_of(sheet("unet3d"))
    module = build_module(blueprint)
    inputs = make_inputs(module, blueprint, "forward", at)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(**inputs)
    assert matrix_flops(family_of(sheet("unet3d")), "forward", at) == counter.get_total_flops()


def test_peer_flop_counter_of_a_training_step() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    module = build_module(TWIN)
    inputs = make_inputs(module, TWIN, "training", point(2, 3, 8, 5))
    with FlopCounterMode(display=False) as counter:
        module(**inputs).sample.mean().backward()
    assert matrix_flops(SMALL, "training", point(2, 3, 8, 5)) == counter.get_total_flops()


def test_peer_tiny_has_the_rows_of_its_twin_and_runs() -> None:
    import torch

    entry, workload = sheet("unet3d").at_preset("tiny"), load("unet3d@tiny")
    blueprint = blueprint_of(entry)
    assert_same_rows(family_of(entry), blueprint, "forward", workload.point, workload.format, peak=1e-3)
    assert workload.parameters == entry.parameters
    module = build_module(blueprint, device="cpu")
    with torch.inference_mode():
        made = module(**make_inputs(module, blueprint, "forward", workload.point, "cpu")).sample
    assert made.shape == (1, 4, 4, 8, 8)
    assert torch.isfinite(made).all()


def test_property_polynomials_are_exact() -> None:
    tiny = load("unet3d@tiny", batch=2)
    polynomials = Polynomials.of(tiny)
    for at in (point(2, 4, 16, 8), point(3, 9, 24, 5), point(2, 6, 20, 77), point(1, 16, 32, 8)):
        assert polynomials.totals(at) == tiny.at(at).table.totals()


def test_an_image_is_eight_times_its_latent() -> None:
    assert load("unet3d", image=256).point["latent"] == 32
    with pytest.raises(BadValue) as error:
        load("unet3d", image=250)
    assert str(error.value) == "image=250 is no multiple of 8, by which this workload makes it smaller. Choose 248 or 256."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"down_block_types": ("DownBlock3D",)}, "down_block_types names 1 blocks, block_out_channels 2. Name one for each."),
        ({"up_block_types": ("UpBlock3D", "UpBlock2D")}, "up_block_types has no 'UpBlock2D'. Choose from: CrossAttnUpBlock3D, UpBlock3D."),
        ({"norm_num_groups": 12}, "norm_num_groups=12 does not divide 32 channels. Choose one that does."),
        ({"attention_head_dim": 0}, "attention_head_dim=0 does not divide 32 channels. Choose one that does."),
    ],
)
def test_a_shape_that_does_not_fit_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadValue) as error:
        Unet3dShape(**{**SHAPE, **change})
    assert str(error.value) == message


def test_it_generates_nothing() -> None:
    with pytest.raises(BadValue) as error:
        SMALL.symbols("prefill")
    assert str(error.value) == "phase='prefill' does not exist for a denoiser of videos, which generates nothing. Choose forward or training."
