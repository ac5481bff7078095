"""What did making and running it emit? One set of models that prices carbon for every lens and lever.

`factors` states each public model of a die and of memory as its authors do; `embodied` spans them over a device; `operational` is energy
times building times grid; `model` joins both into grams a joule and grams a second (ACT: CF = OP + T/LT · E; Gupta et al., ISCA 2022).

What it does not know yet: hours of the day, marginal intensity, the fab's own place and year, hosts and racks around a device, water.
"""

from thrifty.cost.carbon.embodied import Embodied
from thrifty.cost.carbon.model import CarbonModel
from thrifty.cost.carbon.operational import operational_g, operational_g_per_j

__all__ = ["CarbonModel", "Embodied", "operational_g", "operational_g_per_j"]
