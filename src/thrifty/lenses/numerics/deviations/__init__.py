"""How far one result lies from another: the deviation report.

`wasserstein` has W1, `ulps` distances in numbers of a format and the floor of one rounding, `pairs` every measure of one array against a reference,
`comparing` takes an optimised result, a baseline and golden, `finding` is the report.
"""

from thrifty.lenses.numerics.deviations.comparing import deviation
from thrifty.lenses.numerics.deviations.finding import Deviation, Worst
from thrifty.lenses.numerics.deviations.pairs import Census, Pair
from thrifty.lenses.numerics.deviations.wasserstein import w1

__all__ = ["Census", "Deviation", "Pair", "Worst", "deviation", "w1"]
