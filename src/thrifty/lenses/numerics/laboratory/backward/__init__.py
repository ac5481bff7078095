"""The backward pass of attention, every step rounded as a policy says.

In order: `plain` is the definition, in NumPy; `kernels` does the same compiled, for problems that `compiled` says; `calls` is what users call, and `autograd`
does both passes inside a model of torch.

P is made anew from scores and log-sum-exp, as kernels do: this is no derivative of the rounded forward pass, whose every rounding has the derivative 0.
"""

from thrifty.lenses.numerics.laboratory.backward.autograd import emulated_attention
from thrifty.lenses.numerics.laboratory.backward.calls import Gradients, attention_backward

__all__ = ["Gradients", "attention_backward", "emulated_attention"]
