"""The bits of a float as an unsigned integer of its width, and back, inside compiled loops. Imported only where Numba is."""

from __future__ import annotations

from typing import Any, TypeVar

import numba
from numba import types
from numba.extending import intrinsic

_WORDS = {types.float64: types.uint64, types.float32: types.uint32}
_FLOATS = {types.uint64: types.float64, types.int64: types.float64, types.uint32: types.float32, types.int32: types.float32}

Function = TypeVar("Function")


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


def _cast(given: Any, results: dict[Any, Any]) -> Any:
    result = results.get(given)
    if result is None:
        return None

    def cast(context: Any, builder: Any, _: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(result))

    return result(given), cast
