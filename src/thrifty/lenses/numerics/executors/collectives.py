"""All-reduce by its order of additions: what every rank adds, in which format partial sums travel, and how far the result lies from the exact sum.

ring         : each of R chunks starts at a rank of its own and is added to at the R − 1 next ones; the finished chunk then travels R − 1 hops more
tree         : binary: in round i, rank r of those that are multiples of 2^(i+1) receives from r + 2^i; the sum goes back down the same tree
recursive    : halving and doubling (R a power of two): in round i ranks 2^i apart exchange halves of what they still keep and add; doubling gathers them
hierarchical : a ring within each node of `node` ranks, a ring among nodes for each chunk, then back

A partial sum is rounded twice: after the addition, to the format in which a rank adds (`adds`), and before it travels, to that of the hop (`hops`).
What is gathered at the end travels in the hop's format, so every rank, the owner too, holds the same numbers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.formats import Rounding, accumulate, float_spec, round_to
from thrifty.formats.rounding.arrays import take
from thrifty.lenses.numerics.deviations import Deviation, deviation
from thrifty.lenses.numerics.policy import Rule

Floats = npt.NDArray[np.float64]
Step = Callable[[Floats], Floats]
MOST_RANKS: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduced:
    """What every rank holds afterwards, and what it took.

    sum_N  : the result, in the format of hops
    rounds : steps after one another; chain: additions after one another that the longest way of an element goes through
    hops   : times that a partial sum is rounded to travel before it is finished, on that way
    """

    algorithm: str
    ranks: int
    adds: str
    hops_format: str
    sum_N: Floats
    rounds: int
    chain: int
    hops: int


def all_reduce(x_RN: Any, algorithm: str = "ring", *, hops: str = "bf16", adds: str = "fp32", node: int = 8, seed: int = 0) -> Reduced:
    """The sum over ranks of x, as `algorithm` adds it.

    x_RN : one row a rank, rounded to the hop's format first, as it lies in memory
    hops : format in which partial sums travel, adds: in which ranks add; as rules: ``bf16``, ``e5m2:rne:saturate``
    node : ranks of a node (hierarchical)

    Raises BadValue for shapes without ranks or elements, ranks that the algorithm does not take, and NaN in a format without; UnknownName.
    """
    values = np.asarray(take(x_RN, "x").values, dtype=np.float64)
    if algorithm not in ALL_REDUCES:
        raise BadValue(f"algorithm='{algorithm}' is unknown. Choose: {', '.join(ALL_REDUCES)}.")
    if values.ndim != 2 or not 1 <= values.shape[0] <= MOST_RANKS:
        raise BadValue(f"x has shape {list(values.shape)}; (ranks, elements) with 1 to {MOST_RANKS} ranks are needed.")
    ranks = values.shape[0]
    if algorithm == "recursive" and ranks & (ranks - 1):
        raise BadValue(f"recursive halving needs a power of two of ranks, and x has {ranks}. Choose ring or tree.")
    if algorithm == "hierarchical" and (isinstance(node, bool) or not isinstance(node, int) or node < 1 or ranks % node):
        raise BadValue(f"node={node!r} must be a whole number of ranks that divides {ranks}.")
    travel, add = _rule(hops, seed), _rule(adds, seed)
    held = travel(values)
    total, rounds, chain, count = ALL_REDUCES[algorithm](held, travel, add, node)
    return Reduced(algorithm=algorithm, ranks=ranks, adds=adds, hops_format=hops, sum_N=total, rounds=rounds, chain=chain, hops=count)


def _rule(text: str, seed: int) -> Step:
    to: Rounding = Rule.read(text).rounding_in("fp32", seed)
    return lambda x: np.asarray(round_to(x, to.spec, rounding=to.mode, overflow=to.overflow, flush=to.flush, seed=to.seed), dtype=np.float64)


def _chunks(count: int, parts: int) -> list[slice]:
    """Nearly equal parts, the longer ones first."""
    ends = np.cumsum([0, *(count // parts + (place < count % parts) for place in range(parts))])
    return [slice(int(first), int(last)) for first, last in itertools.pairwise(ends)]


def _ring(x: Floats, travel: Step, add: Step, node: int) -> tuple[Floats, int, int, int]:
    far = x.shape[0] - 1
    return travel(_scattered(x, travel, add)), 2 * far, far, far


def _tree(x: Floats, travel: Step, add: Step, node: int) -> tuple[Floats, int, int, int]:
    held, depth = x.copy(), 0
    while 1 << depth < x.shape[0]:
        near = np.arange(0, x.shape[0], 2 << depth)
        near = near[near + (1 << depth) < x.shape[0]]
        held[near] = add(held[near] + travel(held[near + (1 << depth)]))
        depth += 1
    return travel(held[0]), 2 * depth, depth, depth


def _recursive(x: Floats, travel: Step, add: Step, node: int) -> tuple[Floats, int, int, int]:
    """Every rank keeps the half of its bit, most distant partner first; the order of an element's additions is that of its owner."""
    ranks, depth = x.shape[0], int(math.log2(x.shape[0]))
    total = np.zeros(x.shape[1])
    for owner, part in enumerate(_chunks(x.shape[1], ranks)):
        held = x[:, part].copy()
        for bit in reversed(range(depth)):
            mine = np.arange(ranks)
            mine = mine[(mine >> bit) == (owner >> bit)]
            held[mine] = add(held[mine] + travel(held[mine ^ (1 << bit)]))
        total[part] = travel(held[owner])
    return total, 2 * depth, depth, depth


