"""Rows of 32 queries in vector registers: their maximum, their sum, a row taken off, and roundings of single words. Imported only where Numba is.

Written as vectors, since a compiler that does not know whether two buffers overlap asks so before every row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from thrifty.formats.words import float_of_half, half_of, inlined
from thrifty.lenses.numerics.laboratory.kernels.micro import LANES, VECTOR_BYTES

_WHOLE, _WORD = ir.IntType(64), ir.IntType(32)


def _over_rows(step: Callable[[Any, Any, Any, Any, Any], tuple[Any, Any]], writes: bool = False) -> Any:
    """A loop over rows j < count of x.flat[at + j·LANES]. step(builder, x, held, given, constant) -> (x, held); `held` begins as row `kept` and ends there."""

    @intrinsic  # type: ignore[untyped-decorator]
    def over(context: Any, x: Any, at: Any, count: Any, kept: Any, given: Any) -> Any:
        if not (isinstance(x, types.Array) and x.dtype == kept.dtype == given.dtype and x.dtype in (types.float32, types.float64)):
            return None
        size = x.dtype.bitwidth // 8
        lanes = VECTOR_BYTES // size

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vector = ir.VectorType(context.get_value_type(x.dtype), lanes)
            pieces = range(LANES // lanes)
            data = [context.make_array(kind)(context, builder, value=value).data for kind, value in ((x, args[0]), (kept, args[3]), (given, args[4]))]

            def part(start: Any, c: int) -> Any:
                return builder.gep(builder.bitcast(start, vector.as_pointer()), [_WHOLE(c)])

            def constant(number: float) -> Any:
                return ir.Constant(vector, [number] * lanes)

            held, asked = [cgutils.alloca_once(builder, vector) for _ in pieces], [builder.load(part(data[2], c), align=size) for c in pieces]
            for c in pieces:
                builder.store(builder.load(part(data[1], c), align=size), held[c])
            with cgutils.for_range(builder, args[2], intp=_WHOLE) as each:
                start = builder.gep(data[0], [builder.add(args[1], builder.mul(each.index, _WHOLE(LANES)))])
                for c in pieces:
                    made, left = step(builder, builder.load(part(start, c), align=size), builder.load(held[c]), asked[c], constant)
                    if writes:
                        builder.store(made, part(start, c), align=size)
                    builder.store(left, held[c])
            for c in pieces:
                builder.store(builder.load(held[c]), part(data[1], c), align=size)
            return context.get_dummy_value()

        return types.void(x, types.int64, types.int64, kept, given), generate

    return over


def _greater(builder: Any, x: Any, held: Any, given: Any, constant: Any) -> tuple[Any, Any]:
    return x, builder.select(builder.or_(builder.fcmp_ordered(">", x, held), builder.fcmp_unordered("uno", x, x)), x, held)


def _less(builder: Any, x: Any, held: Any, given: Any, constant: Any) -> tuple[Any, Any]:
    return builder.fsub(x, given), held


def _plus(builder: Any, x: Any, held: Any, given: Any, constant: Any) -> tuple[Any, Any]:
    return x, builder.fadd(held, x)


def _alike(builder: Any, x: Any, held: Any, given: Any, constant: Any) -> tuple[Any, Any]:
    return x, builder.fadd(held, builder.select(builder.fcmp_ordered("==", x, given), constant(1.0), constant(0.0)))


def _endless(builder: Any, x: Any, held: Any, given: Any, constant: Any) -> tuple[Any, Any]:
    found = builder.or_(builder.fcmp_ordered("==", x, constant(float("inf"))), builder.fcmp_ordered("==", x, constant(float("-inf"))))
    return x, builder.fadd(held, builder.select(found, constant(1.0), constant(0.0)))


def _zeros(builder: Any, x: Any, held: Any, given: Any, constant: Any) -> tuple[Any, Any]:
    return x, builder.fadd(held, builder.select(builder.fcmp_ordered("==", x, constant(0.0)), constant(1.0), constant(0.0)))


greatest, less_row, total_row = _over_rows(_greater), _over_rows(_less, writes=True), _over_rows(_plus)
"""kept ← the greatest of it and all rows, NaN where one is; x ← x - given; kept ← kept + row, row by row."""
count_alike, count_endless, count_zeros = _over_rows(_alike), _over_rows(_endless), _over_rows(_zeros)
"""kept ← kept + 1 for each that is as given; that is infinite; that is 0."""


@intrinsic  # type: ignore[untyped-decorator]
def to_short(context: Any, x: Any, drop: Any) -> Any:
    """FP32 to nearest with `drop` bits of its significand fewer: infinite beyond the largest, NaN for NaN whose last bits are 0."""
    if x != types.float32 or drop != types.uint32:
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = builder.bitcast(args[0], _WORD)
        by = builder.and_(args[1], _WORD(31))
        mask = builder.sub(builder.shl(_WORD(1), by), _WORD(1))
        odd = builder.and_(builder.lshr(word, by), _WORD(1))
        grown = builder.add(builder.add(word, builder.lshr(mask, _WORD(1))), odd)
        return builder.bitcast(builder.and_(grown, builder.not_(mask)), args[0].type)

    return x(x, drop), generate


@inlined
def to_half(x: Any) -> Any:
    """FP32 to nearest in FP16, by the processor: for HALVES only."""
    return float_of_half(half_of(x))


@intrinsic  # type: ignore[untyped-decorator]
def place_of(context: Any, x: Any, drop: Any, low: Any, top: Any, half: Any) -> Any:
    """Where an FP32 number stands in a table by its first bits: from 0 (those up to low) to top - low (no number; before it
    what is infinite or larger than all others), and `half` further where it is negative."""
    if x != types.float32 or {drop, low, top, half} != {types.uint32}:
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = builder.bitcast(args[0], _WORD)
        place = builder.lshr(builder.and_(word, _WORD(0x7FFFFFFF)), builder.and_(args[1], _WORD(31)))
        endless = builder.sub(args[3], _WORD(1))
        place = builder.select(builder.icmp_unsigned("<", place, endless), place, endless)
        place = builder.select(builder.fcmp_unordered("uno", args[0], args[0]), args[3], place)
        place = builder.sub(builder.select(builder.icmp_unsigned(">", place, args[2]), place, args[2]), args[2])
        return builder.add(place, builder.select(builder.icmp_signed("<", word, _WORD(0)), args[4], _WORD(0)))

    return types.uint32(x, drop, low, top, half), generate


@intrinsic  # type: ignore[untyped-decorator]
def fma(context: Any, a: Any, b: Any, c: Any) -> Any:
    """a·b + c, rounded once."""
    if not (a == b == c and a in (types.float32, types.float64)):
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = args[0].type
        return builder.call(cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind] * 3), f"llvm.fma.f{a.bitwidth}"), args)

    return a(a, b, c), generate
