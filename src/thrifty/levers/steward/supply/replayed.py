"""What supplies come to: every configuration replayed step by step, load moved first, then the battery."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from thrifty.cost.carbon.supply import replay_many
from thrifty.cost.carbon.supply.checking import day_bounds
from thrifty.levers.steward.supply.question import Floats, Question, Rates


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcomes:
    """Of N supplies over the period, in kgCO2e or USD. making_N: of what is built; grid_N: of what is drawn; reached_N: coverage or 24/7 CFE.

    unmet_mwh_N: from the grid; counted_mwh_N: of it, what counts against the target
    """

    making_N: Floats = field(repr=False)
    grid_N: Floats = field(repr=False)
    unmet_mwh_N: Floats = field(repr=False)
    counted_mwh_N: Floats = field(repr=False)
    discharged_mwh_N: Floats = field(repr=False)
    reached_N: Floats = field(repr=False)

    @property
    def value_N(self) -> Floats:
        return self.making_N + self.grid_N


class Shifting:
    """Moves load within days as `shift_days` does for own supply, all days at once: the same numbers, two hundred times a second faster."""

    def __init__(self, question: Question) -> None:
        load = question.load_mw_T
        bounds = day_bounds(question.days_T, len(load))
        self._starts = bounds[:-1]
        self._lengths = np.diff(bounds)
        self._load, self._largest = load, float(load.max())
        self._give = question.flexible * load

    def load(self, supply_mw_T: Floats, extra_mw: float) -> Floats:
        """(T,) the load after moving, with machines for `extra_mw` above the largest load."""
        gap = self._load - supply_mw_T
        give = np.minimum(np.maximum(gap, 0.0), self._give)
        free = np.minimum(np.maximum(-gap, 0.0), self._largest + extra_mw - self._load)
        gives, frees = np.add.reduceat(give, self._starts), np.add.reduceat(free, self._starts)
        moving = np.minimum(gives, frees)
        with np.errstate(divide="ignore", invalid="ignore"):
            out, back = (np.where(moving > 0, moving / sums, 0.0) for sums in (gives, frees))
        return np.asarray(self._load + free * np.repeat(back, self._lengths) - give * np.repeat(out, self._lengths))


def making(rates: Rates, solar_N: Floats, wind_N: Floats, battery_N: Floats, extra_N: Floats, discharged_N: Floats, depth: float) -> Floats:
    """(N,) of what is built: a battery weighs by its calendar or by its wear, whichever uses it up first."""
    battery = np.maximum(battery_N * rates.calendar_per_mwh, discharged_N * rates.wear(depth))
    return np.asarray(solar_N * rates.solar_per_mw + wind_N * rates.wind_per_mw + extra_N * rates.server_per_mw + battery)


def outcomes(
    question: Question, solar_N: npt.ArrayLike, wind_N: npt.ArrayLike, battery_N: npt.ArrayLike, extra_N: npt.ArrayLike | None = None, *,
    depth: float = 1.0, rates: Rates | None = None, threads: int = 1,
) -> Outcomes:  # fmt: skip
    """Replay N supplies. Supplies that differ in their battery alone should stand beside one another: they share one move of the load.

    depth: share of the battery that cycles may take; rates: the question's own when left out. Raises BadValue for sizes below 0.
    """
    solar, wind, battery = (np.atleast_1d(np.asarray(x, dtype=np.float64)) for x in (solar_N, wind_N, battery_N))
    extra = np.zeros(len(solar)) if extra_N is None else np.atleast_1d(np.asarray(extra_N, dtype=np.float64))
    weighed = rates or question.rates()
    counted = question.counted_T
    kind = question.battery(depth)
    rows = np.empty((4, len(solar)))  # unmet, counted, grid, discharged

    def run(load_T: Floats, these: slice) -> None:
        asked = {
            "solar_mw_N": solar[these], "wind_mw_N": wind[these], "battery_mwh_N": battery[these], "battery": kind, "step_h": question.step_h,
            "threads": threads,
        }  # fmt: skip
        sums = replay_many(load_T, question.solar_share_T, question.wind_share_T, weights_T=weighed.grid_T, **asked)  # type: ignore[arg-type]
        rows[0, these], rows[2, these], rows[3, these] = sums.unmet_mwh_N, sums.weighted_N, sums.discharged_mwh_N
        if question.kind == "cfe":
            rows[1, these] = replay_many(load_T, question.solar_share_T, question.wind_share_T, weights_T=counted, **asked).weighted_N  # type: ignore[arg-type]
        else:
            rows[1, these] = rows[0, these]

    if question.flexible:
        shifting = Shifting(question)
        changes = np.flatnonzero((np.diff(solar) != 0) | (np.diff(wind) != 0) | (np.diff(extra) != 0)) + 1
        for first, last in zip([0, *changes], [*changes, len(solar)], strict=True):
            supply = solar[first] * question.solar_share_T + wind[first] * question.wind_share_T
            run(shifting.load(supply, float(extra[first])), slice(int(first), int(last)))
    else:
        run(question.load_mw_T, slice(0, len(solar)))
    return Outcomes(
        making_N=making(weighed, solar, wind, battery, extra, rows[3], depth), grid_N=rows[2], unmet_mwh_N=rows[0], counted_mwh_N=rows[1],
        discharged_mwh_N=rows[3], reached_N=1.0 - rows[1] / question.load_mwh,
    )  # fmt: skip
