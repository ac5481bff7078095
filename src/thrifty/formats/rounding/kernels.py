"""One number's rounding, compiled: what loops over FP64 call, with the format given at run time. Bit by bit what `plain` gives. Imported only where Numba is.

`parameters` packs a rounding into words; `round_scalar` rounds a number by them, `round_row` a row in place, which picks its loop once and has no branch
inside. To nearest, FP64's own addition rounds: a number plus a power of two whose spacing is the target's, less that power, is rounded once and exactly
so (Knuth's trick, on FP64 only). All other modes split the significand as `plain` does.
"""

from __future__ import annotations

import functools
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.formats.floats import float_spec
from thrifty.formats.rounding.modes import ROUNDINGS, Rounding, overflows
from thrifty.formats.words import float_of, inlined, word_of
from thrifty.loops import jit

KEEPS, FP32, NEAREST, SPLITS, DRAWS = range(5)
"""Kinds of loop: nothing to do (FP64), FP64 to FP32 as processors do, to nearest by an addition, any mode by splitting, modes that draw."""

(KIND, MODE, MANTISSA, EMIN, BIAS, SUBNORMALS, SIGNED, MINUS_ZERO, SEED, NEAR, UP, DOWN, TO_ODD,
 NORMAL, STEP, CLIP, LARGEST, LOST, OVER, UNDER, INFINITE, FLUSH_BELOW) = range(22)  # fmt: skip
"""Places in the words of `parameters`. Those of the last line hold the bits of FP64 numbers."""

_SIGN, _EXPONENT, _FRACTION = np.uint64(1 << 63), np.uint64(0x7FF << 52), np.uint64((1 << 52) - 1)
QUIET, _LEAD, _ONE, _ZERO = np.uint64(1 << 51), np.uint64(1 << 52), np.uint64(1), np.uint64(0)
_GOLDEN, _MIX1, _MIX2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
RANDOM: Final = ROUNDINGS.index("random")


def parameters(to: Rounding) -> npt.NDArray[np.int64]:
    """A rounding as words for the compiled loops: the caller's own (one that cannot be written to would be of another type, and compiled for once more)."""
    return _words(to).copy()


@functools.lru_cache(maxsize=512)
def _words(to: Rounding) -> npt.NDArray[np.int64]:
    spec = to.spec
    kind = SPLITS
    if to.mode in ("stochastic", "random"):
        kind = DRAWS
    elif spec == float_spec("fp64") and not to.flush and to.overflow == "inf":
        kind = KEEPS
    elif to.mode == "rne" and spec == float_spec("fp32") and not to.flush and to.overflow == "inf":
        kind = FP32
    elif to.mode == "rne" and spec.signed and spec.subnormals and 0 < spec.mantissa_bits < 52 and spec.emax + 53 - spec.mantissa_bits <= 1023:
        kind = NEAREST
    over, under, lost, infinite = overflows(to)
    words = np.zeros(22, dtype=np.int64)
    words[:NORMAL] = (
        kind, ROUNDINGS.index(to.mode), spec.mantissa_bits, spec.emin, spec.bias, spec.subnormals, spec.signed, spec.no_number == "minus_zero",
        np.uint64(to.seed).view(np.int64), -(to.mode == "rne"), -(to.mode == "ru"), -(to.mode == "rd"), to.mode == "odd",
    )  # fmt: skip
    words[NORMAL:].view(np.float64)[:] = (
        spec.smallest_normal, 2.0 ** (52 - spec.mantissa_bits), 2.0 ** min(spec.emax + 1, 1023), spec.largest, lost, over, under, infinite,
        spec.smallest_normal if to.flush else 0.0,
    )  # fmt: skip
    return words


@inlined
def drawn(seed: Any, element: Any) -> Any:
    """64 random bits of an element: those of `plain.random_words`."""
    z = np.uint64(seed) + (np.uint64(element) + _ONE) * _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * _MIX1
    z = (z ^ (z >> np.uint64(27))) * _MIX2
    return z ^ (z >> np.uint64(31))


@inlined
def _nearest(x: Any, normal: Any, step: Any, clip: Any, largest: Any, lost: Any, infinite: Any, below: Any, minus_zero: Any) -> Any:
    word = word_of(x)
    size = float_of(word & ~_SIGN)
    held = size if size < clip else clip
    power = float_of(word_of(held if held > normal else normal) & _EXPONENT) * step
    held = (held + power) - power
    held = lost if held > largest else held
    held = infinite if size == np.inf else held
    held = 0.0 if held < below else held
    sign = _ZERO if (held == 0.0) & minus_zero else word & _SIGN
    return float_of(word | QUIET) if x != x else float_of(word_of(held) | sign)


