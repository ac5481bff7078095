"""How a number becomes the nearest one of a format, and its code.

`modes` says which neighbour is taken and what becomes of numbers too large; `plain` rounds with NumPy, integer by integer, and is the definition; `kernels`
does the same compiled; `arrays` lets arrays of NumPy and tensors of torch in and out; `calls` is what users call.
"""

from thrifty.formats.rounding.calls import decode, encode, flip, round_to
from thrifty.formats.rounding.modes import OVERFLOWS, ROUNDINGS, Rounding

__all__ = ["OVERFLOWS", "ROUNDINGS", "Rounding", "decode", "encode", "flip", "round_to"]
