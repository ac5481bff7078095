"""What formats hold, from the standards' own tables."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from thrifty.errors import BadValue, UnknownName
from thrifty.formats import FloatSpec, decode, float_spec, float_specs

TABLE = {  # name: largest, smallest normal, smallest, bits, NaN codes, infinite codes (IEEE 754-2019; OCP OFP8 and MX 1.0; AMD's FNUZ)
    "fp64": (1.7976931348623157e308, 2.0**-1022, 2.0**-1074, 64, None, 2), "fp32": (3.4028234663852886e38, 2.0**-126, 2.0**-149, 32, None, 2),
    "tf32": (3.4011621342146535e38, 2.0**-126, 2.0**-136, 32, None, 2), "bf16": (3.3895313892515355e38, 2.0**-126, 2.0**-133, 16, 254, 2),
    "fp16": (65504.0, 2.0**-14, 2.0**-24, 16, 2046, 2), "fp8_e5m2": (57344.0, 2.0**-14, 2.0**-16, 8, 6, 2), "fp8_e4m3": (448.0, 2.0**-6, 2.0**-9, 8, 2, 0),
    "fp8_e4m3fnuz": (240.0, 2.0**-7, 2.0**-10, 8, 1, 0), "fp8_e5m2fnuz": (57344.0, 2.0**-15, 2.0**-17, 8, 1, 0),
    "fp6_e3m2": (28.0, 0.25, 0.0625, 6, 0, 0), "fp6_e2m3": (7.5, 1.0, 0.125, 6, 0, 0), "fp4_e2m1": (6.0, 1.0, 0.5, 4, 0, 0),
    "e8m0": (2.0**127, 2.0**-127, 2.0**-127, 8, 1, 0), "ue4m3": (448.0, 2.0**-6, 2.0**-9, 7, 1, 0),
    "e8m13": ((2 - 2.0**-13) * 2.0**127, 2.0**-126, 2.0**-139, 22, None, 2),
}  # fmt: skip


@pytest.mark.parametrize("spec", float_specs(), ids=lambda spec: spec.name)
def test_paper_formats_hold_what_their_standards_say(spec: FloatSpec) -> None:
    largest, normal, smallest, bits, nans, infinite = TABLE[spec.name]
    assert (spec.largest, spec.smallest_normal, spec.smallest, spec.code_bits) == (largest, normal, smallest, bits)
    if nans is not None:
        numbers = decode(np.arange(1 << bits, dtype=np.uint16), spec)
        assert (int(np.isnan(numbers).sum()), int(np.isinf(numbers).sum())) == (nans, infinite)
        assert np.nanmax(numbers[np.isfinite(numbers)]) == largest
    assert float(Fraction(1, 1 << spec.significand_bits)) == spec.unit_roundoff


def _value(code: int, spec: FloatSpec) -> Fraction | str:
    """A code's number from the definition, with whole numbers only."""
    m = spec.mantissa_bits
    negative = spec.signed and bool(code >> (spec.exponent_bits + m) & 1)
    field, fraction = code >> m & ((1 << spec.exponent_bits) - 1), code & ((1 << m) - 1)
    top = field == (1 << spec.exponent_bits) - 1
    if spec.infinities and top:
        return "nan" if fraction else "-inf" if negative else "inf"
    if (spec.no_number == "last" and top and fraction == (1 << m) - 1) or (spec.no_number == "minus_zero" and negative and not field and not fraction):
        return "nan"
    lead = 1 if field or not spec.subnormals else 0
    size = (lead + Fraction(fraction, 1 << m)) * Fraction(2) ** (max(field, 1 if spec.subnormals else 0) - spec.bias)
    return -size if negative else size


@pytest.mark.parametrize("name", ["bf16", "fp16", *(spec.name for spec in float_specs() if spec.code_bits <= 8), "e5m7", "e4m1fn", "e3m0"])
def test_formula_every_code_means_what_the_definition_says(name: str) -> None:
    spec = float_spec(name)
    codes = np.arange(1 << spec.code_bits, dtype=np.uint16)
    codes = codes if spec.code_bits <= 8 else codes[:: 7 if spec.code_bits == 16 else 3]
    for code, number in zip(codes.tolist(), decode(codes, name).tolist(), strict=True):
        true = _value(code, spec)
        assert str(number) == true if isinstance(true, str) else Fraction(number) == true


def test_formula_names_and_custom_formats() -> None:
    assert float_spec("e4m3").name == "fp8_e4m3" and float_spec("BF16") is float_spec("bfloat16")
    assert (float_spec("e5m10").name, float_spec("e3m4").largest, float_spec("e3m4fn").largest) == ("fp16", 15.5, 30.0)
    assert float_spec("e3m4").holds(float_spec("e2m1")) and not float_spec("fp16").holds(float_spec("bf16"))
    assert not float_spec("ue4m3").holds(float_spec("e2m1"))


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        ("bf17", UnknownName, "bf17"), ("int8", BadValue, "no floating-point format"), ("e12m3", BadValue, "can be held exactly"),
        ("e1m3", BadValue, "can be held exactly"), ("e5m0fn", BadValue, "can be held exactly"), ("mxfp4", BadValue, "no floating-point format"),
        ("e11m3fn", BadValue, "beyond 2\\^1024"),
    ],
)  # fmt: skip
def test_formula_what_is_no_format_is_refused(name: str, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        float_spec(name)
