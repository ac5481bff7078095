"""Reuse distances by hand, by brute force, and as the oracle of the simulator at full associativity."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from thrifty.lenses.operators.caching import FIRST, Hierarchy, full, misses_at, reuse_distances, simulate


def test_formula_distances_of_a_short_stream() -> None:
    a, b, c = 0, 64, 128
    assert reuse_distances([a, a + 4, b, c, b, a, c]).tolist() == [FIRST, 0, FIRST, FIRST, 1, 2, 2]
    assert reuse_distances([a, b, a], 128).tolist() == [FIRST, 0, 0]
    assert reuse_distances([]).size == 0


def test_formula_a_straddling_access_has_two_distances() -> None:
    assert reuse_distances([0, 60, 64], sizes=[1, 8, 1]).tolist() == [FIRST, 0, FIRST, 0]


@settings(max_examples=60, deadline=None)
@given(lines=st.lists(st.integers(0, 25), max_size=120))
def test_property_distances_count_the_lines_in_between(lines: list[int]) -> None:
    expected = []
    for now, line in enumerate(lines):
        before = [at for at in range(now) if lines[at] == line]
        expected.append(len(set(lines[before[-1] + 1 : now])) if before else FIRST)
    addresses = [64 * line for line in lines]
    assert reuse_distances(np.array(addresses, np.int64)).tolist() == expected
    assert reuse_distances(np.array(addresses, np.int64), compiled=False).tolist() == expected


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), span=st.sampled_from([10, 100, 1000]), lines=st.integers(1, 120))
def test_property_reuse_distances_are_the_oracle(seed: int, span: int, lines: int) -> None:
    addresses = np.random.default_rng(seed).integers(0, span * 64, 2000)
    distances = reuse_distances(addresses)
    for size in {1, lines, 33, 300}:
        assert simulate(addresses, Hierarchy(first=full("l1", size))).first_misses == misses_at(distances, size)


def test_property_bigger_caches_never_miss_more() -> None:
    distances = reuse_distances(np.random.default_rng(1).integers(0, 64 * 500, 5000))
    curve = misses_at(distances, np.arange(1, 600))
    assert (np.diff(curve) <= 0).all() and curve[-1] == 500 and curve[0] > 4900
