"""The image decoder family against diffusers' Decoder and VQModel, torch's own counter, and published counts."""

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
from thrifty.workload.families.decoders.image_decoder import ImageDecoder, ImageDecoderShape
from thrifty.workload.model import WorkPhase
from thrifty.workload.table import Axes, Kind

pytest.importorskip("diffusers")

NAMES = sorted(path.stem for path in Path(str(files("thrifty.workload") / "catalogue")).glob("*-decoder.toml") if sheet(path.stem).family == "image-decoder")
TOKENS = "thrifty.workload.families.decoders.image_decoder_torch.TokenDecoder"
UP = "UpDecoderBlock2D"


def made(torch_class: str = "diffusers.models.autoencoders.vae.Decoder", **config: Any) -> tuple[ImageDecoder, Blueprint]:
    family = ImageDecoder(shape=ImageDecoderShape(**config))
    return family, Blueprint(name="twin", kind="generator", torch_class=torch_class, config=config, fed=family)


KL = made(in_channels=4, up_block_types=(UP,) * 3, block_out_channels=(16, 32, 32), layers_per_block=1, norm_num_groups=8)
VQ = made(
    TOKENS, in_channels=8, up_block_types=(UP,) * 2, block_out_channels=(16, 32), layers_per_block=1, norm_num_groups=8, mid_block_add_attention=False,
    codebook_size=64,
)  # fmt: skip
VQ_SEEN = made(TOKENS, in_channels=8, up_block_types=(UP,) * 2, block_out_channels=(16, 32), layers_per_block=1, norm_num_groups=8, codebook_size=64)


@pytest.mark.parametrize("twin", [KL, VQ, VQ_SEEN], ids=["kl", "vq", "vq with attention"])
@pytest.mark.parametrize("point", [{"batch": 2, "latent": 4}, {"batch": 1, "latent": 5}], ids=["two", "odd"])
@pytest.mark.parametrize("phase", ["forward", "training"])
def test_peer_every_row_is_the_same(twin: tuple[ImageDecoder, Blueprint], phase: WorkPhase, point: dict[str, int]) -> None:
    assert_every_row_the_same(*twin, phase, point)


@pytest.mark.parametrize("twin", [KL, VQ], ids=["kl", "vq"])
def test_peer_rows_are_the_same_in_fp16(twin: tuple[ImageDecoder, Blueprint]) -> None:
    assert_same_rows(*twin, "training", {"batch": 1, "latent": 5}, "fp16", peak=1e-3)


@pytest.mark.parametrize("twin", [KL, VQ, VQ_SEEN], ids=["kl", "vq", "vq with attention"])
def test_peer_parameters_are_the_same(twin: tuple[ImageDecoder, Blueprint]) -> None:
    assert_same_parameters(*twin)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("sd-1.5-vae-decoder", 49_490_179),
        ("sdxl-vae-decoder", 49_490_179),
        ("sd3-vae-decoder", 49_545_475),
        ("flux-vae-decoder", 49_545_475),
        ("prod-image-vae-decoder", 49_545_475),
        ("muse-vqgan-decoder", 40_406_147),
        ("muse-sr-vqgan-decoder", 36_272_515),
    ],
)
def test_paper_true_counts(name: str, parameters: int) -> None:
    assert_true_count(name, parameters)


def test_paper_flops_of_stable_diffusion_1() -> None:
    """Products and convolutions of one image of 512, two operations a multiply-add."""
    table = load("sd-1.5-vae-decoder").table
    found = [table.rows["flops_matrix"][table.rows["kind"] == kind].sum() / 1e9 for kind in (Kind.CONV, Kind.LINEAR, Kind.ATTENTION)]
    assert found == pytest.approx([2471.6, 8.6, 34.4], abs=0.06)
    assert sum(found) == pytest.approx(2514.5, abs=0.06)


@pytest.mark.parametrize("name", ["sd-1.5-vae-decoder", "muse-sr-vqgan-decoder"])
def test_peer_flop_counter_at_full_size(name: str) -> None:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    point = load(name).point
    blueprint = blueprint_of(sheet(name))
    module = build_module(blueprint)
    inputs = make_inputs(module, blueprint, "forward", point)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(**inputs)
    assert matrix_flops(family_of(sheet(name)), "forward", point) == counter.get_total_flops()


@pytest.mark.parametrize("twin", [KL, VQ], ids=["kl", "vq"])
def test_peer_flop_counter_of_a_training_step(twin: tuple[ImageDecoder, Blueprint]) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    point, (family, blueprint) = {"batch": 2, "latent": 4}, twin
    module = build_module(blueprint)
    inputs = make_inputs(module, blueprint, "training", point)
    with FlopCounterMode(display=False) as counter:
        module(**inputs).mean().backward()
    assert matrix_flops(family, "training", point) == counter.get_total_flops()


