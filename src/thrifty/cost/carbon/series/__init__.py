"""When: values at equal steps of time, and the carbon intensity of grids as such series.

- `series` is the value: a start with a time zone, a step, numbers, holes that stay holes; `filling` fills them where asked; `reading` takes series from
  files and refuses what is wrong by its line, `stamps` turns what stands there into instants;
- `intensities` keeps apart what must never be mixed: direct and life-cycle, average and marginal;
- `library` has what ships: generation by fuel of three US regions (EIA-930, 2020), three typical weather years; `grids` makes intensities of them, and
  `marginal` estimates what one more kilowatt-hour would emit.
"""

from thrifty.cost.carbon.series.filling import FILLS, Fill, filled
from thrifty.cost.carbon.series.grids import CARBON_FREE, carbon_free_share, fuel_factors, intensity_of_generation, intensity_of_grid, residual_of
from thrifty.cost.carbon.series.intensities import Boundary, DirectIntensity, Intensity, LifeCycleIntensity, Signal
from thrifty.cost.carbon.series.library import (
    Generation,
    Weather,
    generation_names,
    load_generation,
    load_weather,
    region_of,
    series_sources,
    weather_names,
)
from thrifty.cost.carbon.series.marginal import Marginal, marginal_of
from thrifty.cost.carbon.series.reading import read_mix, read_series
from thrifty.cost.carbon.series.series import Series, same_steps

__all__ = [
    "CARBON_FREE", "FILLS", "Boundary", "DirectIntensity", "Fill", "Generation", "Intensity", "LifeCycleIntensity", "Marginal", "Series", "Signal",
    "Weather", "carbon_free_share", "filled", "fuel_factors", "generation_names", "intensity_of_generation", "intensity_of_grid", "load_generation",
    "load_weather", "marginal_of", "read_mix", "read_series", "region_of", "residual_of", "same_steps", "series_sources", "weather_names",
]  # fmt: skip
