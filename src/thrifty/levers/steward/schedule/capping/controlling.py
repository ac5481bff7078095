"""The best power caps: least carbon while work waits no longer than it may.

    minimise  sum over t of grams_t * power(s_t)      s_t: speed, power convex
    subject to  a_t <= demand_t, sum a >= throughput * sum demand      a_t: work let in
                0 <= waiting_t = waiting_{t-1} + a_t - s_t,  waiting_t <= work let in during the last `allowed` slots,  nothing waits at the end

Power is convex, so its tangents bound it from below: the linear program over tangents is a bound, its speeds are a plan, and tangents at that plan's
speeds tighten both until they meet (Kelley's cutting planes).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.levers.steward.schedule.capping.queueing import check_demand
from thrifty.levers.steward.schedule.capping.throughput import CappedDevice
from thrifty.levers.steward.schedule.coupled.solving import solver

Floats = npt.NDArray[np.float64]
ROUNDS: Final = 12
GAP: Final = 1e-4
_FIRST: Final = np.array([0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.0])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Controlled:
    """speed_T, cap_w_T : of one device; value, bound: grams of one device"""

    speed_T: Floats = field(repr=False)
    cap_w_T: Floats = field(repr=False)
    admitted_T: Floats = field(repr=False)
    value: float
    bound: float


def best_caps(device: CappedDevice, demand_T: npt.ArrayLike, grams_per_w_T: Floats, *, allowed: int = 0, throughput: float = 1.0) -> Controlled:
    """Caps of least carbon. grams_per_w_T: grams of a watt drawn through each slot.

    Raises BadValue for a throughput outside 0 to 1, or where even full speed is too slow; MissingExtra without SciPy.
    """
    demand = check_demand(demand_T)
    if not 0 < throughput <= 1:
        raise BadValue(f"throughput={throughput:g} cannot be. Give the share of the work that must be done, above 0 and up to 1.")
    if allowed < 0:
        raise BadValue(f"work may wait {allowed} slots. Give at least 0.")
    optimize = solver()
    import scipy.sparse as sparse

    slots = len(demand)
    grams, unit = np.asarray(grams_per_w_T, dtype=np.float64), max(float(np.mean(grams_per_w_T)), 1e-30)
    span = device.full_w - device.idle_w
    eye, none = sparse.eye_array(slots, format="csr"), sparse.csr_array((slots, slots))
    step = sparse.diags_array([np.ones(slots), -np.ones(slots - 1)], offsets=[0, -1], shape=(slots, slots)) if slots > 1 else eye
    window = sparse.diags_array([np.ones(slots - k) for k in range(min(allowed, slots))], offsets=[-k for k in range(min(allowed, slots))],
                                shape=(slots, slots)) if allowed else none  # fmt: skip
    # Columns: speed, let in, waiting, dynamic power (share of span).
    equal = sparse.hstack([eye, -eye, step, none], format="csr")
    waits = sparse.hstack([none, -window, eye, none], format="csr")
    enough = sparse.csr_array(np.concatenate([np.zeros(slots), -np.ones(slots), np.zeros(2 * slots)])[None, :])
    upper = np.concatenate([np.ones(slots), demand, np.full(slots, np.inf), np.ones(slots)])
    upper[3 * slots - 1] = 0.0
    bounds = np.stack([np.zeros(4 * slots), upper], axis=1)
    cost = np.concatenate([np.zeros(3 * slots), grams / unit])
    cuts = [_tangents(device, np.full(slots, at), span) for at in _FIRST]
    best: Controlled | None = None
    bound = -np.inf
    for _ in range(ROUNDS):
        slope, offset = np.concatenate([c[0] for c in cuts]), np.concatenate([c[1] for c in cuts])
        rows = np.arange(len(slope))
        column = np.tile(np.arange(slots), len(cuts))
        tangent = sparse.csr_array((np.concatenate([slope, -np.ones(len(slope))]), (np.tile(rows, 2), np.concatenate([column, 3 * slots + column]))),
                                   shape=(len(slope), 4 * slots))  # fmt: skip
        found = optimize.linprog(
            cost, A_ub=sparse.vstack([waits, enough, tangent], format="csr"), b_ub=np.concatenate([np.zeros(slots), [-throughput * demand.sum()], -offset]),
            A_eq=equal, b_eq=np.zeros(slots), bounds=bounds, method="highs",
        )  # fmt: skip
        if found.status == 2:
            said = f"even at full speed {device.name} cannot do {throughput:.0%} of this demand within {allowed} slots"
            raise BadValue(f"{said}. Let work wait longer, or add devices.")
        if found.status != 0:
            raise BadValue(f"the linear program of the caps ended without an answer: {found.message} Give a shorter period.")
        speed = np.clip(found.x[:slots], 0.0, 1.0)
        bound = max(bound, float(found.fun * unit * span + device.idle_w * grams.sum()))
        value = float(grams @ device.power_w(speed))
        if best is None or value < best.value:
            best = Controlled(speed_T=speed, cap_w_T=device.power_w(speed), admitted_T=found.x[slots : 2 * slots], value=value, bound=bound)
        if best.value - bound <= GAP * abs(best.value):
            break
        cuts.append(_tangents(device, speed, span))
    assert best is not None
    return Controlled(speed_T=best.speed_T, cap_w_T=best.cap_w_T, admitted_T=best.admitted_T, value=best.value, bound=min(bound, best.value))


def least_of(device: CappedDevice, work: float, grams_per_w_T: Floats) -> float:
    """Grams of one device that nothing which does `work` (slots at full speed) in these slots is below, as if all work could come at any time.

    Weak duality: for any price of work, each slot's own least at that price, plus the price of all work. The price is found by halving.
    """
    grams = np.asarray(grams_per_w_T, dtype=np.float64)
    span, power = device.full_w - device.idle_w, 1 / device.exponent

    def at(price: float) -> tuple[float, float]:
        if power > 1:
            with np.errstate(divide="ignore"):
                speed = np.minimum(1.0, (price / np.maximum(grams * span * power, 1e-300)) ** (1 / (power - 1)))
        else:
            speed = (grams * span < price).astype(np.float64)
        bound = float((grams * (device.idle_w + span * speed**power) - price * speed).sum()) + price * work
        return bound, float(speed.sum())

    low, high = 0.0, 2 * float(grams.max()) * span * power
    best = at(low)[0]
    for _ in range(100):
        middle = (low + high) / 2
        bound, done = at(middle)
        best = max(best, bound)
        low, high = (middle, high) if done < work else (low, middle)
    return best


def _tangents(device: CappedDevice, at_T: Floats, span: float) -> tuple[Any, Any]:
    """slope and offset of each slot's tangent: share of span >= slope * speed + offset."""
    slope = device.slope_w(at_T) / span
    return slope, (device.power_w(at_T) - device.idle_w) / span - slope * at_T
