"""Collectives really run over NumPy buffers of simulated ranks: results can be checked, and messages, bytes and steps are counted.

Written from the textbook's descriptions, without the formulas of the package.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Buffer = Any


@dataclass(slots=True)
class Wire:
    """Counts what goes over it. counts: ranks (or units) under one unit of each tier, innermost first."""

    counts: tuple[int, ...]
    sent: dict[tuple[int, int], float] = field(default_factory=lambda: defaultdict(float))
    steps: int = 0

    @property
    def ranks(self) -> int:
        return int(np.prod(self.counts))

    def tier(self, source: int, target: int) -> int:
        """The outermost tier that a message between two ranks crosses."""
        crossed, below = 0, 1
        for tier, count in enumerate(self.counts):
            if source // below % count != target // below % count:
                crossed = tier
            below *= count
        return crossed

    def step(self, messages: Sequence[tuple[int, int, Buffer]]) -> list[tuple[int, int, Buffer]]:
        """Send all (source, target, data) at once; what arrives is a copy."""
        self.steps += 1
        for source, target, data in messages:
            assert source != target
            self.sent[source, self.tier(source, target)] += data.nbytes
        return [(source, target, data.copy()) for source, target, data in messages]

    def most_bytes(self, tier: int) -> float:
        """What the busiest rank sent over a tier."""
        return max((size for (_, at), size in self.sent.items() if at == tier), default=0.0)

    def all_bytes(self) -> float:
        return sum(self.sent.values())


def inputs(ranks: int, blocks: int, seed: int = 0) -> list[Buffer]:
    """One buffer a rank: (blocks, 3) whole numbers, so that sums are exact in any order."""
    generator = np.random.default_rng(seed)
    return [generator.integers(0, 100, (blocks, 3)).astype(np.float64) for _ in range(ranks)]


def ring_reduce_scatter(wire: Wire, buffers: list[Buffer], rings: Sequence[Sequence[int]] | None = None) -> None:
    """In place; afterwards rank at place p of its ring holds the sum of block p (of as many blocks as its ring has ranks)."""
    rings = rings or [range(len(buffers))]
    size = len(rings[0])
    for turn in range(size - 1):
        messages = [
            (ring[p], ring[(p + 1) % size], np.array_split(buffers[ring[p]], size)[(p - turn - 1) % size]) for ring in rings for p in range(size)
        ]
        place = {rank: p for ring in rings for p, rank in enumerate(ring)}
        for _, target, data in wire.step(messages):
            np.array_split(buffers[target], size)[(place[target] - turn - 2) % size][...] += data


def ring_all_gather(wire: Wire, buffers: list[Buffer], rings: Sequence[Sequence[int]] | None = None) -> None:
    """In place; rank at place p of its ring starts with block p."""
    rings = rings or [range(len(buffers))]
    size = len(rings[0])
    place = {rank: p for ring in rings for p, rank in enumerate(ring)}
    for turn in range(size - 1):
        messages = [(ring[p], ring[(p + 1) % size], np.array_split(buffers[ring[p]], size)[(p - turn) % size]) for ring in rings for p in range(size)]
        for _, target, data in wire.step(messages):
            np.array_split(buffers[target], size)[(place[target] - turn - 1) % size][...] = data


def halves_of(ranks: int) -> tuple[dict[int, int], dict[int, int]]:
    """Two binary trees as parent by child: leaves of the one are inner nodes of the other. ranks: a power of two."""
    parents: dict[int, int] = {}

    def grow(low: int, high: int, parent: int) -> None:
        if low < high:
            middle = (low + high) // 2
            parents[middle] = parent
            grow(low, middle, middle)
            grow(middle + 1, high, middle)

    grow(1, ranks, 0)
    return parents, {ranks - 1 - child: ranks - 1 - parent for child, parent in parents.items()}


def tree_all_reduce(wire: Wire, buffers: list[Buffer]) -> None:
    """Each half of the buffer up and down its own tree, both halves in the same steps."""
    trees = halves_of(len(buffers))
    views = [np.array_split(buffer, 2) for buffer in buffers]

    def depth(parents: dict[int, int], rank: int) -> int:
        return 0 if rank not in parents else 1 + depth(parents, parents[rank])

    levels = max(depth(tree, rank) for tree in trees for rank in tree)
    for level in range(levels, 0, -1):
        messages, halves = [], []
        for half, tree in enumerate(trees):
            for child, parent in tree.items():
                if depth(tree, child) == level:
                    messages.append((child, parent, views[child][half]))
                    halves.append(half)
        for (_, parent, data), half in zip(wire.step(messages), halves, strict=True):
            views[parent][half][...] += data
    for level in range(1, levels + 1):
        messages, halves = [], []
        for half, tree in enumerate(trees):
            for child, parent in tree.items():
                if depth(tree, child) == level:
                    messages.append((parent, child, views[parent][half]))
                    halves.append(half)
        for (_, child, data), half in zip(wire.step(messages), halves, strict=True):
            views[child][half][...] = data


def doubling_all_reduce(wire: Wire, buffers: list[Buffer]) -> None:
    """Whole buffers between partners at distance 1, 2, 4 …; ranks beyond a power of two hand theirs in before and get the sum after."""
    ranks = len(buffers)
    core = 1 << (ranks.bit_length() - 1)
    if core < ranks:
        for _, target, data in wire.step([(rank, rank - core, buffers[rank]) for rank in range(core, ranks)]):
            buffers[target][...] += data
    distance = 1
    while distance < core:
        for _, target, data in wire.step([(rank, rank ^ distance, buffers[rank]) for rank in range(core)]):
            buffers[target][...] += data
        distance *= 2
    if core < ranks:
        for _, target, data in wire.step([(rank - core, rank, buffers[rank - core]) for rank in range(core, ranks)]):
            buffers[target][...] = data


def bruck_all_gather(wire: Wire, buffers: list[Buffer]) -> None:
    """Rank r starts with block r and has 1, 2, 4 … blocks after each step; any number of ranks. buffers: (ranks, …)."""
    ranks = len(buffers)
    have = 1
    while have < ranks:
        count = min(have, ranks - have)
        messages, rows = [], []
        for rank in range(ranks):
            wanted = [(rank + k) % ranks for k in range(count)]
            messages.append((rank, (rank - have) % ranks, buffers[rank][wanted]))
            rows.append(wanted)
        for (_, target, data), wanted in zip(wire.step(messages), rows, strict=True):
            buffers[target][wanted] = data
        have += count


def direct_all_to_all(wire: Wire, buffers: list[Buffer]) -> list[Buffer]:
    """n-1 rounds, in round k to the rank k places on. Block t of rank s ends as block s of rank t."""
    ranks = len(buffers)
    results = [np.zeros_like(buffer) for buffer in buffers]
    for rank in range(ranks):
        np.array_split(results[rank], ranks)[rank][...] = np.array_split(buffers[rank], ranks)[rank]
    for distance in range(1, ranks):
        messages = [(rank, (rank + distance) % ranks, np.array_split(buffers[rank], ranks)[(rank + distance) % ranks]) for rank in range(ranks)]
        for source, target, data in wire.step(messages):
            np.array_split(results[target], ranks)[source][...] = data
    return results


def binomial_broadcast(wire: Wire, buffers: list[Buffer]) -> None:
    """Whole buffers from rank 0; who has the data passes it on, so that holders double."""
    have = 1
    while have < len(buffers):
        for _, target, data in wire.step([(rank, rank + have, buffers[rank]) for rank in range(have) if rank + have < len(buffers)]):
            buffers[target][...] = data
        have *= 2


def tiers_all_reduce(wire: Wire, buffers: list[Buffer]) -> None:
    """Reduce-scatter inside, all-reduce of the own part across, all-gather inside, tier by tier; rings everywhere."""
    _reduce_over(wire, list(enumerate(buffers)), 0)


def _reduce_over(wire: Wire, parts: list[tuple[int, Buffer]], tier: int) -> None:
    below = int(np.prod(wire.counts[:tier], initial=1))
    size = wire.counts[tier]
    rings = _rings(wire, tier)
    own = dict(parts)
    views = [own[rank] for rank in range(wire.ranks)]
    ring_reduce_scatter(wire, views, rings)
    if tier + 1 < len(wire.counts):
        _reduce_over(wire, [(rank, np.array_split(views[rank], size)[rank // below % size]) for rank in range(wire.ranks)], tier + 1)
    ring_all_gather(wire, views, rings)


def tiers_all_gather(wire: Wire, buffers: list[Buffer]) -> None:
    """Outermost tier first, on the own part; then each tier inside on what is there. Rank r starts with its part of the reversed split."""
    _gather_over(wire, list(enumerate(buffers)), 0)


def _gather_over(wire: Wire, parts: list[tuple[int, Buffer]], tier: int) -> None:
    below = int(np.prod(wire.counts[:tier], initial=1))
    size = wire.counts[tier]
    own = dict(parts)
    if tier + 1 < len(wire.counts):
        _gather_over(wire, [(rank, np.array_split(own[rank], size)[rank // below % size]) for rank in range(wire.ranks)], tier + 1)
    ring_all_gather(wire, [own[rank] for rank in range(wire.ranks)], _rings(wire, tier))


def part_of(wire: Wire, buffer: Buffer, rank: int) -> Buffer:
    """The part of a whole buffer that `rank` holds before `tiers_all_gather`: split by its place in each tier, innermost first."""
    below = 1
    for count in wire.counts:
        buffer = np.array_split(buffer, count)[rank // below % count]
        below *= count
    return buffer


def _rings(wire: Wire, tier: int) -> list[list[int]]:
    """Ranks that differ only in their place in `tier`, in order."""
    below, size = int(np.prod(wire.counts[:tier], initial=1)), wire.counts[tier]
    return [[rank + below * p for p in range(size)] for rank in range(wire.ranks) if rank // below % size == 0]
