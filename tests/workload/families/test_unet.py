"""The UNet family against diffusers' class, torch's own counter, published counts, and sums by hand."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from tests.workload.families.twins import assert_every_row_the_same, assert_same_parameters, assert_same_rows, assert_true_count, matrix_flops, sheet

from thrifty.errors import BadValue
from thrifty.workload import load
from thrifty.workload.building import Blueprint, blueprint_of, build_module
from thrifty.workload.building.inputs import make_inputs
from thrifty.workload.families import family_of, parameter_count
from thrifty.workload.families.unets.unet import Unet, UnetShape
from thrifty.workload.model import WorkPhase
from thrifty.workload.table import Axes, Kind, OperatorTable

pytest.importorskip("diffusers")

NAMES = sorted(path.stem for path in Path(str(files("thrifty.workload") / "catalogue")).glob("*-unet.toml") if sheet(path.stem).family == "unet")


def made(**config: Any) -> tuple[Unet, Blueprint]:
    family = Unet(shape=UnetShape(**config))
    return family, Blueprint(name="twin", kind="generator", torch_class="diffusers.UNet2DConditionModel", config=config, fed=family)


PLAIN = made(
    sample_size=8, block_out_channels=(32, 64), attention_head_dim=(8, 8), cross_attention_dim=16, layers_per_block=1, norm_num_groups=8,
    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
)  # fmt: skip
"""Projections are convolutions, as in Stable Diffusion 1."""
TOLD = made(
    sample_size=8, block_out_channels=(32, 64), attention_head_dim=(2, 4), cross_attention_dim=16, layers_per_block=1, norm_num_groups=8,
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), use_linear_projection=True,
    transformer_layers_per_block=(1, 2), addition_embed_type="text_time", addition_time_embed_dim=16, projection_class_embeddings_input_dim=108,
)  # fmt: skip
"""Projections are linear, and the step takes in sizes and the text as one vector, as in SDXL."""
POINTS = [{"batch": 2, "latent": 8, "text": 7}, {"batch": 1, "latent": 7, "text": 5}]
"""The second does not halve evenly."""


@pytest.mark.parametrize("twin", [PLAIN, TOLD], ids=["plain", "told"])
@pytest.mark.parametrize(("phase", "point"), [("forward", POINTS[0]), ("training", POINTS[0]), ("training", POINTS[1])], ids=["forward", "two", "odd"])
def test_peer_every_row_is_the_same(twin: tuple[Unet, Blueprint], phase: WorkPhase, point: dict[str, int]) -> None:
    assert_every_row_the_same(*twin, phase, point)


@pytest.mark.parametrize(("twin", "phase"), [(PLAIN, "training"), (TOLD, "forward")], ids=["plain", "told"])
def test_peer_rows_are_the_same_in_fp16(twin: tuple[Unet, Blueprint], phase: WorkPhase) -> None:
    assert_same_rows(*twin, phase, POINTS[1], "fp16", peak=1e-3)


@pytest.mark.parametrize("twin", [PLAIN, TOLD], ids=["plain", "told"])
def test_peer_parameters_are_the_same(twin: tuple[Unet, Blueprint]) -> None:
    assert_same_parameters(*twin)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("sd-1.5-unet", 859_520_964), ("sd-2.1-unet", 865_910_724), ("sdxl-unet", 2_567_463_684), ("prod-image-unet", 2_567_532_816)],
)
def test_paper_true_counts(name: str, parameters: int) -> None:
    assert_true_count(name, parameters)


@pytest.mark.parametrize(("latent", "flops"), [(64, 803_273_441_280), (32, 180.1e9), (96, 2148.1e9), (128, 4674.0e9)])
def test_paper_flops_of_stable_diffusion_1(latent: int, flops: float) -> None:
    """Products and convolutions of one step, two operations a multiply-add."""
    found = matrix_flops(family_of(sheet("sd-1.5-unet")), "forward", {"batch": 1, "latent": latent, "text": 77})
    assert found == pytest.approx(flops, rel=0 if latent == 64 else 4e-4)


def by_kind(table: OperatorTable, kind: Kind) -> int:
    return int(table.rows["flops_matrix"][table.rows["kind"] == kind].sum())


@pytest.mark.parametrize(
    ("name", "total", "conv", "linear", "attention"),
    [("sd-1.5-unet", 803.3, 443.9, 233.3, 126.05), ("sd-2.1-unet", 2149.1, 941.3, 579.7, 628.1), ("sdxl-unet", 6761.2, 1623.1, 4354.2, 783.9)],
)
def test_paper_flops_by_kind(name: str, total: float, conv: float, linear: float, attention: float) -> None:
    table = load(name).table
    found = [by_kind(table, kind) / 1e9 for kind in (Kind.CONV, Kind.LINEAR, Kind.ATTENTION)]
    assert found == pytest.approx([conv, linear, attention], abs=0.06)
    assert sum(found) == pytest.approx(total, abs=0.06)


def test_formula_core_attention_of_stable_diffusion() -> None:
    """4 s² c over pixels and 4 s T c over text in every block: five at each of three sides, two down and three up, and one in the middle."""
    for latent, text in ((64, 77), (40, 9)):
        table = load("sd-1.5-unet").at(latent=latent, text=text).table
        sides = [(latent // 2**place, 320 * min(2**place, 4), count) for place, count in enumerate((5, 5, 5, 1))]
        assert by_kind(table, Kind.ATTENTION) == sum(n * (4 * side**4 * c + 4 * side**2 * text * c) for side, c, n in sides)


@pytest.mark.parametrize("name", ["sd-1.5-unet"])
def test_peer_flop_counter_at_full_size(name: str) -> None:
    """torch's own counter on meta tensors, guidance's batch of two."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    point = {"batch": 2, "latent": 64, "text": 77}
    blueprint = blueprint_of(sheet(name))
    module = build_module(blueprint)
    inputs = make_inputs(module, blueprint, "forward", point)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(**inputs)
    assert matrix_flops(family_of(sheet(name)), "forward", point) == counter.get_total_flops()


