"""What one more kilowatt-hour would emit, estimated: no meter shows it.

Plants that can follow the load do so in order of cost, so the change of their emissions over the change of their output, hour to hour, tells which ones
stand at the margin. In bins of (output of these plants, hour of the day) the slope of that regression is the estimate (after Siler-Evans et al., 2012, who
regress on the output of fossil plants). It knows nothing of imports, of storage, and of plants that a lasting load would get built.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from thrifty.cost.carbon.series.filling import Fill, filled
from thrifty.cost.carbon.series.grids import KINDS, clipped, fuel_factors
from thrifty.cost.carbon.series.intensities import Boundary, Intensity
from thrifty.cost.carbon.series.library import load_generation
from thrifty.cost.carbon.series.series import Floats, Series
from thrifty.errors import BadValue
from thrifty.quantities import HOUR_S

FOLLOW: Final = ("hydro", "other", "oil", "gas", "coal")
"""Plants that can follow the load; wind and sun do not, nuclear plants hardly do."""
_LEAST: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Marginal:
    """An estimated marginal intensity with how well it fits.

    slopes_LH : gCO2e/kWh by level of output (rows, low to high) and block of the day; hours_LH: changes in each bin
    r_squared : share of the changes' variance in emissions that the slopes explain; edges_mw: between levels
    """

    intensity: Intensity
    slopes_LH: Floats = field(repr=False)
    hours_LH: Floats = field(repr=False)
    edges_mw: Floats = field(repr=False)
    r_squared: float


def marginal_of(name: str, boundary: Boundary = "life-cycle", *, levels: int = 10, blocks: int = 6, fill: Fill | None = None) -> Marginal:
    """Estimate the marginal intensity of a region with hourly generation, by `levels` of load-following output and `blocks` of the local day.

    A bin with fewer than 24 changes takes the slope of its level. Raises UnknownName, and BadValue for numbers of bins that the data cannot fill.
    """
    if not (1 <= levels <= 40 and 1 <= blocks <= 24 and 24 % blocks == 0):
        raise BadValue(f"levels={levels}, blocks={blocks}: levels must be 1 to 40 and blocks divide 24. Choose e.g. 10 and 6.")
    generation = load_generation(name)
    by_fuel, notes = clipped(generation)
    rows = [row for row, fuel in enumerate(generation.fuels) if fuel in FOLLOW]
    output = by_fuel[rows].sum(axis=0)
    emitted = fuel_factors(generation.fuels, boundary)[rows] @ by_fuel[rows]
    stamps = Series(start=generation.start, step_s=HOUR_S, values_T=np.nan_to_num(output), unit="MW", zone=generation.zone, name=name)
    block = stamps.local()[1] // (24 // blocks)
    known = ~np.isnan(output)
    edges = np.quantile(output[known], np.linspace(0, 1, levels + 1)[1:-1])
    level = np.searchsorted(edges, np.nan_to_num(output), side="right")
    change_x, change_y = np.diff(output), np.diff(emitted)
    usable = ~np.isnan(change_x)
    to_level, to_block = level[1:][usable], block[1:][usable]
    dx, dy = change_x[usable], change_y[usable]
    xx, xy, count = np.zeros((levels, blocks)), np.zeros((levels, blocks)), np.zeros((levels, blocks))
    for table, values in ((xx, dx * dx), (xy, dx * dy), (count, np.ones_like(dx))):
        np.add.at(table, (to_level, to_block), values)
    if xx.sum() <= 0:
        raise BadValue(f"the plants of {name} that follow the load never change their output, so no margin shows. Use the average.")
    level_xx, level_xy = xx.sum(axis=1, keepdims=True), xy.sum(axis=1, keepdims=True)
    of_level = np.where(level_xx > 0, level_xy / np.where(level_xx > 0, level_xx, 1.0), xy.sum() / xx.sum())
    slopes = np.where((count >= _LEAST) & (xx > 0), xy / np.where(xx > 0, xx, 1.0), of_level)
    residual = dy - slopes[to_level, to_block] * dx
    r_squared = 1.0 - float((residual**2).sum() / ((dy - dy.mean()) ** 2).sum())
    values = np.where(known, slopes[level, block], np.nan)
    series = stamps.with_values(values, unit="gCO2e/kWh", name=f"{boundary} marginal intensity of {name} (estimated)")
    said = [*notes, f"marginal intensity is estimated from hourly changes of {', '.join(generation.fuels[row] for row in rows)}: R² {r_squared:.3f}"]
    if fill is not None:
        series, mended = filled(series, fill)
        said += [mended] if mended else []
    intensity = KINDS[boundary](series=series, signal="marginal", source=generation.source, estimated=True, notes=tuple(said))
    return Marginal(intensity=intensity, slopes_LH=slopes, hours_LH=count, edges_mw=edges, r_squared=r_squared)
