"""A year of a battery behind sun and wind in closed form: 1,000 times a loop over minutes, plain or with pandas look-ups, the same to 1e-6 MWh.

The loop is the rule as it is written: for every hour sixty steps of one minute. Once over plain lists of floats, the fastest that Python does;
once with the hour's numbers looked up in an hourly frame at each step, as one would with a table at hand. The claim is held against both.
"""

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
lists: tuple[list[float], list[float]] = ((solar + wind).tolist(), [LOAD] * HOURS)


def minutes(supply_T: Any, load_T: Any) -> tuple[float, list[float]]:
    """Unmet MWh of the year and the level after each hour, minute by minute."""
    tau, level, unmet, levels = 1 / 60, 0.0, 0.0, []
    charge_most, discharge_most = battery.c_charge * CAPACITY / battery.eta_c, battery.c_discharge * CAPACITY / battery.eta_d
    for hour in range(HOURS):
        for _ in range(60):
            supply, load = supply_T[hour], load_T[hour]
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
worst = 0.0
for loop in (lists, *([(table["supply"].iloc, table["load"].iloc)] if table is not None else [])):
    unmet, levels = minutes(*loop)
    worst = max(worst, abs(ours.unmet_mwh - unmet), float(np.abs(ours.level_mwh_T - levels).max()))
CALLS = 200


def often() -> None:
    for _ in range(CALLS):
        replay(net, battery)  # let go of at once, as a user would: holding a hundred years costs ten times as long in fresh memory


taken = in_turns({"ours": often, "lists": lambda: minutes(*lists), **(
    {"pandas": lambda: minutes(table["supply"].iloc, table["load"].iloc)} if table is not None else {}
)}, repeats=3, warmup=0)  # fmt: skip
seconds = {name: spread([each / (CALLS if name == "ours" else 1) for each in samples]) for name, samples in taken.items()}
ratio = {name: round(each["median"] / seconds["ours"]["median"]) for name, each in seconds.items() if name != "ours"}
report(
    __doc__.splitlines()[0], bool(min(ratio.values()) >= 1000 and worst <= 1e-6),
    {"ratio": ratio, "seconds": seconds, "largest difference, MWh": worst, "coverage": round(1 - ours.unmet_mwh / (LOAD * HOURS), 5)}, "numpy", "numba",
)  # fmt: skip
