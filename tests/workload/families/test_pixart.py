"""PixArt against diffusers' class, against torch's own count of FLOPs, and against sums by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.workload.families.denoisers import assert_exact_polynomials, assert_full_size, assert_presets, torchs_own_flops, twin
from tests.workload.families.twins import assert_every_row_the_same, assert_same_parameters, assert_same_rows, assert_true_count, matrix_flops

from thrifty.errors import BadValue
from thrifty.workload import load
from thrifty.workload.families.denoising_transformers.pixart import Pixart, PixartShape
from thrifty.workload.model import WorkPhase
from thrifty.workload.table import COUNTS, Axes, Kind

CLASS = "PixArtTransformer2DModel"


def small(latent: int = 8, heads: int = 2) -> Pixart:
    """Two blocks, made for a latent of this side."""
    return Pixart(
        shape=PixartShape(
            num_attention_heads=heads, attention_head_dim=16, num_layers=2, cross_attention_dim=16 * heads, caption_channels=24, sample_size=latent
        )
    )  # fmt: skip


@pytest.mark.parametrize("phase", ["forward", "training"])
@pytest.mark.parametrize("format_name", ["fp32", "bf16"])
@pytest.mark.parametrize("batch", [1, 2])
def test_peer_rows_are_those_of_diffusers(phase: WorkPhase, format_name: str, batch: int) -> None:
    counts = COUNTS if format_name == "fp32" else ("flops_matrix", "flops_vector", "bytes_weight")
    assert_same_rows(small(), twin(small(), CLASS), phase, {"batch": batch, "latent": 8, "text": 5}, format_name, counts)


@pytest.mark.parametrize("phase", ["forward", "training"])
@pytest.mark.parametrize(("batch", "latent", "text", "heads"), [(2, 8, 5, 2), (1, 4, 7, 3), (3, 6, 2, 1)])
def test_peer_every_row_is_the_same(phase: WorkPhase, batch: int, latent: int, text: int, heads: int) -> None:
    point = {"batch": batch, "latent": latent, "text": text}
    assert_every_row_the_same(small(latent, heads), twin(small(latent, heads), CLASS), phase, point)


@pytest.mark.parametrize("format_name", ["fp32", "bf16"])
@pytest.mark.parametrize("phase", ["forward", "training"])
def test_peer_rows_at_another_latent_are_those_of_diffusers(phase: WorkPhase, format_name: str) -> None:
    """Which computes its table of places there."""
    point = {"batch": 2, "latent": 12, "text": 5}
    assert_same_rows(small(), twin(small(), CLASS), phase, point, format_name)
    assert_every_row_the_same(small(), twin(small(), CLASS), phase, point)


def test_peer_parameters_are_those_of_diffusers() -> None:
    assert_same_parameters(small(), twin(small(), CLASS))


def test_paper_true_count() -> None:
    """The paper's 0.6 B."""
    pytest.importorskip("diffusers", reason="the twin is a class of diffusers")
    assert_true_count("pixart-512", 610_856_096)


def test_peer_flops_are_torchs_own_at_full_size() -> None:
    assert_full_size("pixart-512", 1_235_985_924_096, 0.1223)


def test_peer_flops_of_a_training_step_are_torchs_own() -> None:
    point = {"batch": 2, "latent": 8, "text": 5}
    assert matrix_flops(small(), "training", point) == torchs_own_flops(twin(small(), CLASS), point, training=True)


def test_peer_presets_run() -> None:
    assert_presets("pixart-512")


def test_property_polynomials_are_exact() -> None:
    points = [{"batch": 1, "latent": 16, "text": 16}, {"batch": 5, "latent": 2, "text": 1}, {"batch": 2, "latent": 64, "text": 120}]
    assert_exact_polynomials("pixart-512@tiny", points)


@given(batch=st.integers(1, 4), side=st.integers(1, 8), text=st.integers(1, 50))
def test_formula_matrix_flops(batch: int, side: int, text: int) -> None:
    """Patches and pixels, the step once for all blocks, the caption, and blocks that attend to the image and to the text."""
    hidden, patches = 32, side * side
    rows, words = batch * patches, batch * text
    step = 2 * batch * (256 * hidden + hidden * hidden + 6 * hidden * hidden)
    caption = 2 * words * (24 * hidden + hidden * hidden)
    linear = 2 * rows * (4 + 8 + 2) * hidden * hidden + 2 * words * 2 * hidden * hidden
    attention = 4 * batch * patches * (patches + text) * hidden
    ends = 2 * rows * hidden * 16 + 2 * rows * hidden * 32
    assert matrix_flops(small(), "forward", {"batch": batch, "latent": 2 * side, "text": text}) == step + caption + 2 * (linear + attention) + ends


def test_attention_is_spatial_and_to_the_text() -> None:
    table = load("pixart-512").table
    rows = table.rows[table.rows["kind"] == Kind.ATTENTION]
    assert [(Axes(row["axes"]), int(row["seq_q"]), int(row["seq_k"])) for row in rows[:2]] == [(Axes.SPATIAL, 1024, 1024), (Axes.CROSS, 1024, 120)]
    assert len(rows) == 2 * 28


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cross_attention_dim": 64}, "cross_attention_dim=64 is not 32, the width of the tokens. Write 32."),
        ({"sample_size": 128}, "sample_size=128 is of the model that is told sizes and aspect ratios, which is not known here. Choose another."),
    ],
)
def test_a_shape_that_is_none_is_refused(change: dict[str, int], message: str) -> None:
    sizes = {"num_attention_heads": 2, "attention_head_dim": 16, "num_layers": 1, "cross_attention_dim": 32, "caption_channels": 8, **change}
    with pytest.raises(BadValue) as error:
        PixartShape(**sizes)
    assert str(error.value) == message
