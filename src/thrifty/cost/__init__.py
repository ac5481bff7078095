"""How much? Time, energy, memory, carbon and money of every operator on any device.

Data flows in this order: `columns` takes from an operator table what a price needs; `defaults` and `facts` read the efficiencies and constants that
the catalogue states with their origin; `roofline` prices from a data sheet, `sustained` from a calibration; `energy` turns time, FLOPs
and bytes into joules, `memory` says what is held at the fullest moment, `carbon` what is emitted in making and running; `priced` puts
it all together. `sweeps` evaluates millions of points of a workload's symbols on many devices without making a table again, `staged` those of
pipelines, stage by stage. `collectives` prices what devices exchange.

What it does not know: several devices (plans come later), overlap of operators on one device, clocks that drop when a chip is hot.
"""

from thrifty.cost.case import Case, Job, Part
from thrifty.cost.collectives import collective_time
from thrifty.cost.priced import Priced, price
from thrifty.cost.sweeps import Sweep, sweep

__all__ = ["Case", "Job", "Part", "Priced", "Sweep", "collective_time", "price", "sweep"]
