"""A tape of operations of which every rounding's weight in the result is found by one walk back: exact first-order error analysis.

For each row r of an attention the results are its D output elements, which do not mix: element c depends on column c of V alone. So the weight of a number
of a row in them is (R, D), that of a row of scores (R, D, n), whatever the number of steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.lenses.numerics.bounds.widths import Width

Floats = npt.NDArray[np.float64]
Back = Callable[[Floats], Floats]


@dataclass(slots=True, eq=False)
class Node:
    """A value (R, 1) or (R, D) of rows, or (R, 1, n) of scores; where it came from; what roundings moved it, by site."""

    value: Floats
    parents: list[tuple[Node, Back]] = field(default_factory=list)
    sources: list[tuple[str, Width]] = field(default_factory=list)
    weight: Floats | None = None

    @property
    def is_tile(self) -> bool:
        return self.value.ndim == 3


@dataclass(slots=True)
class Effect:
    """What a site's roundings can do to every result (R, D): at worst, squares of those of mean zero, those that point one way; and how many there are."""

    worst: Any = 0.0
    square: Any = 0.0
    drift: Any = 0.0
    roundings: int = 0


class Tape:
    """Operations in the order in which they happen."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []

    def put(self, value: Any, *parents: tuple[Node, Back]) -> Node:
        node = Node(np.asarray(value, dtype=np.float64), list(parents))
        self.nodes.append(node)
        return node

    def add(self, a: Node, b: Node) -> Node:
        return self.put(a.value + b.value, (a, lambda g: g), (b, lambda g: g))

    def multiply(self, a: Node, b: Node) -> Node:
        return self.put(a.value * b.value, (a, lambda g: g * b.value), (b, lambda g: g * a.value))

    def scale(self, a: Node, by: Any) -> Node:
        """Times an exact constant."""
        return self.put(a.value * by, (a, lambda g: g * by))

    def shift(self, a: Node, by: Any) -> Node:
        """Plus an exact constant."""
        return self.put(a.value + by, (a, lambda g: g))

    def exp(self, a: Node) -> Node:
        value = np.exp(a.value)
        return self.put(value, (a, lambda g: g * value))

    def log(self, a: Node) -> Node:
        return self.put(np.log(np.where(a.value > 0, a.value, 1.0)), (a, lambda g: g / np.where(a.value > 0, a.value, 1.0)))

    def divide(self, a: Node, b: Node) -> Node:
        """Rows by rows, or scores by a number of their row; 0 where the denominator is 0."""
        under = np.where(b.value == 0, 1.0, b.value)
        under = under[..., None] if a.is_tile else under
        value = np.where((b.value == 0)[..., None] if a.is_tile else b.value == 0, 0.0, a.value / under)

        def back(g: Floats) -> Floats:
            moved = -g * value / under
            return np.asarray(moved.sum(axis=-1) if a.is_tile else moved)

        return self.put(value, (a, lambda g: g / under), (b, back))

    def choose(self, where: Any, a: Node, b: Node) -> Node:
        """a where it is true (exact), else b."""
        return self.put(np.where(where, a.value, b.value), (a, lambda g: np.where(where, g, 0.0)), (b, lambda g: np.where(where, 0.0, g)))

    def total(self, tile: Node) -> Node:
        """Sum of scores: (R, 1, n) to (R, 1)."""
        n = tile.value.shape[-1]
        return self.put(tile.value.sum(axis=-1), (tile, lambda g: np.broadcast_to(g[..., None], (*g.shape, n))))

    def values(self, tile: Node, v_nD: Floats) -> Node:
        """Scores times V: (R, 1, n) to (R, D)."""
        return self.put(tile.value[:, 0, :] @ v_nD, (tile, lambda g: g[..., None] * v_nD.T[None]))

    def mark(self, site: str, node: Node, width: Width) -> Node:
        """Roundings of `site` move `node` by as much."""
        node.sources.append((site, width))
        return node

    def walk(self, result: Node) -> dict[str, Effect]:
        """Back from the result (R, D): what every site's roundings can do to it."""
        result.weight = np.ones(result.value.shape)
        effects: dict[str, Effect] = {}
        for node in reversed(self.nodes):
            g = node.weight
            if g is None:
                continue
            for site, width in node.sources:
                held = effects.setdefault(site, Effect())
                size = np.abs(g)
                parts = [_times(size, width.worst), _times(np.square(g), width.square), _times(size, width.drift)]
                held.worst, held.square, held.drift = (
                    old + (part.sum(axis=-1) if node.is_tile else part)
                    for old, part in zip((held.worst, held.square, held.drift), parts, strict=True)
                )
                held.roundings += int(np.count_nonzero(np.broadcast_to(width.worst, node.value.shape)))
            for parent, back in node.parents:
                moved = back(g)
                parent.weight = moved if parent.weight is None else parent.weight + moved
            node.weight = None
        return effects


def _times(weight: Floats, width: Any) -> Floats:
    """Product, 0 where the weight is 0 though the width be infinite."""
    with np.errstate(invalid="ignore"):
        return np.where(weight == 0, 0.0, weight * width)
