"""Exact sums of products of FP32 numbers: whole numbers in words of 32 bits over all places that such a product can have (Kulisch's long accumulator)."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.formats.accumulators.plain.integers import unusual, with_unusual
from thrifty.formats.floats import FloatSpec
from thrifty.formats.rounding.kernels import parameters, round_row
from thrifty.formats.rounding.modes import Rounding
from thrifty.formats.words import word_of
from thrifty.loops import in_threads, jit

Floats = npt.NDArray[np.float64]
_WORDS: Final = 24
_BASE: Final = 352
"""The lowest place is 2^-352: products of FP32 are multiples of 2^-298, and their 53 bits reach 52 places further down where they are small."""
_LOW: Final = 0xFFFFFFFF


@jit
def _add(words: Any, product: float) -> None:
    """Adds an FP64 number that is a product of two FP32 ones."""
    bits = np.int64(word_of(product))
    field = (bits >> 52) & 0x7FF
    if field == 0:
        return  # zero: the smallest product is far above FP64's subnormal numbers
    size = (bits & 0xFFFFFFFFFFFFF) | (1 << 52)
    place = field - 1075 + _BASE
    word, shift = place >> 5, place & 31
    low, high = (size & _LOW) << shift, (size >> 32) << shift
    sign = -1 if bits < 0 else 1
    words[word] += sign * (low & _LOW)
    words[word + 1] += sign * ((low >> 32) + (high & _LOW))
    words[word + 2] += sign * (high >> 32)


@jit
def _value(words: Any, odd: bool) -> float:
    """The number that the words hold, rounded once to FP64: to odd, or to nearest."""
    negative = False
    while True:
        carry = 0
        for w in range(_WORDS):
            here = words[w] + carry
            words[w] = here & _LOW
            carry = here >> 32
        if carry >= 0:
            break
        negative = True
        for w in range(_WORDS):  # below zero: its negative instead
            words[w] = -words[w]
        words[_WORDS - 1] -= carry << 32
    top = _WORDS - 1
    while top >= 0 and words[top] == 0:
        top -= 1
    if top < 0:
        return 0.0
    head = (words[top] << 30) | ((words[top - 1] >> 2) if top > 0 else 0)  # at most 62 bits, at least 31
    place, rest = 32 * top - 30, (words[top - 1] & 3) if top > 0 else 0
    below = words[top - 2] if top > 1 else 0
    room = 0
    while head < 1 << 61:  # the leading bit goes to place 61; what comes in from below
        room += 1
        head <<= 1
    fill = ((rest << 32) | below) >> (34 - room) if room else 0
    lost = ((rest << 32) | below) & ((1 << (34 - room)) - 1)
    head |= fill
    sticky = lost != 0
    for w in range(top - 2):
        sticky = sticky or words[w] != 0
    head |= np.int64(sticky)
    if odd:
        head = ((head >> 9) | np.int64((head & 0x1FF) != 0)) << 9
    size = math.ldexp(float(head), place - room - _BASE)
    return -size if negative else size


@jit
def keep_rows(a_MK: Any, b_NK: Any, out_MN: Any, odd: bool, first: int, last: int) -> None:
    words = np.zeros(_WORDS, dtype=np.int64)
    for i in range(first, last):
        for j in range(b_NK.shape[0]):
            words[:] = 0
            for k in range(a_MK.shape[1]):
                _add(words, a_MK[i, k] * b_NK[j, k])
            out_MN[i, j] = _value(words, odd)


def keep_exact(a_MK: Floats, b_KN: Floats, spec: FloatSpec) -> Floats:
    """What `plain.integers.exact` gives, for operands that are FP32."""
    special = unusual(a_MK, b_KN)
    a, b = np.where(np.isfinite(a_MK), a_MK, 0.0), np.ascontiguousarray(np.where(np.isfinite(b_KN), b_KN, 0.0).T)
    out = np.zeros((a.shape[0], b.shape[0]))
    a = np.ascontiguousarray(a)
    in_threads(lambda first, last: keep_rows(a, b, out, spec.name != "fp64", first, last), out.shape[0], 16 * max(b.size, 1), block=1)
    round_row(out.reshape(-1), out.size, parameters(Rounding.of(spec, overflow="inf" if spec.infinities else "saturate")), 0)
    return with_unusual(out, special, spec)
