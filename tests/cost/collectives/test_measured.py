"""Stored constants against measured rows: a few quoted here, all of them where aiconfigurator-core and pyarrow are installed."""

from __future__ import annotations

import importlib.util
import math
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from thrifty.cost import collective_time
from thrifty.cost.collectives import MeasuredCollective, fit_collectives, read_measured_collectives, score_collectives, validate_collectives
from thrifty.cost.collectives.links import OWN, own_constants, shared_constants
from thrifty.errors import BadFile, BadValue, MissingExtra
from thrifty.hardware import Tier, load, load_system

# Facts quoted from aiconfigurator-core 0.12.0 (NVIDIA, Apache-2.0), systems/data/<gpu>/comm/nccl/{2.27.3 for A100, 2.29.2}/nccl_perf.parquet, half:
# device, kind, ranks, bytes, microseconds.
QUOTED = [
    ("a100-80gb", "all_reduce", 2, 16777216, 128.2),
    ("a100-80gb", "all_reduce", 8, 536870912, 4225.9),
    ("a100-80gb", "all_gather", 2, 16777216, 93.4),
    ("a100-80gb", "all_gather", 4, 67108864, 325.4),
    ("a100-80gb", "all_gather", 8, 536870912, 2288.0),
    ("a100-80gb", "reduce_scatter", 2, 16777216, 82.3),
    ("a100-80gb", "reduce_scatter", 8, 536870912, 2207.1),
    ("a100-80gb", "all_to_all", 2, 16777216, 98.3),
    ("a100-80gb", "all_to_all", 4, 67108864, 312.0),
    ("a100-80gb", "all_to_all", 8, 536870912, 2313.5),
    ("h100-sxm5", "all_reduce", 2, 16777216, 82.2),
    ("h100-sxm5", "all_reduce", 8, 536870912, 2111.1),
    ("h100-sxm5", "all_gather", 2, 16777216, 56.0),
    ("h100-sxm5", "all_gather", 4, 67108864, 195.1),
    ("h100-sxm5", "all_gather", 8, 536870912, 1401.5),
    ("h100-sxm5", "reduce_scatter", 2, 16777216, 53.2),
    ("h100-sxm5", "reduce_scatter", 8, 536870912, 1399.4),
    ("h100-sxm5", "all_to_all", 2, 16777216, 53.1),
    ("h100-sxm5", "all_to_all", 4, 67108864, 192.3),
    ("h100-sxm5", "all_to_all", 8, 536870912, 1490.4),
    ("h200-sxm", "all_reduce", 2, 16777216, 76.2),
    ("h200-sxm", "all_reduce", 8, 536870912, 2040.3),
    ("h200-sxm", "all_gather", 2, 16777216, 54.1),
    ("h200-sxm", "all_gather", 4, 67108864, 188.4),
    ("h200-sxm", "all_gather", 8, 536870912, 1395.0),
    ("h200-sxm", "reduce_scatter", 2, 16777216, 50.6),
    ("h200-sxm", "reduce_scatter", 8, 536870912, 1393.3),
    ("h200-sxm", "all_to_all", 2, 16777216, 51.8),
    ("h200-sxm", "all_to_all", 4, 67108864, 185.2),
    ("h200-sxm", "all_to_all", 8, 536870912, 1509.9),
    ("b200", "all_reduce", 2, 16777216, 53.4),
    ("b200", "all_reduce", 8, 536870912, 1334.6),
    ("b200", "all_gather", 2, 16777216, 37.5),
    ("b200", "all_gather", 4, 67108864, 108.0),
    ("b200", "all_gather", 8, 536870912, 761.4),
    ("b200", "reduce_scatter", 2, 16777216, 37.8),
    ("b200", "reduce_scatter", 8, 536870912, 766.5),
    ("b200", "all_to_all", 2, 16777216, 49.0),
    ("b200", "all_to_all", 4, 67108864, 124.8),
    ("b200", "all_to_all", 8, 536870912, 834.2),
    ("b300", "all_reduce", 2, 16777216, 52.3),
    ("b300", "all_reduce", 8, 536870912, 1335.4),
    ("b300", "all_gather", 2, 16777216, 36.9),
    ("b300", "all_gather", 4, 67108864, 106.7),
    ("b300", "all_gather", 8, 536870912, 756.9),
    ("b300", "reduce_scatter", 2, 16777216, 36.6),
    ("b300", "reduce_scatter", 8, 536870912, 764.9),
    ("b300", "all_to_all", 2, 16777216, 38.0),
]


