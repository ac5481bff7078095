"""All-reduce by its order: exact counts, exact sums where nothing rounds, and longer chains deviating more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thrifty.errors import BadValue, UnknownName
from thrifty.formats import round_to
from thrifty.lenses.numerics import all_reduce, reduce_study
from thrifty.lenses.numerics.executors import ALL_REDUCES


@settings(max_examples=30, deadline=None)
@given(algorithm=st.sampled_from(list(ALL_REDUCES)), power=st.integers(0, 4), elements=st.integers(1, 20), seed=st.integers(0, 99))
def test_property_whole_numbers_add_up_exactly(algorithm: str, power: int, elements: int, seed: int) -> None:
    x = np.random.default_rng(seed).integers(-8, 8, (1 << power, elements)).astype(np.float64)
    found = all_reduce(x, algorithm, hops="bf16", adds="fp32", node=min(1 << power, 4))
    np.testing.assert_array_equal(found.sum_N, x.sum(axis=0))


@pytest.mark.parametrize(
    ("algorithm", "ranks", "rounds", "chain"),
    [("ring", 8, 14, 7), ("tree", 8, 6, 3), ("tree", 9, 8, 4), ("recursive", 16, 8, 4), ("hierarchical", 32, 20, 10), ("ring", 1, 0, 0), ("tree", 1, 0, 0)],
)
def test_formula_counts(algorithm: str, ranks: int, rounds: int, chain: int) -> None:
    found = all_reduce(np.ones((ranks, 3)), algorithm, node=8)
    assert (found.rounds, found.chain, found.hops) == (rounds, chain, chain)
    assert found.sum_N.tolist() == [ranks] * 3


def test_formula_ring_by_hand() -> None:
    r = lambda x: float(round_to(np.float64(x), "bf16"))  # noqa: E731
    x = np.array([[1.0, 256.0], [2.0**-8, 1.0], [2.0**-8, 1.0]])
    found = all_reduce(x, "ring", hops="bf16", adds="bf16")
    first = r(r(1.0 + 2.0**-8) + 2.0**-8)  # chunk 0 starts at rank 0
    second = r(r(1.0 + 1.0) + 256.0)  # chunk 1 at rank 1, then rank 2, then rank 0
    assert found.sum_N.tolist() == [first, second]


def test_property_longer_chains_deviate_more() -> None:
    rows = {(each.reduced.algorithm, each.reduced.ranks): each.deviation.optimised.rmse for each in reduce_study((8, 64), 1024)}
    assert rows["ring", 64] > 2 * rows["tree", 64]
    assert rows["ring", 64] > 4 * rows["ring", 8]
    assert rows["tree", 64] < rows["hierarchical", 64] < rows["ring", 64]


def test_formula_hops_in_fp32_leave_only_the_additions() -> None:
    narrow, wide = (reduce_study((16,), 512, algorithms=["ring"], hops=hops)[0].deviation.optimised.rmse for hops in ("bf16", "fp32"))
    assert wide < narrow / 1e4


def test_formula_refusals() -> None:
    with pytest.raises(BadValue, match="recursive halving needs a power of two of ranks, and x has 6"):
        all_reduce(np.ones((6, 2)), "recursive")
    with pytest.raises(BadValue, match=r"node=4 must be a whole number of ranks that divides 6"):
        all_reduce(np.ones((6, 2)), "hierarchical", node=4)
    with pytest.raises(BadValue, match="algorithm='star' is unknown"):
        all_reduce(np.ones((6, 2)), "star")
    with pytest.raises(BadValue, match="x has shape"):
        all_reduce(np.ones(6))
    with pytest.raises(UnknownName, match="bf61"):
        all_reduce(np.ones((2, 2)), hops="bf61")
