"""The prior over image embeddings against diffusers' class, torch's own counter, and sums by hand."""

from __future__ import annotations

from typing import Any

import pytest
from tests.workload.families.twins import assert_every_row_the_same, assert_same_parameters, assert_same_rows, assert_true_count, matrix_flops, sheet

from thrifty.errors import BadValue
from thrifty.workload import load
from thrifty.workload.building import Blueprint, TorchSource, blueprint_of, build_module
from thrifty.workload.building.inputs import make_inputs
from thrifty.workload.families import family_of
from thrifty.workload.families.denoising_transformers.prior import Prior, PriorShape
from thrifty.workload.model import WorkPhase
from thrifty.workload.scaling import Polynomials

pytest.importorskip("diffusers")

NAME = "make-a-video-prior"
SHAPE: dict[str, Any] = {"num_attention_heads": 2, "attention_head_dim": 8, "num_layers": 2, "embedding_dim": 24, "num_embeddings": 7}
SMALL = Prior(shape=PriorShape(**SHAPE))
TWIN = Blueprint(name="twin", kind="generator", torch_class="diffusers.PriorTransformer", config=SHAPE, fed=SMALL)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("phase", ["forward", "training"])
def test_peer_every_row_is_the_same(phase: WorkPhase, batch: int) -> None:
    assert_every_row_the_same(SMALL, TWIN, phase, {"batch": batch})
    assert_same_rows(SMALL, TWIN, phase, {"batch": batch}, "fp16")


def test_peer_views_and_calls_are_the_twins() -> None:
    """What an eager framework does around the operators of a forward pass."""
    ours, theirs = (source.table("forward", "fp32", {"batch": 2}).rows for source in (SMALL, TorchSource(TWIN)))
    assert (ours["views"] == theirs["views"]).all()
    assert (ours["calls"] == theirs["calls"]).all()


def test_peer_parameters_are_the_same() -> None:
    assert_same_parameters(SMALL, TWIN)


def test_paper_true_count() -> None:
    """The paper's prior has 1.3 billion, as remembered."""
    assert_true_count(NAME, 1_223_463_168)


def test_peer_flop_counter_at_full_size() -> None:
    """torch's own counter on meta tensors."""
    from torch import no_grad
    from torch.utils.flop_counter import FlopCounterMode

    blueprint = blueprint_of(sheet(NAME))
    module = build_module(blueprint)
    inputs = make_inputs(module, blueprint, "forward", {"batch": 2})
    with no_grad(), FlopCounterMode(display=False) as counter:
        module(**inputs)
    assert matrix_flops(family_of(sheet(NAME)), "forward", {"batch": 2}) == counter.get_total_flops()


def test_formula_matrix_flops() -> None:
    """Layers over the text and four tokens more; the text's projection; and five products of single tokens."""
    heads, width, layers, wide, text = 32 * 64, 768, 24, 4 * 32 * 64, 77
    tokens = text + 4
    layer = 2 * tokens * (4 * heads * heads + 2 * heads * wide) + 4 * tokens * tokens * heads
    single = 2 * (2 * heads * heads + 3 * heads * width)
    assert matrix_flops(family_of(sheet(NAME)), "forward", {"batch": 3}) == 3 * (layers * layer + 2 * text * width * heads + single)


def test_peer_tiny_runs() -> None:
    import torch

    blueprint = blueprint_of(sheet(NAME).at_preset("tiny"))
    module = build_module(blueprint, device="cpu")
    with torch.inference_mode():
        made = module(**make_inputs(module, blueprint, "forward", {"batch": 2}, "cpu")).predicted_image_embedding
    assert made.shape == (2, 24)
    assert torch.isfinite(made).all()


def test_property_polynomials_are_exact() -> None:
    tiny = load(f"{NAME}@tiny", batch=2)
    polynomials = Polynomials.of(tiny)
    for batch in (1, 2, 5, 64):
        assert polynomials.totals({"batch": batch}) == tiny.at(batch=batch).table.totals()


def test_an_odd_width_is_refused() -> None:
    with pytest.raises(BadValue) as error:
        PriorShape(num_attention_heads=3, attention_head_dim=5)
    assert str(error.value) == "num_attention_heads * attention_head_dim is 15, and waves come in pairs. Choose an even width."
