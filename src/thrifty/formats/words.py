"""The bits of a float as an unsigned integer of its width, and back, inside compiled loops. Imported only where Numba is."""

from __future__ import annotations

import platform
from typing import Any, Final, TypeVar

import llvmlite.binding as binding
import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_WORDS = {types.float64: types.uint64, types.float32: types.uint32}
_FLOATS = {types.uint64: types.float64, types.int64: types.float64, types.uint32: types.float32, types.int32: types.float32}

Function = TypeVar("Function")
HALVES: Final = bool(binding.get_host_cpu_features().get("f16c")) or platform.machine().lower() in ("aarch64", "arm64")
"""The processor converts FP32 to FP16 and back by itself."""


def inlined(function: Function) -> Function:
    """Compiled as `thrifty.loops.jit` does, and always into the loop that calls it, which only then is made of vector instructions."""
    compiled: Function = numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)(function)
    return compiled


@intrinsic  # type: ignore[untyped-decorator]
def word_of(context: Any, x: Any) -> Any:
    """The bits of a float, as an unsigned integer."""
    return _cast(x, _WORDS)


@intrinsic  # type: ignore[untyped-decorator]
def float_of(context: Any, word: Any) -> Any:
    """The float that these 64 or 32 bits are."""
    return _cast(word, _FLOATS)


@intrinsic  # type: ignore[untyped-decorator]
def half_of(context: Any, x: Any) -> Any:
    """The bits of an FP32 number rounded to FP16 as processors do: to nearest, ties to even. For HALVES only: without them a slow library is called."""
    if x != types.float32:
        return None

    def convert(context: Any, builder: Any, _: Any, args: Any) -> Any:
        return builder.bitcast(builder.fptrunc(args[0], ir.HalfType()), ir.IntType(16))

    return types.uint16(x), convert


@intrinsic  # type: ignore[untyped-decorator]
def float_of_half(context: Any, code: Any) -> Any:
    """The FP32 number that the bits of FP16 are. For HALVES only."""
    if code != types.uint16:
        return None

    def convert(context: Any, builder: Any, _: Any, args: Any) -> Any:
        return builder.fpext(builder.bitcast(args[0], ir.HalfType()), ir.FloatType())

    return types.float32(code), convert


@intrinsic  # type: ignore[untyped-decorator]
def shifted(context: Any, word: Any, by: Any) -> Any:
    """An unsigned word shifted right by fewer bits than it has, in its own width (Numba's own `>>` widens to 64 bits)."""
    if word not in (types.uint32, types.uint64) or by != word:
        return None

    def shift(context: Any, builder: Any, _: Any, args: Any) -> Any:
        return builder.lshr(args[0], builder.and_(args[1], args[1].type(word.bitwidth - 1)))

    return word(word, by), shift


@intrinsic  # type: ignore[untyped-decorator]
def narrowed(context: Any, word: Any, like: Any) -> Any:
    """The low bits of a whole number, as many as `like` has: Numba computes in 64 bits, and the compiler narrows what it knows to be narrow in the end."""
    if not isinstance(word, types.Integer) or like not in (types.uint32, types.uint64) or word.bitwidth < like.bitwidth:
        return None

    def cut(context: Any, builder: Any, _: Any, args: Any) -> Any:
        return builder.trunc(args[0], args[1].type) if word.bitwidth > like.bitwidth else args[0]

    return like(word, like), cut


def _cast(given: Any, results: dict[Any, Any]) -> Any:
    result = results.get(given)
    if result is None:
        return None

    def cast(context: Any, builder: Any, _: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(result))

    return result(given), cast
