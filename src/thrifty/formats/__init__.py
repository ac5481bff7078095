"""In which numbers? Formats, bit by bit: what they hold, how a number becomes one of them, and how sums are kept.

`registry` holds names and sizes, also of block formats whose arithmetic is known elsewhere; `floats` says what the bits of a floating-point format mean;
`rounding` rounds, encodes, decodes and flips bits; `integers` are whole numbers with scales, `blocks` numbers that share one with their neighbours, `packing`
puts codes side by side; `accumulators` keeps sums; `elementary` has exp, exp2 and log that are the same everywhere.

Names and sizes are all that data sheets need, so arithmetic, which needs NumPy, is loaded on first touch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from thrifty.formats.floats import FloatSpec, float_spec, float_specs
from thrifty.formats.registry import Format, all_formats, bytes_of, find_format, format_of_torch, get_format

if TYPE_CHECKING:
    from thrifty.formats.accumulators import Accumulator, accumulate, matmul, parse_accumulator
    from thrifty.formats.blocks import ELEMENTS, SCALES, Blocks, bfp, mx, nvfp4
    from thrifty.formats.integers import Quantized, quantize_int
    from thrifty.formats.packing import pack, unpack
    from thrifty.formats.rounding import OVERFLOWS, ROUNDINGS, Rounding, bits, decode, encode, flip, from_bits, round_to
    from thrifty.formats.rounding import round_to as round

__all__ = [
    "ELEMENTS", "OVERFLOWS", "ROUNDINGS", "SCALES", "Accumulator", "Blocks", "FloatSpec", "Format", "Quantized", "Rounding", "accumulate", "all_formats",
    "bfp", "bits", "bytes_of", "decode", "encode", "find_format", "flip", "float_spec", "float_specs", "format_of_torch", "from_bits", "get_format",
    "matmul", "mx", "nvfp4", "pack", "parse_accumulator", "quantize_int", "round", "round_to", "unpack",
]  # fmt: skip

_HOMES: Final = {
    "accumulators": ("Accumulator", "accumulate", "matmul", "parse_accumulator"),
    "blocks": ("ELEMENTS", "SCALES", "Blocks", "bfp", "mx", "nvfp4"),
    "integers": ("Quantized", "quantize_int"),
    "packing": ("pack", "unpack"),
    "rounding": ("OVERFLOWS", "ROUNDINGS", "Rounding", "bits", "decode", "encode", "flip", "from_bits", "round_to"),
}
"""Rooms that need NumPy, and what each brings. `round` is `round_to`, by the name that users expect; inside the package Python's own keeps its name."""
_ROOM_OF: Final = {name: room for room, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    source = "round_to" if name == "round" else name
    if source not in _ROOM_OF:
        raise AttributeError(f"module 'thrifty.formats' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"thrifty.formats.{_ROOM_OF[source]}"), source)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
