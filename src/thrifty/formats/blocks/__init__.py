"""Numbers that share a scale with their neighbours: OCP's MX, NVIDIA's NVFP4, block floating point of any width.

`elements` says what a block's numbers are and which scale they get; `layout` brings an axis to the end; `plain` makes codes with NumPy and is the definition,
`kernels` the same compiled; `value` holds codes and scales and knows what they stand for; `calls` is what users call.
"""

from thrifty.formats.blocks.calls import bfp, mx, nvfp4
from thrifty.formats.blocks.elements import ELEMENTS, SCALES, Element
from thrifty.formats.blocks.value import Blocks

__all__ = ["ELEMENTS", "SCALES", "Blocks", "Element", "bfp", "mx", "nvfp4"]
