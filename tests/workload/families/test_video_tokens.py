"""Phenaki, C-ViViT's decoder and ViT-VQGAN's against closed forms and published sizes; kinds of attention; videos that do not fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.workload.families.twins import matrix_flops, sheet

from thrifty.errors import BadValue
from thrifty.workload import load
from thrifty.workload.building import build_module
from thrifty.workload.families import family_of, parameter_count
from thrifty.workload.families.decoders.cvivit import CvivitDecoder, CvivitShape
from thrifty.workload.families.decoders.vit_vqgan import VitVqganDecoder, VitVqganShape
from thrifty.workload.families.token_transformers.phenaki import Phenaki, PhenakiShape
from thrifty.workload.table import Axes, Kind

VIDEO = PhenakiShape(layers=2, hidden=32, heads=4, intermediate=48, vocab=40, text_width=24, positions=2048, patch=4, frames_per_token=2)
CODES = CvivitShape(
    temporal_layers=1, spatial_layers=2, hidden=32, heads=4, intermediate=48, vocab=40, code_width=8, positions=256, patch=4, frames_per_token=2
)  # fmt: skip
PIXELS = VitVqganShape(layers=2, hidden=32, heads=4, intermediate=48, vocab=40, code_width=8, image=16, patch=4, positions=256)


@given(batch=st.integers(1, 3), later=st.integers(0, 3), side=st.integers(1, 4), text=st.integers(1, 9))
def test_formula_phenaki(batch: int, later: int, side: int, text: int) -> None:
    """All tokens attend to all; keys and values of the text are made from its own width in every layer."""
    d, tokens = 32, (1 + later) * side * side
    layer = 2 * tokens * (6 * d * d + 2 * d * 48) + 2 * text * 2 * 24 * d + 4 * tokens * tokens * d + 4 * tokens * text * d
    point = {"batch": batch, "frames": 1 + 2 * later, "image": 4 * side, "text": text}
    assert matrix_flops(Phenaki(shape=VIDEO), "forward", point) == batch * (2 * layer + 2 * tokens * d * 40)


@given(batch=st.integers(1, 3), later=st.integers(0, 3), side=st.integers(1, 4))
def test_formula_cvivit(batch: int, later: int, side: int) -> None:
    """Temporal attention is of the second degree in frames, spatial attention of the fourth in the side; the first frame has pixels of its own."""
    d, frames, places = 32, 1 + later, side * side
    tokens = batch * frames * places
    blocks = 3 * 2 * tokens * (4 * d * d + 2 * d * 48)
    attention = 4 * batch * places * frames * frames * d + 2 * 4 * batch * frames * places * places * d
    pixels = 2 * batch * places * d * 3 * 16 * (1 + 2 * later)
    point = {"batch": batch, "frames": 1 + 2 * later, "image": 4 * side}
    assert matrix_flops(CvivitDecoder(shape=CODES), "forward", point) == 2 * tokens * 8 * d + blocks + attention + pixels


@given(batch=st.integers(1, 3), side=st.integers(1, 5))
def test_formula_vit_vqgan(batch: int, side: int) -> None:
    d, tokens = 32, side * side
    layer = 2 * tokens * (4 * d * d + 2 * d * 48) + 4 * tokens * tokens * d
    around = 2 * tokens * (8 * d + d * 3 * 16)
    assert matrix_flops(VitVqganDecoder(shape=PIXELS), "forward", {"batch": batch, "image": 4 * side}) == batch * (2 * layer + around)


def test_paper_phenaki_has_1_85_billion_weights() -> None:
    """Its closed form, and what the public re-implementation of 1.8505 B has besides: positions, convolutions, empty keys, norms, a network of biases."""
    d, layers, codes = 2048, 24, 8192
    ours = parameter_count(family_of(sheet("phenaki-maskgit")))
    assert ours == layers * 18 * d * d + (2 * codes + 1) * d + layers * 6 * d + 2 * d
    assert ours == pytest.approx(1.8505e9, rel=3e-3)
    positions, convolutions = 1536 * d, layers * 28 * d
    assert ours + positions + convolutions == pytest.approx(1.8505e9, rel=2e-4)


def test_paper_a_detokeniser_of_600_million_weights() -> None:
    d = 1280
    blocks = 32 * (4 * (d * d + d) + 8 * d * d + 5 * d + 4 * d)
    assert parameter_count(family_of(sheet("parti-vit-vqgan-decoder"))) == blocks + 8192 * 32 + 32 * d + d + 2 * d + 192 * d + 192
    assert blocks == pytest.approx(0.63e9, rel=1e-3)


def kinds(name: str, **sizes: int) -> list[tuple[str, int, int, int, bool]]:
    """Kind, queries, keys, what is folded into the batch, and whether it is causal, of every attention."""
    rows = load(name).at(sizes).table.rows
    chosen = rows[rows["kind"] == Kind.ATTENTION]
    return [(Axes(int(r["axes"])).label, int(r["seq_q"]), int(r["seq_k"]), int(r["batch"]), bool(r["causal"])) for r in chosen]


def test_phenaki_attends_over_frames_height_and_width_at_once() -> None:
    assert kinds("phenaki-maskgit") == [("joint", 1536, 1536, 1, False), ("cross", 1536, 128, 1, False)] * 24
    assert kinds("phenaki-maskgit", frames=1)[0] == ("spatial", 256, 256, 1, False)


def test_cvivit_attends_in_time_then_in_space() -> None:
    assert kinds("phenaki-cvivit-decoder", batch=2) == [("temporal", 6, 6, 512, True)] * 4 + [("spatial", 256, 256, 12, False)] * 4
    same = kinds("phenaki-cvivit-decoder@tiny", frames=31, image=32)  # 16 frames of 4 x 4 tokens: the sizes do not tell them apart
    assert same == [("temporal", 16, 16, 16, True)] * 2 + [("spatial", 16, 16, 16, False)] * 2


def test_pixels_of_an_image_attend_in_space() -> None:
    assert set(kinds("parti-vit-vqgan-decoder")) == {("spatial", 1024, 1024, 1, False)}


def test_a_video_has_the_frames_and_sides_that_its_codes_say() -> None:
    module: Any = build_module(sheet("phenaki-cvivit-decoder").at_preset("tiny"), device="cpu")
    ids = torch.arange(2 * 3 * 4 * 2).reshape(2, 3, 4, 2)
    with torch.no_grad():
        video, image = module(ids), module(ids[:, :1])
    assert video.shape == (2, 3, 5, 32, 16)
    assert image.shape == (2, 3, 1, 32, 16)
    assert torch.allclose(video[:, :, :1], image, atol=1e-5)  # frames see their past only: the first is the same alone


def test_a_later_frame_changes_none_before_it_and_a_place_all_of_its_frame() -> None:
    module: Any = build_module(sheet("phenaki-cvivit-decoder").at_preset("tiny"), device="cpu")
    ids = torch.arange(3 * 2 * 2).reshape(1, 3, 2, 2)
    changed = ids.clone()
    changed[0, 1, 0, 0] = 99
    with torch.no_grad():
        difference = (module(ids) - module(changed)).abs().amax(dim=(0, 1))
    assert (difference[0] < 1e-6).all()
    assert (difference[1:] > 0).float().mean() > 0.99


def test_the_pixels_of_a_patch_stay_together() -> None:
    """An image of which one code differs differs most in that code's patch where attention is left out."""
    module: Any = build_module(sheet("parti-vit-vqgan-decoder").at_preset("tiny"), device="cpu")
    module.blocks = torch.nn.ModuleList()
    ids = torch.zeros(1, 3, 4, dtype=torch.long)
    changed = ids.clone()
    changed[0, 1, 2] = 7
    with torch.no_grad():
        difference = (module(ids) - module(changed)).abs().amax(dim=(0, 1))
    assert difference.shape == (24, 32)
    assert difference[8:16, 16:24].min() > 0
    difference[8:16, 16:24] = 0
    assert difference.max() == 0


