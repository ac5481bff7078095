"""The same sums compiled, bit by bit what `plain` gives. Imported only where Numba is.

`fused` keeps chains of fused multiply-adds in vector registers, and is there for other kernels, too; `chains` keeps all other sums of any format; `truncated`
is the fused addition of most tensor cores, `two_step` CDNA3's; `exact` sums exactly; `dispatch` says which of them takes a product, if any.
"""
