"""What did making and running it emit? One set of models that prices carbon for every lens and lever.

- `factors` are numbers with spread, validity, source and licence; no number stands in code;
- `embodied` prices parts, packages of chiplets, bills of materials, servers and racks by several public models at once, and shows how far they lie apart;
- `series` are hours of grids and weather, `supply` is what own sun, wind, batteries and load that can wait do with them, `operational` is energy times
  building times grid, by the year and by the hour;
- `uncertainty` draws what is not known, `metrics` says what wins under which measure;
- `model` joins making and running into grams a joule and grams a second (ACT: CF = OP + T/LT · E; Gupta et al., ISCA 2022) for every lens and lever.

`CarbonModel` takes the grid's yearly average: when and where to run, what supply to build, is asked through `operational` and `levers.steward`.
"""

from thrifty.cost.carbon.embodied import Embodied
from thrifty.cost.carbon.model import CarbonModel
from thrifty.cost.carbon.operational import operational_g, operational_g_per_j

__all__ = ["CarbonModel", "Embodied", "operational_g", "operational_g_per_j"]
