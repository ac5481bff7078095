"""Flux against diffusers' class, against torch's own count of FLOPs, and against sums by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.workload.families.denoisers import assert_exact_polynomials, assert_full_size, assert_presets, torchs_own_flops, twin
from tests.workload.families.twins import assert_every_row_the_same, assert_same_parameters, assert_same_rows, assert_true_count, matrix_flops

from thrifty.errors import BadValue
from thrifty.workload import load
from thrifty.workload.families.denoising_transformers.flux import Flux, FluxShape
from thrifty.workload.model import WorkPhase
from thrifty.workload.table import COUNTS, Axes, Kind

CLASS = "FluxTransformer2DModel"


def small(heads: int = 2, *, guided: bool = True) -> Flux:
    """One block of two streams, two of one."""
    return Flux(
        shape=FluxShape(
            num_layers=1, num_single_layers=2, num_attention_heads=heads, attention_head_dim=16, joint_attention_dim=24, pooled_projection_dim=20,
            axes_dims_rope=(4, 6, 6), guidance_embeds=guided, in_channels=16,
        )
    )  # fmt: skip


@pytest.mark.parametrize("phase", ["forward", "training"])
@pytest.mark.parametrize("format_name", ["fp32", "bf16"])
@pytest.mark.parametrize("batch", [1, 2])
def test_peer_rows_are_those_of_diffusers(phase: WorkPhase, format_name: str, batch: int) -> None:
    counts = COUNTS if format_name == "fp32" else ("flops_matrix", "flops_vector", "bytes_weight")
    assert_same_rows(small(), twin(small(), CLASS), phase, {"batch": batch, "latent": 8, "text": 5}, format_name, counts)


@pytest.mark.parametrize("phase", ["forward", "training"])
@pytest.mark.parametrize(("batch", "latent", "text", "heads", "guided"), [(2, 8, 5, 2, True), (1, 4, 7, 3, True), (3, 6, 2, 2, False)])
def test_peer_every_row_is_the_same(phase: WorkPhase, batch: int, latent: int, text: int, heads: int, guided: bool) -> None:
    family = small(heads, guided=guided)
    assert_every_row_the_same(family, twin(family, CLASS), phase, {"batch": batch, "latent": latent, "text": text})


def test_peer_forward_rows_are_those_of_diffusers_in_fp16() -> None:
    """Which bounds what every block gives back."""
    point = {"batch": 2, "latent": 8, "text": 5}
    assert_same_rows(small(), twin(small(), CLASS), "forward", point, "fp16")
    table = small().table("forward", "fp16", point)
    assert sum(table.op(i) == "aten.clamp" for i in range(len(table.rows))) == 3


def test_peer_parameters_are_those_of_diffusers() -> None:
    assert_same_parameters(small(), twin(small(), CLASS))


def test_paper_true_count() -> None:
    """The 12 B of the model's card."""
    pytest.importorskip("diffusers", reason="the twin is a class of diffusers")
    assert_true_count("flux-dev", 11_901_408_320)


def test_peer_flops_are_torchs_own_at_full_size() -> None:
    """74.4 TFLOP, of which core attention is 20 %."""
    assert_full_size("flux-dev", 74_384_653_418_496, 0.1999)


def test_peer_flops_of_a_training_step_are_torchs_own() -> None:
    point = {"batch": 2, "latent": 8, "text": 5}
    assert matrix_flops(small(), "training", point) == torchs_own_flops(twin(small(), CLASS), point, training=True)


def test_peer_presets_run() -> None:
    assert_presets("flux-dev")


def test_property_polynomials_are_exact() -> None:
    points = [{"batch": 1, "latent": 16, "text": 16}, {"batch": 5, "latent": 2, "text": 1}, {"batch": 2, "latent": 64, "text": 120}]
    assert_exact_polynomials("flux-dev@tiny", points)


@given(batch=st.integers(1, 4), side=st.integers(1, 8), text=st.integers(1, 50))
def test_formula_matrix_flops(batch: int, side: int, text: int) -> None:
    """Tokens in and out, step, guidance and text as vectors, a block of two streams, two of one whose last layer takes attention and feed-forward."""
    hidden, tokens = 32, side * side
    rows, words = batch * tokens, batch * text
    both = rows + words
    around = 2 * rows * hidden * 16 * 2 + 2 * words * 24 * hidden + 2 * batch * (2 * 256 + 20 + 3 * hidden + 2 * hidden) * hidden
    attention = 4 * batch * (tokens + text) ** 2 * hidden
    double = 2 * hidden * hidden * (12 * both + 12 * batch) + attention
    single = 2 * hidden * hidden * ((3 + 4 + 5) * both + 3 * batch) + attention
    point = {"batch": batch, "latent": 2 * side, "text": text}
    assert matrix_flops(small(), "forward", point) == around + double + 2 * single


def test_attention_is_joint_although_tokens_are_packed() -> None:
    table = load("flux-dev").table
    rows = table.rows[table.rows["kind"] == Kind.ATTENTION]
    assert {(Axes(row["axes"]), int(row["seq_q"]), int(row["seq_k"]), int(row["head_dim"])) for row in rows} == {(Axes.JOINT, 4608, 4608, 128)}
    assert len(rows) == 19 + 38


def test_a_latent_that_cannot_be_packed_is_refused() -> None:
    with pytest.raises(BadValue) as error:
        load("flux-dev", latent=129)
    assert str(error.value) == "latent=129 is no multiple of 2. Choose 128 or 130."


def test_an_image_that_has_no_latent_is_refused() -> None:
    with pytest.raises(BadValue) as error:
        load("flux-dev", image=1020)
    assert str(error.value) == "image=1020 is no multiple of 8, by which this workload makes it smaller. Choose 1016 or 1024."


def test_places_that_do_not_fill_a_head_are_refused() -> None:
    with pytest.raises(BadValue) as error:
        FluxShape(
            num_layers=1, num_single_layers=1, num_attention_heads=2, attention_head_dim=16, joint_attention_dim=8, pooled_projection_dim=8,
            axes_dims_rope=(4, 6, 8), guidance_embeds=False,
        )  # fmt: skip
    assert str(error.value) == "axes_dims_rope=[4, 6, 8] sums to 18, a head has 16. Make them equal."