def _hierarchical(x: Floats, travel: Step, add: Step, node: int) -> tuple[Floats, int, int, int]:
    nodes = x.shape[0] // node
    inside = [_scattered(x[first : first + node], travel, add) for first in range(0, x.shape[0], node)]
    total = np.zeros(x.shape[1])
    for chunk in _chunks(x.shape[1], node):
        parts = np.stack([each[chunk] for each in inside])
        total[chunk] = _ring(parts, travel, add, node)[0]
    chain = node - 1 + nodes - 1
    return total, 2 * chain, chain, chain


def _scattered(x: Floats, travel: Step, add: Step) -> Floats:
    """A ring's sums where they lie before they are gathered: not yet rounded to travel."""
    ranks = x.shape[0]
    first = np.repeat(np.arange(ranks), [part.stop - part.start for part in _chunks(x.shape[1], ranks)])  # the rank at which an element's chunk starts
    columns = np.arange(x.shape[1])
    held = x[first, columns]
    for step in range(1, ranks):
        held = add(travel(held) + x[(first + step) % ranks, columns])
    return held


ALL_REDUCES: Final[dict[str, Callable[[Floats, Step, Step, int], tuple[Floats, int, int, int]]]] = {
    "ring": _ring, "tree": _tree, "recursive": _recursive, "hierarchical": _hierarchical,
}  # fmt: skip
"""Name → (values, travelling, adding, ranks of a node) to (sum, rounds, longest chain of additions, hops before the sum is finished)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReduceRow:
    """One algorithm at one number of ranks."""

    reduced: Reduced
    deviation: Deviation


def reduce_study(
    ranks: Sequence[int], elements: int = 4096, *, algorithms: Sequence[str] = tuple(ALL_REDUCES), hops: str = "bf16", adds: str = "fp32", node: int = 8,
    kind: str = "normal", seed: int = 0,
) -> tuple[ReduceRow, ...]:  # fmt: skip
    """Deviation from the exact sum as ranks grow: rows that an algorithm cannot do (a number of ranks that it does not take) are left out.

    kind : "normal" gradients, or "uniform" ones of one sign, whose errors do not cancel
    """
    if kind not in ("normal", "uniform"):
        raise BadValue(f"kind='{kind}' is unknown. Choose: normal, uniform.")
    spec, rows = float_spec(Rule.read(hops).format), []
    for count in ranks:
        rng = np.random.default_rng([seed, count])
        x = rng.normal(size=(count, elements)) if kind == "normal" else rng.random((count, elements))
        x = _rule(hops, seed)(x)
        exact = np.asarray(accumulate(np.ascontiguousarray(x.T), "exact:fp64"))
        for algorithm in algorithms:
            if (algorithm == "recursive" and count & (count - 1)) or (algorithm == "hierarchical" and (count % node or count < 2 * node)):
                continue
            made = all_reduce(x, algorithm, hops=hops, adds=adds, node=node, seed=seed)
            rows.append(ReduceRow(reduced=made, deviation=deviation(made.sum_N, None, exact, format=spec, names=(algorithm, "baseline"),
                                                                   golden_is="the exact sum of the same rounded rows")))  # fmt: skip
    return tuple(rows)
