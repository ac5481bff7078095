"""How far do results drift? Rounding at every step of an operator, against the operator done better.

After "Is Flash Attention Stable?" (Golden et al., 2024). `policy` says what is rounded where; `deviations` says how far one result lies
from another; `inputs` draws what goes in, `laboratory` is attention with every step rounded; `auditing` does the same to
any operator of torch, `executors` to sums over ranks, choices of experts and batches.
`training` asks whether a deviation matters where a model learns.
"""

from thrifty.lenses.numerics.auditing import AuditFinding, audit, emulate
from thrifty.lenses.numerics.deviations import Deviation, deviation, w1
from thrifty.lenses.numerics.executors import all_reduce, batch_invariance, flip_probability, reduce_study, routing_flips, winograd_convolution
from thrifty.lenses.numerics.inputs import Inputs, draw
from thrifty.lenses.numerics.laboratory import Attended, attend, attention, golden
from thrifty.lenses.numerics.laboratory.backward import Gradients, attention_backward, emulated_attention
from thrifty.lenses.numerics.policy import PRESETS, Options, Policy, Rule, as_policy
from thrifty.lenses.numerics.training import RepeatedMaxima, Study, repeated_maxima, train_study

__all__ = [
    "PRESETS", "Attended", "AuditFinding", "Deviation", "Gradients", "Inputs", "Options", "Policy", "RepeatedMaxima", "Rule", "Study", "all_reduce",
    "as_policy", "attend", "attention", "attention_backward", "audit", "batch_invariance", "deviation", "draw", "emulate", "emulated_attention",
    "flip_probability", "golden", "reduce_study", "repeated_maxima", "routing_flips", "train_study", "w1", "winograd_convolution",
]  # fmt: skip
