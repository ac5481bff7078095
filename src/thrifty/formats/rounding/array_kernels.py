"""Whole arrays rounded and encoded by compiled loops: FP32 in words of 32 bits, FP64 in words of 64. Imported only where Numba is.

To nearest, in a format narrower than the source: by an addition in the source's own arithmetic, which rounds once and exactly (see `kernels`). BF16 and its
kin from FP32, whose exponents they share: on the words alone. All else by splitting FP64's significand. `floats_into` and `codes_into` choose.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.formats.floats import FloatSpec
from thrifty.formats.rounding.kernels import DRAWS, KIND, MINUS_ZERO, SEED, SIGNED, drawn, exactly, floats, integers, overflows, parameters, split
from thrifty.formats.rounding.modes import Rounding
from thrifty.formats.words import float_of, inlined, narrowed, shifted, word_of
from thrifty.loops import in_threads, jit

_WORD = {np.dtype(np.float32): np.uint32, np.dtype(np.float64): np.uint64}
_SIGN, _ONE, _ZERO = np.uint64(1 << 63), np.uint64(1), np.uint64(0)
_INFINITE, _QUIET = np.uint32(0xFF << 23), np.uint32(1 << 22)


def floats_into(x: npt.NDArray[Any], out: npt.NDArray[Any], to: Rounding) -> None:
    """x, flat, rounded into `out`, flat: FP32 or FP64 both, `out` no narrower than the format."""
    spec, source = to.spec, x.dtype
    plain = _plain(to)
    if plain and out.dtype == source and _shares_exponents(spec, source):
        f = np.uint32(23 - spec.mantissa_bits), np.uint32(_word(spec, "clip", to) << (23 - spec.mantissa_bits))
        words, results = x.view(np.uint32), out.view(np.uint32)
        in_threads(lambda first, last: aligned_floats(words[first:last], results[first:last], f), x.size, 2)
    elif plain and out.dtype == source and _fits(spec, source):
        g, w = _nearest_floats(to, source)
        in_threads(lambda first, last: nearest_floats(x[first:last], out[first:last], g, w), x.size, 3)
    else:
        params = parameters(to)
        in_threads(lambda first, last: split_floats(x[first:last], out[first:last], params, first), x.size, 8)


def codes_into(x: npt.NDArray[Any], out: npt.NDArray[Any], to: Rounding) -> int:
    """Codes of x, flat, rounded into `out`, flat. Returns how many numbers the format has no code for."""
    spec, source, refused = to.spec, x.dtype, []
    if _plain(to) and _shares_exponents(spec, source):
        w = _aligned_codes(to)
        words = x.view(np.uint32)
        in_threads(lambda first, last: aligned_codes(words[first:last], out[first:last], w), x.size, 2)
        return 0
    if _plain(to) and _fits(spec, source) and not spec.pad_bits:
        f, v = _nearest_codes(to, source)
        counts = spec.nan_code is None
        in_threads(lambda first, last: refused.append(nearest_codes(x[first:last], out[first:last], f, v, counts)), x.size, 3)
    else:
        params, u = parameters(to), _split_codes(to)
        in_threads(lambda first, last: refused.append(split_codes(x[first:last], out[first:last], params, u, first)), x.size, 8)
    return int(sum(refused))


def _plain(to: Rounding) -> bool:
    """To nearest, in a format whose numbers too large take the code after the largest, or are the largest: what the fast loops know."""
    spec = to.spec
    after = to.overflow == "saturate" or (spec.no_number == "ieee" and to.overflow == "inf") or (spec.no_number == "last" and to.overflow == "nan")
    return to.mode == "rne" and not to.flush and after and spec.signed and spec.subnormals and spec.no_number != "minus_zero" and spec.mantissa_bits > 0


def _shares_exponents(spec: FloatSpec, source: np.dtype[Any]) -> bool:
    return source == np.float32 and (spec.exponent_bits, spec.bias, spec.no_number) == (8, 127, "ieee") and spec.mantissa_bits < 23


def _fits(spec: FloatSpec, source: np.dtype[Any]) -> bool:
    """Every power that the addition needs is a normal number of the source, and so are the format's own."""
    bits, bias = (23, 127) if source == np.float32 else (52, 1023)
    return spec.mantissa_bits < bits and spec.emin - spec.mantissa_bits > 1 - bias and spec.emax + 1 + bits - spec.mantissa_bits <= bias


def _word(spec: FloatSpec, which: str, to: Rounding) -> int:
    """Code that sizes are clipped at: the largest, or the one after it, which stands for infinite or no number."""
    return spec.largest_code + (to.overflow != "saturate")


def _clip(to: Rounding) -> float:
    spec = to.spec
    return spec.largest if to.overflow == "saturate" else spec.largest + 2.0 ** (spec.emax - spec.mantissa_bits)


def _nearest_floats(to: Rounding, source: np.dtype[Any]) -> tuple[Any, Any]:
    spec, word, bits = to.spec, _WORD[source], 23 if source == np.float32 else 52
    sizes = (spec.smallest_normal, 2.0 ** (bits - spec.mantissa_bits), _clip(to), spec.largest, overflows(to)[2])
    return tuple(map(source.type, sizes)), (*_masks(word), word(1 << (bits - 1)))


def _masks(word: Any) -> tuple[Any, Any]:
    return (word(1 << 31), word(0xFF << 23)) if word is np.uint32 else (word(1 << 63), word(0x7FF << 52))


