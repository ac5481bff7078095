"""Stable Diffusion 3 against diffusers' class, against torch's own count of FLOPs, and against sums by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.workload.families.denoisers import assert_exact_polynomials, assert_full_size, assert_presets, torchs_own_flops, twin
from tests.workload.families.twins import assert_every_row_the_same, assert_same_parameters, assert_same_rows, assert_true_count, matrix_flops

from thrifty.errors import BadValue
from thrifty.workload import load
from thrifty.workload.families.denoising_transformers.sd3 import Sd3, Sd3Shape
from thrifty.workload.model import WorkPhase
from thrifty.workload.table import COUNTS, Axes, Kind

CLASS = "SD3Transformer2DModel"


def small(heads: int = 2) -> Sd3:
    """Two blocks, of which the last gives the text nothing back, with places for 6 × 6 patches."""
    return Sd3(
        shape=Sd3Shape(
            num_attention_heads=heads, attention_head_dim=16, num_layers=2, joint_attention_dim=24, caption_projection_dim=16 * heads,
            pooled_projection_dim=20, pos_embed_max_size=6, in_channels=4, out_channels=4, sample_size=8,
        )
    )  # fmt: skip


@pytest.mark.parametrize("phase", ["forward", "training"])
@pytest.mark.parametrize("format_name", ["fp32", "bf16"])
@pytest.mark.parametrize("batch", [1, 2])
def test_peer_rows_are_those_of_diffusers(phase: WorkPhase, format_name: str, batch: int) -> None:
    counts = COUNTS if format_name == "fp32" else ("flops_matrix", "flops_vector", "bytes_weight")
    assert_same_rows(small(), twin(small(), CLASS), phase, {"batch": batch, "latent": 8, "text": 5}, format_name, counts)


@pytest.mark.parametrize("phase", ["forward", "training"])
@pytest.mark.parametrize(("batch", "latent", "text", "heads"), [(2, 8, 5, 2), (1, 4, 7, 3), (2, 12, 2, 2)])
def test_peer_every_row_is_the_same(phase: WorkPhase, batch: int, latent: int, text: int, heads: int) -> None:
    """At any latent: the middle of the table of places is used, or all of it."""
    assert_every_row_the_same(small(heads), twin(small(heads), CLASS), phase, {"batch": batch, "latent": latent, "text": text})


def test_peer_parameters_are_those_of_diffusers() -> None:
    assert_same_parameters(small(), twin(small(), CLASS))


def test_paper_true_count() -> None:
    """The 2 B of the model's card."""
    pytest.importorskip("diffusers", reason="the twin is a class of diffusers")
    assert_true_count("sd3-medium", 2_028_328_000)


def test_peer_flops_are_torchs_own_at_full_size() -> None:
    assert_full_size("sd3-medium", 8_437_355_053_056, 0.3157)


def test_peer_flops_of_a_training_step_are_torchs_own() -> None:
    point = {"batch": 2, "latent": 8, "text": 5}
    assert matrix_flops(small(), "training", point) == torchs_own_flops(twin(small(), CLASS), point, training=True)


def test_peer_presets_run() -> None:
    assert_presets("sd3-medium")


def test_property_polynomials_are_exact() -> None:
    """On both sides of the latent that needs the whole table of places."""
    points = [{"batch": 1, "latent": 16, "text": 16}, {"batch": 5, "latent": 2, "text": 1}, {"batch": 2, "latent": 22, "text": 120}, {"batch": 3, "latent": 24}]
    assert_exact_polynomials("sd3-medium@tiny", points)


@given(batch=st.integers(1, 4), side=st.integers(1, 6), text=st.integers(1, 50))
def test_formula_matrix_flops(batch: int, side: int, text: int) -> None:
    """Patches and pixels, step and text as vectors, and two blocks over both streams, the last without the text's way back."""
    hidden, patches = 32, side * side
    rows, words = batch * patches, batch * text
    around = 2 * rows * hidden * 16 * 2 + 2 * words * 24 * hidden + 2 * batch * (256 + 20 + 2 * hidden + 2 * hidden) * hidden
    attention = 4 * batch * (patches + text) ** 2 * hidden
    image, whole_text = 12 * rows + 6 * batch, 12 * words + 6 * batch
    last_text = 3 * words + 2 * batch
    point = {"batch": batch, "latent": 2 * side, "text": text}
    assert matrix_flops(small(), "forward", point) == around + 2 * attention + 2 * hidden * hidden * (2 * image + whole_text + last_text)


def test_attention_is_joint() -> None:
    table = load("sd3-medium").table
    rows = table.rows[table.rows["kind"] == Kind.ATTENTION]
    assert {(Axes(row["axes"]), int(row["seq_q"]), int(row["seq_k"])) for row in rows} == {(Axes.JOINT, 4096 + 154, 4096 + 154)}
    assert len(rows) == 24


def test_a_latent_beyond_the_table_of_places_is_refused() -> None:
    with pytest.raises(BadValue) as error:
        load("sd3-medium", latent=386)
    assert str(error.value) == "latent=386 is above 384 (the largest latent side of this workload). Choose a whole number from 1 to 384."


def test_a_text_of_another_width_than_the_image_is_refused() -> None:
    with pytest.raises(BadValue) as error:
        Sd3Shape(
            num_attention_heads=2, attention_head_dim=16, num_layers=1, joint_attention_dim=8, caption_projection_dim=64, pooled_projection_dim=8,
            pos_embed_max_size=6,
        )  # fmt: skip
    assert str(error.value) == "caption_projection_dim=64 is not 32, the width of the tokens. Write 32."
