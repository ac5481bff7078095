"""Compiled loops of this room. Imported only where Numba is."""

from __future__ import annotations

from typing import Any

from thrifty.loops import jit


@jit
def gather(codes: Any, table: Any, out: Any) -> None:
    """out[i] = table[codes[i]]."""
    for i in range(out.size):
        out[i] = table[codes[i]]
