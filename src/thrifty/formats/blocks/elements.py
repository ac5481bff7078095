"""What a block's numbers are: small floats, or whole numbers with their binary point behind the first bit; and the rule that finds their scale.

A block's scale is 2^s with s = ⌊log2 amax⌋ - emax, or one more where the rule says so: that is where amax's fraction reaches a threshold. Exponent and
fraction are read off the bits of amax; no logarithm is taken, so amax = 2^k and 2^k·(1 - 2^-24) are told apart.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

from thrifty.errors import BadValue, unknown_name
from thrifty.formats.floats import FloatSpec, float_spec

SCALES: Final = ("floor", "ceil", "rceil", "even")
"""2^(⌊log2 amax⌋ - emax), OCP's rule, which clips where amax is above the element's largest number; ⌈log2 amax⌉ instead; 2^⌈log2(amax / largest)⌉, the
smallest scale that clips nothing (NVIDIA's); OCP's after amax is rounded to the element's mantissa."""
ELEMENTS: Final = ("e4m3", "e5m2", "e3m2", "e2m3", "e2m1", "int8")
"""Of MX blocks, by OCP Microscaling 1.0."""
SCALE_RANGE: Final = 127
"""Exponents of an E8M0 scale: -127 to 127, code 0 to 254; 255 is no number."""
NO_SCALE: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """Numbers of a block before scaling. spec: of a small float; None for sign and `bits` - 1 bits with values k · 2^-(bits - 2), |k| < 2^(bits - 1).

    mantissa_bits : behind the leading bit of the largest binade, whose exponent is emax
    """

    name: str
    bits: int
    mantissa_bits: int
    emax: int
    largest: float
    spec: FloatSpec | None = None

    def threshold(self, rule: str, width: int) -> int:
        """The fraction of amax, in `width` bits, from which on the scale is one power higher."""
        if rule not in SCALES:
            raise BadValue(f"scale='{rule}' is no rule for scales. Choose: {', '.join(SCALES)}.")
        if rule == "rceil":
            return int((self.largest / 2.0**self.emax - 1) * (1 << width)) + 1
        # Rounding to m bits of mantissa carries into the next power from 2 - 2^-(m+1) on: at the tie itself the last bit is odd.
        return {"floor": 1 << width, "ceil": 1, "even": (1 << width) - (1 << (width - self.mantissa_bits - 1))}[rule]


def find_element(name: str) -> Element:
    """An element of MX blocks: e4m3, e5m2, e3m2, e2m3, e2m1 or int8 (their longer names, too). Raises UnknownName, BadValue."""
    if not isinstance(name, str):
        raise BadValue(f"element has type {type(name).__name__}; name it by text, such as 'e2m1'.")
    return _found(name)


@functools.cache
def _found(name: str) -> Element:
    from thrifty.formats.registry import find_format

    if name.lower() in ("int8", "mxint8"):
        return whole_element(8)
    known = find_format(name)
    short = known.name.rpartition("_")[2] if known is not None else ""
    if short not in ELEMENTS:
        raise unknown_name("element of MX blocks", name, ELEMENTS, "thrifty numerics round --formats")
    spec = float_spec(name)
    return Element(name=short, bits=spec.code_bits, mantissa_bits=spec.mantissa_bits, emax=spec.emax, largest=spec.largest, spec=spec)


@functools.cache
def whole_element(bits: int) -> Element:
    """Sign and bits - 1 bits, of which one stands before the binary point."""
    return Element(name=f"int{bits}", bits=bits, mantissa_bits=bits - 2, emax=0, largest=2.0 - 2.0 ** -(bits - 2))
