"""The definitions, in NumPy: `integers` is exact by whole numbers of any length, `fused` rounds a·b + c once, `chains` keeps sums, `cores` is a tensor core."""

from thrifty.formats.accumulators.plain.chains import finish_of, keep

__all__ = ["finish_of", "keep"]
