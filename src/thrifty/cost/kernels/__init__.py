"""How long does a matrix product or an attention take on a GPU, by its sizes?

A product of a few rows is bound by memory and a floor, one of a few tiles by how they fall on the compute units, a large one by what the chip sustains:
flat utilisation is 60 to 90 % off on average over shapes, a roofline 40 %. This model is 6 to 12 % off, on GPUs that were never measured too, if one of
their family was. Data flows in this order: `rows` names the parameters of a device and a format; `core` and `attention` turn sizes and such
a row into seconds, one scalar function each that compiled loops call (`compiled`); `parameters` makes the row from a data sheet and
`catalogue/kernels.toml`, and says what it stands on; `times` is for users; `measured`, `fitting` and `validation` make the constants and say how far off.

What it does not know: power limits that lower clocks over seconds, sparse or grouped products, sliding windows, products that quantise their
input on the way, kernels of other vendors (their devices follow the roofline with defaults). Backward attention is a ratio from the literature.
"""

from thrifty.cost.kernels.compiled import Functions, functions, plain_functions
from thrifty.cost.kernels.parameters import Ground, kernel_ground, kernel_parameters
from thrifty.cost.kernels.times import attention_time, gemm_time, stream_time
from thrifty.cost.kernels.validation import KernelError, KernelValidation, validate_attention, validate_gemm

__all__ = [
    "Functions", "Ground", "KernelError", "KernelValidation", "attention_time", "functions", "gemm_time", "kernel_ground", "kernel_parameters",
    "plain_functions", "stream_time", "validate_attention", "validate_gemm",
]  # fmt: skip
