"""Bars: lengths by name, beside one another or end to end; dots where the axis is logarithmic, since a bar has no foot there."""

from __future__ import annotations

import json
import math
from typing import Any

from thrifty.report.charts import Chart
from thrifty.report.drawing.axes import CHARACTER_PX, fit
from thrifty.report.drawing.palette import INK, MUTED, PAPER, SHAPES, hatched_colour, plain_colour
from thrifty.report.numbers import column_texts, join_unit

_WIDTH, _LONGEST_NAME = 640.0, 260


def bar_layers(chart: Chart) -> Any:
    """One layer a part: range, bar or dot, its number."""
    import altair as alt

    rows = chart.drawable()
    names, groups = chart.texts(chart.y), chart.texts(chart.series)
    values, lows, highs = chart.numbers(chart.x), chart.numbers(chart.low), chart.numbers(chart.high)
    series = list(dict.fromkeys(groups))
    order = list(dict.fromkeys(names[row] for row in rows))
    column = chart.table.column(chart.x)
    stacked, ranged = chart.kind == "stacked bars", bool(chart.low and chart.high)

    texts, unit = column_texts([values[row] for row in rows], column.unit, column.style, column.digits)
    labels = [join_unit(text.rstrip("\u2007\u2008"), unit) for text in texts]
    ends: dict[str, float] = dict.fromkeys(order, 0.0)
    records: list[dict[str, Any]] = []
    for row, label in zip(rows, labels, strict=True):
        name, start = names[row], ends[names[row]] if stacked else 0.0
        low, high = (lows[row], highs[row]) if math.isfinite(lows[row] + highs[row]) else (values[row], values[row])
        ends[name] = start + values[row]
        records.append({"name": name, "group": groups[row], "from": start, "to": ends[name], "low": low, "high": high, "label": label})
    if not records:
        return None
    name_px = min(max(len(name) for name in order) * CHARACTER_PX, _LONGEST_NAME) + 16
    # With a number at every bar there is no need of an axis, but of room for the numbers.
    room = 0.0 if stacked or ranged else max(len(label) for label in labels) * CHARACTER_PX + 8
    plot = _WIDTH - name_px
    scale = fit(column, [r[end] for r in records for end in ("to", "low", "high")], plot, log=chart.x_log, room=room)
    for record in records:
        for key in ("from", "to", "low", "high"):
            record[key] /= scale.factor

    grouped = len(series) > 1 and not stacked
    dots = chart.x_log
    y_axis: dict[str, Any] = {"domain": False, "ticks": False, "labelColor": INK, "labelLimit": _LONGEST_NAME, "labelPadding": 8, "grid": dots}
    if strong := [name for name in order if name in chart.strong]:
        y_axis["labelFontWeight"] = {"condition": {"test": f"indexof({json.dumps(strong)}, datum.value) >= 0", "value": 700}, "value": 400}
    gaps = alt.Scale(paddingInner=0.3 if grouped else 0.36, paddingOuter=0.1)
    place: dict[str, Any] = {"y": alt.Y("name:N", sort=order, title=None, scale=gaps, axis=alt.Axis(**y_axis))}
    if grouped:
        place["yOffset"] = alt.YOffset("group:N", sort=series, scale=alt.Scale(paddingInner=0.08))
    axis = scale.axis() if stacked or ranged or dots else None
    x = {end: alt.X(f"{end}:Q", scale=scale.altair(), axis=axis, title=scale.title) for end in ("to", "low", "high")}

    per_line = min(6, max(1, int(_WIDTH / (30 + 7 * max(map(len, series))))))
    legend = alt.Legend(orient="top", offset=10, title=None, **({} if dots else {"symbolType": "square"}), symbolSize=130, columns=per_line)
    paint = plain_colour if dots else hatched_colour
    fill: Any = alt.value(paint(0))
    shape: Any = alt.value(SHAPES[0])
    if len(series) > 1:
        fill = alt.Fill("group:N", sort=series, scale=alt.Scale(domain=series, range=[paint(i) for i in range(len(series))]), legend=legend)
        shapes = alt.Scale(domain=series, range=[SHAPES[i % len(SHAPES)] for i in range(len(series))])
        shape = alt.Shape("group:N", sort=series, scale=shapes, legend=legend)

    base = alt.Chart(alt.Data(values=records))
    if dots:
        layers = [
            base.mark_rule(strokeWidth=3, stroke=MUTED, opacity=0.55).encode(x=x["low"], x2="high:Q", **place),
            base.mark_point(size=75, filled=True, opacity=1).encode(x=x["to"], fill=fill, shape=shape, **place),
        ]
    else:
        edge = {"stroke": PAPER, "strokeWidth": 1.2} if stacked else {}
        layers = [base.mark_bar(**edge).encode(x=x["to"], x2="from:Q", fill=fill, **place)]
        if ranged:
            layers.append(base.mark_rule(strokeWidth=1.6, stroke=INK).encode(x=x["low"], x2="high:Q", **place))
            layers.extend(base.mark_tick(thickness=1.6, size=9, color=INK).encode(x=x[end], **place) for end in ("low", "high"))
        elif not stacked:
            layers.append(base.mark_text(align="left", dx=5, color=INK).encode(x=x["to"], text="label:N", **place))
    height = len(order) * (16 * len(series) * 1.3 + 8 if grouped else 26)
    return alt.layer(*layers).properties(width=_WIDTH, height=height, autosize=alt.AutoSizeParams(type="fit-x", contains="padding"))
