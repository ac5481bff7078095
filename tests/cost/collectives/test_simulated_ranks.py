"""The oracle: each algorithm runs over simulated ranks; its result is right, and the formulas give the bytes and steps that were counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cost.collectives import ranks as run

from thrifty.cost import collective_time
from thrifty.hardware import Tier

HUGE = 1e30


def moved_bytes(kind: str, size: float, counts: tuple[int, ...], tier: int, algorithm: str) -> float:
    """What the formula says goes over one tier a rank: its seconds at 1 byte/s, with no latency and all other tiers for free."""
    tiers = [Tier(name=f"t{at}", count=count, bandwidth_bytes_per_s=1.0 if at == tier else HUGE, latency_s=0.0) for at, count in enumerate(counts)]
    return collective_time(kind, size, tiers, algorithm=algorithm)


def steps(kind: str, ranks: int, algorithm: str) -> float:
    """How many steps the formula has: its seconds for no bytes, at 1 s a step."""
    return collective_time(kind, 0, [Tier(name="t", count=ranks, bandwidth_bytes_per_s=HUGE, latency_s=1.0)], algorithm=algorithm)


def summed(buffers: list[Any]) -> Any:
    return np.sum(buffers, axis=0)


@settings(max_examples=20)
@given(ranks=st.integers(2, 9))
def test_property_ring_counts(ranks: int) -> None:
    wire, buffers = run.Wire((ranks,)), run.inputs(ranks, ranks)
    total, size = summed(buffers), buffers[0].nbytes
    run.ring_reduce_scatter(wire, buffers)
    assert all((np.array_split(buffers[rank], ranks)[rank] == np.array_split(total, ranks)[rank]).all() for rank in range(ranks))
    assert wire.most_bytes(0) == pytest.approx(moved_bytes("reduce_scatter", size, (ranks,), 0, "ring"))
    assert wire.steps == steps("reduce_scatter", ranks, "ring")
    run.ring_all_gather(wire, buffers)
    assert all((buffer == total).all() for buffer in buffers)
    assert wire.most_bytes(0) == pytest.approx(moved_bytes("all_reduce", size, (ranks,), 0, "ring"))
    assert wire.steps == steps("all_reduce", ranks, "ring")
    assert moved_bytes("all_gather", size, (ranks,), 0, "ring") == pytest.approx(wire.most_bytes(0) / 2)


@pytest.mark.parametrize("ranks", [2, 4, 8, 16, 32])
def test_property_double_tree_counts(ranks: int) -> None:
    wire, buffers = run.Wire((ranks,)), run.inputs(ranks, 4)
    total, size = summed(buffers), buffers[0].nbytes
    run.tree_all_reduce(wire, buffers)
    assert all((buffer == total).all() for buffer in buffers)
    assert wire.steps == steps("all_reduce", ranks, "tree")
    assert wire.most_bytes(0) <= moved_bytes("all_reduce", size, (ranks,), 0, "tree")
    if ranks >= 8:  # in smaller trees no rank has two children
        assert wire.most_bytes(0) == pytest.approx(moved_bytes("all_reduce", size, (ranks,), 0, "tree"))
    assert wire.all_bytes() == pytest.approx(2 * (ranks - 1) * size)


@pytest.mark.parametrize("ranks", [2, 3, 4, 6, 8, 13, 16])
def test_property_recursive_doubling_counts(ranks: int) -> None:
    wire, buffers = run.Wire((ranks,)), run.inputs(ranks, 2)
    total, size = summed(buffers), buffers[0].nbytes
    run.doubling_all_reduce(wire, buffers)
    assert all((buffer == total).all() for buffer in buffers)
    assert wire.steps == steps("all_reduce", ranks, "recursive_doubling")
    expected = moved_bytes("all_reduce", size, (ranks,), 0, "recursive_doubling")
    assert expected == pytest.approx(wire.steps * size)  # every step waits for a whole buffer
    assert wire.most_bytes(0) <= expected


@pytest.mark.parametrize("ranks", [2, 3, 5, 8, 12])
def test_property_doubling_all_gather_counts(ranks: int) -> None:
    wire, whole = run.Wire((ranks,)), run.inputs(1, ranks)[0]
    buffers = [np.where(np.arange(ranks)[:, None] == rank, whole, 0.0) for rank in range(ranks)]
    run.bruck_all_gather(wire, buffers)
    assert all((buffer == whole).all() for buffer in buffers)
    assert wire.steps == steps("all_gather", ranks, "recursive_doubling")
    assert wire.most_bytes(0) == pytest.approx(moved_bytes("all_gather", whole.nbytes, (ranks,), 0, "recursive_doubling"))


@pytest.mark.parametrize("ranks", [2, 3, 8, 11])
def test_property_broadcast_counts(ranks: int) -> None:
    wire, buffers = run.Wire((ranks,)), run.inputs(ranks, 1)
    root = buffers[0].copy()
    run.binomial_broadcast(wire, buffers)
    assert all((buffer == root).all() for buffer in buffers)
    assert wire.steps == steps("broadcast", ranks, "recursive_doubling")
    assert wire.most_bytes(0) == pytest.approx(moved_bytes("broadcast", root.nbytes, (ranks,), 0, "recursive_doubling"))


@settings(max_examples=20)
@given(counts=st.lists(st.integers(1, 4), min_size=1, max_size=3).filter(lambda counts: 2 <= np.prod(counts) <= 24))
def test_property_all_to_all_counts_on_every_tier(counts: list[int]) -> None:
    shape = tuple(counts)
    wire = run.Wire(shape)
    buffers = run.inputs(wire.ranks, wire.ranks)
    results = run.direct_all_to_all(wire, buffers)
    for rank, result in enumerate(results):
        assert all((result[source] == buffers[source][rank]).all() for source in range(wire.ranks))
    for tier in range(len(shape)):
        assert wire.most_bytes(tier) == pytest.approx(moved_bytes("all_to_all", buffers[0].nbytes, shape, tier, "direct"), abs=1e-9)


@pytest.mark.parametrize("counts", [(2, 3), (4, 2), (2, 2, 3), (3, 1, 2), (1, 4), (2, 2, 2, 2)])
@pytest.mark.parametrize(("kind", "call"), [("all_reduce", run.tiers_all_reduce), ("all_gather", run.tiers_all_gather)])
def test_property_hierarchical_counts_on_every_tier(counts: tuple[int, ...], kind: str, call: Callable[..., None]) -> None:
    wire = run.Wire(counts)
    buffers = run.inputs(wire.ranks, wire.ranks)
    whole, size = summed(buffers), buffers[0].nbytes
    if kind == "all_gather":
        for rank, buffer in enumerate(buffers):
            run.part_of(wire, buffer, rank)[...] = run.part_of(wire, whole, rank)
    call(wire, buffers)
    assert all((buffer == whole).all() for buffer in buffers)
    for tier in range(len(counts)):
        for algorithm in ("hierarchical", "overlapped"):
            assert wire.most_bytes(tier) == pytest.approx(moved_bytes(kind, size, counts, tier, algorithm), abs=1e-9)


@pytest.mark.parametrize("counts", [(2, 3), (4, 2, 2)])
def test_property_reduce_scatter_mirrors_all_gather(counts: tuple[int, ...]) -> None:
    for tier in range(len(counts)):
        assert moved_bytes("reduce_scatter", 1e6, counts, tier, "hierarchical") == pytest.approx(moved_bytes("all_gather", 1e6, counts, tier, "hierarchical"))
