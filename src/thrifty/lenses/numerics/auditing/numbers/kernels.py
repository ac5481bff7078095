"""Compiled loops of this room. Imported only where Numba is."""

from __future__ import annotations

from typing import Any

import numpy as np

from thrifty.formats.rounding.kernels import round_row
from thrifty.loops import jit

_HALF, _ONE, _SIZE, _INFINITE, _QUIET, _KEPT = (
    np.uint32(0x7FFF), np.uint32(1), np.uint32(0x7FFFFFFF), np.uint32(0x7F800000), np.uint32(0x00400000), np.uint32(0xFFFF0000),
)  # fmt: skip


@jit
def gather(codes: Any, table: Any, out: Any) -> None:
    """out[i] = table[codes[i]]."""
    for i in range(out.size):
        out[i] = table[codes[i]]


@jit
def to_bf16(words: Any) -> None:
    """Words of FP32 rounded in place to BF16, to nearest, ties to even."""
    for i in range(words.size):
        word = words[i]
        rounded = word + _HALF + ((word >> np.uint32(16)) & _ONE)
        words[i] = (rounded if (word & _SIZE) <= _INFINITE else word | _QUIET) & _KEPT


@jit
def add_rows(x: Any, bias: Any, params: Any) -> None:
    """x[i, j] + bias[j] in FP64, rounded, back into x."""
    rows, columns = x.shape
    buffer = np.empty(columns, dtype=np.float64)
    for i in range(rows):
        for j in range(columns):
            buffer[j] = np.float64(x[i, j]) + np.float64(bias[j])
        round_row(buffer, columns, params)
        for j in range(columns):
            x[i, j] = buffer[j]