def installed() -> bool:
    try:
        metadata.distribution("aiconfigurator-core")
    except metadata.PackageNotFoundError:
        return False
    return importlib.util.find_spec("pyarrow") is not None


needs_tables = pytest.mark.skipif(not installed(), reason="aiconfigurator-core and pyarrow are not installed: measured collectives cannot be read")


def predicted(device: str, kind: str, ranks: int, size: int) -> float:
    sheet = load(device)
    link = next(link for link in sheet.links if link.name == "nvlink")
    return collective_time(kind, size, [Tier(name="nvlink", count=ranks, bandwidth_bytes_per_s=link.bandwidth_bytes_per_s)], device=sheet)


def test_replay_quoted_rows() -> None:
    errors = [predicted(device, kind, ranks, size) / (time_us * 1e-6) - 1 for device, kind, ranks, size, time_us in QUOTED]
    assert np.mean(np.abs(errors)) < 0.08
    assert np.max(np.abs(errors)) < 0.25


def test_replay_eight_a100_reduce_512_mib_in_4_23_ms() -> None:
    system = load_system("dgx-a100")
    assert collective_time("all_reduce", 512 << 20, system.tiers, device=system.device) == pytest.approx(4.23e-3, rel=0.02)


def test_without_the_tables_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", absent)
    with pytest.raises(MissingExtra, match=r"^comparing with measured collectives needs aiconfigurator-core\. Install: pip install"):
        validate_collectives()


def test_formula_a_fit_finds_the_constants_that_made_the_rows() -> None:
    def row(kind: str, ranks: int, size: int) -> MeasuredCollective:
        time = predicted("h100-sxm5", kind, ranks, size)
        return MeasuredCollective(
            device="h100-sxm5", version="", kind=kind, data_type="half", ranks=ranks, size_bytes=size, time_s=time
        )  # fmt: skip

    made = [row(kind, n, 1 << p) for kind in ("all_reduce", "all_gather", "reduce_scatter", "all_to_all") for n in (2, 4, 8) for p in range(9, 30)]
    fit = fit_collectives(made)
    errors = fit.predict(made) / np.array([row.time_s for row in made]) - 1
    assert np.mean(np.abs(errors)) < 0.02
    assert fit.own["nvlink4"]["ll_alpha"] == pytest.approx(own_constants("nvlink4")["ll_alpha"], rel=0.1)


def test_formula_scores_are_relative_errors_and_rank_correlation() -> None:
    sizes = (1 << 20, 1 << 24, 1 << 28)
    measured = [
        MeasuredCollective(
            device="b200", version="", kind="all_gather", data_type="half", ranks=4, size_bytes=size, time_s=predicted("b200", "all_gather", 4, size) / 1.1
        )
        for size in sizes
    ]
    scores = score_collectives(validate_collectives(["stored"], measured=measured))
    assert [(score.split, score.device, score.rows) for score in scores] == [("stored", "b200", 3), ("stored", "all", 3)]
    assert all(math.isclose(score.mape, 0.1, rel_tol=1e-9) and math.isclose(score.spearman, 1.0) for score in scores)


def test_unknown_split_is_refused() -> None:
    with pytest.raises(BadValue, match=r"^split 'luck' does not exist\. Choose from: stored, size, ranks, gpu, generation\.$"):
        validate_collectives(["luck"], measured=[])


@needs_tables
def test_peer_rows_and_gpus_that_were_not_fitted_are_within_8_percent() -> None:
    scores = {(score.split, score.device): score for score in score_collectives(validate_collectives(["size", "gpu"]))}
    assert {device for split, device in scores if split == "gpu"} == {"b200", "b300", "gb200", "gb300", "h100-sxm5", "h200-sxm", "all"}
    for (split, device), score in scores.items():
        if device != "l40s":  # eight boards behind one host bridge: 10 %
            assert score.mape <= 0.08, (split, device, score)
            assert score.spearman >= 0.99, (split, device, score)


@needs_tables
def test_peer_stored_constants_are_those_of_the_fit() -> None:
    fit = fit_collectives(read_measured_collectives())
    for name, value in fit.shared.items():
        assert shared_constants()[name] == pytest.approx(value, rel=0.02), name
    for link, own in fit.own.items():
        for name in OWN:
            assert own_constants(link)[name] == pytest.approx(own[name], rel=0.02), (link, name)


@needs_tables
def test_a_folder_without_tables_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"has no file \*/comm/nccl/\*/nccl_perf\.parquet"):
        read_measured_collectives(tmp_path)
