"""Convolutions as products of matrices: windows of the input are laid out, and one product sums over channels and taps, channels slowest. Imports torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Multiply = Callable[[Tensor, Tensor], Tensor]


def windows(x: Tensor, taps: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Tensor:
    """(B, C, *in) → (B, C, *taps, *out), a view."""
    counts = [(size - each * (tap - 1) - 1) // step + 1 for size, tap, step, each in zip(x.shape[2:], taps, stride, dilation, strict=True)]
    along = x.stride()[2:]
    strides = [s * each for s, each in zip(along, dilation, strict=True)] + [s * each for s, each in zip(along, stride, strict=True)]
    return x.as_strided((*x.shape[:2], *taps, *(max(count, 0) for count in counts)), (*x.stride()[:2], *strides), x.storage_offset())


def padded(x: Tensor, padding: Sequence[tuple[int, int]]) -> Tensor:
    """Zeros on both sides of every axis but the first two; negative numbers cut."""
    flat = [each for pair in reversed(padding) for each in pair]
    return torch.nn.functional.pad(x, flat).contiguous() if any(flat) else x.contiguous()


def spread(x: Tensor, stride: Sequence[int]) -> Tensor:
    """stride − 1 zeros between neighbours."""
    if all(each == 1 for each in stride):
        return x
    out = x.new_zeros((*x.shape[:2], *((size - 1) * each + 1 for size, each in zip(x.shape[2:], stride, strict=True))))
    out[(..., *(slice(None, None, each) for each in stride))] = x
    return out


def convolve(
    x: Tensor, weight: Tensor, stride: Sequence[int], padding: Sequence[tuple[int, int]], dilation: Sequence[int], groups: int, multiply: Multiply
) -> Tensor:
    """x (B, C, *in) with weight (O, C / groups, *taps)."""
    held = windows(padded(x, padding), weight.shape[2:], stride, dilation)
    out, taps = held.shape[2 + len(stride) :], math.prod(weight.shape[2:])
    columns = held.reshape(x.shape[0], groups, x.shape[1] // groups * taps, math.prod(out))
    made = multiply(weight.reshape(groups, weight.shape[0] // groups, -1), columns)
    return made.reshape(x.shape[0], weight.shape[0], *out)


def convolve_transposed(
    x: Tensor, weight: Tensor, stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int], extra: Sequence[int], groups: int, multiply: Multiply
) -> Tensor:
    """Transposed: x is spread out, the taps (C, O / groups, *taps) are turned over."""
    taps = weight.shape[2:]
    turned = weight.flip(list(range(2, weight.dim()))).reshape(groups, weight.shape[0] // groups, weight.shape[1], *taps).transpose(1, 2)
    turned = turned.reshape(groups * weight.shape[1], weight.shape[0] // groups, *taps)
    around = [(each * (tap - 1) - pad, each * (tap - 1) - pad + more) for tap, pad, each, more in zip(taps, padding, dilation, extra, strict=True)]
    return convolve(spread(x, stride), turned, [1] * len(taps), around, dilation, groups, multiply)


def weight_gradient(
    grad: Tensor, x: Tensor, taps: Sequence[int], stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int], groups: int, multiply: Multiply
) -> Tensor:
    """Σ over batch and places of grad · window."""
    held = windows(padded(x, [(each, each) for each in padding]), taps, stride, dilation)
    places, outputs = math.prod(grad.shape[2:]), grad.shape[1] // groups
    held = held[(..., *(slice(0, size) for size in grad.shape[2:]))]
    columns = held.reshape(x.shape[0], groups, -1, places).permute(1, 0, 3, 2).reshape(groups, x.shape[0] * places, -1)
    rows = grad.reshape(x.shape[0], groups, outputs, places).permute(1, 2, 0, 3).reshape(groups, outputs, -1)
    return multiply(rows, columns).reshape(grad.shape[1], x.shape[1] // groups, *taps)
