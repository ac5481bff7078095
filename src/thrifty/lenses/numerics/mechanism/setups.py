"""Attention made so that the largest score of every row stands more than once: two keys that a query likes best and equally, whose values are told apart.

Row p's favourites are keys of its own; all others lie `gap` below them, so that they add to the output no more than a residual. Values of the favourites lie
between 2 and 4, in BF16's steps of 2^-6; the sum of two lies in a coarser binade, so that every other sum is a tie.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.formats import round_to

Floats = npt.NDArray[np.float64]
HEAD_DIM: Final = 64
ROWS: Final = 16
"""Rows of a head: so many that a residual comes from other rows' keys."""
RESIDUAL: Final = 5e-4
"""Mean size of what all other keys add to a row, next to values of 2 to 4."""
NEVER: Final = 200.0
"""Below the favourites by this much, P of other keys is 0 in every format."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Setup:
    """q (1, H, ROWS, d), k and v (1, H, keys, d). name, what: for tables."""

    name: str
    what: str
    q: Floats
    k: Floats
    v: Floats


def repeated_rows(
    name: str = "repeats", what: str = "", *, heads: int = 32, repeats: int = 2, top: float = 1.0, spread: float = 0.5, residual: bool = True,
    below: bool = False, offset: float | None = None, negative: bool = True, seed: int = 0,
) -> Setup:  # fmt: skip
    """Rows whose maximum stands `repeats` times.

    top, spread : of the maxima, even around top
    residual : other keys count a little; else not at all
    below    : the second favourite's P is an odd number of 128ths between 1/2 and 1, exactly: no repeat, and no rounding of P
    offset   : one more key, of value 0, lies so much above the favourites: rows are held against a maximum that is higher by a fixed amount
    negative : sign of all values
    """
    draw = np.random.default_rng(seed)
    keys, root = ROWS * repeats, math.sqrt(HEAD_DIM)
    gap = math.log((keys - repeats) * 3.0 / RESIDUAL) if residual else NEVER
    q, k = np.zeros((1, heads, ROWS, HEAD_DIM)), np.zeros((1, heads, keys, HEAD_DIM))
    for row in range(ROWS):
        q[:, :, row, row] = 1.0
        favourites = k[:, :, row * repeats : (row + 1) * repeats, row]
        favourites[...] = gap * root
        if below:
            favourites[..., 1:] += root * np.log(draw.integers(32, 64, (1, heads, 1)) / 64.0 + 1.0 / 128.0)
    q[..., -1], k[..., -1] = 1.0, (top - gap) * root
    q[..., -2], k[..., -2] = draw.uniform(-spread, spread, (1, heads, ROWS)) * root, 1.0
    v = round_to(draw.uniform(2.0, 4.0, k.shape), "bf16") * (-1.0 if negative else 1.0)
    if offset is not None:
        lone = np.zeros((1, heads, 1, HEAD_DIM))
        lone[..., -1], lone[..., -2] = (top + offset) * root, 1.0
        k, v = np.concatenate([k, lone], axis=2), np.concatenate([v, np.zeros_like(lone)], axis=2)
    single: list[Any] = [x.astype(np.float32).astype(np.float64) for x in (q, k, v)]
    return Setup(name=name, what=what or name, q=single[0], k=single[1], v=single[2])
