"""Holes of a series, filled only where a user says how."""

from __future__ import annotations

from typing import Final, Literal, get_args

import numpy as np

from thrifty.cost.carbon.series.series import Series
from thrifty.errors import BadValue
from thrifty.quantities import DAY_S

Fill = Literal["linear", "day"]
FILLS: Final = get_args(Fill)


def check_fill(how: str | None) -> None:
    """Raises BadValue for a way of filling that is none."""
    if how is not None and how not in FILLS:
        raise BadValue(f"fill='{how}' is unknown. Choose from: {', '.join(FILLS)}.")


def filled(series: Series, how: Fill) -> tuple[Series, str]:
    """The series without holes, and a sentence that says what was filled ("" for none).

    linear : a straight line between the values on both sides; day: the value at the same time of the nearest day that has one, the earlier one first.
    Raises BadValue for a hole at an end (linear), or at a time of day that no day states (day).
    """
    check_fill(how)
    holes = np.isnan(series.values_T)
    if not holes.any():
        return series, ""
    places, known = np.flatnonzero(holes), np.flatnonzero(~holes)
    values = series.values_T.copy()
    if how == "linear":
        if not len(known) or places[0] < known[0] or places[-1] > known[-1]:
            raise BadValue(f"{series.name} has a hole at an end, which no line spans. Cut it off, or use --fill day.")
        values[places] = np.interp(places, known, values[known])
    else:
        day = round(DAY_S / series.step_s)
        if abs(day * series.step_s - DAY_S) > 1e-6:
            raise BadValue(f"{series.name} has steps of {series.step_s:g} s, which do not fit a day. Use --fill linear.")
        for place in places:
            same = np.arange(place % day, len(values), day)
            same = same[~holes[same]]
            if not len(same):
                raise BadValue(f"{series.name} states no day's value for step {place} of a day. Use --fill linear.")
            values[place] = series.values_T[same[np.argmin(np.abs(same - place), axis=0)]]
    return series.with_values(values), f"{len(places)} of {len(values)} steps of {series.name} had no value and were filled ({how})"
