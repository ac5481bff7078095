"""How steps inside the loop are compiled: for compiled callers only, and each once. Imported only where Numba is.

What a compiler would copy into every caller it compiles again there; these loops are long enough to be called.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numba
from numba import types
from numba.extending import intrinsic

Function = TypeVar("Function")


def inner(function: Function) -> Function:
    """As `thrifty.loops.jit` compiles, without what Python would need to call it."""
    compiled: Function = numba.njit(cache=True, nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)
    return compiled


@intrinsic  # type: ignore[untyped-decorator]
def apart(context: Any) -> Any:
    """The function that says this is never copied into its callers."""

    def mark(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), mark
