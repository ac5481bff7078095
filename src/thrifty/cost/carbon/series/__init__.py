"""When: values at equal steps of time, and the carbon intensity of grids as such series.

- `series` is the value: a start with a time zone, a step, numbers, holes that stay holes; `reading` takes it from files;
- `intensities` keeps apart what must never be mixed: direct and life-cycle, average and marginal;
- `library` has what ships: generation by fuel of three US regions (EIA-930, 2020), three typical weather years; `grids` makes intensities of them.
"""

from thrifty.cost.carbon.series.intensities import DirectIntensity, Intensity, LifeCycleIntensity
from thrifty.cost.carbon.series.library import Generation, Weather, generation_names, load_generation, load_weather, series_sources, weather_names
from thrifty.cost.carbon.series.series import Series

__all__ = [
    "DirectIntensity", "Generation", "Intensity", "LifeCycleIntensity", "Series", "Weather", "generation_names", "load_generation", "load_weather",
    "series_sources", "weather_names",
]  # fmt: skip
