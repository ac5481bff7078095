"""Rounding and encoding on a GPU, element by element what `plain` defines. Imported only for tensors that lie there, and where Triton is installed.

On whole numbers from the first to the last step, since a GPU may flush FP32's subnormal numbers: FP32 comes in by its bits and becomes FP64's exactly.
Everything but the seed is known when a kernel is compiled, so what a format and a mode do not need is not there.
"""

# Triton reads the annotations of a kernel, and knows none but its own.
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False, disallow-untyped-decorators=False, disallow-untyped-calls=False

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _word64(x):
    """FP64's bits of FP32 or FP64 numbers."""
    if x.dtype == tl.float64:
        word64 = x.to(tl.uint64, bitcast=True)
    else:
        word = x.to(tl.uint32, bitcast=True).to(tl.uint64)
        field, fraction = (word >> 23) & 0xFF, word & 0x7FFFFF
        # A subnormal number is its fraction times 2^-149.
        tiny = tl.where(fraction == 0, 0, fraction.to(tl.int64).to(tl.float64).to(tl.uint64, bitcast=True) - (149 << 52)).to(tl.uint64)
        usual = (tl.where(field == 255, field + 1792, field + 896) << 52) | (fraction << 29)
        word64 = tl.where(field == 0, tiny, usual) | ((word >> 31) << 63)
    return word64


@triton.jit
def _power(n):
    """2^n of whole numbers from -1022 to 1023."""
    return ((n + 1023) << 52).to(tl.float64, bitcast=True)


@triton.jit
def _drawn(seed, element):
    z = seed.to(tl.uint64) + (element.to(tl.uint64) + 1) * 0x9E3779B97F4A7C15
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB
    return z ^ (z >> 31)


@triton.jit
def _split(word, draw, mode: tl.constexpr, mantissa: tl.constexpr, emin: tl.constexpr, bias: tl.constexpr, subnormals: tl.constexpr):
    """(q, t): rounded, the number is ±q · 2^t, before overflow; see `kernels.split`."""
    size = word & 0x7FFFFFFFFFFFFFFF
    tiny = size < 0x10000000000000
    lifted = tl.where(tiny, size.to(tl.int64).to(tl.float64).to(tl.uint64, bitcast=True), size)
    exponent = (lifted >> 52).to(tl.int64) - tl.where(tiny, 1023 + 1074, 1023)
    sig = tl.where(size == 0, 0, (lifted & 0xFFFFFFFFFFFFF) | 0x10000000000000).to(tl.uint64)
    t = tl.maximum(exponent, emin) - mantissa
    shift = t - exponent + 52
    capped = tl.minimum(shift, 63).to(tl.uint64)
    one = tl.full(word.shape, 1, tl.uint64)
    mask = (one << capped) - one
    q, dropped = sig >> capped, sig & mask
    negative, inexact = (word >> 63) != 0, dropped != 0
    odd = q & 1 if mantissa > 0 else tl.where(q != 0, (t + bias).to(tl.uint64) & 1, 0)
    if mode == "rne":
        q = (sig + (((mask >> 1) + odd) & mask)) >> capped
    elif mode == "ru":
        q += (inexact & (negative == 0)).to(tl.uint64)
    elif mode == "rd":
        q += (inexact & negative).to(tl.uint64)
    elif mode == "odd":
        q += (inexact & (odd == 0)).to(tl.uint64)
    elif mode == "stochastic":
        beyond = tl.minimum(tl.maximum(shift - 63, 0), 63).to(tl.uint64)
        q += ((dropped >> beyond) > ((draw >> 1) >> (63 - capped))).to(tl.uint64)
    elif mode == "random":
        q += (inexact & ((draw >> 63) != 0)).to(tl.uint64)
    if not subnormals:
        q = tl.maximum(q, one << mantissa)
    return q, t


@triton.jit(do_not_specialize=["seed"])
def round_kernel(
    x_N, out_N, count, seed, mode: tl.constexpr, mantissa: tl.constexpr, emin: tl.constexpr, bias: tl.constexpr, subnormals: tl.constexpr,
    signed: tl.constexpr, minus_zero: tl.constexpr, largest: tl.constexpr, lost: tl.constexpr, over: tl.constexpr, under: tl.constexpr,
    infinite: tl.constexpr, below: tl.constexpr, no_number: tl.constexpr, place: tl.constexpr, pad: tl.constexpr, codes: tl.constexpr, block: tl.constexpr,
):
    """out_N: rounded floats, or codes as signed integers of their width. The sizes from `largest` to `no_number` are whole numbers: bits of FP64, or codes."""
    element = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    inside = element < count
    word = _word64(tl.load(x_N + element, mask=inside, other=0.0))
    draw = _drawn(seed, element)
    q, t = _split(word, draw, mode, mantissa, emin, bias, subnormals)
    size, negative = word & 0x7FFFFFFFFFFFFFFF, (word >> 63) != 0
    if codes:
        rounded = q + ((t + (mantissa + bias - 1)).to(tl.uint64) << mantissa)
    else:
        half = t >> 1
        rounded = (q.to(tl.int64).to(tl.float64) * _power(half) * _power(t - half)).to(tl.uint64, bitcast=True)
    beyond = tl.where((draw >> 63) != 0, lost, largest) if mode == "random" else tl.where(negative, under, over)
    rounded = tl.where(rounded < below, 0, rounded).to(tl.uint64)
    rounded = tl.where(rounded > largest, beyond, rounded).to(tl.uint64)
    rounded = tl.where(size == 0x7FF0000000000000, infinite, rounded).to(tl.uint64)
    sign, nan = word >> 63, size > 0x7FF0000000000000
    kept = tl.where(nan, (size | 0x8000000000000), no_number).to(tl.uint64)
    if minus_zero:
        sign = tl.where((rounded == 0) | (codes & (nan | (rounded == no_number))), 0, sign).to(tl.uint64)
    if not signed:
        nan = nan | (negative & (size != 0))
        sign = tl.where(codes | (size <= 0x7FF0000000000000), 0, sign).to(tl.uint64)
    if codes:
        rounded = (tl.where(nan, no_number, rounded).to(tl.uint64) | (sign << place)) << pad
        tl.store(out_N + element, rounded.to(out_N.dtype.element_ty), mask=inside)
    else:
        rounded = tl.where(nan, kept, rounded).to(tl.uint64) | (sign << 63)
        tl.store(out_N + element, rounded.to(tl.float64, bitcast=True).to(out_N.dtype.element_ty), mask=inside)
