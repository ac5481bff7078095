"""The study: making tensors contiguous helps, and the numbers say why temporal attention is slow."""

from __future__ import annotations

import functools
import json
import math

import pytest

from thrifty.errors import BadValue
from thrifty.lenses.operators.caching import CacheStudy, study
from thrifty.lenses.operators.caching.tiles import Staging

FEW = 150_000


@functools.cache
def found(device: str, staging: Staging = "shared", *, side: int = 32, channels: int = 320) -> CacheStudy:
    return study(device, side=side, channels=channels, staging=staging, most_touches=FEW)


@pytest.mark.parametrize("kernel", ["gemm-qk", "gemm-pv"])
def test_a_copy_into_one_piece_raises_the_temporal_hit_rate_of_a_cpu(kernel: str) -> None:
    """Rows a power of two apart share a set of eight ways: sixteen of them throw each other out."""
    strided, moved = (found("epyc-9654").row(kernel, "temporal", layout) for layout in ("strided", "materialised"))  # type: ignore[arg-type]
    assert strided.l1_hit_rate < moved.l1_hit_rate
    assert 1 - strided.l1_hit_rate > 5 * (1 - moved.l1_hit_rate)
    assert strided.dram_bytes > 5 * moved.dram_bytes


@pytest.mark.parametrize("device", ["a100-80gb", "h100-sxm5"])
def test_formula_a_copy_raises_the_temporal_hit_rate_of_a_gpu(device: str) -> None:
    """Rows of 80 bytes begin in the middle of every other sector. Strided, half of them ask for one sector twice, 1 of 7; after a copy neighbours in the
    middle are the same product's too: 1 of 3 loads of an even row, 1 of 4 of an odd one."""
    strided, moved = (found(device).row("gemm-qk", "temporal", layout) for layout in ("strided", "materialised"))  # type: ignore[arg-type]
    assert strided.l1_load_hit_rate == pytest.approx(1 / 7, abs=0.005)
    assert moved.l1_load_hit_rate == pytest.approx(2 / 7, abs=0.005)
    assert found(device).row("copy", "temporal", "materialised").dram_bytes > 0


def test_formula_softmax_of_long_rows_finds_two_of_its_three_passes() -> None:
    long, short = found("a100-80gb", side=64), found("a100-80gb")
    assert long.row("softmax", "spatial", "contiguous").l1_load_hit_rate == pytest.approx(2 / 3, abs=1e-3)
    assert short.row("softmax", "spatial", "contiguous").l1_load_hit_rate == 0  # 1024 numbers are kept in registers
    for study_ in (long, short):
        assert study_.row("softmax", "temporal", "strided").l1_load_hit_rate == 0
        assert study_.row("elementwise", "spatial", "contiguous").l1_load_hit_rate == study_.row("elementwise", "temporal", "strided").l1_load_hit_rate


def test_formula_direct_loads_are_shared_by_warps_of_large_tiles_only() -> None:
    """Eight warps, two down and four across: of six loads of equal tiles two are first ones. A tile of 16 x 16 is one warp's."""
    direct = found("a100-80gb", "direct", side=64)
    assert direct.row("gemm-qk", "spatial", "contiguous").l1_load_hit_rate == pytest.approx(2 / 3, abs=0.02)
    assert direct.row("gemm-pv", "temporal", "strided").l1_load_hit_rate == 0
    assert direct.ratio("gemm-pv") == math.inf and direct.ratio("elementwise") is None
    ratio = direct.ratio("gemm-qk")
    assert ratio is not None and ratio > 4


@pytest.mark.parametrize("device", ["a100-80gb", "epyc-9654"])
def test_temporal_attention_moves_more_bytes_for_each_flop(device: str) -> None:
    study_ = found(device)
    spatial, strided = study_.dram_bytes_per_flop("spatial", "contiguous"), study_.dram_bytes_per_flop("temporal", "strided")
    assert strided > 1.5 * spatial
    products = [row for row in study_.rows if row.flops]
    assert {row.flops for row in products if row.kind == "spatial"} == {2.0 * 16 * 1024**2 * 320}
    assert {row.flops for row in products if row.kind == "temporal"} == {2.0 * 1024 * 16**2 * 320}


def test_property_as_many_frames_as_positions_is_the_same_work() -> None:
    """With nothing but the axes swapped, spatial and temporal products read the same bytes."""
    same = study("a100-80gb", frames=64, side=8, channels=64, heads=1, most_touches=10**7)
    spatial, temporal = (same.row("gemm-qk", *case) for case in (("spatial", "contiguous"), ("temporal", "strided")))  # type: ignore[arg-type]
    assert spatial.accesses == temporal.accesses and spatial.flops == temporal.flops
    assert temporal.l1_load_hit_rate == pytest.approx(spatial.l1_load_hit_rate, abs=0.01)


def test_property_a_part_stands_for_the_whole() -> None:
    whole, part = (study("a100-80gb", side=16, most_touches=most) for most in (10**7, 40_000))
    for one, other in zip(whole.rows, part.rows, strict=True):
        assert other.accesses == pytest.approx(one.accesses, rel=0.05), one
        assert other.l1_load_hit_rate == pytest.approx(one.l1_load_hit_rate, abs=0.05), one
    assert {row.share for row in whole.rows} == {1.0} and min(row.share for row in part.rows) < 0.2


def test_this_machine_where_it_describes_itself() -> None:
    try:
        here = study("this-machine", side=8, most_touches=20_000)
    except BadValue as error:
        assert "does not describe its caches" in str(error)
        return
    assert here.video.number_bytes == 4 and not here.gpu


def test_a_study_speaks_for_itself() -> None:
    result = found("a100-80gb", side=64)
    told = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert told["schema"] == 1 and told["truth"] == "modelled" and told["paper"]["truth"] == "literature"
    assert told["l1_load_hit_ratio_spatial_to_temporal"]["softmax"] == "infinite"
    assert len(told["rows"]) == 4 + 4 + 5
    assert result.findings()[2] == "softmax: L1 finds 66.7% of loads in spatial attention, 0.0% in temporal, 0.0% after a copy."
    with pytest.raises(BadValue, match=r"^no row is of 'copy spatial contiguous'\. Choose from: copy temporal materialised, elementwise spatial contiguous, "):
        result.row("copy", "spatial", "contiguous")


def test_the_door() -> None:
    with pytest.raises(BadValue) as caught:
        study(side=0)
    assert str(caught.value) == "side=0 is below 1. Choose a whole number from 1 up."
