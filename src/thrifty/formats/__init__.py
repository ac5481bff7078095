"""In which numbers? Formats, bit by bit: what they hold, how a number becomes one of them, and how sums are kept.

`registry` holds names and sizes, also of block formats whose arithmetic is known elsewhere; `floats` says what the bits of a floating-point format mean;
`rounding` rounds, encodes, decodes and flips bits; `integers` are whole numbers with scales,
`blocks` numbers that share one with their neighbours, `packing` puts codes side by side; `accumulators` keeps sums.
"""

from thrifty.formats.accumulators import Accumulator, accumulate, matmul, parse_accumulator
from thrifty.formats.blocks import ELEMENTS, SCALES, Blocks, bfp, mx, nvfp4
from thrifty.formats.floats import FloatSpec, float_spec, float_specs
from thrifty.formats.integers import Quantized, quantize_int
from thrifty.formats.packing import pack, unpack
from thrifty.formats.registry import Format, all_formats, bytes_of, find_format, format_of_torch, get_format
from thrifty.formats.rounding import OVERFLOWS, ROUNDINGS, Rounding, bits, decode, encode, flip, from_bits, round_to

round = round_to
"""`thrifty.formats.round`: its usual name; inside the package it is `round_to`, since Python has a `round` of its own."""

__all__ = [
    "ELEMENTS", "OVERFLOWS", "ROUNDINGS", "SCALES", "Accumulator", "Blocks", "FloatSpec", "Format", "Quantized", "Rounding", "accumulate", "all_formats",
    "bfp", "bits", "bytes_of", "decode", "encode", "find_format", "flip", "float_spec", "float_specs", "format_of_torch", "from_bits", "get_format",
    "matmul", "mx", "nvfp4", "pack", "parse_accumulator", "quantize_int", "round", "round_to", "unpack",
]  # fmt: skip
