"""Rounding by its definition, in rational numbers: what every path is held against."""

from __future__ import annotations

import math
from fractions import Fraction

from thrifty.formats import FloatSpec


def rounded(x: float, spec: FloatSpec, mode: str, overflow: str, flush: bool = False) -> float:
    """x rounded, for signed formats with subnormals and the modes that do not draw."""
    if math.isnan(x):
        return x
    sign = math.copysign(1.0, x)
    if math.isinf(x):
        size = spec.largest if overflow == "saturate" else math.inf if spec.infinities else math.nan
        return sign * size
    true = abs(Fraction(x))
    exponent = max(math.frexp(x)[1] - 1, spec.emin) if x else spec.emin
    spacing = Fraction(2) ** (exponent - spec.mantissa_bits)
    lower, rest = divmod(true / spacing, 1)
    size = Fraction(lower)
    odd = (int(lower) + ((exponent + spec.bias - 1) << spec.mantissa_bits)) & 1  # its code is, were exponents without end
    if rest:
        up = {
            "rne": rest > Fraction(1, 2) or (rest == Fraction(1, 2) and bool(odd)), "rz": False, "ru": sign > 0, "rd": sign < 0, "odd": not odd,
        }[mode]  # fmt: skip
        size += up
    size *= spacing
    if flush and size < Fraction(spec.smallest_normal):
        size = Fraction(0)
    largest = Fraction(spec.largest)
    if size > largest:
        inward = mode == "rz" or (mode == "ru" and sign < 0) or (mode == "rd" and sign > 0) or (mode == "odd" and bool(spec.largest_code & 1))
        beyond = spec.largest if overflow == "saturate" or inward else math.inf if overflow == "inf" else math.nan
        return sign * beyond
    if spec.no_number == "minus_zero" and size == 0:
        return 0.0
    return sign * float(size)

