"""The definition of rounding, with NumPy: integers taken from the bits of FP64, which every source up to 64 bits of float is copied to exactly.

A number is sig · 2^(e - 52) with an integer sig. The spacing of the target near it is 2^t; sig is split at bit t - (e - 52) into q and what is dropped,
and the mode decides from both whether q grows by one. Nothing is rounded twice.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.formats.floats import FloatSpec
from thrifty.formats.rounding.modes import Rounding

Floats = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint64]

_FRACTION: Final = np.uint64((1 << 52) - 1)
_QUIET: Final = np.uint64(1 << 51)
_GOLDEN, _MIX1, _MIX2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def random_words(seed: int, first: int, count: int) -> Words:
    """64 random bits for each of the elements first, first + 1, …: SplitMix64 (Steele, Lea, Flood 2014) at counter seed + (i + 1) · golden ratio."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + (np.arange(first, first + count, dtype=np.uint64) + np.uint64(1)) * _GOLDEN
        z = (z ^ (z >> np.uint64(30))) * _MIX1
        z = (z ^ (z >> np.uint64(27))) * _MIX2
        return np.asarray(z ^ (z >> np.uint64(31)))


def split(x: Floats, to: Rounding, first: int = 0) -> tuple[Any, Words, Any]:
    """(negative, q, t) of every element: the rounded number is ±q · 2^t, before overflow. NaN and infinite elements give what their bits give: mask them.

    first : number of x's first element, for the modes that draw
    """
    spec = to.spec
    bits = x.view(np.uint64)
    negative = (bits >> np.uint64(63)).astype(bool)
    field = ((bits >> np.uint64(52)) & np.uint64(0x7FF)).astype(np.int64)
    sig = (bits & _FRACTION) | (np.minimum(field, 1).astype(np.uint64) << np.uint64(52))
    # Subnormal FP64 have the spacing of field 1; bring their leading bit up so that the exponent below is that of the number.
    exponent = np.maximum(field, 1) - 1023
    if spec.exponent_bits >= 11 or not spec.subnormals:
        lead = np.where(field == 0, 52 - _log2(sig), 0)
        sig, exponent = sig << lead.astype(np.uint64), exponent - lead
    t = np.maximum(exponent, spec.emin) - spec.mantissa_bits
    shift = t - (exponent - 52)
    capped = np.minimum(shift, 63).astype(np.uint64)
    q = sig >> capped
    dropped = sig & ((np.uint64(1) << capped) - np.uint64(1))
    far = shift > 63
    odd = q & np.uint64(1) if spec.mantissa_bits else (q != 0) & ((t + spec.bias) & 1).astype(bool)
    up = _grows(to, negative, odd.astype(bool), dropped, capped, np.where(far, shift - 63, 0).astype(np.uint64), first)
    q = q + up.astype(np.uint64)
    if not spec.subnormals:  # no zero: the smallest number is the least there is
        q, t = np.maximum(q, np.uint64(1 << spec.mantissa_bits)), np.where(sig == 0, spec.emin - spec.mantissa_bits, t)
    return negative, q, t


def _log2(sig: Words) -> Any:
    """Position of the leading bit of integers below 2^53, which float conversion is exact for; 52 for zero."""
    return np.where(sig == 0, 52, np.frexp(sig.astype(np.float64))[1] - 1)


def _grows(to: Rounding, negative: Any, odd: Any, dropped: Words, shift: Words, beyond: Words, first: int) -> Any:
    """Where q grows by one. shift: bits dropped, at most 63; beyond: those that no word holds, whose elements are far below the smallest number."""
    inexact = dropped != 0
    match to.mode:
        case "rne":
            half = np.where(shift > 0, np.uint64(1) << (np.maximum(shift, np.uint64(1)) - np.uint64(1)), np.uint64(0))
            return inexact & ((dropped > half) | ((dropped == half) & odd))
        case "rz":
            return np.zeros_like(inexact)
        case "ru":
            return inexact & ~negative
        case "rd":
            return inexact & negative
        case "odd":
            return inexact & ~odd
        case "stochastic":
            threshold = random_words(to.seed, first, dropped.size).reshape(dropped.shape)
            threshold = np.where(shift > 0, threshold >> (np.uint64(64) - np.maximum(shift, np.uint64(1))), np.uint64(0))
            return inexact & (dropped >> np.minimum(beyond, np.uint64(63)) > threshold)
        case _:  # "random"
            return inexact & (random_words(to.seed, first, dropped.size).reshape(dropped.shape) >> np.uint64(63)).astype(bool)


