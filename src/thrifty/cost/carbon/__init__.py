"""What did making and running it emit? One set of models that prices carbon for every lens and lever.

`factors` states each public model of a die and of memory as its authors do; `embodied` spans them over a device; `series` are hours of grids
and weather, `supply` is what own sun, wind, batteries and load that can wait do with them, `operational` is energy times building times grid, by the year and
by the hour; `model` joins both into grams a joule and grams a second (ACT: CF = OP + T/LT · E; Gupta et al., ISCA 2022).

`CarbonModel` takes the grid's yearly average: when and where to run, what supply to build, is asked through `operational` and `levers.steward`.
"""

from thrifty.cost.carbon.embodied import Embodied
from thrifty.cost.carbon.model import CarbonModel
from thrifty.cost.carbon.operational import operational_g, operational_g_per_j

__all__ = ["CarbonModel", "Embodied", "operational_g", "operational_g_per_j"]
