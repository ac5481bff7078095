"""Heat maps: a tile for every pair of names, its number printed in it."""

from __future__ import annotations

import math
from typing import Any

from thrifty.report.charts import Chart
from thrifty.report.drawing.axes import CHARACTER_PX
from thrifty.report.drawing.palette import INK, PAPER, STEPS, step_colour
from thrifty.report.numbers import column_texts

_WIDTH = 640.0
_SPAN = 10.0
"""Ratio of the largest to the smallest number beyond which steps are equal ratios, not equal differences."""


def tile_layers(chart: Chart) -> Any:
    """Tiles and numbers. Steps are equal differences, or equal ratios where the numbers span a decade and all are above zero."""
    import altair as alt

    rows = chart.drawable()
    if not rows:
        return None
    across, down, values = chart.texts(chart.x), chart.texts(chart.y), chart.numbers(chart.colour)
    column = chart.table.column(chart.colour)
    columns, lines = list(dict.fromkeys(across[row] for row in rows)), list(dict.fromkeys(down[row] for row in rows))
    texts, unit = column_texts([values[row] for row in rows], column.unit, column.style, column.digits)
    steps = _steps([values[row] for row in rows])
    records = [
        {"x": across[row], "y": down[row], "fill": step_colour(step), "ink": PAPER if step >= STEPS - 3 else INK, "label": text.strip("\u2007\u2008")}
        for row, step, text in zip(rows, steps, texts, strict=True)
    ]
    left = max(len(name) for name in lines) * CHARACTER_PX + 30
    titles = chart.table.column(chart.x), chart.table.column(chart.y)
    axis: dict[str, Any] = {"domain": False, "ticks": False, "labelColor": INK, "titleColor": INK, "titlePadding": 8}
    base = alt.Chart(alt.Data(values=records)).encode(
        x=alt.X("x:N", sort=columns, title=_titled(titles[0].title, titles[0].unit), axis=alt.Axis(**axis, labelAngle=0)),
        y=alt.Y("y:N", sort=lines, title=_titled(titles[1].title, titles[1].unit), axis=alt.Axis(**axis)),
    )
    tiles = base.mark_rect(fill={"expr": "datum.fill"}, stroke=PAPER, strokeWidth=2)
    numbers = base.mark_text(color={"expr": "datum.ink"}, baseline="middle").encode(text="label:N")
    title = alt.TitleParams(_titled(column.title, unit), anchor="start", color=INK, fontSize=11.5, fontWeight=600, offset=8)
    return alt.layer(tiles, numbers).properties(width=min(_WIDTH - left, 110.0 * len(columns)), height=30 * len(lines), title=title)


def _titled(title: str, unit: str) -> str:
    return f"{title} ({unit})" if unit else title


def _steps(values: list[float]) -> list[int]:
    """The step of each value, 0 for the smallest and STEPS - 1 for the largest."""
    low, high = min(values), max(values)
    if low > 0 and high / low >= _SPAN:
        values, low, high = [math.log(value) for value in values], math.log(low), math.log(high)
    if low == high:
        return [0] * len(values)
    return [min(STEPS - 1, int((value - low) / (high - low) * STEPS)) for value in values]
