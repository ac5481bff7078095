"""Orders of sums found from outside: those of our accumulators are theirs, and torch's is some tree."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from thrifty.errors import BadValue
from thrifty.formats import accumulate
from thrifty.lenses.numerics.executors import sum_order


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("fma:fp32", "(((((0 1) 2) 3) 4) 5)"), ("pairwise:fp32", "(((0 1) (2 3)) (4 5))"), ("tree:fp32", "(((0 3) 2) (1 4))"),
        ("split_k:2:fma:fp32", "(((0 1) 2) ((3 4) 5))"), ("exact:fp32", "exact"),
    ],
)  # fmt: skip
def test_formula_trees_of_known_accumulators(how: str, text: str) -> None:
    if how == "tree:fp32":
        text = _tree_of_six()
    assert sum_order(lambda x: accumulate(x, how), 6, candidates=()).text == text


def _tree_of_six() -> str:
    """Six terms become 3 (0+3, 1+4, 2+5), then 2 (0+2, 1), then 1."""
    return "(((0 3) (2 5)) (1 4))"


def test_formula_candidates_are_recognised() -> None:
    found = sum_order(lambda x: accumulate(x, "pairwise:fp32:leaf=4"), 32)
    assert found.same == "pairwise:fp32:leaf=4" and found.depth == 6


def test_peer_torch_adds_in_some_tree() -> None:
    found = sum_order(lambda x: torch.from_numpy(x).sum(), 40, candidates=())
    places = sorted(int(each) for each in found.text.replace("(", " ").replace(")", " ").split())
    assert places == list(range(40)) and 5 <= found.depth < 40


def test_formula_refusals() -> None:
    with pytest.raises(BadValue, match="count=0 must be"):
        sum_order(np.sum, 0)
    with pytest.raises(BadValue, match="which no order of additions does"):
        sum_order(lambda x: 0.5, 4)
