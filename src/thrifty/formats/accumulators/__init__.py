"""Where sums are kept: matrix products whose every addition is rounded as a chain, a tree or a tensor core would round it.

`specs` says what an accumulator is and how it is written; `cores` holds those of GPUs; `plain` is the definition, in NumPy; `stages` cuts a product
into batches, splits and promotions; `operands` is the door; `calls` is what users call.
"""

from thrifty.formats.accumulators.calls import accumulate, matmul
from thrifty.formats.accumulators.cores import TensorCore, tensor_cores
from thrifty.formats.accumulators.specs import Accumulator, parse_accumulator

__all__ = ["Accumulator", "TensorCore", "accumulate", "matmul", "parse_accumulator", "tensor_cores"]
