"""How a number becomes the nearest one of a format, and its code.

`modes` says which neighbour is taken and what becomes of numbers too large; `plain` rounds with NumPy, integer by integer, and is the definition. Compiled,
bit by bit the same: `kernels` for a number or a row of FP64 inside other loops, `array_kernels` for whole arrays, with `recipes` to choose; `triton_kernels`
and `triton_calls` on a GPU. `arrays` lets arrays of NumPy and tensors of torch in and out; `calls` is what users call.
"""

from thrifty.formats.rounding.calls import bits, decode, encode, flip, from_bits, round_to
from thrifty.formats.rounding.modes import OVERFLOWS, ROUNDINGS, Rounding

__all__ = ["OVERFLOWS", "ROUNDINGS", "Rounding", "bits", "decode", "encode", "flip", "from_bits", "round_to"]
