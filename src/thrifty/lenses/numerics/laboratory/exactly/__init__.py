"""Attention done better than any format of it: what deviations are measured against.

`slices` multiplies matrices without error, so that neither order nor machine matters; `double_double` carries twice the bits of FP64; `reference` is
attention with both.
"""

from thrifty.lenses.numerics.laboratory.exactly.reference import golden, golden_of

__all__ = ["golden", "golden_of"]
