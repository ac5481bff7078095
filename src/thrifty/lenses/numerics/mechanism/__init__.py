"""Why a Flash kernel in BF16 can make training fail: repeated maxima (Qiu and Yao, arXiv 2510.04212, 2025).

A row whose largest score stands more than once has P = 1 exactly more than once. The product PV then adds values that BF16 holds with all their bits; their sum
needs one bit more, so that every other sum lies half way between two numbers. A residual, kept in FP32, decides every such tie the same way: away from zero
where values are of one sign. The output leans, D = rowsum(dO · O) leans with it, and dW_Q takes up an error that points the same way at every step.

In order: `repeats` counts maxima, `bias` says whether errors lean, `growth` whether they add up over steps; `setups` makes attention in which it happens,
`demonstration` takes one cause away after the other, `learning` adds up dW_Q; `studying` puts these together; `examining` looks for it in any attention,
`finding` is what it sees. The cure is a
policy's option, repeated_max (beta).

What stands here beyond the paper: the baseline has it too where a power of two of maxima repeat (P = 1/2), and the cure does nothing there; a cure with beta
loses rows whose maximum is above -ln(smallest P) / (beta - 1), 17 in FP32 with beta 7; D from P and dP cures the gradient without a change of the output.
"""

from thrifty.lenses.numerics.mechanism.bias import Bias, bias_of
from thrifty.lenses.numerics.mechanism.demonstration import Shown, demonstrate
from thrifty.lenses.numerics.mechanism.examining import examine
from thrifty.lenses.numerics.mechanism.finding import Lean, MechanismFinding
from thrifty.lenses.numerics.mechanism.growth import Coherence, coherence
from thrifty.lenses.numerics.mechanism.learning import Learned, learn
from thrifty.lenses.numerics.mechanism.repeats import Repeats, repeats_of
from thrifty.lenses.numerics.mechanism.setups import Setup, repeated_rows
from thrifty.lenses.numerics.mechanism.studying import MechanismStudy, show_mechanism

__all__ = [
    "Bias", "Coherence", "Lean", "Learned", "MechanismFinding", "MechanismStudy", "Repeats", "Setup", "Shown", "bias_of", "coherence", "demonstrate", "examine",
    "learn", "repeated_rows", "repeats_of", "show_mechanism",
]  # fmt: skip
