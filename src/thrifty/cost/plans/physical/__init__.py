"""The calibrated mode: what an iteration takes when products, attention, element-wise kernels, collectives and launching take what was measured.

Data flows in this order: `constants` reads what training sustains; `columns` says where numbers stand; `laying` lays plans on workloads, `encoding` turns all
into rows; `products` and `work` price one block under its level, `layerwise` a layer, `passes` and `pipelines` an iteration; `loops` does it for every
configuration; `memory*` count bytes; `evaluating` are the doors, `graphs` draws the same iteration as tasks for a trace, and as the oracle of the passes.

What it does not know: contention between collectives of different streams, stragglers, input pipelines, checkpoints and failures; which kernels a
framework fuses beyond what `Plan` says.
"""

from thrifty.cost.plans.physical.constants import Sustained
from thrifty.cost.plans.physical.evaluating import evaluate_physical, evaluate_physical_many

__all__ = ["Sustained", "evaluate_physical", "evaluate_physical_many"]
