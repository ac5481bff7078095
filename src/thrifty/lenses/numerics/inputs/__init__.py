"""Queries, keys and values to look at: drawn by a seed, or read from a file.

`kinds` names the distributions and what each shows; `drawing` draws one; `captured` reads a file's tensors, or catches those of a real model.
All are FP64, so that whoever rounds them does it once.
"""

from thrifty.lenses.numerics.inputs.captured import capture, read_inputs
from thrifty.lenses.numerics.inputs.drawing import draw
from thrifty.lenses.numerics.inputs.kinds import KINDS, Inputs

__all__ = ["KINDS", "Inputs", "capture", "draw", "read_inputs"]
