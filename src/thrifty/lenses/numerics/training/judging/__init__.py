"""What the runs say: how far weights are apart, how fast that grows, and whether it is bounded by what is accepted anyway.

`distances` compares weights tensor by tensor; `intervals` fits slopes and draws bootstrap intervals; `bands` puts both together for every pair of runs;
`verdict` applies the rule.
"""

from thrifty.lenses.numerics.training.judging.bands import METRICS, Band, Bands
from thrifty.lenses.numerics.training.judging.intervals import Estimate
from thrifty.lenses.numerics.training.judging.verdict import SCOPE, Judged, Verdict, judge

__all__ = ["METRICS", "SCOPE", "Band", "Bands", "Estimate", "Judged", "Verdict", "judge"]
