"""What do devices pay to exchange data? Seconds of all-reduce, all-gather, reduce-scatter, all-to-all, broadcast and send over any tiers.

Data flows in this order: `kernels` has the formulas, on plain numbers, for any Numba loop to call; `kinds` the words; `links` turns a tier into the
row of numbers that kernels take, fitted to measured tables of NCCL where its class of link has been measured and the textbook's otherwise; `pricing` is
the public function; `sharing` says what happens when collectives share tiers, and to the computing beside them; `tables` reads the measured rows of the
optional package aiconfigurator-core, `fitting` makes the catalogue's constants from them, and `validation` says how far these hold.

    time = min over protocols (LL, LL128, Simple) of  alpha + step · steps + (wire blocks + copy) · bytes / ranks / (efficiency · bandwidth)

`copy` is what makes small groups slower per byte than the wire alone explains: a ring's first step copies a rank's own block inside the device.

What it does not know: networks between nodes are assumed, not fitted; topologies other than trees of tiers (tori); congestion by other jobs; a generation
of NVLink that nobody has measured is priced as the mean of the others, with errors of 12 to 21 % instead of 6 to 7 %.
"""

from thrifty.cost.collectives.fitting import CollectiveFit, fit_collectives
from thrifty.cost.collectives.kernels import LINK_FIELDS, collective_seconds, register, tiers_seconds
from thrifty.cost.collectives.kinds import ALGORITHM_CODES, ALGORITHMS_OF, KIND_CODES
from thrifty.cost.collectives.links import LINK_CLASSES, link_class, link_parameters, shared_link
from thrifty.cost.collectives.pricing import collective_time, group_arrays
from thrifty.cost.collectives.sharing import communication_tax, fair_shares, finish_seconds, sharing_factors, taxed_compute_seconds
from thrifty.cost.collectives.tables import MeasuredCollective, read_measured_collectives
from thrifty.cost.collectives.validation import CollectiveScore, ValidatedCollective, score_collectives, validate_collectives

__all__ = [
    "ALGORITHMS_OF", "ALGORITHM_CODES", "KIND_CODES", "LINK_CLASSES", "LINK_FIELDS", "CollectiveFit", "CollectiveScore", "MeasuredCollective",
    "ValidatedCollective", "collective_seconds", "collective_time", "communication_tax", "fair_shares", "finish_seconds", "fit_collectives",
    "group_arrays", "link_class", "link_parameters", "read_measured_collectives", "register", "score_collectives", "shared_link", "sharing_factors",
    "taxed_compute_seconds", "tiers_seconds", "validate_collectives",
]  # fmt: skip
