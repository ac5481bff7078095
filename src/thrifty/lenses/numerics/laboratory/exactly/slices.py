"""Products of matrices without error: operands are cut into slices of so few bits that any machine's matrix product of two slices is exact.

Ozaki et al. 2012: with n terms, slices of β = ⌊(53 - ⌈log2 n⌉)/2⌋ bits below their row's (or column's) largest element have products of 2β bits, and a
sum of n of them still fits FP64's 53: no addition rounds, whatever the order, so that results have the same bits on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def products(a: Floats, b: Floats, slices: int) -> Iterator[Floats]:
    """Matrices that sum to a @ b, each exact, the largest last. a (…, m, k), b (…, k, n), finite.

    slices : cut from either; what is left out is below 2^(-β · slices) of the largest element of its row (a) or column (b)
    """
    k = a.shape[-1]
    bits = (53 - max(int(k - 1).bit_length(), 1)) // 2
    left, right = list(_cut(a, -1, bits, slices)), list(_cut(b, -2, bits, slices))
    for rank in range(min(slices, len(left) + len(right) - 1) - 1, -1, -1):
        for i in range(rank + 1):
            if i < len(left) and rank - i < len(right):
                yield left[i] @ right[rank - i]


def _cut(x: Floats, axis: int, bits: int, slices: int) -> Iterator[Floats]:
    """Slices of x, highest bits first; none after all is cut."""
    rest = x
    for _ in range(slices):
        top = np.abs(rest).max(axis=axis, keepdims=True, initial=0.0)
        exponent = np.frexp(top)[1]  # top < 2^exponent
        unit = np.ldexp(1.0, exponent - bits)
        part = np.trunc(rest / unit) * unit
        yield part
        rest = rest - part
        if not rest.any():
            return
