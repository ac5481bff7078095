"""In which order does somebody else's sum add? Found from outside, by numbers that swallow others (the idea of FPRev, 2024).

M at place i, −M at j and ones elsewhere: a one that is added to M or −M before the two meet is lost, any other is counted. So the result says how many
summands meet where i and j do, and all such sizes together are the tree. The tree is of this machine, this dtype and this length.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from thrifty.errors import BadValue
from thrifty.formats import accumulate, parse_accumulator

Tree = int | tuple[Any, ...]
"""A summand's place, or what is added at once."""
SWALLOWS: Final = 2.0**60
MOST: Final = 4096
CANDIDATES: Final = (
    "fma:fp32", *(f"pairwise:fp32:leaf={leaf}" for leaf in (1, 2, 4, 8, 16, 32, 64, 128)), *(f"tree:fp32:radix={radix}" for radix in (2, 4, 8, 16)),
    *(f"split_k:{splits}:fma:fp32" for splits in (2, 4, 8, 16, 32)), "ampere-bf16", "hopper-bf16",
)  # fmt: skip
"""Accumulators whose orders are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SumOrder:
    """tree: nested places, None where the order leaves no trace (sums kept exactly); depth: of the longest chain of additions; same: the first of
    CANDIDATES that adds in the same order at this length, None without one."""

    count: int
    tree: Tree | None
    depth: int
    same: str | None

    @property
    def text(self) -> str:
        """``(((0 1) 2) 3)``; ``exact`` where there is no order."""
        return "exact" if self.tree is None else _text(self.tree)


def sum_order(op: Callable[[Any], Any], count: int, *, candidates: Sequence[str] = CANDIDATES) -> SumOrder:
    """The order in which `op` adds `count` numbers.

    op : takes a float32 array (count,) and gives its sum; a dot product with ones, a row of a matrix product, a sum of torch. Fewer than count² calls are made

    Raises BadValue where op's results are those of no order of additions.
    """
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST:
        raise BadValue(f"count={count!r} must be a whole number from 1 to {MOST}.")
    tree = _tree(op, count)
    same = next((name for name in candidates if _tree(functools.partial(_kept, name), count) == tree), None)
    return SumOrder(count=count, tree=tree, depth=0 if tree is None else _depth(tree), same=same)


def _kept(name: str, x: Any) -> Any:
    return accumulate(x, parse_accumulator(name))


def _tree(op: Callable[[Any], Any], count: int) -> Tree | None:
    sizes: dict[tuple[int, int], int] = {}

    def size(i: int, j: int) -> int:
        """Summands below the addition in which i and j meet."""
        if (i, j) not in sizes:
            x = np.ones(count, dtype=np.float32)
            x[i], x[j] = SWALLOWS, -SWALLOWS
            left = float(op(x))
            if not left.is_integer() or not 0 <= left <= count - 2:
                raise BadValue(f"op gave {left:g} for {count - 2} ones and two numbers that cancel, which no order of additions does. Give a sum of float32.")
            sizes[i, j] = count - int(left)
        return sizes[i, j]

    def build(places: list[int], joins: int) -> list[Tree]:
        """Subtrees of `places` that are joined with others only at an addition of `joins` summands."""
        made: list[Tree] = []
        while places:
            first, held, reached = places[0], places[0], 1
            below: dict[int, list[int]] = {}
            for place in places[1:]:
                below.setdefault(size(first, place), []).append(place)
            outside = below.pop(joins, [])
            node: Tree = held
            for total in sorted(below):
                node = (node, *build(below[total], total))
                reached += len(below[total])
            if any(total > joins for total in below) or (below and reached != max(below)):
                raise BadValue("op's results are those of no tree of additions. Give a sum whose order does not depend on values.")
            made.append(node)
            places = outside
        return made

    if count > 2 and all(size(0, place) == 2 for place in range(1, count)):
        return None
    return build(list(range(count)), count + 1)[0]


def _depth(tree: Tree) -> int:
    return 0 if isinstance(tree, int) else 1 + max(_depth(each) for each in tree)


def _text(tree: Tree) -> str:
    return str(tree) if isinstance(tree, int) else f"({' '.join(_text(each) for each in tree)})"
