"""The least that any supply could come to: a linear programme over every step, and a bound proved by its dual.

    least   solar · a + wind · b + extra · s + A + Σ grid_t · g_t
    with    g_t + solar · σ_t h + wind · ω_t h + d_t / η_d − u_t / η_c + x_t − y_t ≥ L_t h        energy in each step
            l_t = l_{t−1} + u_t − d_t,  0 ≤ l_t ≤ U,  l_0 = 0                                     a battery of usable capacity U
            A ≥ U / depth · calendar,   A ≥ Σ d_t · wear                                          it is used up by years or by cycles
            x_t ≤ f L_t h,  y_t ≤ (max L − L_t + extra) h,  Σ_day x = Σ_day y                      load that moves within its day
            0 ≤ g_t ≤ L_t h                                                                       the grid serves load and charges nothing
            Σ counted_t · g_t ≤ (1 − target) · Σ L h

It knows the whole year ahead, has no taper, and dispatches as it likes, so nothing that is replayed can be below it. The bound is computed here from the
solver's multipliers, with every variable inside a finite box, so that it holds whatever tolerance the solver stopped at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from thrifty.errors import BadValue, missing_extra
from thrifty.levers.steward.supply.question import Floats, Question, Rates

_SOLAR, _WIND, _USABLE, _BATTERY, _EXTRA, _GLOBALS = 0, 1, 2, 3, 4, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaxed:
    """The programme's answer. bound: proved; value: the solver's; wears: whether cycles, not years, use the battery up (at the margin)."""

    bound: float
    value: float
    solar_mw: float
    wind_mw: float
    battery_mwh: float
    extra_mw: float
    wears: bool


def relax(question: Question, depth: float, rates: Rates | None = None) -> Relaxed:
    """The bound for batteries whose cycles take `depth`. Raises BadValue where no supply within the limits can reach the target; MissingExtra without SciPy."""
    try:
        from scipy.optimize import linprog
    except ImportError as error:
        raise missing_extra("a certificate for a supply", "scipy", "optimize") from error
    weighed = rates or question.rates()
    c, less, less_b, equal, equal_b, top = _programme(question, depth, weighed)
    bounds = np.column_stack([np.zeros(len(c)), top])
    found = linprog(c, A_ub=less, b_ub=less_b, A_eq=equal, b_eq=equal_b, bounds=bounds, method="highs-ipm")
    if found.status == 4:
        found = linprog(c, A_ub=less, b_ub=less_b, A_eq=equal, b_eq=equal_b, bounds=bounds, method="highs-ds")
    if found.status == 2:
        raise BadValue(f"a {question.kind} of {question.target:g} is out of reach within the limits given. Raise them, or lower the target.")
    if found.status != 0:
        raise BadValue(f"the linear programme was not solved: {found.message.strip()}. Report this as a defect.")
    y, z = np.minimum(found.ineqlin.marginals, 0.0), found.eqlin.marginals
    reduced = c - less.T @ y - equal.T @ z
    bound = float(less_b @ y + equal_b @ z + np.minimum(reduced, 0.0) @ top)
    x = found.x
    return Relaxed(
        bound=max(0.0, bound), value=float(found.fun), solar_mw=float(x[_SOLAR]), wind_mw=float(x[_WIND]), battery_mwh=float(x[_USABLE]) / depth,
        extra_mw=float(x[_EXTRA]), wears=bool(y[-1] < -1e-9),
    )  # fmt: skip


def _programme(question: Question, depth: float, rates: Rates) -> tuple[Floats, Any, Floats, Any, Floats, Floats]:
    """c, A ≤, b ≤, A =, b =, upper bounds. Variables: five globals, then g, d, u, l, and x, y where load may move. The last row of A ≤ is wear."""
    from scipy import sparse

    load_h = question.load_mw_T * question.step_h
    steps, most = len(load_h), question.most
    battery = question.battery(depth)
    moves = question.flexible > 0
    blocks = ("g", "d", "u", "l", "x", "y") if moves else ("g", "d", "u", "l")
    own = sparse.identity(steps, format="csr")
    ones = np.ones((1, steps))

    def rows(count: int, globals_: dict[int, Any], **parts: Any) -> Any:
        head = np.zeros((count, _GLOBALS))
        for column, values in globals_.items():
            head[:, column] = values
        return sparse.hstack([sparse.csr_matrix(head), *(parts.get(block, sparse.csr_matrix((count, steps))) for block in blocks)], format="csr")

    moved = {"x": -own, "y": own} if moves else {}
    sun, wind = -question.solar_share_T * question.step_h, -question.wind_share_T * question.step_h
    less = [rows(steps, {_SOLAR: sun, _WIND: wind}, g=-own, d=-own / battery.eta_d, u=own / battery.eta_c, **moved)]
    less_b = [-load_h]
    less.append(rows(steps, {_USABLE: -1.0}, l=own))
    less_b.append(np.zeros(steps))
    largest = float(question.load_mw_T.max())
    if moves:
        less.append(rows(steps, {_EXTRA: -question.step_h}, y=own))
        less_b.append((largest - question.load_mw_T) * question.step_h)
    less.append(rows(1, {}, g=sparse.csr_matrix(question.counted_T[None, :])))
    less_b.append(np.array([question.allowed_mwh]))
    less.append(rows(1, {_USABLE: rates.calendar_per_mwh / depth, _BATTERY: -1.0}))
    less.append(rows(1, {_BATTERY: -1.0}, d=sparse.csr_matrix(ones * rates.wear(depth))))
    less_b.append(np.zeros(2))
    change = sparse.diags_array([np.ones(steps), -np.ones(steps - 1)], offsets=[0, -1], format="csr")
    equal, equal_b = [rows(steps, {}, l=change, u=-own, d=own)], [np.zeros(steps)]
    if moves:
        _, day = np.unique(question.days_T, return_inverse=True)
        days = sparse.csr_matrix((np.ones(steps), (day, np.arange(steps))))
        equal.append(rows(days.shape[0], {}, x=days, y=-days))
        equal_b.append(np.zeros(days.shape[0]))
    usable = most.battery_mwh * depth
    reach = (largest + most.extra_mw) * question.step_h
    out = min(usable, battery.eta_d * reach)
    top = {"g": load_h, "d": np.full(steps, out), "u": np.full(steps, usable), "l": np.full(steps, usable),
           "x": question.flexible * load_h, "y": np.full(steps, reach)}  # fmt: skip
    heaviest = max(most.battery_mwh * rates.calendar_per_mwh, out * steps * rates.wear(depth))
    c = np.concatenate([[rates.solar_per_mw, rates.wind_per_mw, 0.0, 1.0, rates.server_per_mw], rates.grid_T, np.zeros(steps * (len(blocks) - 1))])
    tops = np.concatenate([[most.solar_mw, most.wind_mw, usable, heaviest, most.extra_mw if moves else 0.0], *(top[block] for block in blocks)])
    return c, sparse.vstack(less, format="csr"), np.concatenate(less_b), sparse.vstack(equal, format="csr"), np.concatenate(equal_b), tops
