"""How far do results drift? Rounding at every step of an operator, against the operator done better.

After "Is Flash Attention Stable?" (Golden et al., 2024). `policy` says what is rounded where; `deviations` says how far one result lies
from another.
"""

from thrifty.lenses.numerics.deviations import Deviation, deviation, w1
from thrifty.lenses.numerics.policy import PRESETS, Options, Policy, Rule, as_policy

__all__ = ["PRESETS", "Deviation", "Options", "Policy", "Rule", "as_policy", "deviation", "w1"]
