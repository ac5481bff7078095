"""Carbon of running: the energy that a machine takes, times what its building and its grid add."""

from __future__ import annotations

import math

from thrifty.errors import BadValue
from thrifty.hardware.device import Site
from thrifty.quantities import J_PER_KWH


def operational_g_per_j(site: Site) -> float:
    """Grams of CO2e of one joule at the machine: PUE × intensity.

    Raises BadValue for a PUE below 1 or a negative intensity.
    """
    if not (math.isfinite(site.pue) and site.pue >= 1):
        raise BadValue(f"site '{site.name}': pue={site.pue} is below 1. A building draws at least what its machines draw.")
    if not (math.isfinite(site.intensity_gco2e_per_kwh) and site.intensity_gco2e_per_kwh >= 0):
        raise BadValue(f"site '{site.name}': intensity {site.intensity_gco2e_per_kwh} gCO2e/kWh is below 0. Give 0 or more.")
    return site.pue * site.intensity_gco2e_per_kwh / J_PER_KWH


def operational_g(energy_j: float, site: Site) -> float:
    """Grams of CO2e of `energy_j` drawn by machines at `site`: energy × PUE × intensity."""
    return energy_j * operational_g_per_j(site)