def _nearest_codes(to: Rounding, source: np.dtype[Any]) -> tuple[Any, Any]:
    spec, word, (bits, bias) = to.spec, _WORD[source], (23, 127) if source == np.float32 else (52, 1023)
    drop = bits - spec.mantissa_bits
    sizes = (spec.smallest_normal, 2.0**drop, _clip(to))
    offset = (drop + bias - spec.bias + 1) << spec.mantissa_bits
    return tuple(map(source.type, sizes)), (*_masks(word), word(drop), word(offset), word(spec.nan_code or 0), word(source.itemsize * 8 - spec.code_bits))


def _aligned_codes(to: Rounding) -> Any:
    spec = to.spec
    drop = 23 - spec.mantissa_bits
    return tuple(map(np.uint32, (drop, _word(spec, "clip", to), spec.nan_code, 32 - spec.code_bits + spec.pad_bits, spec.pad_bits)))


def _split_codes(to: Rounding) -> Any:
    """(largest, lost, over, under, infinite, no number or 0 where there is none, least normal or 0, place of the sign, padding) as codes."""
    spec = to.spec
    nan = spec.nan_code or 0
    infinite = spec.largest_code + 1
    sizes = [spec.largest_code if size == spec.largest else infinite if np.isinf(size) else nan for size in overflows(to)]
    over, under, lost, at_infinity = sizes
    place = spec.exponent_bits + spec.mantissa_bits
    least = 1 << spec.mantissa_bits if to.flush and spec.subnormals else 0
    return tuple(map(np.uint64, (spec.largest_code, lost, over, under, at_infinity, nan, least, place, spec.pad_bits)))


@inlined
def _power(held: Any, normal: Any, step: Any, exponent: Any) -> Any:
    """The power of two whose spacing is the target's at `held`."""
    return float_of(narrowed(word_of(held if held > normal else normal) & exponent, exponent)) * step


@jit
def nearest_floats(x: Any, out: Any, f: Any, w: Any) -> None:
    """To nearest. f: (smallest normal, 2^(source's mantissa - target's), clip, largest, what lies beyond); w: bits of sign, exponent and quiet."""
    normal, step, clip, largest, lost = f
    sign, exponent, quiet = w
    for i in range(x.size):
        size = np.abs(x[i])
        held = size if size < clip else clip
        power = _power(held, normal, step, exponent)
        held = (held + power) - power
        held = lost if held > largest else held
        rounded = float_of(narrowed(word_of(held) | (word_of(x[i]) & sign), sign))
        out[i] = float_of(narrowed(word_of(x[i]) | quiet, sign)) if size != size else rounded


@jit
def nearest_codes(x: Any, out: Any, f: Any, w: Any, counts: bool) -> int:
    """Codes, to nearest. f: as above, to clip; w: bits of sign and exponent, bits dropped, what codes are shifted by, code of no number, sign's way down."""
    normal, step, clip = f
    sign, exponent, drop, offset, nan, down = w
    refused = 0
    for i in range(x.size):
        size = np.abs(x[i])
        held = size if size < clip else clip
        power = _power(held, normal, step, exponent)
        base = word_of(power)
        code = narrowed(word_of(held + power) - base + shifted(base, drop) - offset, sign)
        code = nan if size != size else code
        out[i] = code | shifted(narrowed(word_of(x[i]) & sign, sign), down)
        if counts:
            refused += size != size
    return refused


@jit
def aligned_floats(x: Any, out: Any, w: Any) -> None:
    """To nearest in a format with FP32's exponents, word by word. w: bits dropped, word that sizes are clipped at."""
    drop, clip = w
    mask = (np.uint32(1) << drop) - np.uint32(1)
    for i in range(x.size):
        word = x[i]
        size = narrowed(word & np.uint32(0x7FFFFFFF), word)
        kept = narrowed((size + (mask >> np.uint32(1)) + (shifted(size, drop) & np.uint32(1))) & ~mask, word)
        kept = kept if kept < clip else clip
        kept = narrowed(size | _QUIET, word) if size > _INFINITE else kept
        out[i] = kept | (word & np.uint32(0x80000000))


@jit
def aligned_codes(x: Any, out: Any, w: Any) -> None:
    """Codes of a format with FP32's exponents. w: bits dropped, code that sizes are clipped at, code of no number, sign's way down, padding."""
    drop, clip, nan, down, pad = w
    mask = (np.uint32(1) << drop) - np.uint32(1)
    for i in range(x.size):
        word = x[i]
        size = narrowed(word & np.uint32(0x7FFFFFFF), word)
        code = shifted(narrowed(size + (mask >> np.uint32(1)) + (shifted(size, drop) & np.uint32(1)), word), drop)
        code = code if code < clip else clip
        code = nan if size > _INFINITE else code
        out[i] = (code | shifted(narrowed(word & np.uint32(0x80000000), word), down)) << pad


@jit
def split_floats(x: Any, out: Any, params: Any, first: Any) -> None:
    """In any mode."""
    p, f, signed, minus, seed, draws = integers(params), floats(params), params[SIGNED], params[MINUS_ZERO], params[SEED], params[KIND] == DRAWS
    if draws:
        for i in range(x.size):
            out[i] = exactly(np.float64(x[i]), drawn(seed, first + i), p, f, signed, minus)
    else:
        for i in range(x.size):
            out[i] = exactly(np.float64(x[i]), _ZERO, p, f, signed, minus)


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
    p, signed, minus, seed, draws, random = integers(params), params[SIGNED], params[MINUS_ZERO], params[SEED], params[KIND] == DRAWS, params[1] == 6
    refused = 0
    if draws:
        for i in range(x.size):
            code, unnamed = _code(np.float64(x[i]), drawn(seed, first + i), p, u, random, signed, minus)
            out[i] = code
            refused += unnamed
    else:
        for i in range(x.size):
            code, unnamed = _code(np.float64(x[i]), _ZERO, p, u, False, signed, minus)
            out[i] = code
            refused += unnamed
    return refused
