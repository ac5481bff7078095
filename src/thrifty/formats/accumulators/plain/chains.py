"""Definitions of the sums that no tensor core keeps, in NumPy: (M, K) by (K, N) with O(M·N) extra memory (O(M·N·log K) for pairwise and tree)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.formats.accumulators.plain.cores import Scales, keep_core
from thrifty.formats.accumulators.plain.fused import fits, fused_step
from thrifty.formats.accumulators.plain.integers import exact
from thrifty.formats.accumulators.specs import Accumulator
from thrifty.formats.floats import FloatSpec
from thrifty.formats.rounding.modes import Rounding
from thrifty.formats.rounding.plain import round_plain

Floats = npt.NDArray[np.float64]
Finish = Callable[[Any], Floats]


def finish_of(spec: FloatSpec) -> Finish:
    """FP64 → the nearest number of the format; beyond the largest infinite, or the largest where the format has no infinities."""
    if spec.name == "fp64":
        return np.asarray
    if spec.name == "fp32":
        return _to_fp32
    to = Rounding.of(spec, overflow="inf" if spec.infinities else "saturate")
    return lambda x: round_plain(np.ascontiguousarray(x), to)


def _to_fp32(x: Floats) -> Floats:
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(x.astype(np.float32).astype(np.float64))


def keep(a_MK: Floats, b_KN: Floats, how: Accumulator, start: Floats, scales: Scales = None) -> Floats:
    """One matrix product, its sums kept as `how` says; `start` is 0 for all but sequential, fma and tensor cores."""
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        match how.kind:
            case "tensor_core":
                return keep_core(a_MK, b_KN, how.tensor_core, start, scales)
            case "fma":
                return _fma(a_MK, b_KN, how.spec_inside, start)
            case "exact":
                return exact(a_MK, b_KN, how.spec_inside)
            case "kahan":
                return _kahan(_Terms(a_MK, b_KN, how.spec_inside))
            case "pairwise":
                return _pairwise(_Terms(a_MK, b_KN, how.spec_inside), how.leaf)
            case "tree":
                return _tree(_Terms(a_MK, b_KN, how.spec_inside), how.radix)
            case _:
                terms = _Terms(a_MK, b_KN, how.spec_inside)
                return terms.run(0, terms.count, start)


class _Terms:
    """The products, each rounded when asked for."""

    def __init__(self, a_MK: Floats, b_KN: Floats, spec: FloatSpec) -> None:
        self.a, self.b, self.finish, self.count = a_MK, b_KN, finish_of(spec), a_MK.shape[1]
        self.zero = np.zeros((a_MK.shape[0], b_KN.shape[1]))

    def term(self, k: int) -> Floats:
        return self.finish(self.a[:, k, None] * self.b[k])

    def run(self, first: int, last: int, start: Floats | None = None) -> Floats:
        """Terms in order, from +0."""
        total = self.zero if start is None else start
        for k in range(first, last):
            total = self.finish(total + self.term(k))
        return total


def _fma(a_MK: Floats, b_KN: Floats, spec: FloatSpec, total: Floats) -> Floats:
    step = fused_step(spec, fits(a_MK) and fits(b_KN), finish_of(spec))
    for k in range(a_MK.shape[1]):
        total = step(a_MK[:, k, None], b_KN[k][None, :], total)
    return total


def _kahan(terms: _Terms) -> Floats:
    total = lost = terms.zero
    for k in range(terms.count):
        y = terms.finish(terms.term(k) - lost)
        new = terms.finish(total + y)
        lost = terms.finish(terms.finish(new - total) - y)
        total = new
    return total


def _pairwise(terms: _Terms, leaf: int) -> Floats:
    """Leaves come in order; two sums of the same number of leaves become one at once, as carries of a binary counter; what is left goes up from the end."""
    held: list[tuple[int, Floats]] = []
    for first in range(0, terms.count, leaf):
        total, level = terms.run(first, min(first + leaf, terms.count)), 0
        while held and held[-1][0] == level:
            total, level = terms.finish(held.pop()[1] + total), level + 1
        held.append((level, total))
    if not held:
        return terms.zero
    total = held.pop()[1]
    while held:
        total = terms.finish(held.pop()[1] + total)
    return total


def _tree(terms: _Terms, radix: int) -> Floats:
    counts = [terms.count]
    while counts[-1] > 1:
        counts.append(-(-counts[-1] // radix))

    def node(level: int, i: int) -> Floats:
        if level == 0:
            return terms.term(i)
        stride, count = counts[level], counts[level - 1]
        total = node(level - 1, i)
        for j in range(i + stride, count, stride):
            total = terms.finish(total + node(level - 1, j))
        return total

    return node(len(counts) - 1, 0) + 0.0 if terms.count else terms.zero
