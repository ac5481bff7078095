"""Wan's denoiser against diffusers' class, against torch's own count of FLOPs, and against sums by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.workload.families.twins import assert_same_parameters, assert_same_rows, assert_true_count, matrix_flops, sheet

from thrifty.errors import BadFile, BadValue
from thrifty.workload import load
from thrifty.workload.building import Blueprint, TorchSource, blueprint_of, build_module, make_inputs
from thrifty.workload.families import family_of
from thrifty.workload.families.denoising_transformers.wan import Wan, WanShape
from thrifty.workload.model import WorkPhase
from thrifty.workload.table import Axes, Kind, OperatorTable, Phase

WORDS = "the twin is a class of diffusers"


def small(heads: int = 2) -> Wan:
    return Wan(
        shape=WanShape(num_attention_heads=heads, attention_head_dim=16, num_layers=2, ffn_dim=48, in_channels=4, out_channels=4, text_dim=24, freq_dim=8)
    )  # fmt: skip


def assert_every_row_the_same(family: Wan, blueprint: Blueprint, phase: WorkPhase, point: dict[str, int], *, apart: str) -> None:
    """As for other families, but for the rows of the module `apart`."""

    def named(table: OperatorTable) -> Counter[tuple[object, ...]]:
        names = ("kind", "m", "flops_vector", "bytes_read", "bytes_written")
        chosen = [i for i in range(len(table)) if table.rows["phase"][i] != Phase.OPTIMIZER and table.module(i) != apart]
        return Counter((table.op(i), table.module(i), *(int(table.rows[name][i]) for name in names)) for i in chosen)

    captured = TorchSource(blueprint).table(phase, "fp32", point)
    assert captured.unknown() == {}
    assert named(family.table(phase, "fp32", point)) == named(captured)


def twin(family: Wan) -> Blueprint:
    pytest.importorskip("diffusers", reason=WORDS)
    return Blueprint(name="twin", kind="generator", torch_class="diffusers.WanTransformer3DModel", config=asdict(family.shape), fed=family)


def at(batch: int, frames: int, height: int, width: int, text: int) -> dict[str, int]:
    return {"batch": batch, "frames": frames, "height": height, "width": width, "text": text}


@pytest.mark.parametrize("phase", ["forward", "training"])
@pytest.mark.parametrize("format_name", ["fp32", "bf16"])
@pytest.mark.parametrize("batch", [1, 2])
def test_peer_rows_are_those_of_diffusers(phase: WorkPhase, format_name: str, batch: int) -> None:
    assert_same_rows(small(), twin(small()), phase, at(batch, 9, 48, 64, 5), format_name, peak=0.01)


@pytest.mark.parametrize("phase", ["forward", "training"])
@pytest.mark.parametrize(("point", "heads"), [(at(1, 9, 48, 64, 5), 2), (at(2, 9, 48, 64, 5), 2), (at(2, 1, 48, 64, 1), 2), (at(1, 5, 16, 32, 3), 1)])
def test_peer_every_row_is_the_same(phase: WorkPhase, point: dict[str, int], heads: int) -> None:
    assert_every_row_the_same(small(heads), twin(small(heads)), phase, point, apart="rope")


def test_formula_the_table_of_turns_is_read_as_far_as_frames_height_and_width_go() -> None:
    """A recorder counts three views of one table as the largest of them; here they are summed, so that counts stay polynomials."""
    rows = small().table("forward", "fp32", at(1, 9, 48, 64, 5)).rows[:2]
    assert list(rows["bytes_read"]) == [4 * (3 * 8 + 3 * 4 + 4 * 4)] * 2


def test_peer_the_numbers_that_stay_in_fp32_do() -> None:
    """In bf16 norms, scales, shifts and gates run in fp32, and what goes through them is widened and narrowed again: as many bytes as the twin's."""
    point = at(2, 9, 48, 64, 5)
    ours, theirs = small().table("forward", "bf16", point), TorchSource(twin(small())).table("forward", "bf16", point)
    assert {**ours.totals(), "bytes_read": 0} == {**theirs.totals(), "bytes_read": 0}
    assert ours.totals()["bytes_read"] - theirs.totals()["bytes_read"] == 2 * 4 * (3 * 4 + 4 * 4)  # of the table of turns, see above
    norms = ours.rows[(ours.rows["kind"] == Kind.NORM) & (ours.rows["launches"] == 1)]
    assert {ours.formats[index] for index in norms["format"]} == {"fp32"}


def test_peer_parameters_are_those_of_diffusers() -> None:
    assert_same_parameters(small(), twin(small()))


@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_peer_presets_have_the_parameters_of_their_twins(preset: str) -> None:
    pytest.importorskip("diffusers", reason=WORDS)
    assert sum(p.numel() for p in build_module(sheet("wan-2.1-1.3b").at_preset(preset)).parameters()) == load(f"wan-2.1-1.3b@{preset}").parameters


