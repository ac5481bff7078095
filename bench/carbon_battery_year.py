"""A year of a battery behind sun and wind in closed form: 1,000 times a loop over minutes with pandas look-ups, the same to 1e-6 MWh.

The loop is written as one would write it with a table at hand: for every hour of an hourly frame, sixty steps of one minute, the hour's numbers looked up in
the frame at each. Without pandas a plain list stands for the frame, which favours the loop.
"""

import time
from typing import Any

import numpy as np

from _claim import in_turns, report, spread
from thrifty.cost.carbon.operational import regional_shares
from thrifty.cost.carbon.supply import Battery, replay

HOURS, LOAD, SOLAR, WIND, CAPACITY = 8784, 20.0, 80.0, 80.0, 100.0
solar, wind = (SOLAR * each.values_T[:HOURS] for each in regional_shares("eia-cal"))
net = solar + wind - LOAD
battery = Battery.of(CAPACITY)

try:
    import pandas as pd

    table: Any = pd.DataFrame({"supply": solar + wind, "load": np.full(HOURS, LOAD)})
except ImportError:
    table = None


def minutes() -> tuple[float, list[float]]:
    """Unmet MWh of the year and the level after each hour, minute by minute."""
    tau, level, unmet, levels = 1 / 60, 0.0, 0.0, []
    charge_most, discharge_most = battery.c_charge * CAPACITY / battery.eta_c, battery.c_discharge * CAPACITY / battery.eta_d
    for hour in range(HOURS):
        for _ in range(60):
            supply, load = (table["supply"].iloc[hour], table["load"].iloc[hour]) if table is not None else (net[hour] + LOAD, LOAD)
            if supply > load:
                power = min(supply - load, charge_most, (battery.v_u * CAPACITY - level) / (battery.eta_c * tau - battery.u_u))
                level += battery.eta_c * power * tau
            else:
                power = min(load - supply, discharge_most, (level - battery.v_l * CAPACITY) / (battery.u_l + battery.eta_d * tau))
                level -= battery.eta_d * power * tau
                unmet += (load - supply - power) * tau
        levels.append(level)
    return unmet, levels


ours = replay(net, battery)  # also compiles, once a machine
start = time.perf_counter()
unmet, levels = minutes()
naive_s = time.perf_counter() - start
worst = max(abs(ours.unmet_mwh - unmet), float(np.abs(ours.level_mwh_T - levels).max()))
ours_s = spread(in_turns({"replay": lambda: replay(net, battery)}, repeats=50)["replay"])
start = time.perf_counter()
minutes()
naive_s = min(naive_s, time.perf_counter() - start)
ratio = naive_s / ours_s["median"]
report(
    __doc__.splitlines()[0], bool(ratio >= 1000 and worst <= 1e-6),
    {"ratio": round(ratio), "ours_s": ours_s, "loop_s": round(naive_s, 2), "pandas": table is not None, "largest difference, MWh": worst,
     "coverage": round(1 - ours.unmet_mwh / (LOAD * HOURS), 5)},
    "numpy", "numba",
)  # fmt: skip
