"""Queries and keys turned by one random orthogonal matrix: their products stay, their outliers spread (FlashAttention-3, section 3.3)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from thrifty.formats.rounding.plain import random_words

Floats = npt.NDArray[np.float64]


def rotate(x: Floats, seed: int) -> Floats:
    """x·diag(±1)·H/√n along the last axis, in FP64 additions of a fixed order; the signs are drawn from the seed.

    A dimension that is no power of two is turned in parts that are: 15 as 8 + 4 + 2 + 1.
    """
    d = x.shape[-1]
    signs = np.where(random_words(seed, 0, d) >> np.uint64(63) == 0, 1.0, -1.0)
    out = x * signs
    start = 0
    for power in reversed(range(d.bit_length())):
        n = 1 << power
        if d & n:
            with np.errstate(over="ignore", invalid="ignore"):  # infinite elements are no longer one sign's: NaN
                out[..., start : start + n] = _hadamard(out[..., start : start + n]) / np.sqrt(float(n))
            start += n
    return out


def _hadamard(x: Floats) -> Floats:
    """x·H by butterflies, H of ±1, a power of two."""
    n, out, half = x.shape[-1], x.copy(), 1
    while half < n:
        pairs = out.reshape(*x.shape[:-1], n // (2 * half), 2, half)
        out = np.stack([pairs[..., 0, :] + pairs[..., 1, :], pairs[..., 0, :] - pairs[..., 1, :]], axis=-2).reshape(x.shape)
        half *= 2
    return out
