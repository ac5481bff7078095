"""Muse, Parti, Phenaki and the decoders of their tokens against their torch twins, row by row, and torch's own count of FLOPs in training."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
import torch
from tests.workload.families.twins import assert_every_row_the_same, assert_same_parameters, assert_same_rows
from torch.utils.flop_counter import FlopCounterMode

from thrifty.errors import BadValue
from thrifty.workload.building import Blueprint, build_module, make_inputs
from thrifty.workload.families import Family, parameter_count
from thrifty.workload.families.decoders.cvivit import CvivitDecoder, CvivitShape
from thrifty.workload.families.decoders.vit_vqgan import VitVqganDecoder, VitVqganShape
from thrifty.workload.families.token_transformers.muse import Muse, MuseShape
from thrifty.workload.families.token_transformers.parti import Parti, PartiShape
from thrifty.workload.families.token_transformers.phenaki import Phenaki, PhenakiShape
from thrifty.workload.model import WorkPhase
from thrifty.workload.table import COUNTS

MUSE = Muse(shape=MuseShape(layers=2, hidden=32, heads=4, intermediate=64, vocab=40, text_width=24, positions=64))
CARRYING = Muse(shape=MuseShape(layers=2, hidden=32, heads=4, intermediate=64, vocab=40, text_width=24, positions=64, self_conditioning=True))
FINE = Muse(shape=MuseShape(layers=2, hidden=32, heads=4, intermediate=64, vocab=40, text_width=24, positions=64, low_vocab=48))
PARTI = Parti(
    shape=PartiShape(
        encoder_layers=2, decoder_layers=3, hidden=32, heads=4, intermediate=64, text_vocab=40, vocab=48, text_positions=16, positions=64, tokens=24
    )
)  # fmt: skip
PHENAKI = Phenaki(
    shape=PhenakiShape(
        layers=2, hidden=32, heads=4, intermediate=64, vocab=40, text_width=24, positions=2048, patch=4, frames_per_token=2
    )
)  # fmt: skip
PIXELS = VitVqganDecoder(
    shape=VitVqganShape(layers=2, hidden=32, heads=4, intermediate=64, vocab=40, code_width=8, image=16, patch=4, positions=256)
)  # fmt: skip
VIDEOS = CvivitDecoder(
    shape=CvivitShape(
        temporal_layers=1, spatial_layers=2, hidden=32, heads=4, intermediate=64, vocab=40, code_width=8, positions=256, patch=4, frames_per_token=2
    )
)  # fmt: skip
POINTS: list[tuple[Any, dict[str, int]]] = [
    (MUSE, {"seq": 20, "text": 7}),
    (MUSE, {"seq": 1, "text": 1}),
    (FINE, {"seq": 32, "text": 7, "low": 5}),
    (PARTI, {"seq": 20, "text": 7}),
    (PARTI, {"seq": 1, "text": 1}),
    (PHENAKI, {"frames": 5, "image": 12, "text": 7}),
    (PHENAKI, {"frames": 1, "image": 12, "text": 7}),
    (PHENAKI, {"frames": 5, "image": 4, "text": 7}),
    (PIXELS, {"image": 16}),
    (PIXELS, {"image": 4}),
    (VIDEOS, {"frames": 7, "image": 12}),
    (VIDEOS, {"frames": 5, "image": 8}),
    (VIDEOS, {"frames": 1, "image": 8}),
]



def twin(family: Any) -> Blueprint:
    """The torch class that lies beside the family."""
    kind = type(family)
    return Blueprint(name="twin", kind="generator", torch_class=f"{kind.__module__}_torch.{kind.__name__}", config=asdict(family.shape), fed=family)


@pytest.mark.parametrize(("batch", "phase"), [(1, "training"), (2, "training")])
@pytest.mark.parametrize(("family", "sizes"), POINTS)
def test_peer_every_row_is_the_twins(family: Family, sizes: dict[str, int], batch: int, phase: WorkPhase) -> None:
    assert_every_row_the_same(family, twin(family), phase, {"batch": batch, **sizes})


@pytest.mark.parametrize(("phase", "format_name"), [("forward", "fp32"), ("training", "fp32"), ("forward", "bf16")])
@pytest.mark.parametrize(("family", "sizes"), [POINTS[0], POINTS[2], POINTS[3], POINTS[5], POINTS[8], POINTS[10]])
def test_peer_kinds_of_attention_and_peak_are_the_twins(family: Family, sizes: dict[str, int], phase: WorkPhase, format_name: str) -> None:
    counts = COUNTS if format_name == "fp32" else ("flops_matrix", "bytes_weight")
    assert_same_rows(family, twin(family), phase, {"batch": 2, **sizes}, format_name, counts)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("phase", ["prefill", "decode"])
def test_peer_rows_of_generation_are_the_twins(phase: WorkPhase, batch: int) -> None:
    point = {"batch": batch, "text": 7} if phase == "prefill" else {"batch": batch, "text": 7, "seq": 20}
    assert_every_row_the_same(PARTI, twin(PARTI), phase, point)
    assert_same_rows(PARTI, twin(PARTI), phase, point, "fp32", COUNTS)


@pytest.mark.parametrize("family", [MUSE, CARRYING, FINE, PARTI, PHENAKI, PIXELS, VIDEOS])
def test_peer_parameters_are_the_twins(family: Family) -> None:
    assert_same_parameters(family, twin(family))


def torch_flops(blueprint: Blueprint, phase: WorkPhase, point: dict[str, int]) -> int:
    """By torch's own counter, on meta tensors; with the gradients of a training step."""
    module = build_module(blueprint)
    inputs = make_inputs(module, blueprint, phase, point)
    with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(phase == "training"):
        out = module(**inputs)
        if phase == "training":
            out.mean().backward()
    return int(counter.get_total_flops())


@pytest.mark.parametrize(("family", "sizes"), [POINTS[2], POINTS[3], POINTS[5], POINTS[8], POINTS[10]])
def test_peer_flops_of_training_are_torchs_own(family: Family, sizes: dict[str, int]) -> None:
    point = {"batch": 2, **sizes}
    assert torch_flops(twin(family), "training", point) == family.table("training", "fp32", point).totals()["flops_matrix"]


@pytest.mark.parametrize("family", [MUSE, PARTI, PHENAKI, PIXELS, VIDEOS])
def test_families_count_their_own_parameters(family: Family) -> None:
    assert parameter_count(family) == sum(p.numel() for p in build_module(twin(family)).parameters())


@pytest.mark.parametrize("shape", [MuseShape, PhenakiShape])
def test_heads_that_do_not_divide_the_width_are_refused(shape: Any) -> None:
    sizes = {**asdict(MUSE.shape if shape is MuseShape else PHENAKI.shape), "heads": 5}
    with pytest.raises(BadValue) as error:
        shape(**sizes)
    assert str(error.value) == "heads=5 does not divide hidden=32. Choose a divisor of it."


@pytest.mark.parametrize(("family", "what"), [(MUSE, "a masked transformer"), (PIXELS, "a decoder of images"), (VIDEOS, "a decoder of videos")])
def test_one_pass_models_generate_nothing(family: Family, what: str) -> None:
    with pytest.raises(BadValue) as error:
        family.symbols("decode")
    assert str(error.value) == f"phase='decode' does not exist for {what}, which generates nothing. Choose forward or training."
