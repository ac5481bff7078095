"""`collective_time` by hand, by laws, and what it refuses."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.cost import collective_time
from thrifty.cost.collectives import ALGORITHMS_OF, KIND_CODES, collective_seconds, group_arrays, kernels, link_parameters, register, tiers_seconds
from thrifty.errors import BadValue, UnknownName
from thrifty.hardware import Tier, load, load_system

MB = 1e6
INSIDE = Tier(name="inside", count=8, bandwidth_bytes_per_s=100e9, latency_s=1e-6)
ACROSS = Tier(name="across", count=4, bandwidth_bytes_per_s=10e9, latency_s=5e-6)
KINDS = tuple(KIND_CODES)


def system_tiers(nodes: int, gpus: int = 8) -> tuple[Tier, ...]:
    nvlink, network = load_system("hgx-h100-128").tiers
    return replace(nvlink, count=gpus), replace(network, count=nodes)


@pytest.mark.parametrize(
    ("kind", "algorithm", "expected"),
    [
        ("all_reduce", "ring", 14e-6 + 1.75 * 80 * MB / 100e9),
        ("all_reduce", "tree", 6e-6 + 2 * 80 * MB / 100e9),
        ("all_reduce", "recursive_doubling", 3e-6 + 3 * 80 * MB / 100e9),
        ("all_gather", "ring", 7e-6 + 0.875 * 80 * MB / 100e9),
        ("reduce_scatter", "recursive_doubling", 3e-6 + 0.875 * 80 * MB / 100e9),
        ("all_to_all", "direct", 7e-6 + 0.875 * 80 * MB / 100e9),
        ("broadcast", "tree", 3e-6 + 80 * MB / 100e9),
        ("send", "direct", 1e-6 + 80 * MB / 100e9),
    ],
)
def test_formula_of_the_textbook_without_a_device(kind: str, algorithm: str, expected: float) -> None:
    assert collective_time(kind, 80 * MB, [INSIDE], algorithm=algorithm) == pytest.approx(expected, rel=1e-12)


def test_formula_two_tiers_one_phase_after_the_other() -> None:
    inside = 2 * (3e-6 + 0.875 * 80 * MB / 100e9)  # reduce-scatter and all-gather of everything, by doubling
    across = 2 * 3 * 5e-6 + 1.5 * 10 * MB / 10e9  # a ring of four nodes on an eighth, a rail
    assert collective_time("all_reduce", 80 * MB, [INSIDE, ACROSS], algorithm="hierarchical") == pytest.approx(inside + across, rel=1e-12)


def test_formula_two_tiers_overlapped() -> None:
    latency = 2 * 3e-6 + 2 * 3 * 5e-6
    longest = max(1.75 * 80 * MB / 100e9, 1.5 * 10 * MB / 10e9)
    assert collective_time("all_reduce", 80 * MB, [INSIDE, ACROSS], algorithm="overlapped") == pytest.approx(latency + longest, rel=1e-12)


def test_formula_one_gpu_a_node_pays_the_network_only() -> None:
    device = load("h100-sxm5")
    for kind in KINDS:
        alone = collective_time(kind, 50 * MB, system_tiers(16)[1:], device=device)
        assert collective_time(kind, 50 * MB, system_tiers(16, gpus=1), device=device) == alone
    ring = 2 * 15 * 10e-6 + 2 * 15 / 16 * 50 * MB / (0.8 * 50e9)
    found = collective_time("all_reduce", 50 * MB, system_tiers(16, gpus=1), device=device, algorithm="ring")
    assert found == pytest.approx(ring, rel=1e-9)


@given(kind=st.sampled_from(KINDS), sizes=st.lists(st.floats(0, 1e12), min_size=2, max_size=6), gpus=st.sampled_from([1, 2, 4, 8]), nodes=st.integers(1, 70))
def test_property_more_bytes_never_take_less(kind: str, sizes: list[float], gpus: int, nodes: int) -> None:
    tiers, device = system_tiers(nodes, gpus), load("h100-sxm5")
    for algorithm in ALGORITHMS_OF[kind]:
        seconds = [collective_time(kind, size, tiers, device=device, algorithm=algorithm) for size in sorted(sizes)]
        assert all(math.isfinite(time) and time >= 0 for time in seconds)
        assert seconds == sorted(seconds)


@given(kind=st.sampled_from(KINDS), size=st.floats(0, 1e11), gpus=st.integers(1, 8), nodes=st.integers(1, 9))
def test_property_auto_is_the_fastest_that_the_textbook_has(kind: str, size: float, gpus: int, nodes: int) -> None:
    tiers = [replace(INSIDE, count=gpus), replace(ACROSS, count=nodes)]
    auto = collective_time(kind, size, tiers)
    for algorithm in ALGORITHMS_OF[kind]:
        assert auto <= collective_time(kind, size, tiers, algorithm=algorithm) * (1 + 1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_property_no_bytes_take_the_latency_and_one_rank_nothing(kind: str) -> None:
    silent = [replace(INSIDE, latency_s=0.0), replace(ACROSS, latency_s=None)]
    for algorithm in ALGORITHMS_OF[kind]:
        assert collective_time(kind, 0, silent, algorithm=algorithm) == 0
        assert collective_time(kind, 0, [INSIDE, ACROSS], algorithm=algorithm) > 0
        assert collective_time(kind, 1e9, [replace(INSIDE, count=1), replace(ACROSS, count=1)], algorithm=algorithm) == 0


@pytest.mark.parametrize("kind", ["all_reduce", "all_gather", "reduce_scatter"])
@pytest.mark.parametrize("device", [None, "h100-sxm5"])
def test_property_tiers_beat_a_flat_ring_over_the_slow_link_for_large_buffers(kind: str, device: str | None) -> None:
    tiers, sheet = system_tiers(16), load(device) if device else None
    flat = collective_time(kind, 4e9, tiers, device=sheet, algorithm="ring")
    hierarchical = collective_time(kind, 4e9, tiers, device=sheet, algorithm="hierarchical")
    assert collective_time(kind, 4e9, tiers, device=sheet, algorithm="overlapped") <= hierarchical < flat / 3


@given(kind=st.sampled_from(KINDS), factor=st.floats(1, 64))
def test_property_sharing_stretches_the_transfer_alone(kind: str, factor: float) -> None:
    alone, shared = (collective_time(kind, 5e8, [INSIDE], sharing=flows, algorithm="hierarchical") for flows in (1, factor))
    assert alone <= shared <= factor * alone * (1 + 1e-12)
    assert collective_time(kind, 5e8, [INSIDE, ACROSS], sharing=[1, factor]) >= collective_time(kind, 5e8, [INSIDE, ACROSS])


def test_property_arrays_are_many_scalars_with_numba_and_without() -> None:
    tiers, device = system_tiers(16), load("h100-sxm5")
    sizes = np.geomspace(1, 1e11, 12).reshape(3, 4)
    counts_T, links_TP = group_arrays(tiers, device=device)
    for kind in KINDS:
        for algorithm in ALGORITHMS_OF[kind]:
            found = collective_time(kind, sizes, tiers, device=device, algorithm=algorithm)
            single = [[collective_time(kind, size, tiers, device=device, algorithm=algorithm) for size in row] for row in sizes]
            np.testing.assert_allclose(found, single, rtol=1e-13)
        plain = np.empty(sizes.size)
        kernels._loop(KIND_CODES[kind], kernels.AUTO, sizes.reshape(-1), counts_T, links_TP, plain)
        np.testing.assert_allclose(plain.reshape(sizes.shape), collective_time(kind, sizes, tiers, device=device), rtol=1e-13)


def _sum_of_many(sizes: Any, counts_T: Any, links_TP: Any) -> Any:
    total = 0.0
    for size in sizes:
        total += collective_seconds(0, size, counts_T[0], links_TP[0]) + tiers_seconds(3, size, counts_T, links_TP)
    return total


def test_property_another_compiled_loop_may_call_the_kernels() -> None:
    numba = pytest.importorskip("numba")
    assert register()
    counts_T, links_TP = group_arrays(system_tiers(4), device=load("h100-sxm5"))
    sizes = np.geomspace(1e3, 1e9, 7)
    assert numba.njit(_sum_of_many)(sizes, counts_T, links_TP) == pytest.approx(_sum_of_many(sizes, counts_T, links_TP), rel=1e-13)


def test_rows_may_be_given() -> None:
    rows = np.stack([link_parameters(INSIDE, link="analytic", efficiency=0.5)])
    assert collective_time("send", 1e9, [INSIDE], links_TP=rows) == pytest.approx(1e-6 + 1e9 / 50e9)


def bad(**change: Any) -> list[Tier]:
    return [replace(INSIDE, **change)]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("all_reduce", -1.0, [INSIDE]), {}, "bytes of all_reduce are -1.0. Give a finite number of bytes, 0 or more."),
        (("all_reduce", [1.0, math.nan], [INSIDE]), {}, "bytes of all_reduce are nan. Give a finite number of bytes, 0 or more."),
        (("send", math.inf, [INSIDE]), {}, "bytes of send are inf. Give a finite number of bytes, 0 or more."),
        (("send", 1.0, []), {}, "tiers are empty. Give at least one, innermost first."),
        (
            ("send", 1.0, bad(count=0)), {},
            "tier 'inside' has count 0. Give the ranks under one of its units, a whole number of at least 1.",
        ),
        (("send", 1.0, bad(bandwidth_bytes_per_s=0.0)), {}, "tier 'inside' has bandwidth 0.0 bytes/s. Give a finite number above 0."),
        (("send", 1.0, bad(bandwidth_bytes_per_s=math.nan)), {}, "tier 'inside' has bandwidth nan bytes/s. Give a finite number above 0."),
        (("send", 1.0, bad(latency_s=-1.0)), {}, "tier 'inside' has latency -1.0 s. Give a finite number of seconds, 0 or more, or None."),
        (
            ("all_to_all", 1.0, [INSIDE]), {"algorithm": "ring"},
            "all_to_all has no algorithm 'ring'. Choose from: auto, hierarchical, overlapped, direct.",
        ),
        (("send", 1.0, [INSIDE]), {"sharing": 0.5}, "0.5 flows share a tier. Give a finite number of at least 1."),
        (("send", 1.0, [INSIDE]), {"sharing": [1, 2]}, "sharing has 2 numbers for 1 tiers. Give one for all, or one a tier."),
        (("send", 1.0, [INSIDE]), {"links_TP": np.ones((1, 2))}, "links_TP has shape (1, 2). Give one row of 20 numbers for each of the 1 tiers."),
    ],
)  # fmt: skip
def test_bad_values_are_refused_in_one_line(arguments: tuple[Any, ...], options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadValue) as caught:
        collective_time(*arguments, **options)
    assert str(caught.value) == message


def test_unknown_words_are_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"^No collective named 'allreduce'\. Did you mean 'all_reduce'\?"):
        collective_time("allreduce", 1.0, [INSIDE])
    with pytest.raises(UnknownName, match=r"^No algorithm named 'rings'\. Did you mean 'ring'\?"):
        collective_time("all_reduce", 1.0, [INSIDE], algorithm="rings")
