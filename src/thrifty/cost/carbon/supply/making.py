"""What building clean supply emitted, spread over what it delivers: panels and turbines by energy, batteries by the life that their use leaves them."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from thrifty.cost.carbon.factors import load_pack
from thrifty.cost.carbon.supply.checking import Floats, numbers
from thrifty.errors import BadValue
from thrifty.quantities import YEAR_S

_ENDS: Final = ("low", "mid", "high")
_DEPTHS: Final = (60, 80, 100)


def cycle_life(depth: float) -> float:
    """Cycles that a battery lasts when each takes `depth` of its capacity: the sheet's points, straight lines between their logarithms.

    Below the sheet's shallowest point its value is kept: nothing is extrapolated. Raises BadValue for a depth outside 0 to 1.
    """
    if not 0 < depth <= 1:
        raise BadValue(f"depth={depth} is not above 0 and at most 1. Give the share of capacity that a cycle takes, e.g. 0.8.")
    lives = [load_pack().get(f"supply:cycles.depth{at}", "count") for at in _DEPTHS]
    return float(np.exp(np.interp(np.log(depth), np.log(np.array(_DEPTHS) / 100), np.log(lives))))


def battery_life_years(cycles_per_year: npt.ArrayLike, depth: float) -> Floats:
    """Years until the cycles are used up, at most the calendar life. cycles_per_year: of `depth` each. Raises BadValue."""
    cycles = numbers("cycles_per_year", np.atleast_1d(np.asarray(cycles_per_year, dtype=np.float64)), least=0.0)
    most = load_pack().get("supply:life.battery_calendar", "time") / YEAR_S
    with np.errstate(divide="ignore"):
        return np.minimum(np.where(cycles > 0, cycle_life(depth) / cycles, np.inf), most)


def supply_embodied_g(
    *, solar_mwh_N: npt.ArrayLike, wind_mwh_N: npt.ArrayLike, battery_mwh_N: npt.ArrayLike, discharged_mwh_N: npt.ArrayLike, years: float,
    depth: float = 1.0, servers_N: npt.ArrayLike | None = None,
) -> Floats:  # fmt: skip
    """(3, N) grams of CO2e, low, mid and high, of making supply that fall to `years` of its use.

    solar_mwh_N, wind_mwh_N : all that was generated in these years, spilled or not
    battery_mwh_N, discharged_mwh_N : capacity, and what left the cells in these years; depth: share of capacity that a cycle takes
    servers_N : further servers that shifting needs

    Raises BadValue for numbers below 0, and years not above 0.
    """
    if not (np.isfinite(years) and years > 0):
        raise BadValue(f"years={years} is not above 0. Give the time that the energies are of, e.g. 1.")
    cycle_life(depth)  # refuses a depth that is none
    solar = numbers("solar_mwh_N", solar_mwh_N, least=0.0)
    count = len(solar)
    wind, capacity, out = (
        numbers(name, values, least=0.0, length=count)
        for name, values in (("wind_mwh_N", wind_mwh_N), ("battery_mwh_N", battery_mwh_N), ("discharged_mwh_N", discharged_mwh_N))
    )
    servers = np.zeros(count) if servers_N is None else numbers("servers_N", servers_N, least=0.0, length=count)
    cycles = np.divide(out, depth * capacity * years, out=np.zeros(count), where=capacity > 0)
    battery_years = battery_life_years(cycles, depth)
    pack = load_pack()
    server_g = pack.get("supply:embodied.server.mid", "carbon") / (pack.get("supply:life.server", "time") / YEAR_S) * years
    rows = []
    for end in _ENDS:
        per_kwh = {kind: pack.get(f"supply:embodied.{kind}.{end}", "carbon_per_energy") for kind in ("solar", "wind", "battery")}
        energy_g = 1e3 * (solar * per_kwh["solar"] + wind * per_kwh["wind"])
        rows.append(energy_g + 1e3 * capacity * per_kwh["battery"] * (years / battery_years) + servers * server_g)
    return np.array(rows)
