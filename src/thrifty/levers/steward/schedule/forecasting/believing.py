"""The intensities that a plan is made on, and what is said of them."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.levers.steward.schedule.asking.problem import Problem
from thrifty.levers.steward.schedule.forecasting.conformal import check_coverage, conformal_day_ahead
from thrifty.levers.steward.schedule.forecasting.noise import noisy
from thrifty.quantities import DAY_S

Floats = npt.NDArray[np.float64]
HISTORY_DAYS: Final = 60


def believe(problem: Problem, *, error: float = 0.0, seed: int = 0, how: str = "", coverage: float = 0.9) -> tuple[Floats | None, dict[str, Any]]:
    """What a plan is made on (None for the truth), and plain values about it. Raises BadValue for both ways at once or an unknown one."""
    if how and error:
        raise BadValue("--forecast and --forecast-error are two ways of not knowing. Give one of them.")
    if how not in ("", "seasonal"):
        raise BadValue(f"forecast='{how}' is unknown. Choose seasonal, or leave it out.")
    check_coverage(coverage)
    if how:
        return _seasonal(problem, coverage)
    made = noisy(problem.grams_PT, error, seed)  # refuses an error that cannot be
    return (made, {"forecast": {"kind": "gaussian", "error": error, "seed": seed}}) if error else (None, {})


def _seasonal(problem: Problem, coverage: float) -> tuple[Floats, dict[str, Any]]:
    """Every hour by the same hour of the day before the period begins; intervals from up to `HISTORY_DAYS` days before it."""
    day = round(DAY_S / problem.step_s)
    if abs(day * problem.step_s - DAY_S) > 1e-6:
        raise BadValue(f"a step of {problem.step_s / 60:g} min does not divide a day, so no day-ahead forecast is laid on it. Give --step 1h.")
    forecast, low, high = (np.empty_like(problem.grams_PT) for _ in range(3))
    about = []
    of_day = np.arange(problem.slots) % day
    ahead = np.arange(problem.slots) // day + 1
    for p, place in enumerate(problem.places):
        series = place.intensity.series
        known = HISTORY_DAYS if place.intensity.flat else min(HISTORY_DAYS, math.floor((problem.start - series.start) / timedelta(days=1)))
        if known < 1:
            raise BadValue(f"{series.name} knows no day before {problem.start:%Y-%m-%d %H:%MZ}. Give later jobs, or plan without --forecast.")
        past = place.intensity.over(problem.start - timedelta(days=known), problem.start, problem.step_s).values_T * place.pue
        fitted = conformal_day_ahead(past.reshape(known, day), coverage)
        forecast[p] = past[-day:][of_day]
        # An error of the same hour grows with the days ahead like a random walk's; the promise is made for the first day only.
        reach = fitted.band * fitted.scale_H[of_day] * np.sqrt(ahead)
        low[p], high[p] = np.maximum(0.0, forecast[p] - reach), forecast[p] + reach
        inside = (problem.grams_PT[p] >= low[p]) & (problem.grams_PT[p] <= high[p])
        about.append({"place": place.name, "days_of_history": known, "quantile": fitted.quantile, "band": fitted.band, "held": float(inside.mean())})
    from thrifty.levers.steward.schedule.forecasting.regret import regret_bound

    bound = regret_bound(problem, forecast, low, high) if not np.isfinite(problem.cap_w_P).any() else None
    return forecast, {"forecast": {"kind": "seasonal", "coverage": coverage, "places": about, "regret_bound_gco2e": bound}}
