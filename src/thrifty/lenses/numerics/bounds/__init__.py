"""How far can results deviate? Bounds, and whether they hold.

`constants` has error constants in closed form, `widths` what one rounding and all roundings of a sum can do. `tape` records operations and finds every
rounding's weight in the result by one walk back; `walking` takes attention through it as its policy says; `attention_bounds` adds up, at worst and probably.
`digits` leaves roundings to chance and counts the digits that stay; `studies` runs attention or sums many times and says how often bounds hold (`finding`).

What it does not know: second order, so bounds of coarse formats that exceed the result itself say no more than that; and dependence among roundings, which
probable bounds assume away and stagnating sums have.
"""

from thrifty.lenses.numerics.bounds.attention_bounds import AttentionBound, SiteBound, attention_bound
from thrifty.lenses.numerics.bounds.constants import ExpRange, exp_range, gamma, gamma_probable, gamma_stochastic, lambda_of, zero_mean_error
from thrifty.lenses.numerics.bounds.digits import Digits, monte_carlo_digits, randomised, significant_digits
from thrifty.lenses.numerics.bounds.finding import BoundStudy
from thrifty.lenses.numerics.bounds.studies import attention_study, sum_study
from thrifty.lenses.numerics.bounds.widths import depth, rounding_width, sum_width

__all__ = [
    "AttentionBound", "BoundStudy", "Digits", "ExpRange", "SiteBound", "attention_bound", "attention_study", "depth", "exp_range", "gamma", "gamma_probable",
    "gamma_stochastic", "lambda_of", "monte_carlo_digits", "randomised", "rounding_width", "significant_digits", "sum_study", "sum_width", "zero_mean_error",
]  # fmt: skip
