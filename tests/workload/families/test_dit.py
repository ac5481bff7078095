"""DiT against diffusers' class, against torch's own count of FLOPs, and against sums by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.workload.families.denoisers import assert_exact_polynomials, assert_full_size, assert_presets, torchs_own_flops, twin
from tests.workload.families.twins import (
    assert_every_row_the_same,
    assert_polynomial,
    assert_same_parameters,
    assert_same_rows,
    assert_true_count,
    matrix_flops,
)

from thrifty.errors import BadValue
from thrifty.workload import load
from thrifty.workload.families.denoising_transformers.dit import Dit, DitShape
from thrifty.workload.model import WorkPhase
from thrifty.workload.table import COUNTS, Axes, Kind

CLASS = "DiTTransformer2DModel"


def small(latent: int = 8, heads: int = 2) -> Dit:
    """Two blocks, made for a latent of this side."""
    return Dit(shape=DitShape(num_attention_heads=heads, attention_head_dim=16, num_layers=2, sample_size=latent, num_embeds_ada_norm=10))


@pytest.mark.parametrize("phase", ["forward", "training"])
@pytest.mark.parametrize("format_name", ["fp32", "bf16"])
@pytest.mark.parametrize("batch", [1, 2])
def test_peer_rows_are_those_of_diffusers(phase: WorkPhase, format_name: str, batch: int) -> None:
    counts = COUNTS if format_name == "fp32" else ("flops_matrix", "flops_vector", "bytes_weight")
    assert_same_rows(small(), twin(small(), CLASS), phase, {"batch": batch, "latent": 8}, format_name, counts)


@pytest.mark.parametrize("phase", ["forward", "training"])
@pytest.mark.parametrize(("batch", "latent", "heads"), [(2, 8, 2), (1, 4, 3), (3, 6, 1)])
def test_peer_every_row_is_the_same(phase: WorkPhase, batch: int, latent: int, heads: int) -> None:
    assert_every_row_the_same(small(latent, heads), twin(small(latent, heads), CLASS), phase, {"batch": batch, "latent": latent})


@pytest.mark.parametrize("format_name", ["fp32", "bf16"])
@pytest.mark.parametrize("phase", ["forward", "training"])
def test_peer_rows_at_another_latent_are_those_of_diffusers(phase: WorkPhase, format_name: str) -> None:
    """Which computes its table of places there."""
    point = {"batch": 2, "latent": 12}
    assert_same_rows(small(), twin(small(), CLASS), phase, point, format_name)
    assert_every_row_the_same(small(), twin(small(), CLASS), phase, point)


def test_peer_parameters_are_those_of_diffusers() -> None:
    assert_same_parameters(small(), twin(small(), CLASS))


def test_paper_true_count() -> None:
    """More than the paper's 675 M: diffusers gives every block an embedding of step and class of its own."""
    pytest.importorskip("diffusers", reason="the twin is a class of diffusers")
    assert_true_count("dit-xl-2", 749_826_464)


def test_peer_flops_are_torchs_own_at_full_size() -> None:
    """237.3 GFLOP, twice the 118.6 G multiply-adds that the paper states."""
    assert_full_size("dit-xl-2", 237_333_676_032, 0.0356)
    assert load("dit-xl-2").table.totals()["flops_matrix"] / 2 == pytest.approx(118.6e9, rel=1e-3)


def test_peer_flops_of_a_training_step_are_torchs_own() -> None:
    point = {"batch": 2, "latent": 8}
    assert matrix_flops(small(), "training", point) == torchs_own_flops(twin(small(), CLASS), point, training=True)


def test_peer_presets_run() -> None:
    assert_presets("dit-xl-2")


def test_property_polynomials_are_exact() -> None:
    assert_exact_polynomials("dit-xl-2@tiny", [{"batch": 1, "latent": 16}, {"batch": 5, "latent": 2}, {"batch": 2, "latent": 64}, {"batch": 32, "latent": 34}])


@pytest.mark.parametrize("phase", ["forward", "training"])
def test_property_counts_are_of_fourth_degree_in_the_side(phase: WorkPhase) -> None:
    """Beyond the latent that it was made for."""
    assert_polynomial(small(), phase, [{"batch": 2, "latent": 10 + 2 * i} for i in range(6)], 4)


@given(batch=st.integers(1, 4), side=st.integers(1, 8))
def test_formula_matrix_flops(batch: int, side: int) -> None:
    """Patches and pixels, the step in each of two blocks and once more, blocks, and what scales the last norm."""
    hidden, patches = 32, side * side
    rows = batch * patches
    step = 2 * batch * (256 * hidden + hidden * hidden)
    block = 2 * rows * 12 * hidden * hidden + 4 * batch * patches**2 * hidden + 2 * batch * 6 * hidden * hidden
    ends = 2 * rows * hidden * 16 + 2 * rows * hidden * 32 + 2 * batch * 2 * hidden * hidden
    assert matrix_flops(small(), "forward", {"batch": batch, "latent": 2 * side}) == 3 * step + 2 * block + ends


def test_attention_is_spatial() -> None:
    table = load("dit-xl-2").table
    rows = table.rows[table.rows["kind"] == Kind.ATTENTION]
    assert {Axes(axes) for axes in rows["axes"]} == {Axes.SPATIAL}
    assert {(int(row["seq_q"]), int(row["seq_k"]), int(row["heads"]), int(row["head_dim"])) for row in rows} == {(256, 256, 16, 72)}
    assert len(rows) == 28


def test_the_image_may_be_given_instead_of_the_latent() -> None:
    assert load("dit-xl-2", image=512).point == {"batch": 1, "latent": 64}


def test_a_latent_that_is_cut_badly_is_refused() -> None:
    with pytest.raises(BadValue) as error:
        load("dit-xl-2", latent=33)
    assert str(error.value) == "latent=33 is no multiple of 2. Choose 32 or 34."


def test_it_generates_nothing() -> None:
    with pytest.raises(BadValue) as error:
        small().symbols("prefill")
    assert str(error.value) == "phase='prefill' does not exist for a denoiser, which generates nothing. Choose forward or training."