@pytest.mark.parametrize("twin", [PLAIN, TOLD], ids=["plain", "told"])
def test_peer_flop_counter_of_a_training_step(twin: tuple[Unet, Blueprint]) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    family, blueprint = twin
    module = build_module(blueprint)
    inputs = make_inputs(module, blueprint, "training", POINTS[0])
    with FlopCounterMode(display=False) as counter:
        module(**inputs).sample.mean().backward()
    assert matrix_flops(family, "training", POINTS[0]) == counter.get_total_flops()


@pytest.mark.parametrize("name", ["sd-2.1-unet", "prod-image-unet"])
def test_peer_tiny_has_the_rows_of_its_twin(name: str) -> None:
    workload, entry = load(f"{name}@tiny"), sheet(name).at_preset("tiny")
    assert_same_rows(family_of(entry), blueprint_of(entry), "forward", workload.point, workload.format, peak=1e-3)
    assert workload.parameters == entry.parameters


@pytest.mark.parametrize("name", ["sd-1.5-unet", "sdxl-unet"])
def test_peer_tiny_runs(name: str) -> None:
    import torch

    entry = sheet(name).at_preset("tiny")
    blueprint = blueprint_of(entry)
    module = build_module(blueprint, device="cpu")
    inputs = make_inputs(module, blueprint, "forward", load(f"{name}@tiny").point, "cpu")
    with torch.inference_mode():
        made = module(**inputs).sample
    assert made.shape == inputs["sample"].shape
    assert torch.isfinite(made).all()


@pytest.mark.parametrize("name", NAMES)
def test_small_has_the_parameters_that_its_sheet_states(name: str) -> None:
    assert parameter_count(family_of(sheet(name).at_preset("small"))) == sheet(name).presets["small"].parameters


@pytest.mark.parametrize("phase", ["forward", "training"])
def test_property_polynomials_are_exact(phase: WorkPhase) -> None:
    workload = load("sd-1.5-unet@tiny", phase=phase)
    for point in ({"batch": 3, "latent": 8, "text": 5}, {"batch": 2, "latent": 18, "text": 11}, {"batch": 2, "latent": 13, "text": 6}):
        found = workload.polynomials.totals({name: [size] for name, size in point.items()})
        assert {name: int(values[0]) for name, values in found.items()} == workload.at(point).table.totals(), point


def test_attention_is_over_pixels_and_to_text() -> None:
    for twin in (PLAIN, TOLD):
        rows = twin[0].table("forward", "fp16", POINTS[0]).rows
        chosen = rows[rows["kind"] == Kind.ATTENTION]
        assert {(Axes(row["axes"]), int(row["seq_k"]) == 7) for row in chosen} == {(Axes.SPATIAL, False), (Axes.CROSS, True)}


def test_its_symbols_are_batch_latent_and_text() -> None:
    batch, latent, text = family_of(sheet("sdxl-unet")).symbols("forward")
    assert (batch.name, latent.name, text.name) == ("batch", "latent", "text")
    assert (latent.default, latent.modulus, latent.degree, latent.alias) == (128, 4, 4, ("image", 8))
    assert text.default == 77
    assert load("sd-1.5-unet", image=256).point["latent"] == 32
    assert load("sd-1.5-unet@tiny").at(image=64).point["latent"] == 8


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"image": 100}, "image=100 is no multiple of 8, by which this workload makes it smaller. Choose 96 or 104."),
        ({"image": 64, "latent": 8}, "latent and image are two names of one size. Give one of them."),
        ({"latent": 0}, "latent=0 is below 1. Choose a whole number from 1 up."),
        ({"frames": 4}, "'sd-1.5-unet' has no symbol 'frames'. Choose from: batch, latent, text, image."),
    ],
)
def test_sizes_that_do_not_exist_are_refused(sizes: dict[str, int], message: str) -> None:
    for made in (lambda: load("sd-1.5-unet", **sizes), lambda: load("sd-1.5-unet").at(**sizes)):
        with pytest.raises(BadValue) as error:
            made()
        assert str(error.value) == message


def test_it_generates_nothing() -> None:
    with pytest.raises(BadValue) as error:
        PLAIN[0].symbols("decode")
    assert str(error.value) == "phase='decode' does not exist for a denoiser, which generates nothing. Choose forward or training."


def test_shapes_that_do_not_fit_are_refused() -> None:
    good = dict(PLAIN[1].config)
    messages = {
        "attention_head_dim has 1 values for 2 block_out_channels. Give one for every side.": {"attention_head_dim": (8,)},
        "32 channels do not go into 5 heads and 8 groups of equal size. Choose a multiple of both for every side.": {"attention_head_dim": (5, 8)},
        "addition_embed_type='text' is unknown. Write text_time, or leave it out.": {"addition_embed_type": "text"},
        "projection_class_embeddings_input_dim=0 leaves no room for a text beside 6 x 16 numbers of sizes. Choose more.": {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 16,
        },
    }
    for message, change in messages.items():
        with pytest.raises(BadValue) as error:
            UnetShape(**{**good, **change})
        assert str(error.value) == message
    with pytest.raises(BadValue) as unknown:
        UnetShape(**{**good, "down_block_types": ("CrossAttnDownBlock2d", "DownBlock2D")})
    assert str(unknown.value) == (
        "Block 'CrossAttnDownBlock2d' of a UNet is unknown here. Choose from: CrossAttnDownBlock2D, DownBlock2D, CrossAttnUpBlock2D, UpBlock2D."
    )
