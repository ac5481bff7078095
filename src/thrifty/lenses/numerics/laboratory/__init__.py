"""Attention with every step rounded as a policy says. (The folder is not called `attention`, which is the public function.)

In order: `prepare` checks what comes in (`tiles`: sizes, order, splits; `masks`: which keys are seen; `rotation`: Hadamard) and rounds it; `steps` rounds at a
site and adds up by an accumulator; `plain` is the definition, in NumPy (`polynomials`: 2^x as Flash 4 has it; `joining`: splits of the keys);
`exactly` does it better than any format, as golden;
`result` is what comes out; `calls` is what users call.

After "Is Flash Attention Stable?" (Golden et al. 2024), section III. What it does not model: products whose accumulator is carried from tile to tile, and
schedules (two tiles in flight round as one after the other).
"""

from thrifty.lenses.numerics.laboratory.calls import attend, attention
from thrifty.lenses.numerics.laboratory.exactly import golden
from thrifty.lenses.numerics.laboratory.result import Attended, Counts

__all__ = ["Attended", "Counts", "attend", "attention", "golden"]
