"""What the bits of a floating-point number mean: exponent, significand, and which codes are infinite or no number.

A finite number is ``(-1)^s · k · 2^(e - m)`` with an integer k < 2^(m+1); e is the exponent field minus the bias, at least `emin`, where subnormal numbers
share its spacing. Definitions: IEEE 754-2019 (binary formats), OCP OFP8 1.0 (E4M3, E5M2), OCP Microscaling 1.0 (E3M2, E2M3, E2M1, E8M0); the FNUZ kind
(one code that is no number where -0 would be) is that of AMD's CDNA3; E8M13 is what Hopper and Ada keep of a sum of FP8 products.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, replace
from typing import Final, Literal

from thrifty.errors import BadValue, unknown_name

NoNumber = Literal["ieee", "last", "minus_zero", "none"]
"""Which codes are no number: all with the highest exponent field but the infinite ones; the last code of either sign; the code of -0; no code."""

WIDEST_EXPONENT, WIDEST_MANTISSA = 11, 52


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatSpec:
    """One floating-point format, down to its codes.

    exponent_bits, mantissa_bits : of the fields as they are stored; the leading 1 is not
    bias       : of the exponent field
    infinities : there are codes for them
    no_number  : which codes are NaN
    signed     : the highest bit is a sign; without it negative numbers cannot be written
    subnormals : exponent field 0 means numbers below the smallest normal one, and zero; else it is an exponent like others (E8M0)
    pad_bits   : zero bits below the code where it is stored (TF32 lies in 32 bits)
    """

    name: str
    exponent_bits: int
    mantissa_bits: int
    bias: int
    infinities: bool = False
    no_number: NoNumber = "none"
    signed: bool = True
    subnormals: bool = True
    pad_bits: int = 0

    @property
    def code_bits(self) -> int:
        """Bits of a code as it is stored."""
        return self.signed + self.exponent_bits + self.mantissa_bits + self.pad_bits

    @property
    def significand_bits(self) -> int:
        """p: bits of the significand, its leading 1 included."""
        return self.mantissa_bits + 1

    @property
    def emin(self) -> int:
        """Exponent of the smallest normal number."""
        return (1 if self.subnormals else 0) - self.bias

    @property
    def largest_code(self) -> int:
        """Code of the largest finite number, without padding."""
        top = (1 << (self.exponent_bits + self.mantissa_bits)) - 1
        if self.no_number == "ieee" or self.infinities:
            return top - (1 << self.mantissa_bits)
        return top - 1 if self.no_number == "last" else top

    @property
    def emax(self) -> int:
        """Exponent of the largest finite number."""
        return (self.largest_code >> self.mantissa_bits) - self.bias

    @property
    def largest(self) -> float:
        """Largest finite number."""
        fraction = self.largest_code & ((1 << self.mantissa_bits) - 1)
        return float(((1 << self.mantissa_bits) + fraction) * 2.0 ** (self.emax - self.mantissa_bits))

    @property
    def smallest_normal(self) -> float:
        return float(2.0**self.emin)

    @property
    def smallest(self) -> float:
        """Smallest positive number."""
        return float(2.0 ** (self.emin - self.mantissa_bits)) if self.subnormals else self.smallest_normal

    @property
    def unit_roundoff(self) -> float:
        """u = 2^-p: the largest relative error of rounding to nearest, away from overflow and underflow."""
        return float(2.0**-self.significand_bits)

    @property
    def nan_code(self) -> int | None:
        """The code written for NaN, without padding; None where there is none."""
        fields = self.exponent_bits + self.mantissa_bits
        if self.no_number == "ieee":
            return (((1 << self.exponent_bits) - 1) << self.mantissa_bits) | (1 << max(self.mantissa_bits - 1, 0))
        return {"last": (1 << fields) - 1, "minus_zero": 1 << fields, "none": None}[self.no_number]

    def holds(self, other: FloatSpec) -> bool:
        """Every finite number of `other` is one of this format."""
        return (
            self.mantissa_bits >= other.mantissa_bits and self.largest >= other.largest and self.emin - self.mantissa_bits <= other.emin - other.mantissa_bits
            and (self.signed or not other.signed)
        )  # fmt: skip


def _ieee(name: str, exponent_bits: int, mantissa_bits: int, pad_bits: int = 0) -> FloatSpec:
    bias = (1 << (exponent_bits - 1)) - 1
    return FloatSpec(
        name=name, exponent_bits=exponent_bits, mantissa_bits=mantissa_bits, bias=bias, infinities=True, no_number="ieee", pad_bits=pad_bits
    )  # fmt: skip


def _finite(name: str, exponent_bits: int, mantissa_bits: int, bias: int, no_number: NoNumber = "none", signed: bool = True) -> FloatSpec:
    return FloatSpec(name=name, exponent_bits=exponent_bits, mantissa_bits=mantissa_bits, bias=bias, no_number=no_number, signed=signed)


_SPECS: Final[dict[str, FloatSpec]] = {
    spec.name: spec
    for spec in (
        _ieee("fp64", 11, 52), _ieee("fp32", 8, 23), _ieee("tf32", 8, 10, pad_bits=13), _ieee("bf16", 8, 7), _ieee("fp16", 5, 10),
        _ieee("fp8_e5m2", 5, 2), _finite("fp8_e4m3", 4, 3, 7, "last"),
        _finite("fp8_e4m3fnuz", 4, 3, 8, "minus_zero"), _finite("fp8_e5m2fnuz", 5, 2, 16, "minus_zero"),
        _finite("fp6_e3m2", 3, 2, 3), _finite("fp6_e2m3", 2, 3, 1), _finite("fp4_e2m1", 2, 1, 1),
        FloatSpec(name="e8m0", exponent_bits=8, mantissa_bits=0, bias=127, no_number="last", signed=False, subnormals=False),
        _finite("ue4m3", 4, 3, 7, "last", signed=False), _ieee("e8m13", 8, 13),
    )
}  # fmt: skip

_CUSTOM: Final = re.compile(r"e(\d{1,2})m(\d{1,2})(fn)?")


def float_spec(name: str | FloatSpec) -> FloatSpec:
    """The format called `name`: one of the catalogue, or ``e5m7`` for 5 bits of exponent and 7 of mantissa with infinities and NaN as in IEEE 754.

    ``e5m7fn`` has no infinities and one NaN of either sign, as E4M3 has. Short names that a catalogue's format bears (``e4m3``, ``e2m1``) mean that one.
    Raises UnknownName; BadValue where a custom format holds numbers that FP64 does not.
    """
    if isinstance(name, FloatSpec):
        return name
    if not isinstance(name, str):
        raise BadValue(f"format has type {type(name).__name__}; name it by text, such as 'bf16'.")
    return _found(name)


@functools.cache
def _found(name: str) -> FloatSpec:
    from thrifty.formats.registry import find_format

    known = find_format(name)
    if known is not None and known.name in _SPECS:
        return _SPECS[known.name]
    custom = _CUSTOM.fullmatch(name.lower())
    if custom is None:
        if known is not None:
            raise BadValue(f"format='{name}' is no floating-point format. Name one of: {', '.join(_SPECS)}, or e5m7 for bits of your own.")
        raise unknown_name("format", name, [*_SPECS, *(spec[4:] for spec in _SPECS if spec[:2] == "fp" and spec[3] == "_")], "thrifty formats")
    exponent, mantissa = int(custom[1]), int(custom[2])
    if not (2 <= exponent <= WIDEST_EXPONENT and 0 <= mantissa <= WIDEST_MANTISSA) or (custom[3] and mantissa == 0):
        raise BadValue(
            f"format='{name}' has {exponent} exponent and {mantissa} mantissa bits; 2 to {WIDEST_EXPONENT} and 0 to {WIDEST_MANTISSA} can be held exactly. "
            "Give e5m7, say."
        )
    if custom[3]:
        made = _finite(name.lower(), exponent, mantissa, (1 << (exponent - 1)) - 1, "last")
        if made.largest == float("inf"):
            raise BadValue(f"format='{name}' reaches beyond 2^1024, which FP64 does not hold. Give e10m{mantissa}fn or e11m{mantissa}.")
        return made
    spec = _ieee(name.lower(), exponent, mantissa)
    # Without a fraction the highest exponent has one code, the infinite one, and none that is no number.
    return spec if mantissa else replace(spec, no_number="none")


def float_specs() -> tuple[FloatSpec, ...]:
    """Every floating-point format of the catalogue, widest first."""
    return tuple(_SPECS.values())
