"""The vision transformer family against transformers' ViT, against published counts, and against sums by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.workload.families.twins import (
    assert_every_row_the_same,
    assert_polynomial,
    assert_same_parameters,
    assert_same_rows,
    assert_true_count,
    matrix_flops,
    sheet,
    twin,
)

from thrifty.errors import BadValue
from thrifty.workload.families import Vit, family_of
from thrifty.workload.families.vision.vit import VitShape
from thrifty.workload.model import WorkPhase
from thrifty.workload.table import COUNTS

SMALL = Vit(shape=VitShape(layers=2, hidden=32, heads=4, intermediate=64, image=32, patch=8, classes=10))
TWIN = twin(
    "vision",
    "transformers.ViTForImageClassification",
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    image_size=32,
    patch_size=8,
    num_labels=10,
)


@pytest.mark.parametrize(("batch", "image"), [(2, 32), (1, 40), (3, 8)])
def test_peer_forward_rows_are_those_of_vit(batch: int, image: int) -> None:
    assert_same_rows(SMALL, TWIN, "forward", {"batch": batch, "image": image}, "fp32", COUNTS)


@pytest.mark.parametrize(("batch", "image"), [(2, 32), (1, 40), (3, 8)])
def test_peer_training_rows_are_those_of_vit(batch: int, image: int) -> None:
    assert_same_rows(SMALL, TWIN, "training", {"batch": batch, "image": image}, "fp32", COUNTS)


@pytest.mark.parametrize("phase", ["forward", "training"])
def test_peer_rows_are_those_of_vit_in_bf16(phase: WorkPhase) -> None:
    assert_same_rows(SMALL, TWIN, phase, {"batch": 2, "image": 24}, "bf16", COUNTS)


@pytest.mark.parametrize("phase", ["forward", "training"])
@pytest.mark.parametrize("batch", [1, 2])
def test_peer_every_row_is_the_same(phase: WorkPhase, batch: int) -> None:
    assert_every_row_the_same(SMALL, TWIN, phase, {"batch": batch, "image": 43})


def test_peer_parameters_are_those_of_vit() -> None:
    assert_same_parameters(SMALL, TWIN)


@pytest.mark.parametrize(("name", "parameters"), [("vit-b", 86_567_656), ("vit-l", 304_326_632)])
def test_paper_true_counts(name: str, parameters: int) -> None:
    """As torchvision's model pages state them (vit_b_16, vit_l_16)."""
    assert_true_count(name, parameters)


@pytest.mark.parametrize(("name", "multiply_adds"), [("vit-b", 17.56e9), ("vit-l", 61.55e9)])
def test_paper_multiply_adds(name: str, multiply_adds: float) -> None:
    """As torchvision's model pages state them under GFLOPS, a multiply-add counted once."""
    flops = matrix_flops(family_of(sheet(name)), "forward", {"batch": 1, "image": 224})
    assert flops / 2 == pytest.approx(multiply_adds, rel=5e-4)


@given(batch=st.integers(1, 4), side=st.integers(1, 8))
def test_formula_matrix_flops(batch: int, side: int) -> None:
    """Patches, layers over patches and one token more, classifier; of pixels no gradient is wanted, so the patches' backward is one product."""
    patches, hidden, inner = side * side, 32, 64
    rows = batch * (patches + 1)
    patching = 2 * batch * patches * hidden * 3 * 8 * 8
    layer = 4 * 2 * rows * hidden * hidden + 2 * 2 * rows * hidden * inner + 2 * 2 * rows * (patches + 1) * hidden
    forward = patching + 2 * layer + 2 * batch * hidden * 10
    point = {"batch": batch, "image": 8 * side}
    assert matrix_flops(SMALL, "forward", point) == forward
    assert matrix_flops(SMALL, "training", point) == 3 * forward - patching


@pytest.mark.parametrize("phase", ["forward", "training"])
@pytest.mark.parametrize("rest", [0, 3, 7])
def test_property_counts_are_of_fourth_degree_in_the_side(phase: WorkPhase, rest: int) -> None:
    assert_polynomial(SMALL, phase, [{"batch": 2, "image": 16 + rest + 8 * i} for i in range(6)], 4)


def test_its_symbols_are_batch_and_image() -> None:
    batch, image = family_of(sheet("vit-b")).symbols("training")
    assert batch.name == "batch"
    assert (image.name, image.default, image.modulus, image.degree) == ("image", 224, 16, 4)


def test_an_image_smaller_than_a_patch_is_refused() -> None:
    with pytest.raises(BadValue) as error:
        SMALL.table("forward", "bf16", {"batch": 1, "image": 7})
    assert str(error.value) == "image=7 is smaller than one patch of 8. Choose a side of at least 8."


def test_it_generates_nothing() -> None:
    with pytest.raises(BadValue) as error:
        SMALL.symbols("prefill")
    assert str(error.value) == "phase='prefill' does not exist for a vision transformer, which generates nothing. Choose forward or training."
