"""How much? Time, memory, energy, carbon, money and quality in one value.

`interval` is a low-mid-high triple for numbers that models disagree on; `value` is the Footprint and its algebra; `pareto` keeps what nothing
else beats. Nothing here knows what a device or a workload is.
"""

from thrifty.footprint.interval import Interval
from thrifty.footprint.pareto import dominates, pareto_front
from thrifty.footprint.value import Footprint, Quality

__all__ = ["Footprint", "Interval", "Quality", "dominates", "pareto_front"]
