"""Sweeps of sun, wind and battery over a year: at least 20,000 configurations a second of one core's time, each equal to its own replay.

The claim is held by the thread's own CPU seconds, so that neighbours on a shared machine do not count; wall-clock seconds stand beside.
"""

import time

import numpy as np

from _claim import in_turns, report, spread
from thrifty.cost.carbon.operational import regional_shares
from thrifty.cost.carbon.series import intensity_of_grid
from thrifty.cost.carbon.supply import Battery, coverage, replay, replay_many

HOURS, COUNT, LOAD = 8784, 4000, 20.0
rng = np.random.default_rng(0)
solar, wind = (each.values_T[:HOURS] for each in regional_shares("eia-cal"))
weights = intensity_of_grid("eia-cal").series.values_T[:HOURS]
load = np.full(HOURS, LOAD)
rated = {"solar_mw_N": rng.uniform(0, 200, COUNT), "wind_mw_N": rng.uniform(0, 200, COUNT), "battery_mwh_N": rng.uniform(0, 500, COUNT)}
kind = Battery.of(0.0)
days = np.arange(HOURS) // 24


def sweep(**more: object) -> object:
    return replay_many(load, solar, wind, **rated, battery=kind, weights_T=weights, **more)


shift = {"flexible_share": 0.4, "cap_mw_N": np.full(COUNT, 30.0), "days_T": days}
found = sweep()
worst = 0.0
for i in range(0, COUNT, 97):
    one = replay(rated["solar_mw_N"][i] * solar + rated["wind_mw_N"][i] * wind - load, Battery.of(rated["battery_mwh_N"][i]))
    worst = max(worst, abs(one.unmet_mwh - found.unmet_mwh_N[i]), abs(one.spilled_mwh - found.spilled_mwh_N[i]))
sweep(**shift)
copied, goal = np.ones(64 << 17), np.empty(64 << 17)
core: dict[str, list[float]] = {"sweep": [], "with shifting": []}


def timed(name: str, **more: object) -> None:
    start = time.thread_time()
    sweep(**more)
    core[name].append(time.thread_time() - start)


taken = in_turns({
    "sweep": lambda: timed("sweep"), "with shifting": lambda: timed("with shifting", **shift), "two threads": lambda: sweep(threads=2),
    "copy": lambda: np.copyto(goal, copied),
}, 9)  # fmt: skip
seconds = {**{name: spread(samples) for name, samples in taken.items()}, **{f"{name}, CPU": spread(samples) for name, samples in core.items()}}
rates = {name: round(COUNT / seconds[name]["median"]) for name in ("sweep, CPU", "with shifting, CPU", "sweep", "with shifting", "two threads")}
bandwidth = 2 * copied.nbytes / seconds["copy"]["median"]
# A configuration reads four series of the year (load, sun, wind, weights) from a near cache, and no array of its own.
touched, stored = 4 * 8 * HOURS, 4 * 8 + 5 * 8
report(
    __doc__.splitlines()[0], bool(rates["sweep, CPU"] >= 20_000 and worst < 1e-6),
    {"configurations/s": rates, "ns an hour": round(1e9 / rates["sweep, CPU"] / HOURS, 2), "largest difference, MWh": worst,
     "bytes read a configuration, from cache": touched, "bytes of memory a configuration": stored,
     "share of memory bandwidth, if every read went there": round(rates["sweep, CPU"] * touched / bandwidth, 2), "memory copy, GB/s": round(bandwidth / 1e9, 1),
     "mean coverage": round(float(np.mean([coverage(load, unmet) for unmet in found.unmet_mwh_N])), 4), "seconds": seconds},
    "numpy", "numba",
)  # fmt: skip
