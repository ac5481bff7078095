"""What is rounded where: one policy says the algorithm, the format at every site, and how sums are kept.

`sites` lists the places at which attention rounds; `rules` says how one is kept, `options` what an algorithm leaves open beside; `policies` is the policy
itself: inheritance, overrides, its text and its hash; `presets` are named ones; `checks` has one line for words that none of them knows.
"""

from thrifty.lenses.numerics.policy.options import Options
from thrifty.lenses.numerics.policy.policies import Policy, as_policy
from thrifty.lenses.numerics.policy.presets import PRESETS, preset
from thrifty.lenses.numerics.policy.rules import Rule
from thrifty.lenses.numerics.policy.sites import ACCUMULATORS, SITES

__all__ = ["ACCUMULATORS", "PRESETS", "SITES", "Options", "Policy", "Rule", "as_policy", "preset"]
