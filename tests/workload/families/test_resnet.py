"""The residual net family against transformers' ResNet, against published counts, and against torch's own arithmetic of sides."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
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
from thrifty.workload.families import Resnet, family_of
from thrifty.workload.families.vision.resnet import ResnetShape
from thrifty.workload.model import WorkPhase
from thrifty.workload.table import COUNTS, Kind

SMALL = Resnet(shape=ResnetShape(widths=(16, 32, 64, 128), depths=(1, 2, 1, 1), stem=8, image=64, classes=10))
TWIN = twin(
    "vision",
    "transformers.ResNetForImageClassification",
    embedding_size=8,
    hidden_sizes=[16, 32, 64, 128],
    depths=[1, 2, 1, 1],
    layer_type="bottleneck",
    num_labels=10,
)
WRITTEN: dict[WorkPhase, tuple[str, ...]] = {"training": COUNTS, "forward": tuple(name for name in COUNTS if name != "bytes_written")}
"""Of a batch norm with stored statistics meta tensors say that it writes some of its own; no kernel does."""


@pytest.mark.parametrize("phase", ["forward", "training"])
@pytest.mark.parametrize(("batch", "image"), [(2, 64), (1, 33), (3, 97), (2, 31)])
def test_peer_rows_are_those_of_resnet(phase: WorkPhase, batch: int, image: int) -> None:
    assert_same_rows(SMALL, TWIN, phase, {"batch": batch, "image": image}, "fp32", WRITTEN[phase])


@pytest.mark.parametrize("phase", ["forward", "training"])
def test_peer_rows_are_those_of_resnet_in_bf16(phase: WorkPhase) -> None:
    assert_same_rows(SMALL, TWIN, phase, {"batch": 2, "image": 47}, "bf16", WRITTEN[phase])


def test_peer_a_first_stage_as_wide_as_the_stem_needs_no_shortcut() -> None:
    family = Resnet(shape=ResnetShape(widths=(8, 16), depths=(2, 1), stem=8, image=32, classes=3))
    other = twin(
        "vision", "transformers.ResNetForImageClassification", embedding_size=8, hidden_sizes=[8, 16], depths=[2, 1], layer_type="bottleneck", num_labels=3
    )
    assert_same_parameters(family, other)
    assert_same_rows(family, other, "training", {"batch": 2, "image": 37}, "fp32", COUNTS)


@pytest.mark.parametrize("batch", [1, 2])
def test_peer_every_row_of_training_is_the_same(batch: int) -> None:
    assert_every_row_the_same(SMALL, TWIN, "training", {"batch": batch, "image": 47})


def test_peer_parameters_are_those_of_resnet() -> None:
    assert_same_parameters(SMALL, TWIN)


def test_paper_true_count() -> None:
    """As torchvision's model page of resnet50 states it."""
    assert_true_count("resnet-50", 25_557_032)


def test_paper_multiply_adds() -> None:
    """As torchvision's model page of resnet50 states them under GFLOPS, a multiply-add counted once."""
    assert matrix_flops(family_of(sheet("resnet-50")), "forward", {"batch": 1, "image": 224}) / 2 == pytest.approx(4.09e9, rel=1e-3)


@given(batch=st.integers(1, 4), image=st.integers(1, 200))
def test_formula_sides_are_halved_with_floors(batch: int, image: int) -> None:
    """The stem, the pool and every stage but the first halve the side, each rounding up what is odd."""
    table = SMALL.table("forward", "bf16", {"batch": batch, "image": image})
    convolutions = table.rows[table.rows["kind"] == Kind.CONV]
    half = [(image - 1) // 2 + 1]
    for _ in range(4):
        half.append((half[-1] - 1) // 2 + 1)
    assert int(convolutions["m"][0]) == batch * half[0] ** 2
    assert int(convolutions["m"][-1]) == batch * half[4] ** 2
    assert set(convolutions["m"]) == {batch * side**2 for side in half}


@given(batch=st.integers(1, 3), image=st.integers(1, 100))
def test_property_training_is_three_forwards_less_the_gradient_of_pixels(batch: int, image: int) -> None:
    point = {"batch": batch, "image": image}
    side = (image - 1) // 2 + 1
    stem = 2 * batch * side**2 * 8 * 3 * 49
    assert matrix_flops(SMALL, "training", point) == 3 * matrix_flops(SMALL, "forward", point) - stem


@settings(max_examples=32)
@given(rest=st.integers(0, 31), batch=st.integers(1, 3))
def test_property_counts_are_of_second_degree_in_sides_with_one_remainder(rest: int, batch: int) -> None:
    for phase in ("forward", "training"):
        assert_polynomial(SMALL, phase, [{"batch": batch, "image": 64 + rest + 32 * i} for i in range(4)], 2)


def test_its_symbols_are_batch_and_image() -> None:
    batch, image = family_of(sheet("resnet-50")).symbols("forward")
    assert batch.name == "batch"
    assert (image.name, image.default, image.modulus, image.degree) == ("image", 224, 32, 2)


def test_stages_need_a_width_and_a_depth_each() -> None:
    with pytest.raises(BadValue) as error:
        ResnetShape(widths=(16, 32), depths=(1,), stem=8, image=64, classes=10)
    assert str(error.value) == "2 widths and 1 depths do not make stages. Give one of each for every stage."


def test_it_generates_nothing() -> None:
    with pytest.raises(BadValue) as error:
        SMALL.table("decode", "bf16", {"batch": 1, "image": 64})
    assert str(error.value) == "phase='decode' does not exist for a convolution net, which generates nothing. Choose forward or training."
