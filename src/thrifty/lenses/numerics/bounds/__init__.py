"""How far can results deviate? Bounds, and whether they hold.

`constants` has error constants in closed form, `widths` what one rounding and all roundings of a sum can do. `tape` records operations and finds every
rounding's weight in the result by one walk back; `walking` takes attention through it as its policy says; `attention_bounds` adds up, at worst and probably.
"""

from thrifty.lenses.numerics.bounds.attention_bounds import AttentionBound, SiteBound, attention_bound
from thrifty.lenses.numerics.bounds.constants import ExpRange, exp_range, gamma, gamma_probable, gamma_stochastic, lambda_of, zero_mean_error
from thrifty.lenses.numerics.bounds.widths import depth, rounding_width, sum_width

__all__ = [
    "AttentionBound", "ExpRange", "SiteBound", "attention_bound", "depth", "exp_range", "gamma", "gamma_probable", "gamma_stochastic", "lambda_of",
    "rounding_width", "sum_width", "zero_mean_error",
]  # fmt: skip
