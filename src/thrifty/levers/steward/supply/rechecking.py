"""The same supplies again, the slow way: minute by minute as the battery's rule is written, load moved day by day.

It shares no arithmetic with `replayed`: no closed form, no sums over days at once. What it says decides; a difference is a defect.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from thrifty.cost.carbon.supply import shift_days
from thrifty.levers.steward.supply.question import Floats, Question


def unmet_slowly(
    question: Question, solar_N: npt.ArrayLike, wind_N: npt.ArrayLike, battery_N: npt.ArrayLike, extra_N: npt.ArrayLike | None = None, *, depth: float = 1.0
) -> tuple[Floats, Floats]:  # fmt: skip
    """(T, N) MWh from the grid in each step, and (N,) MWh that left the cells."""
    solar, wind, capacity = (np.atleast_1d(np.asarray(x, dtype=np.float64)) for x in (solar_N, wind_N, battery_N))
    extra = np.zeros(len(solar)) if extra_N is None else np.atleast_1d(np.asarray(extra_N, dtype=np.float64))
    kind = question.battery(depth)
    net_TN = np.empty((len(question.load_mw_T), len(solar)))
    for n in range(len(solar)):
        supply = solar[n] * question.solar_share_T + wind[n] * question.wind_share_T
        load = question.load_mw_T
        if question.flexible:
            cap = float(load.max()) + float(extra[n])
            load = shift_days(load, question.days_T, flexible_share=question.flexible, cap_mw=cap, supply_mw_T=supply, step_h=question.step_h).load_mw_T
        net_TN[:, n] = supply - load
    minutes, tau = kind.inner_steps(question.step_h), 1.0 / kind.steps_per_hour
    level, discharged = kind.v_l * capacity, np.zeros(len(solar))
    unmet_TN = np.empty_like(net_TN)
    for t, net in enumerate(net_TN):
        up = net > 0
        eta = np.where(up, kind.eta_c, kind.eta_d)
        limit = np.minimum(np.abs(net), np.where(up, kind.c_charge, kind.c_discharge) * capacity / eta)
        taper = np.where(up, kind.eta_c * tau - kind.u_u, kind.u_l + kind.eta_d * tau)
        room = np.where(up, kind.v_u * capacity - level, level - kind.v_l * capacity)
        before, per_minute, given = room, eta * tau, np.zeros(len(solar))
        for _ in range(minutes):
            power = np.minimum(limit, room / taper)
            room = room - power * per_minute
            given = given + power
        change = before - room
        level = np.where(up, level + change, level - change)
        discharged += np.where(up, 0.0, change)
        unmet_TN[t] = np.where(up, 0.0, -net * question.step_h - given * tau)
    return unmet_TN, discharged
