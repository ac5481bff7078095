"""Whole arrays rounded and encoded by compiled loops: FP32 in words of 32 bits, FP64 in words of 64. Imported only where Numba is; `recipes` calls them.

Loops that refuse numbers return how many; what is NaN in the result is what was refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from thrifty.formats.rounding.kernels import DRAWS, KIND, MINUS_ZERO, MODE, RANDOM, SEED, SIGNED, drawn, integers, split
from thrifty.formats.words import float_of, float_of_half, half_of, inlined, narrowed, shifted, word_of
from thrifty.loops import jit

_SIGN, _ONE, _ZERO = np.uint64(1 << 63), np.uint64(1), np.uint64(0)
_HALF_SIGN, _HALF_SIZE = np.uint16(1 << 15), np.uint16((1 << 15) - 1)
_SIZE, _INFINITE, _QUIET = np.uint32((1 << 31) - 1), np.uint32(0xFF << 23), np.uint32(1 << 22)


@inlined
def _power(held: Any, normal: Any, step: Any, exponent: Any) -> Any:
    """The power of two whose spacing is the target's at `held`."""
    return float_of(narrowed(word_of(held if held > normal else normal) & exponent, exponent)) * step


@jit
def nearest_floats(x: Any, out: Any, f: Any, w: Any, counts: bool) -> int:
    """To nearest. f: (smallest normal, 2^(source's mantissa - target's), clip, largest, what lies beyond); w: bits of sign, exponent and quiet."""
    normal, step, clip, largest, lost = f
    sign, exponent, quiet = w
    refused = 0
    for i in range(x.size):
        size = np.abs(x[i])
        held = size if size < clip else clip
        power = _power(held, normal, step, exponent)
        held = (held + power) - power
        held = lost if held > largest else held
        rounded = float_of(narrowed(word_of(held) | (word_of(x[i]) & sign), sign))
        out[i] = float_of(narrowed(word_of(x[i]) | quiet, sign)) if size != size else rounded
        if counts:
            refused += size != size
    return refused


@jit
def nearest_codes(x: Any, out: Any, f: Any, w: Any, counts: bool) -> int:
    """Codes of 8 or 16 bits, to nearest. f: as above, to clip; w: bits of exponent, bits dropped, code of no number, sign's way down, sign.

    The code is the rounded significand and the exponent's field, as far below as `drop` shifts it, less what the source's bias and the format's differ by.
    That difference is part of f's power (an even number of its last places, so ties go where they went), and all that lies above 16 bits falls away.
    """
    normal, step, clip = f
    exponent, drop, nan, down, sign = w
    refused = 0
    for i in range(x.size):
        size = np.abs(x[i])
        held = size if size < clip else clip
        field = narrowed(word_of(held if held > normal else normal) & exponent, exponent)
        code = narrowed(word_of(held + float_of(field) * step) + shifted(field, drop), exponent)
        code = nan if size != size else code
        out[i] = code | (shifted(word_of(x[i]), down) & sign)
        if counts:
            refused += size != size
    return refused


@jit
def aligned_floats(x: Any, out: Any, w: Any, clips: bool) -> int:
    """To nearest in a format with FP32's exponents, word by word. w: bits dropped, word that sizes are clipped at, where they are at all."""
    drop, clip = w
    mask = (np.uint32(1) << drop) - np.uint32(1)
    half = mask >> np.uint32(1)
    for i in range(x.size):
        word = x[i]
        kept = narrowed((word + half + (shifted(word, drop) & np.uint32(1))) & ~mask, word)
        size = narrowed(word & _SIZE, word)
        if clips:
            kept = narrowed(clip | (word & ~_SIZE), word) if (kept & _SIZE) > clip else kept
        out[i] = word | _QUIET if size > _INFINITE else kept
    return 0


@jit
def aligned_codes(x: Any, out: Any, w: Any, clips: bool) -> int:
    """Codes of a format with FP32's exponents. w: bits dropped, code that sizes are clipped at, where they are at all, code of no number, its sign."""
    drop, clip, nan, sign = w
    mask = (np.uint32(1) << drop) - np.uint32(1)
    half = mask >> np.uint32(1)
    for i in range(x.size):
        word = x[i]
        code = shifted(narrowed(word + half + (shifted(word, drop) & np.uint32(1)), word), drop)
        signed = narrowed(shifted(word, drop) & sign, word)
        if clips:
            code = clip | signed if (code & ~sign) > clip else code
        out[i] = nan | signed if narrowed(word & _SIZE, word) > _INFINITE else code
    return 0


@inlined
def _half(x: Any, largest: Any, clips: Any) -> Any:
    """FP16's bits of FP32 by the processor's own conversion; clips: what is beyond the largest becomes it."""
    code = half_of(x)
    beyond = np.uint16(code & _HALF_SIZE) > largest
    return np.uint16(largest | np.uint16(code & _HALF_SIGN)) if clips & beyond else code


@jit
def half_floats(x: Any, out: Any, largest: Any, clips: bool) -> int:
    """FP32 to FP16's numbers, to nearest."""
    for i in range(x.size):
        rounded = float_of_half(_half(x[i], largest, clips))
        out[i] = float_of(narrowed(word_of(x[i]) | _QUIET, _QUIET)) if x[i] != x[i] else rounded
    return 0


@jit
def half_codes(x: Any, out: Any, largest: Any, nan: Any, clips: bool) -> int:
    """FP32 to FP16's codes, to nearest."""
    for i in range(x.size):
        code = _half(x[i], largest, clips)
        out[i] = np.uint16(nan | np.uint16(code & _HALF_SIGN)) if x[i] != x[i] else code
    return 0


@inlined
def _code(x: Any, draw: Any, p: Any, u: Any, random: Any, signed: Any, minus_zero: Any) -> Any:
    largest, lost, over, under, infinite, nan, least, place, pad = u
    word = word_of(x)
    q, t = split(word, draw, p)
    negative = word >= _SIGN
    code = q + (np.uint64(t + p[1] + p[3] - 1) << np.uint64(p[1]))
    beyond = under if negative else over
    if random:
        beyond = lost if draw >= _SIGN else largest
    code = _ZERO if code < least else code
    code = beyond if code > largest else code
    code = infinite if np.abs(x) == np.inf else code
    sign = (word >> np.uint64(63)) << place
    unnamed = x != x
    if minus_zero != 0:
        sign = _ZERO if (code == _ZERO) | (code == nan) | unnamed else sign
    if signed == 0:
        sign = _ZERO
        unnamed = unnamed | (negative & (x != 0.0))
    code = nan if unnamed else code
    return (code | sign) << pad, unnamed


@jit
def split_codes(x: Any, out: Any, params: Any, u: Any, first: Any) -> int:
    """Codes in any mode. Returns how many are no number."""
    p, signed, minus, seed, draws, random = integers(params), params[SIGNED], params[MINUS_ZERO], params[SEED], params[KIND] == DRAWS, params[MODE] == RANDOM
    refused = 0
    if draws:
        for i in range(x.size):
            code, unnamed = _code(x[i], drawn(seed, first + i), p, u, random, signed, minus)
            out[i] = code
            refused += unnamed
    else:
        for i in range(x.size):
            code, unnamed = _code(x[i], _ZERO, p, u, False, signed, minus)
            out[i] = code
            refused += unnamed
    return refused


@jit
def look_up(table: Any, codes: Any, out: Any) -> None:
    """Numbers of codes, each below the table's size."""
    for i in range(codes.size):
        out[i] = table[codes[i]]
