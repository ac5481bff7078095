"""How far do results drift? Rounding at every step of an operator, against the operator done better.

After "Is Flash Attention Stable?" (Golden et al., 2024). `policy` says what is rounded where.
"""

from thrifty.lenses.numerics.policy import PRESETS, Options, Policy, Rule, as_policy

__all__ = ["PRESETS", "Options", "Policy", "Rule", "as_policy"]
