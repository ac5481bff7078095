"""Which design is best by carbon? Metrics as pure functions over arrays, and who wins under each, everywhere.

- `combined` joins carbon with delay and energy (CDP, CEP, C²EP, CE²P of ACT; tCDP, tCEP of CORDOBA);
- `relative` needs no carbon at all (NCF of FOCAL, and what holds whatever its weight α: `whatever_alpha`, `robust_winner`);
- `rates` are carbon of one unit (SCI, CCI, a token, a core) and the price of a tonne less;
- `designs` prices designs in a setting under every metric by name, `boundaries` says who wins over all intensities and lives, in closed form;
- `doors` refuses what is no number.

Each metric answers another question; none is "the" right one, so commands show all. They don't know quality: compare designs that do the same work.
"""

from thrifty.cost.carbon.metrics.boundaries import Envelope, boundary, envelope, envelope_of, turning_utilisation, winner_map
from thrifty.cost.carbon.metrics.combined import c2ep, cdp, ce2p, cep, tcdp, tcep, total_carbon
from thrifty.cost.carbon.metrics.designs import METRICS, Design, Metric, Setting, carbon_of, parts_of
from thrifty.cost.carbon.metrics.rates import (
    Measure,
    Step,
    abatement_cost,
    abatement_curve,
    carbon_per,
    cci,
    embodied_share,
    sci,
)  # fmt: skip
from thrifty.cost.carbon.metrics.relative import Verdict, ncf, robust_winner, turning_alpha, whatever_alpha

__all__ = [
    "METRICS", "Design", "Envelope", "Measure", "Metric", "Setting", "Step", "Verdict", "abatement_cost", "abatement_curve", "boundary", "c2ep",
    "carbon_of", "carbon_per", "cci", "cdp", "ce2p", "cep", "embodied_share", "envelope", "envelope_of", "ncf", "parts_of",
    "robust_winner", "sci", "tcdp", "tcep", "total_carbon", "turning_alpha", "turning_utilisation", "whatever_alpha", "winner_map",
]  # fmt: skip
