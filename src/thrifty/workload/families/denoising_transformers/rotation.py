"""Rotary places of image tokens: a table of cosines and sines over several axes, and channels turned in pairs by it, as diffusers spells both out."""

from __future__ import annotations

from collections.abc import Sequence

from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.table import Kind


def axis_waves(t: Tape, ids: Tensor, tokens: int, channels: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Cosines and sines (tokens, sum of `channels`) in fp32, of angles in fp64: each axis of a token's place turns its own channels.

    ids: (tokens, axes), in the module's format
    """
    wide = ops.cast(t, ids, "fp32")
    found: tuple[list[Tensor], list[Tensor]] = ([], [])
    for count in channels:
        half, column = count // 2, tokens * (wide.size // wide.count)
        t.views += 1
        rates = ops.move(t, "aten.arange", (), half, format_name="fp64")
        for op in ("div", "pow", "reciprocal", "mul", "div"):
            rates = ops.move(t, f"aten.{op}", (rates,), half, format_name="fp64", kind=Kind.ELEMENTWISE, flops=half)
        t.views += 1
        angles = ops.move(
            t, "aten.mul", (wide, rates), tokens * half, format_name="fp64", kind=Kind.ELEMENTWISE, flops=tokens * half, sizes=(column, rates.size)
        )  # fmt: skip
        for op, made in zip(("cos", "sin"), found, strict=True):
            wave = ops.move(t, f"aten.{op}", (angles,), tokens * half, format_name="fp64", kind=Kind.ELEMENTWISE, flops=tokens * half)
            t.views += 2
            twice = ops.move(t, "aten.clone", (wave,), tokens * count, format_name="fp64")
            t.touch(wave)
            t.views += 1
            made.append(ops.cast(t, twice, "fp32"))
        t.touch(angles)
    cosines, sines = (ops.move(t, "aten.cat", made, tokens * sum(channels), format_name="fp32") for made in found)
    return cosines, sines


def turned(t: Tape, x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Pairs of channels (a, b) turned: x · cos + (−b, a) · sin, in fp32 whatever x is in."""

    def swapped(from_: Tensor) -> Tensor:
        """(−b, a) of every pair (a, b)."""
        half = from_.size // 2
        other = ops.move(t, "aten.neg", (from_,), from_.count // 2, format_name=from_.format, kind=Kind.ELEMENTWISE, flops=from_.count // 2, sizes=(half,))
        return ops.move(t, "aten.stack", (other, from_), from_.count, format_name=from_.format, sizes=(other.size, half))

    def scaled(of: Tensor, by: Tensor) -> Tensor:
        return ops.move(t, "aten.mul", (of, by), of.count, format_name="fp32", kind=Kind.ELEMENTWISE, flops=of.count)

    plain = Tensor(x.storage, x.count, x.size, x.format, False)
    t.views += 6
    other = swapped(plain)
    t.views += 1
    parts = [scaled(ops.cast(t, each, "fp32"), by) for each, by in ((plain, cosines), (other, sines))]
    summed = ops.move(t, "aten.add", parts, x.count, format_name="fp32", kind=Kind.ELEMENTWISE, flops=x.count)
    t.touch(other)
    narrow = ops.cast(t, summed, x.format)
    t.touch(plain)
    out = Tensor(narrow.storage, x.count, x.size, x.format, x.needs)

    def backward(grad: Tensor) -> None:
        wide = ops.cast(t, grad, "fp32")
        to_other, to_x = (ops.cast(t, scaled(wide, by), x.format) for by in (sines, cosines))
        t.views += 3
        back = swapped(to_other)
        t.views += 1
        t.give(x, ops.move(t, "aten.add", (to_x, back), x.count, format_name=x.format, kind=Kind.ELEMENTWISE, flops=x.count))

    t.later(out, backward)
    return out