@pytest.mark.parametrize(
    ("family", "point", "message"),
    [
        (Phenaki(shape=VIDEO), {"frames": 4, "image": 16}, "frames=4 is not one frame and a multiple of 2 more. Choose 3 or 5."),
        (Phenaki(shape=VIDEO), {"frames": 3, "image": 18}, "image=18 is no multiple of 4, the side of a patch. Choose 16 or 20."),
        (
            Phenaki(shape=replace(VIDEO, positions=20)), {"frames": 3, "image": 16},
            "frames=3 and image=16 make 32 tokens, more than the 20 positions of this model. Choose a shorter or smaller video.",
        ),
        (
            CvivitDecoder(shape=CODES), {"frames": 3, "image": 128},
            "frames=3 and image=128 make a sequence of 1024 tokens, more than the 256 positions of this model. Choose a shorter or smaller video.",
        ),
        (VitVqganDecoder(shape=PIXELS), {"image": 2}, "image=2 is no multiple of 4, the side of a patch. Choose 4."),
        (VitVqganDecoder(shape=PIXELS), {"image": 80}, "image=80 makes 400 tokens, more than the 256 positions of this model. Choose a smaller image."),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(family: Any, point: dict[str, int], message: str) -> None:
    with pytest.raises(BadValue) as error:
        family.table("forward", "bf16", {"batch": 1, "text": 5, **point})
    assert str(error.value) == message


def test_the_catalogue_refuses_sizes_that_do_not_exist() -> None:
    with pytest.raises(BadValue) as error:
        load("phenaki-maskgit", frames=10)
    assert str(error.value) == "frames=10 is no multiple of 2 plus 1. Choose 9 or 11."
    with pytest.raises(BadValue) as error:
        load("phenaki-cvivit-decoder", image=100)
    assert str(error.value) == "image=100 is no multiple of 8. Choose 96 or 104."
