"""How far one rounding can move a value, and all roundings of a sum its result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.formats import FloatSpec, Rounding
from thrifty.formats.accumulators import Accumulator, parse_accumulator
from thrifty.lenses.numerics.deviations.ulps import floor_of

Floats = npt.NDArray[np.float64]
ONE_WAY: Final = ("rz", "ru", "rd")
"""Modes whose errors all point one way, so that chance does not make them cancel."""


@dataclass(frozen=True, slots=True)
class Width:
    """worst: sum of what each rounding can do; square: sum of squares of those of mean zero; drift: sum of those that point one way."""

    worst: Any
    square: Any
    drift: Any

    @classmethod
    def of(cls, each: Any, one_way: bool = False) -> Width:
        nothing = np.zeros(np.shape(each))
        return cls(each, nothing if one_way else np.square(each), each if one_way else nothing)

    @classmethod
    def along(cls, each: Floats, one_way: bool = False) -> Width:
        """Of many roundings along the last axis."""
        total, nothing = each.sum(axis=-1), np.zeros(each.shape[:-1])
        return cls(total, nothing if one_way else np.square(each).sum(axis=-1), total if one_way else nothing)

    def __add__(self, other: Width) -> Width:
        return Width(self.worst + other.worst, self.square + other.square, self.drift + other.drift)


def rounding_width(x: Floats, to: Rounding) -> Width:
    """Half the spacing at x, a whole one for modes other than to nearest; 0 where x is 0; all of x where it is flushed; infinite where it overflows."""
    spec = to.spec
    half = np.where(x == 0, 0.0, floor_of(x, spec))
    each = half if to.mode == "rne" else 2 * half
    if to.flush:
        each = np.where((np.abs(x) < spec.smallest_normal) & (x != 0), np.maximum(each, np.abs(x)), each)
    if to.overflow != "saturate":
        each = np.where(np.abs(x) > spec.largest, np.inf, each)
    return Width.of(each, to.mode in ONE_WAY)


def sum_width(terms: Floats, accumulator: str | Accumulator, *, products: bool = True) -> Width:
    """Of keeping the sum of exact `terms` (…, n) along the last axis. products: False where terms are numbers of the sum's format, no products."""
    how = parse_accumulator(accumulator)
    nothing = np.zeros(terms.shape[:-1])
    if terms.shape[-1] == 0:
        return Width.of(nothing)
    if how.kind == "split_k":
        assert how.inner is not None and how.outer is not None
        length = max(-(-terms.shape[-1] // how.splits), 1)
        parts = [terms[..., first : first + length] for first in range(0, terms.shape[-1], length)]
        total = _all(sum_width(part, how.inner, products=products) for part in parts)
        return total + sum_width(np.stack([part.sum(axis=-1) for part in parts], axis=-1), how.outer, products=False)
    if how.promote:
        inside = parse_accumulator(how.name.rpartition(":promote=")[0])
        parts = [terms[..., first : first + how.promote] for first in range(0, terms.shape[-1], how.promote)]
        total = _all(sum_width(part, inside, products=products) for part in parts)
        return total + Width.along(_half(np.cumsum(np.stack([part.sum(axis=-1) for part in parts], axis=-1), axis=-1), how.spec))
    spec = how.spec
    if how.kind == "tensor_core":
        return _tensor_core(terms, how)
    if how.kind == "exact":
        return Width.of(_half(terms.sum(axis=-1), spec))
    if how.kind == "fma":
        return Width.along(_half(np.cumsum(terms, axis=-1)[..., 0 if products else 1 :], spec))
    rounded = Width.along(_half(terms, spec)) if products else Width.of(nothing)
    if how.kind == "sequential":
        return rounded + Width.along(_half(np.cumsum(terms, axis=-1)[..., 1:], spec))
    if how.kind == "kahan":  # Higham 2002, equation 4.8: 2u + O(n·u²) of the sum of sizes
        u, n = spec.unit_roundoff, terms.shape[-1]
        return rounded + Width.of(2 * _half(terms.sum(axis=-1), spec) + 2 * n * u * u * np.abs(terms).sum(axis=-1))
    return rounded + _levels(terms, how)


def _levels(terms: Floats, how: Accumulator) -> Width:
    """Pairwise sums and trees, level by level."""
    total = Width.of(np.zeros(terms.shape[:-1]))
    if how.kind == "pairwise" and how.leaf > 1:
        terms, added = _grouped(terms, [slice(first, first + how.leaf) for first in range(0, terms.shape[-1], how.leaf)], how.spec)
        total = total + added
    while terms.shape[-1] > 1:
        n = terms.shape[-1]
        step = -(-n // how.radix)
        groups = [slice(first, first + 2) for first in range(0, n, 2)] if how.kind == "pairwise" else [slice(first, n, step) for first in range(step)]
        terms, added = _grouped(terms, groups, how.spec)
        total = total + added
    return total


def _grouped(terms: Floats, groups: list[slice], spec: FloatSpec) -> tuple[Floats, Width]:
    """Each group added up in order."""
    sums, widths = [], []
    for group in groups:
        running = np.cumsum(terms[..., group], axis=-1)
        sums.append(running[..., -1])
        widths.append(Width.along(_half(running[..., 1:], spec)))
    return np.stack(sums, axis=-1), _all(widths)


def _tensor_core(terms: Floats, how: Accumulator) -> Width:
    """A chunk at a time: operands cut to fraction bits below the largest, then the sum; both cuts point toward zero. Where sums are exact, one rounding."""
    from thrifty.formats.accumulators.cores import tensor_core

    core, spec = tensor_core(how.core), how.spec_inside
    running = np.cumsum(terms, axis=-1)
    if core.method in ("exact", "fused"):
        return Width.along(_half(running[..., core.chunk - 1 :: core.chunk], spec)) + Width.of(_half(running[..., -1], spec))
    if not core.fraction_bits:
        return Width.along(2 * _half(running, spec), one_way=True)
    total, before = Width.of(np.zeros(terms.shape[:-1])), np.zeros(terms.shape[:-1])
    for first in range(0, terms.shape[-1], core.chunk):
        group = terms[..., first : first + core.chunk]
        after = before + group.sum(axis=-1)
        top = np.maximum(np.abs(group).max(axis=-1), np.abs(before))
        cut = np.where(top == 0, 0.0, np.ldexp(1.0, np.frexp(top)[1] - 1 - core.fraction_bits))
        total = total + Width.of((group.shape[-1] + 1) * cut + 2 * _half(after, spec), one_way=True)
        before = after
    return total


def _half(x: Floats, spec: FloatSpec) -> Floats:
    return np.where(x == 0, 0.0, np.where(np.abs(x) > spec.largest, np.inf, floor_of(x, spec)))


def _all(widths: Any) -> Width:
    total: Width | None = None
    for each in widths:
        total = each if total is None else total + each
    assert total is not None
    return total


def depth(accumulator: str | Accumulator, n: int) -> int:
    """Roundings that the most rounded of n terms goes through: n of a closed-form constant."""
    how = parse_accumulator(accumulator)
    if how.kind == "split_k":
        assert how.inner is not None and how.outer is not None
        return depth(how.inner, -(-n // how.splits)) + depth(how.outer, how.splits)
    if how.promote and n > how.promote:
        return depth(how.name.rpartition(":promote=")[0], how.promote) + -(-n // how.promote)
    if how.kind == "kahan":
        return 2
    if how.kind == "exact" or n <= 1:
        return 1
    if how.kind == "pairwise":
        return min(how.leaf, n) + max(-(-n // how.leaf) - 1, 0).bit_length()
    if how.kind == "tree":
        levels = 0
        while n > 1:
            n, levels = -(-n // how.radix), levels + how.radix - 1
        return levels + 1
    return n


