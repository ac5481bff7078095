"""What supplies come to: every configuration replayed step by step, load moved first, then the battery."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from thrifty.cost.carbon.supply import replay_many
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


def making(rates: Rates, solar_N: Floats, wind_N: Floats, battery_N: Floats, extra_N: Floats, discharged_N: Floats, depth: float) -> Floats:
    """(N,) of what is built: a battery weighs by its calendar or by its wear, whichever uses it up first."""
    battery = np.maximum(battery_N * rates.calendar_per_mwh, discharged_N * rates.wear(depth))
    return np.asarray(solar_N * rates.solar_per_mw + wind_N * rates.wind_per_mw + extra_N * rates.server_per_mw + battery)


def outcomes(
    question: Question, solar_N: npt.ArrayLike, wind_N: npt.ArrayLike, battery_N: npt.ArrayLike, extra_N: npt.ArrayLike | None = None, *,
    depth: float = 1.0, rates: Rates | None = None, threads: int = 1,
) -> Outcomes:  # fmt: skip
    """Replay N supplies.

    depth: share of the battery that cycles may take; rates: the question's own when left out. Raises BadValue for sizes below 0.
    """
    solar, wind, battery = (np.atleast_1d(np.asarray(x, dtype=np.float64)) for x in (solar_N, wind_N, battery_N))
    extra = np.zeros(len(solar)) if extra_N is None else np.atleast_1d(np.asarray(extra_N, dtype=np.float64))
    weighed = rates or question.rates()
    replayed = functools.partial(
        replay_many, question.load_mw_T, question.solar_share_T, question.wind_share_T, solar_mw_N=solar, wind_mw_N=wind, battery_mwh_N=battery,
        battery=question.battery(depth), step_h=question.step_h, threads=threads, flexible_share=question.flexible,
        cap_mw_N=float(question.load_mw_T.max()) + extra, days_T=question.days_T,
    )  # fmt: skip
    sums = replayed(weights_T=weighed.grid_T)
    unmet, discharged = sums.unmet_mwh_N, sums.discharged_mwh_N
    counted = replayed(weights_T=question.counted_T).weighted_N if question.kind == "cfe" else unmet
    return Outcomes(
        making_N=making(weighed, solar, wind, battery, extra, discharged, depth), grid_N=sums.weighted_N, unmet_mwh_N=unmet, counted_mwh_N=counted,
        discharged_mwh_N=discharged, reached_N=1.0 - counted / question.load_mwh,
    )  # fmt: skip
