"""A series through time as a heat map of days by hours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from thrifty.report.charts import Chart
from thrifty.report.tables import Cell, Column

_FEW_DAYS: Final = 31
"""Days up to which they stand beneath one another; more stand side by side."""


def calendar_chart(
    days: Sequence[str], hours: Sequence[int], values: Sequence[float], *, title: str, column: Column, alt: str, caption: str = "", clock: str = "local",
) -> Chart:  # fmt: skip
    """Means of `values` (intensities, powers, amounts an hour) by the day (``2020-01-31``) and the hour of the day in which each step begins.

    An hour that a day lacks is left open, one that it has twice has the mean of both. clock: what the hours are told in.
    """
    sums: dict[tuple[str, int], float] = {}
    counts: dict[tuple[str, int], int] = {}
    for day, hour, value in zip(days, hours, values, strict=True):
        sums[day, hour] = sums.get((day, hour), 0.0) + value
        counts[day, hour] = counts.get((day, hour), 0) + 1
    names, clocks = sorted(set(days)), range(min(hours, default=0), max(hours, default=0) + 1)
    rows: list[list[Cell]] = []
    for hour in clocks:
        for day in names:
            count = counts.get((day, hour))
            rows.append([day, f"{hour:02d}", None if count is None else float(f"{sums[day, hour] / count:.6g}")])
    years = "" if not names else names[0][:4] if names[0][:4] == names[-1][:4] else f"{names[0][:4]} to {names[-1][:4]}"
    columns = (Column(key="day", title=f"Day of {years}"), Column(key="hour", title=f"Hour of the day, {clock}"), column)
    few = len(names) <= _FEW_DAYS
    if few:
        rows.sort(key=lambda row: (str(row[0]), str(row[1])))
    return Chart(
        kind="heat map", title=title, columns=columns, rows=rows, x="hour" if few else "day", y="day" if few else "hour", colour=column.key,
        caption=caption, alt=alt,
    )  # fmt: skip
