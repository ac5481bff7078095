"""How well sums are kept: errors of accumulators over the length of a sum, and probes that tell tensor cores apart.

`studies` measures accumulators against exact sums of the same operands; `probing` puts the classic questions to each tensor core: do ones still count
beside a large sum, does a small term survive between two large ones that cancel, how many bits behind the largest product are looked at.
"""

from thrifty.lenses.numerics.accumulating.probing import Probe, probe, probes
from thrifty.lenses.numerics.accumulating.studies import INPUTS, SumError, SumStudy, sum_errors

__all__ = ["INPUTS", "Probe", "SumError", "SumStudy", "probe", "probes", "sum_errors"]
