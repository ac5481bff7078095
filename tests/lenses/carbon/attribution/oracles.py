"""Shapley's value the long way: every subset, every order, with no idea of how the package does it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence


def by_subsets(count: int, value: Callable[[Sequence[int]], float]) -> list[float]:
    """The definition: what a player adds to every set of the others, weighted."""
    shares = []
    for player in range(count):
        others = [other for other in range(count) if other != player]
        share = 0.0
        for size in range(count):
            weight = math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count)
            for chosen in itertools.combinations(others, size):
                share += weight * (value([*chosen, player]) - value(chosen))
        shares.append(share)
    return shares


def by_orders(count: int, value: Callable[[Sequence[int]], float]) -> list[float]:
    """What a player adds when it comes, averaged over all orders of arrival. `value` may look at the order."""
    shares = [0.0] * count
    for order in itertools.permutations(range(count)):
        for place, player in enumerate(order):
            shares[player] += value(order[: place + 1]) - value(order[:place])
    return [share / math.factorial(count) for share in shares]


def peak_of(demand: Sequence[Sequence[float]]) -> Callable[[Sequence[int]], float]:
    """v(S) of a table of steps by tenants."""
    return lambda chosen: max(sum(row[player] for player in chosen) for row in demand)
