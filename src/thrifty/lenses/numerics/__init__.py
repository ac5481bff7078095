"""How far do results drift? Rounding at every step of an operator, against the operator done better.

After "Is Flash Attention Stable?" (Golden et al., 2024). `policy` says what is rounded where; `deviations` says how far one result lies
from another; `inputs` draws what goes in, `laboratory` is attention with every step rounded; `auditing` does the same to
any operator of torch, `executors` to sums over ranks, choices of experts and batches.
`training` asks whether a deviation matters where a model learns; `bounds` says how far results can lie off, and whether they do; `search` which site is
behind it and what the cheapest formats within a deviation are; `sdpa` holds a real kernel against all this.
"""

from thrifty.lenses.numerics.auditing import AuditFinding, audit, emulate
from thrifty.lenses.numerics.bounds import AttentionBound, BoundStudy, attention_bound, attention_study, significant_digits, sum_study
from thrifty.lenses.numerics.deviations import Deviation, deviation, w1
from thrifty.lenses.numerics.executors import all_reduce, batch_invariance, flip_probability, reduce_study, routing_flips, sum_order, winograd_convolution
from thrifty.lenses.numerics.inputs import Inputs, draw
from thrifty.lenses.numerics.laboratory import Attended, attend, attention, golden
from thrifty.lenses.numerics.laboratory.backward import Gradients, attention_backward, emulated_attention
from thrifty.lenses.numerics.policy import PRESETS, Options, Policy, Rule, as_policy
from thrifty.lenses.numerics.sdpa import RealKernelFinding, real_kernel
from thrifty.lenses.numerics.search import Attribution, Budgeted, attribute, cheapest
from thrifty.lenses.numerics.training import RepeatedMaxima, Study, repeated_maxima, train_study

__all__ = [
    "PRESETS", "Attended", "AttentionBound", "Attribution", "AuditFinding", "BoundStudy", "Budgeted", "Deviation", "Gradients", "Inputs", "Options", "Policy",
    "RealKernelFinding", "RepeatedMaxima", "Rule", "Study", "all_reduce", "as_policy", "attend", "attention", "attention_backward", "attention_bound",
    "attention_study", "attribute", "audit", "batch_invariance", "cheapest", "deviation", "draw", "emulate", "emulated_attention", "flip_probability",
    "golden", "real_kernel", "reduce_study", "repeated_maxima", "routing_flips", "significant_digits", "sum_order", "sum_study", "train_study", "w1",
    "winograd_convolution",
]  # fmt: skip
