"""Operators whose order of sums, hops or choices is the point: all-reduce, routing to experts, batches, Winograd's convolution.

`collectives` adds over ranks as a ring, a tree, halving and doubling or in two levels would, every hop in a format; `routing` counts tokens that rounding sends
to other experts, and tokens that greedy decoding would change; `batches` tests whether a row's result depends on how many rows came with it;
`probing` finds in which order somebody else's sum adds; `winograd` is Winograd's convolution in plain operators of torch, to be audited against the
direct one. None knows time or bytes: those are the cost models'.
"""

from thrifty.lenses.numerics.executors.batches import BatchInvariance, batch_invariance
from thrifty.lenses.numerics.executors.collectives import ALL_REDUCES, Reduced, all_reduce, reduce_study
from thrifty.lenses.numerics.executors.probing import SumOrder, sum_order
from thrifty.lenses.numerics.executors.routing import Routing, flip_probability, routing_flips
from thrifty.lenses.numerics.executors.winograd import winograd_convolution

__all__ = [
    "ALL_REDUCES", "BatchInvariance", "Reduced", "Routing", "SumOrder", "all_reduce", "batch_invariance", "flip_probability", "reduce_study", "routing_flips",
    "sum_order", "winograd_convolution",
]  # fmt: skip
