"""Work that waits: first come, first served, at whatever speed a slot allows."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.levers.steward.schedule.capping.throughput import CappedDevice

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Served:
    """Work in slots at full speed. served_T; waiting_T: at each slot's end; power_w_T: of one device; late: share of the work that is done after more
    than the allowed slots, or never; mean_delay: slots that work waits on average (work left at the end waits until then)."""

    served_T: Floats = field(repr=False)
    waiting_T: Floats = field(repr=False)
    power_w_T: Floats = field(repr=False)
    late: float
    mean_delay: float

    @property
    def left(self) -> float:
        """Work not done at the end."""
        return float(self.waiting_T[-1])


def check_demand(demand_T: npt.ArrayLike) -> Floats:
    """Demand as shares of full speed, at least 0 each. Raises BadValue."""
    demand = np.asarray(demand_T, dtype=np.float64)
    if not len(demand) or not (np.isfinite(demand) & (demand >= 0)).all():
        raise BadValue("demand has a step that is negative or not a number. Give shares of full speed of at least 0.")
    return demand


def serve(device: CappedDevice, demand_T: npt.ArrayLike, cap_w_T: npt.ArrayLike, *, allowed: int = 0, steady: bool = False) -> Served:
    """What is served under caps of one device.

    While it has work a device runs as fast as its cap allows, then rests; with `steady` it runs the whole slot at the speed that the slot's work needs.
    allowed: slots that work may wait before it is late.
    """
    demand, speed = check_demand(demand_T), device.speed(cap_w_T)
    served, waiting = np.empty(len(demand)), np.empty(len(demand))
    queue = 0.0
    for t, (new, most) in enumerate(zip(demand.tolist(), speed.tolist(), strict=True)):
        done = min(queue + new, most)
        queue = queue + new - done
        served[t], waiting[t] = done, queue
    if steady:
        power = device.power_w(served)
    else:
        power = device.idle_w + np.divide(served, speed, out=np.zeros(len(served)), where=speed > 0) * (device.power_w(speed) - device.idle_w)
    late, delay = _delays(demand, served, allowed)
    return Served(served_T=served, waiting_T=waiting, power_w_T=power, late=late, mean_delay=delay)


def _delays(demand_T: Floats, served_T: Floats, allowed: int) -> tuple[float, float]:
    """Each bit of work by the slot it came in and the slot that did it: between two corners of both running sums neither changes."""
    came, done = np.cumsum(demand_T), np.cumsum(served_T)
    if came[-1] <= 0:
        return 0.0, 0.0
    corners = np.unique(np.concatenate(([0.0], came, done[done < came[-1]])))
    middle = (corners[1:] + corners[:-1]) / 2
    weight = np.diff(corners)
    weight[weight < 1e-12 * came[-1]] = 0.0
    arrival = np.searchsorted(came, middle)
    finish = np.searchsorted(done, middle)  # beyond the last slot for work that is never done
    wait = finish - arrival
    return float(weight[(wait > allowed) | (finish >= len(demand_T))].sum() / came[-1]), float((weight * wait).sum() / came[-1])
