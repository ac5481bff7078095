"""Names, bits and block scales of number formats.

A block format stores `block` numbers and their shared scales in `block_bytes` bytes (GGUF's Q4_1: 32 codes of 4 bits, a
scale and a minimum of 2 bytes each, so 20 bytes; OCP MXFP4: 32 codes of 4 bits and one 8-bit exponent, so 17 bytes).
Sizes are definitions, not measurements: GGUF's come from the format's specification (and are tested against the `gguf`
package), MX formats from OCP Microscaling 1.0, FP8 from OCP OFP8 1.0.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final, Literal

from thrifty.errors import unknown_name

Family = Literal["float", "integer", "block"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One number format.

    bits        : of one number, without scales
    block       : numbers that share a scale (1: none)
    block_bytes : bytes of one whole block, scales included
    arithmetic  : the format in which a device multiplies it: itself, or what it is expanded to first
    """

    name: str
    title: str
    family: Family
    bits: int
    block: int = 1
    block_bytes: int = 0
    exponent_bits: int = 0
    mantissa_bits: int = 0
    arithmetic: str

    @property
    def bytes_per_number(self) -> float:
        """Bytes that one stored number takes, its share of the scales included."""
        return self.block_bytes / self.block if self.block > 1 else self.bits / 8

    def bytes_of(self, count: int) -> int:
        """Bytes of `count` numbers; a last block that is not full still takes its whole size."""
        if self.block > 1:
            return -(-count // self.block) * self.block_bytes
        return -(-count * self.bits // 8)


def _float(name: str, title: str, bits: int, exponent: int, mantissa: int) -> Format:
    return Format(name=name, title=title, family="float", bits=bits, exponent_bits=exponent, mantissa_bits=mantissa, arithmetic=name)


def _integer(name: str, title: str, bits: int, arithmetic: str | None = None) -> Format:
    return Format(name=name, title=title, family="integer", bits=bits, arithmetic=arithmetic or name)


def _block(name: str, title: str, bits: int, block: int, block_bytes: int, arithmetic: str = "bf16") -> Format:
    return Format(name=name, title=title, family="block", bits=bits, block=block, block_bytes=block_bytes, arithmetic=arithmetic)


_FORMATS: Final[tuple[Format, ...]] = (
    _float("fp64", "IEEE binary64", 64, 11, 52),
    _float("fp32", "IEEE binary32", 32, 8, 23),
    # TF32 is how tensor cores read an FP32 operand: it is stored in 32 bits.
    Format(name="tf32", title="TensorFloat-32", family="float", bits=32, exponent_bits=8, mantissa_bits=10, arithmetic="tf32"),
    _float("fp16", "IEEE binary16", 16, 5, 10),
    _float("bf16", "bfloat16", 16, 8, 7),
    _float("fp8_e4m3", "OCP FP8 E4M3", 8, 4, 3),
    _float("fp8_e5m2", "OCP FP8 E5M2", 8, 5, 2),
    Format(name="fp8_e4m3fnuz", title="FP8 E4M3 without -0 and infinities (CDNA3)", family="float", bits=8, exponent_bits=4, mantissa_bits=3,
           arithmetic="fp8_e4m3"),
    Format(name="fp8_e5m2fnuz", title="FP8 E5M2 without -0 and infinities (CDNA3)", family="float", bits=8, exponent_bits=5, mantissa_bits=2,
           arithmetic="fp8_e5m2"),
    _float("fp6_e2m3", "OCP FP6 E2M3", 6, 2, 3),
    _float("fp6_e3m2", "OCP FP6 E3M2", 6, 3, 2),
    _float("fp4_e2m1", "OCP FP4 E2M1", 4, 2, 1),
    _float("e8m0", "OCP E8M0, a power of two: scale of MX blocks", 8, 8, 0),
    _float("ue4m3", "FP8 E4M3 without a sign: scale of NVFP4 blocks", 8, 4, 3),
    _float("e8m13", "what Hopper and Ada keep of a sum of FP8 products", 22, 8, 13),
    _integer("int64", "64-bit integer", 64),
    _integer("int32", "32-bit integer", 32),
    _integer("int16", "16-bit integer", 16),
    _integer("int8", "8-bit integer", 8),
    _integer("uint8", "unsigned 8-bit integer", 8, "int8"),
    _integer("int4", "4-bit integer", 4),
    _integer("int2", "2-bit integer", 2, "int8"),
    _integer("int1", "1-bit integer", 1, "int8"),
    _integer("bool", "truth value in a byte", 8, "int8"),
    _block("mxfp8", "OCP MXFP8, 32 numbers a scale", 8, 32, 33, "mxfp8"),
    _block("mxfp6", "OCP MXFP6, 32 numbers a scale", 6, 32, 25, "mxfp6"),
    _block("mxfp4", "OCP MXFP4, 32 numbers a scale", 4, 32, 17, "mxfp4"),
    _block("nvfp4", "NVFP4, 16 numbers an FP8 scale", 4, 16, 9, "nvfp4"),
    _block("q8_0", "GGUF Q8_0", 8, 32, 34),
    _block("q5_1", "GGUF Q5_1", 5, 32, 24),
    _block("q5_0", "GGUF Q5_0", 5, 32, 22),
    _block("q4_1", "GGUF Q4_1", 4, 32, 20),
    _block("q4_0", "GGUF Q4_0", 4, 32, 18),
    _block("q8_k", "GGUF Q8_K", 8, 256, 292),
    _block("q6_k", "GGUF Q6_K", 6, 256, 210),
    _block("q5_k", "GGUF Q5_K", 5, 256, 176),
    _block("q4_k", "GGUF Q4_K", 4, 256, 144),
    _block("q3_k", "GGUF Q3_K", 3, 256, 110),
    _block("q2_k", "GGUF Q2_K", 2, 256, 84),
    _block("iq4_nl", "GGUF IQ4_NL", 4, 32, 18),
    _block("iq4_xs", "GGUF IQ4_XS", 4, 256, 136),
    Format(name="complex64", title="two FP32 numbers", family="float", bits=64, arithmetic="fp32"),
)

_BY_NAME: Final[dict[str, Format]] = {f.name: f for f in _FORMATS}
_ALIASES: Final[dict[str, str]] = {
    "float64": "fp64", "double": "fp64", "float32": "fp32", "float": "fp32", "f32": "fp32", "float16": "fp16", "half": "fp16", "f16": "fp16",
    "bfloat16": "bf16", "fp8": "fp8_e4m3", "float8_e4m3fn": "fp8_e4m3", "float8_e4m3fnuz": "fp8_e4m3fnuz", "float8_e5m2": "fp8_e5m2",
    "float8_e5m2fnuz": "fp8_e5m2fnuz", "float8_e8m0fnu": "e8m0", "e4m3": "fp8_e4m3", "e4m3fn": "fp8_e4m3", "e5m2": "fp8_e5m2", "e4m3fnuz": "fp8_e4m3fnuz",
    "e5m2fnuz": "fp8_e5m2fnuz", "e3m2": "fp6_e3m2", "e2m3": "fp6_e2m3", "e2m1": "fp4_e2m1", "e8m23": "fp32", "e11m52": "fp64", "e5m10": "fp16",
    "e8m7": "bf16", "e8m10": "tf32", "fp6": "fp6_e2m3", "fp4": "fp4_e2m1", "long": "int64", "int": "int32", "short": "int16",
    "i8": "int8", "u8": "uint8", "q4_k_m": "q4_k", "q4_k_s": "q4_k", "q5_k_m": "q5_k", "q5_k_s": "q5_k", "q3_k_m": "q3_k",
    "uint16": "int16", "uint32": "int32", "uint64": "int64",
}  # fmt: skip


def all_formats() -> tuple[Format, ...]:
    """Every known format, widest floats first."""
    return _FORMATS


@functools.cache
def find_format(name: str) -> Format | None:
    """The format called `name` (case and common aliases do not matter), None where there is none."""
    key = name.lower().replace("-", "_")
    return _BY_NAME.get(_ALIASES.get(key, key))


def get_format(name: str) -> Format:
    """The format called `name` (case and common aliases do not matter). Raises UnknownName with the nearest one."""
    found = find_format(name)
    if found is None:
        raise unknown_name("format", name, _BY_NAME, "thrifty formats")
    return found


def format_of_torch(dtype: object) -> Format:
    """The format of a `torch.dtype`, read from its name so that torch is not needed here."""
    return get_format(str(dtype).removeprefix("torch."))


def bytes_of(count: int, name: str) -> int:
    """Bytes of `count` numbers in the format called `name`."""
    return get_format(name).bytes_of(count)