def test_peer_a_vqgan_decodes_as_diffusers_vqmodel() -> None:
    """The same weights in diffusers' VQModel give the same image."""
    import torch
    from diffusers import VQModel

    shape = VQ_SEEN[0].shape
    ours = build_module(VQ_SEEN[1], device="cpu")
    peer = VQModel(
        block_out_channels=shape.block_out_channels, layers_per_block=shape.layers_per_block, latent_channels=shape.in_channels,
        num_vq_embeddings=shape.codebook_size, norm_num_groups=shape.norm_num_groups, up_block_types=shape.up_block_types,
        down_block_types=("DownEncoderBlock2D",) * 2,
    ).eval()  # fmt: skip
    peer.quantize.embedding.load_state_dict(ours.codebook.state_dict())
    peer.post_quant_conv.load_state_dict(ours.post_quant_conv.state_dict())
    peer.decoder.load_state_dict(ours.decoder.state_dict())
    tokens = torch.randint(0, shape.codebook_size, (2, 4, 4), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        found = peer.quantize.get_codebook_entry(tokens, (2, 4, 4, shape.in_channels))
        assert torch.equal(ours(tokens), peer.decode(found, force_not_quantize=True).sample)


@pytest.mark.parametrize("name", ["flux-vae-decoder", "muse-vqgan-decoder"])
def test_peer_tiny_has_the_rows_of_its_twin(name: str) -> None:
    workload, entry = load(f"{name}@tiny"), sheet(name).at_preset("tiny")
    assert_same_rows(family_of(entry), blueprint_of(entry), "forward", workload.point, workload.format, peak=1e-3)
    assert workload.parameters == entry.parameters


@pytest.mark.parametrize("name", NAMES)
def test_small_has_the_parameters_that_its_sheet_states(name: str) -> None:
    assert parameter_count(family_of(sheet(name).at_preset("small"))) == sheet(name).presets["small"].parameters


@pytest.mark.parametrize("name", ["sdxl-vae-decoder", "muse-vqgan-decoder"])
def test_peer_tiny_runs(name: str) -> None:
    import torch

    entry = sheet(name).at_preset("tiny")
    blueprint = blueprint_of(entry)
    module = build_module(blueprint, device="cpu")
    point = load(f"{name}@tiny").point
    with torch.inference_mode():
        image = module(**make_inputs(module, blueprint, "forward", point, "cpu"))
    side = point["latent"] * 2 ** (len(entry.shape["block_out_channels"]) - 1)
    assert image.shape == (1, 3, side, side)
    assert torch.isfinite(image).all()


@pytest.mark.parametrize("name", ["sd-1.5-vae-decoder@tiny", "muse-vqgan-decoder@tiny"])
@pytest.mark.parametrize("phase", ["forward", "training"])
def test_property_polynomials_are_exact(name: str, phase: WorkPhase) -> None:
    workload = load(name, phase=phase)
    for point in ({"batch": 3, "latent": 8}, {"batch": 2, "latent": 11}):
        found = workload.polynomials.totals({name: [size] for name, size in point.items()})
        assert {name: int(values[0]) for name, values in found.items()} == workload.at(point).table.totals(), point


def test_its_only_attention_is_over_pixels_with_one_head() -> None:
    rows = load("sd-1.5-vae-decoder").table.rows
    (chosen,) = rows[rows["kind"] == Kind.ATTENTION]
    assert (Axes(chosen["axes"]), int(chosen["seq_q"]), int(chosen["heads"]), int(chosen["head_dim"])) == (Axes.SPATIAL, 4096, 1, 512)


def test_its_symbols_are_batch_and_latent() -> None:
    assert [(s.name, s.degree, s.alias) for s in family_of(sheet("sd-1.5-vae-decoder")).symbols("forward")] == [
        ("batch", 1, None),
        ("latent", 4, ("image", 8)),
    ]
    assert family_of(sheet("muse-vqgan-decoder")).symbols("forward")[1].alias == ("image", 16)
    assert load("muse-sr-vqgan-decoder", image=256).point == {"batch": 1, "latent": 32}


def test_shapes_that_do_not_fit_are_refused() -> None:
    good = dict(KL[1].config)
    messages = {
        "1 block_out_channels enlarge nothing. Give two or more, one for every side.": {"block_out_channels": (16,)},
        "up_block_types is not UpDecoderBlock2D for each of 3 block_out_channels. Write it once for every side.": {"up_block_types": (UP,)},
        "20 channels do not go into 8 groups of equal size. Choose a multiple.": {"block_out_channels": (16, 20, 32)},
    }
    for message, change in messages.items():
        with pytest.raises(BadValue) as error:
            ImageDecoderShape(**{**good, **change})
        assert str(error.value) == message


def test_it_generates_nothing() -> None:
    with pytest.raises(BadValue) as error:
        KL[0].symbols("prefill")
    assert str(error.value) == "phase='prefill' does not exist for a decoder of latents, which generates nothing. Choose forward or training."
