"""PyTorch's flash kernel for CPUs as its outputs show it: Flash 2, 512 keys a tile, state in FP32, P to BF16, a cubic for e^x in whole vectors."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from thrifty.formats import elementary, matmul, round_to

Floats = npt.NDArray[np.float64]
BLOCK_K: Final = 512
"""Keys of a tile: of all powers of two the one whose emulation agrees with the kernel (`compare.blocks`)."""
CUBIC: Final = (0.00010703434948458272, 0.30354260500649682, -0.22433836478672356, -0.079204240219773236)
"""1 + f - 2^f on [0, 1) as a cubic: Malossi, Ineichen, Bekas, Curioni, "Fast Exponential Computation on SIMD Architectures", 2015, degree 3. `probing` fits
the kernel's outputs to 1 - c0 = 0.99989, 1 - c1 = 0.69646, -c2 = 0.22433, -c3 = 0.07921, which are these."""
LOG2E: Final = float(np.float32(1.4426950408889634))


def fast_exp(x: Floats) -> Floats:
    """e^x for x ≤ 0 in FP32 steps: y = x·log2(e), z = y - cubic(y - ⌊y⌋) by fused multiply-adds; the bits of the result are those of z·2^23 + 127·2^23."""
    y = np.maximum(_fp32(x * LOG2E), -1000.0)
    f = y - np.floor(y)
    c0, c1, c2, c3 = (float(np.float32(each)) for each in CUBIC)
    p = _fp32(_fp32(_fp32(f * c3 + c2) * f + c1) * f + c0)
    z = np.where(y < -126.0, 0.0, _fp32(_fp32(y - p) * 2.0**23 + 127 * 2.0**23))
    made = z.astype(np.int64).astype(np.int32).view(np.float32)
    return np.where(y < -126.0, 0.0, made.astype(np.float64)).reshape(x.shape)


def emulate_flash(q: Floats, k: Floats, v: Floats, format: str = "bf16", *, block_k: int = BLOCK_K, lanes: int = 16, cubic: bool = True) -> Floats:
    """(H, N, d), (H, N_kv, d), (H, N_kv, d_v) of numbers of `format`, to (H, N, d_v). cubic: e^x as `fast_exp` where `lanes` keys fill a vector."""
    scale = 1.0 / float(np.sqrt(q.shape[-1]))
    top = np.full((*q.shape[:2], 1), -np.inf)
    total, out = np.zeros_like(top), np.zeros((*q.shape[:2], v.shape[-1]))
    with np.errstate(invalid="ignore", over="ignore"):
        for first in range(0, k.shape[1], block_k):
            scores = _fp32(_product(q, k[:, first : first + block_k].swapaxes(-1, -2)) * scale)
            grown = np.maximum(top, scores.max(axis=-1, keepdims=True))
            held = _fp32(scores - grown)
            whole = held.shape[-1] // lanes * lanes if cubic else 0
            weights = np.concatenate((fast_exp(held[..., :whole]), _fp32(elementary.exp(held[..., whole:]))), axis=-1)
            alpha = _fp32(elementary.exp(_fp32(np.where(np.isneginf(top), -np.inf, top - grown))))
            total = _fp32(_fp32(alpha * total) + _fp32(weights.sum(axis=-1, keepdims=True)))
            stored = np.asarray(round_to(weights, format, overflow="inf"), dtype=np.float64)
            out = _fp32(_fp32(alpha * out) + _product(stored, v[:, first : first + block_k]))
            top = grown
        return np.asarray(round_to(_fp32(out / total), format, overflow="inf"), dtype=np.float64)


def _product(a: Floats, b: Floats) -> Floats:
    return np.asarray(matmul(a, b, "fma:fp32"), dtype=np.float64)


def _fp32(x: Floats) -> Floats:
    return np.asarray(x, dtype=np.float64).astype(np.float32).astype(np.float64)
