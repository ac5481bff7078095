"""How far do results drift? Rounding at every step of an operator, against the operator done better.

After "Is Flash Attention Stable?" (Golden et al., 2024). `policy` says what is rounded where; `deviations` says how far one result lies
from another; `inputs` draws what goes in, `laboratory` is attention with every step rounded.
"""

from thrifty.lenses.numerics.deviations import Deviation, deviation, w1
from thrifty.lenses.numerics.inputs import Inputs, draw
from thrifty.lenses.numerics.laboratory import Attended, attend, attention, golden
from thrifty.lenses.numerics.laboratory.backward import Gradients, attention_backward, emulated_attention
from thrifty.lenses.numerics.policy import PRESETS, Options, Policy, Rule, as_policy

__all__ = [
    "PRESETS", "Attended", "Deviation", "Gradients", "Inputs", "Options", "Policy", "Rule", "as_policy", "attend", "attention", "attention_backward",
    "deviation", "draw", "emulated_attention", "golden", "w1",
]  # fmt: skip
