"""Lines with their names at their ends."""

from __future__ import annotations

from typing import Any

from thrifty.report.charts import Chart
from thrifty.report.drawing.axes import CHARACTER_PX, fit
from thrifty.report.drawing.palette import DASHES, PAPER, SHAPES, plain_colour
from thrifty.report.drawing.placing import spread

_WIDTH, _HEIGHT = 580.0, 300.0
_MOST_POINTS = 14


def line_layers(chart: Chart) -> Any:
    """One line a series: colour, dash and shape of its points are its own, its name stands at its end."""
    import altair as alt

    rows = chart.drawable()
    if not rows:
        return None
    xs, ys, groups = chart.numbers(chart.x), chart.numbers(chart.y), chart.texts(chart.series)
    series = list(dict.fromkeys(groups[row] for row in rows))
    x_log, y_log = chart.logarithmic
    width = _WIDTH - (max(len(name) for name in series) * CHARACTER_PX if len(series) > 1 else 0)
    x = fit(chart.table.column(chart.x), [xs[row] for row in rows], width, log=x_log, own=True)
    y = fit(chart.table.column(chart.y), [ys[row] for row in rows], _HEIGHT, log=y_log, flip=True)
    x_axis, y_axis = alt.X("x:Q", scale=x.altair(), axis=x.axis(grid=False)), alt.Y("y:Q", scale=y.altair(), axis=y.axis())

    layers: list[Any] = []
    lasts: list[int] = []
    for index, name in enumerate(series):
        own = sorted((row for row in rows if groups[row] == name), key=lambda row: xs[row])
        lasts.append(own[-1])
        base = alt.Chart(alt.Data(values=[{"x": xs[row] / x.factor, "y": ys[row] / y.factor} for row in own]))
        colour = plain_colour(index)
        layers.append(base.mark_line(color=colour, strokeWidth=2, strokeDash=DASHES[index % len(DASHES)]).encode(x=x_axis, y=y_axis, order="x:Q"))
        if len(own) <= _MOST_POINTS:
            marks = base.mark_point(shape=SHAPES[index % len(SHAPES)], fill=colour, stroke=PAPER, strokeWidth=1, size=55, opacity=1)
            layers.append(marks.encode(x=x_axis, y=y_axis))
    if len(series) > 1:
        heights = spread([y.pixel(ys[row]) for row in lasts], bottom=_HEIGHT - 8)
        for index, (name, row, height) in enumerate(zip(series, lasts, heights, strict=True)):
            end = alt.Chart(alt.Data(values=[{"name": name}]))
            text = end.mark_text(align="left", baseline="middle", dx=9, color=plain_colour(index), fontWeight=600, x=x.pixel(xs[row]), y=height)
            layers.append(text.encode(text="name:N"))
    return alt.layer(*layers).properties(width=width, height=_HEIGHT)