def round_plain(x: Floats, to: Rounding, first: int = 0) -> Floats:
    """x, element by element the number of the format that the rounding says. NaN stays; a format without it is the caller's to guard."""
    spec = to.spec
    negative, q, t = split(x, to, first)
    with np.errstate(over="ignore"):
        size = np.ldexp(q.astype(np.float64), t.astype(np.int32))
    if to.flush:
        size = np.where(size < spec.smallest_normal, 0.0, size)
    size = np.where(size > spec.largest, _beyond(to, negative, first), size)
    size = np.where(np.isinf(x), _infinite(to), size)
    result = np.where(negative, -size, size)
    if spec.no_number == "minus_zero":
        result = result + 0.0  # -0 + 0 is +0
    if not spec.signed:
        # -0 is zero; anything else below it has no code. E8M0 has no zero, and takes its least number for it.
        result = np.where(negative & (x != 0), np.nan, np.abs(result))
    return np.asarray(np.where(np.isnan(x), (x.view(np.uint64) | _QUIET).view(np.float64), result))


def _beyond(to: Rounding, negative: Any, first: int) -> Any:
    """Size that numbers beyond the largest take."""
    if to.overflow == "saturate":
        return to.spec.largest
    lost = np.inf if to.overflow == "inf" else np.nan
    match to.mode:
        case "rz":
            return to.spec.largest
        case "ru":
            return np.where(negative, to.spec.largest, lost)
        case "rd":
            return np.where(negative, lost, to.spec.largest)
        case "odd":
            # The largest number is the odd neighbour where its fraction is all ones.
            return to.spec.largest if to.spec.largest_code & 1 else lost
        case "random":
            out = (random_words(to.seed, first, negative.size).reshape(negative.shape) >> np.uint64(63)).astype(bool)
            return np.where(out, lost, to.spec.largest)
        case _:
            return lost


def _infinite(to: Rounding) -> float:
    if to.overflow == "saturate":
        return to.spec.largest
    return np.inf if to.spec.infinities else np.nan


def encode_plain(x: Floats, spec: FloatSpec) -> Words:
    """Codes of numbers that the format has, without padding; NaN takes `spec.nan_code` with its sign."""
    fraction_bits = spec.mantissa_bits
    negative = np.signbit(x)
    size = np.abs(x)
    finite = np.isfinite(size)
    mantissa, whole = np.frexp(np.where(finite, size, 0.0))
    exponent = np.where(mantissa == 0, spec.emin, np.maximum(whole - 1, spec.emin)).astype(np.int64)
    q = np.ldexp(mantissa, (whole - exponent + fraction_bits).astype(np.int32))
    field = exponent + spec.bias
    code = q.astype(np.int64) + ((field - (1 if spec.subnormals else 0)) << fraction_bits)
    if not spec.subnormals:
        code = code - (1 << fraction_bits)
    code = code.astype(np.uint64)
    infinite = np.uint64(((1 << spec.exponent_bits) - 1) << fraction_bits)
    code = np.where(np.isinf(x), infinite, code)
    sign = negative.astype(np.uint64) << np.uint64(spec.exponent_bits + fraction_bits) if spec.signed else np.uint64(0)
    if spec.no_number == "minus_zero":
        sign = np.where(size == 0, np.uint64(0), sign)
    code = code | sign
    if spec.nan_code is not None:
        nan = np.uint64(spec.nan_code)
        code = np.where(np.isnan(x), nan if spec.no_number == "minus_zero" else nan | sign, code)
    return np.asarray(code)


def decode_plain(codes: Words, spec: FloatSpec) -> Floats:
    """Numbers of codes without padding; bits above the code are the caller's to guard."""
    fraction_bits = spec.mantissa_bits
    negative = ((codes >> np.uint64(spec.exponent_bits + fraction_bits)) & np.uint64(1)).astype(bool) if spec.signed else np.zeros(codes.shape, dtype=bool)
    field = ((codes >> np.uint64(fraction_bits)) & np.uint64((1 << spec.exponent_bits) - 1)).astype(np.int64)
    fraction = codes & np.uint64((1 << fraction_bits) - 1)
    lead = (field > 0) if spec.subnormals else np.ones(codes.shape, dtype=bool)
    q = fraction | (lead.astype(np.uint64) << np.uint64(fraction_bits))
    exponent = np.maximum(field, 1 if spec.subnormals else 0) - spec.bias - fraction_bits
    with np.errstate(over="ignore"):
        size = np.ldexp(q.astype(np.float64), exponent.astype(np.int32))
    top = field == (1 << spec.exponent_bits) - 1
    if spec.infinities:
        size = np.where(top, np.where(fraction == 0, np.inf, np.nan), size)
    elif spec.no_number == "last":
        size = np.where(top & (fraction == (1 << fraction_bits) - 1), np.nan, size)
    result = np.where(negative, -size, size)
    if spec.no_number == "minus_zero":
        result = np.where(negative & (size == 0), np.nan, result)
    return np.asarray(result)