@inlined
def split(word: Any, draw: Any, p: Any) -> Any:
    """(q, t) of the bits of a finite number: rounded, it is ±q · 2^t, before overflow. p: what `integers` takes."""
    mode, mantissa, emin, bias, subnormals, near, up, down, to_odd = p
    size = word & ~_SIGN
    tiny = size < _LEAD
    # Subnormal FP64 are multiplied by 2^54, so that their leading bit is where it is in others.
    lifted = word_of(float_of(size) * 18014398509481984.0) if tiny else size
    exponent = np.int64(lifted >> np.uint64(52)) - (np.int64(1077) if tiny else np.int64(1023))
    sig = _ZERO if size == _ZERO else (lifted & _FRACTION) | _LEAD
    t = (exponent if exponent > emin else emin) - mantissa
    shift = t - exponent + np.int64(52)
    capped = np.uint64(shift if shift < 63 else np.int64(63))
    mask = (_ONE << capped) - _ONE
    q, dropped = sig >> capped, sig & mask
    odd = q & _ONE if mantissa > 0 else (np.uint64(t + bias) & _ONE if q != _ZERO else _ZERO)
    if mode >= RANDOM - 1:
        beyond = np.uint64(shift - 63 if shift > 63 else np.int64(0))
        beyond = beyond if beyond < np.uint64(63) else np.uint64(63)
        threshold = (draw >> _ONE) >> (np.uint64(63) - capped)
        goes = (dropped >> beyond > threshold) if mode < RANDOM else (dropped != _ZERO) & ((draw >> np.uint64(63)) != _ZERO)
        q = q + (_ONE if goes else _ZERO)
    else:
        directed = down if word >= _SIGN else up
        add = (((mask >> _ONE) + odd) & np.uint64(near)) | np.uint64(directed)
        q = (sig + (add & mask)) >> capped
        q = q + (np.uint64(to_odd) & (odd ^ _ONE) if dropped != _ZERO else _ZERO)
    if subnormals == 0:  # no zero: the smallest number is the least there is
        least = _ONE << np.uint64(mantissa)
        q = q if q > least else least
    return q, t


@inlined
def exactly(x: Any, draw: Any, p: Any, f: Any, signed: Any, minus_zero: Any) -> Any:
    """x rounded in any mode. f: (largest, lost, over, under, infinite, below)."""
    largest, lost, over, under, infinite, below = f
    word = word_of(x)
    q, t = split(word, draw, p)
    half = t >> np.int64(1)
    size = np.float64(np.int64(q)) * _power(half) * _power(t - half)
    negative = word >= _SIGN
    beyond = under if negative else over
    if p[0] == RANDOM:
        beyond = lost if draw >= _SIGN else largest
    size = 0.0 if size < below else size
    size = beyond if size > largest else size
    size = infinite if np.abs(x) == np.inf else size
    sign = word & _SIGN
    if minus_zero != 0:
        sign = _ZERO if size == 0.0 else sign
    if signed == 0:
        size = np.nan if negative & (x != 0.0) else size
        sign = _ZERO
    return float_of(word | QUIET) if x != x else float_of(word_of(size) | sign)


@inlined
def _power(n: Any) -> Any:
    """2^n of an integer n from -1022 to 1023."""
    return float_of((n + np.int64(1023)) << np.int64(52))


@inlined
def integers(params: Any) -> Any:
    return (params[MODE], params[MANTISSA], params[EMIN], params[BIAS], params[SUBNORMALS], params[NEAR], params[UP], params[DOWN], params[TO_ODD])


@inlined
def floats(params: Any) -> Any:
    return (float_of(params[LARGEST]), float_of(params[LOST]), float_of(params[OVER]), float_of(params[UNDER]), float_of(params[INFINITE]),
            float_of(params[FLUSH_BELOW]))  # fmt: skip


@jit
def round_scalar(x: Any, params: Any, element: Any = 0) -> Any:
    """An FP64 number rounded. params: from `parameters`; element: its number, for modes that draw."""
    kind = params[KIND]
    if kind == KEEPS:
        return x
    if kind == FP32:
        return float_of(word_of(x) | QUIET) if x != x else np.float64(np.float32(x))
    if kind == NEAREST:
        return _nearest(x, float_of(params[NORMAL]), float_of(params[STEP]), float_of(params[CLIP]), float_of(params[LARGEST]), float_of(params[LOST]),
                        float_of(params[INFINITE]), float_of(params[FLUSH_BELOW]), params[MINUS_ZERO] != 0)  # fmt: skip
    draw = drawn(params[SEED], element) if kind == DRAWS else _ZERO
    return exactly(x, draw, integers(params), floats(params), params[SIGNED], params[MINUS_ZERO])


@jit
def round_row(buffer: Any, n: Any, params: Any, first: Any = 0) -> None:
    """buffer[:n], FP64, rounded in place. first: number of buffer[0], for modes that draw."""
    kind = params[KIND]
    if kind == FP32:
        for i in range(n):
            x = buffer[i]
            buffer[i] = float_of(word_of(x) | QUIET) if x != x else np.float64(np.float32(x))
    elif kind == NEAREST:
        normal, step, clip, largest = float_of(params[NORMAL]), float_of(params[STEP]), float_of(params[CLIP]), float_of(params[LARGEST])
        lost, infinite, below, minus_zero = float_of(params[LOST]), float_of(params[INFINITE]), float_of(params[FLUSH_BELOW]), params[MINUS_ZERO] != 0
        for i in range(n):
            buffer[i] = _nearest(buffer[i], normal, step, clip, largest, lost, infinite, below, minus_zero)
    elif kind == SPLITS:
        p, f, signed, minus = integers(params), floats(params), params[SIGNED], params[MINUS_ZERO]
        for i in range(n):
            buffer[i] = exactly(buffer[i], _ZERO, p, f, signed, minus)
    elif kind == DRAWS:
        p, f, signed, minus, seed = integers(params), floats(params), params[SIGNED], params[MINUS_ZERO], params[SEED]
        for i in range(n):
            buffer[i] = exactly(buffer[i], drawn(seed, first + i), p, f, signed, minus)