def test_paper_true_count() -> None:
    pytest.importorskip("diffusers", reason=WORDS)
    assert_true_count("wan-2.1-1.3b", 1_418_996_800)


def test_peer_flops_are_torchs_own() -> None:
    """At full size on meta, to the last one: 283.0 TFLOP, of which core attention is 71 %."""
    pytest.importorskip("diffusers", reason=WORDS)
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    work, blueprint = load("wan-2.1-1.3b"), blueprint_of(sheet("wan-2.1-1.3b"))
    module = build_module(blueprint, format="bf16")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(**make_inputs(module, blueprint, "forward", work.point))
    totals, attention = work.table.totals(), work.table.by_kind()["attention"]
    assert totals["flops_matrix"] == counter.get_total_flops() == 283_001_787_777_024
    assert attention["flops_matrix"] / totals["flops_matrix"] == pytest.approx(0.71, abs=0.005)


def test_peer_the_tiny_preset_runs_and_gives_back_a_video() -> None:
    pytest.importorskip("diffusers", reason=WORDS)
    import torch

    entry, work = sheet("wan-2.1-1.3b").at_preset("tiny"), load("wan-2.1-1.3b@tiny")
    module = build_module(entry, device="cpu")
    fed = make_inputs(module, entry, "forward", work.point, "cpu")
    with torch.no_grad():
        out = module(**fed)[0]
    assert out.shape == fed["hidden_states"].shape
    assert bool(out.isfinite().all())


@given(batch=st.integers(1, 3), frames=st.integers(0, 4), height=st.integers(1, 5), width=st.integers(1, 5), text=st.integers(1, 30))
def test_formula_matrix_flops(batch: int, frames: int, height: int, width: int, text: int) -> None:
    """Patches, what the step and the text are turned into, blocks over the video and from it to the text, and the way back to pixels."""
    hidden, inner = 32, 48
    video = (frames + 1) * height * width
    around = 2 * batch * (video * hidden * 16 * 2 + text * hidden * (24 + hidden) + hidden * (8 + hidden + 6 * hidden))
    own = 2 * batch * video * (4 * hidden * hidden + 2 * video * hidden)
    cross = 2 * batch * (2 * video * hidden * hidden + 2 * text * hidden * hidden + 2 * video * text * hidden)
    block = own + cross + 2 * batch * video * 2 * hidden * inner
    assert matrix_flops(small(), "forward", at(batch, 4 * frames + 1, 16 * height, 16 * width, text)) == around + 2 * block


def test_property_polynomials_are_fresh_tables() -> None:
    work = load("wan-2.1-1.3b@tiny")
    points = {"batch": [1, 2, 3], "frames": [9, 17, 49], "height": [64, 96, 160], "width": [96, 160, 64], "text": [16, 20, 50]}
    totals = work.polynomials.totals(points)
    for index in range(3):
        fresh = work.at(**{name: values[index] for name, values in points.items()}).table.totals()
        assert {name: int(values[index]) for name, values in totals.items()} == fresh


def test_frames_height_and_width_are_one_sequence_and_the_text_another() -> None:
    rows = load("wan-2.1-1.3b").table.rows
    attention = rows[rows["kind"] == Kind.ATTENTION]
    kinds = {(int(row["axes"]), int(row["seq_q"]), int(row["seq_k"])) for row in attention}
    video = 21 * 30 * 52
    assert len(attention) == 60
    assert kinds == {(Axes.JOINT, video, video), (Axes.CROSS, video, 512)}


@pytest.mark.parametrize(("frames", "side", "axes"), [(1, 64, Axes.SPATIAL), (9, 16, Axes.TEMPORAL), (9, 64, Axes.JOINT)])
def test_one_frame_is_spatial_and_one_patch_a_frame_is_temporal(frames: int, side: int, axes: Axes) -> None:
    rows = small().table("forward", "fp32", at(1, frames, side, side, 5)).rows
    assert set(rows["axes"][(rows["kind"] == Kind.ATTENTION) & (rows["axes"] != Axes.CROSS)]) == {axes}


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"frames": 80}, "frames=80 is no multiple of 4 plus 1. Choose 77 or 81."),
        ({"width": 840}, "width=840 is no multiple of 16. Choose 832 or 848."),
    ],
)
def test_sizes_that_do_not_divide_are_refused(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(BadValue) as error:
        load("wan-2.1-1.3b", **sizes)
    assert str(error.value) == message


def test_patches_in_time_are_refused() -> None:
    entry = sheet("wan-2.1-1.3b")
    with pytest.raises(BadFile) as error:
        family_of(replace(entry, shape={**entry.shape, "patch_size": [2, 2, 2]}))
    assert str(error.value) == "wan-2.1-1.3b: shape: patch_size=(2, 2, 2) is not 1 frame by a height and a width. Write e.g. [1, 2, 2]."
