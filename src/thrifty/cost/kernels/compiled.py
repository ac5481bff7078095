"""The scalar functions of `core` and `attention` as Numba compiles them, to be called from other compiled loops; loops of our own over arrays.

Without Numba the same plain functions run in Python: the same numbers, a hundred times slower.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from thrifty.cost.kernels.attention import attention_seconds
from thrifty.cost.kernels.core import gemm_seconds, stream_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Functions:
    """gemm, attention and stream take scalars and a row; gemm_many and attention_many take arrays of one length (and `out`) and a row."""

    gemm: Callable[..., float]
    attention: Callable[..., float]
    stream: Callable[..., float]
    gemm_many: Callable[..., None]
    attention_many: Callable[..., None]
    compiled: bool


@functools.cache
def functions() -> Functions:
    """Compiled where Numba is installed (the compilation is cached on disk), else plain."""
    try:
        import numba
    except ImportError:
        return plain_functions()
    jit = numba.njit(cache=True, error_model="numpy")
    gemm, attention, stream = jit(gemm_seconds), jit(attention_seconds), jit(stream_seconds)
    # A loop that calls compiled functions cannot be kept on disk through a closure; it is two lines, and compiles in a tenth of a second.
    return Functions(
        gemm=gemm, attention=attention, stream=stream, gemm_many=numba.njit(_gemm_loop(gemm)), attention_many=numba.njit(_attention_loop(attention)),
        compiled=True,
    )  # fmt: skip


@functools.cache
def plain_functions() -> Functions:
    """The same functions in plain Python."""
    return Functions(
        gemm=gemm_seconds, attention=attention_seconds, stream=stream_seconds, gemm_many=_gemm_loop(gemm_seconds),
        attention_many=_attention_loop(attention_seconds), compiled=False,
    )  # fmt: skip


def _gemm_loop(gemm: Callable[..., float]) -> Callable[..., None]:
    def loop(m: Any, n: Any, k: Any, batch: Any, row: Any, out: Any) -> None:
        for i in range(len(out)):
            out[i] = gemm(m[i], n[i], k[i], batch[i], row)

    return loop


def _attention_loop(attention: Callable[..., float]) -> Callable[..., None]:
    def loop(
        batch: Any, heads: Any, kv_heads: Any, queries: Any, keys: Any, head_dim: Any, value_dim: Any, causal: bool, backward: bool, row: Any, out: Any
    ) -> None:  # fmt: skip
        for i in range(len(out)):
            out[i] = attention(batch[i], heads[i], kv_heads[i], queries[i], keys[i], head_dim[i], value_dim[i], causal, backward, row)

    return loop
