"""In which numbers? Formats, bit by bit: what they hold, how a number becomes one of them, and how sums are kept.

`registry` holds names and sizes, also of block formats whose arithmetic is known elsewhere; `floats` says what the bits of a floating-point format mean;
`rounding` rounds, encodes, decodes and flips bits; `accumulators` keeps sums.
"""

from thrifty.formats.accumulators import Accumulator, accumulate, matmul, parse_accumulator
from thrifty.formats.floats import FloatSpec, float_spec, float_specs
from thrifty.formats.registry import Format, all_formats, bytes_of, find_format, format_of_torch, get_format
from thrifty.formats.rounding import OVERFLOWS, ROUNDINGS, Rounding, decode, encode, flip, round_to

round = round_to
"""`thrifty.formats.round`: its usual name; inside the package it is `round_to`, since Python has a `round` of its own."""

__all__ = [
    "OVERFLOWS", "ROUNDINGS", "Accumulator", "FloatSpec", "Format", "Rounding", "accumulate", "all_formats", "bytes_of", "decode", "encode", "find_format",
    "flip", "float_spec", "float_specs", "format_of_torch", "get_format", "matmul", "parse_accumulator", "round", "round_to",
]  # fmt: skip
