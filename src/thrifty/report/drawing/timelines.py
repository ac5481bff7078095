"""Timelines: a bar from its start to its end for every piece of work, on the row of the stream that ran it."""

from __future__ import annotations

from typing import Any

from thrifty.report.charts import Chart
from thrifty.report.drawing.axes import CHARACTER_PX, Scale
from thrifty.report.drawing.condensing import FINE_PX, Piece, condense, lanes_of
from thrifty.report.drawing.palette import INK, MUTED, hatched_colour
from thrifty.report.numbers import number_text, scale_of

_WIDTH, _LONGEST_NAME = 680.0, 220.0
_ROW_PX, _BETWEEN_PX, _LANE_PX, _MOST_LANES = 24.0, 8.0, 12.0, 12
_LEAST_PX, _EDGE_PX, _EDGED_FROM, _SEAM_PX = 0.6, 0.8, 5.0, 0.3


def timeline_layers(chart: Chart) -> tuple[Any, str]:
    """Rows in order of first appearance; bars that overlap lie in lanes of their row. With it, what was drawn together."""
    import altair as alt

    rows = chart.drawable()
    if not rows:
        return None, ""
    names, groups, starts, ends = chart.texts(chart.y), chart.texts(chart.series), chart.numbers(chart.low), chart.numbers(chart.high)
    order, series = list(dict.fromkeys(names[row] for row in rows)), list(dict.fromkeys(groups[row] for row in rows))
    name_px = min(max(len(name) for name in order) * CHARACTER_PX, _LONGEST_NAME) + 14
    scale, origin = _scale(chart, [starts[row] for row in rows], [ends[row] for row in rows], _WIDTH - name_px)

    records: list[dict[str, Any]] = []
    labels: list[dict[str, Any]] = []
    y, together = 0.0, 0
    for name in order:
        own = [row for row in rows if names[row] == name]
        lanes = lanes_of([(starts[row], ends[row]) for row in own])
        height = _ROW_PX if max(lanes) == 0 else _LANE_PX * min(max(lanes) + 1, _MOST_LANES)
        each = height / (max(lanes) + 1)
        for lane in range(max(lanes) + 1):
            bars = [
                (scale.pixel(starts[row] - origin), scale.pixel(ends[row] - origin), series.index(groups[row]))
                for row, its in zip(own, lanes, strict=True) if its == lane
            ]  # fmt: skip
            pieces = condense(bars)
            together += sum(piece.bars for piece in pieces if piece.bars > 1)
            records += [_record(piece, y + lane * each, each - (1 if max(lanes) else 0), scale, series) for piece in pieces]
        labels.append({"name": name, "y": y + height / 2, "weight": 700 if name in chart.strong else 400})
        y += height + _BETWEEN_PX

    down = alt.Scale(domain=[0, y], range=[0, y], nice=False, zero=False)
    x = alt.X("from:Q", scale=scale.altair(), axis=scale.axis(), title=scale.title)
    fill: Any = alt.value(hatched_colour(0))
    if len(series) > 1:
        columns = min(6, max(1, int(_WIDTH / (30 + 7 * max(map(len, series))))))
        legend = alt.Legend(orient="top", offset=10, title=None, symbolType="square", symbolSize=130, columns=columns)
        paints = alt.Scale(domain=series, range=[hatched_colour(index) for index in range(len(series))])
        fill = alt.Fill("group:N", sort=series, scale=paints, legend=legend)
    bars_layer = alt.Chart(alt.Data(values=records)).mark_rect().encode(x=x, x2="to:Q", y=alt.Y("y:Q", scale=down, axis=None), y2="y2:Q", fill=fill)
    lines = alt.Chart(alt.Data(values=[{"y": label["y"]} for label in labels])).mark_rule(stroke=MUTED, strokeWidth=0.8, opacity=0.5, x=0, x2=scale.length)
    text = alt.Chart(alt.Data(values=labels)).mark_text(
        align="left", baseline="middle", color=INK, x=-name_px, limit=_LONGEST_NAME - 30, fontWeight={"expr": "datum.weight"},
    )  # fmt: skip
    at = alt.Y("y:Q", scale=down, axis=None)
    layers = alt.layer(lines.encode(y=at), bars_layer, text.encode(y=at, text="name:N")).properties(width=scale.length, height=y)
    remark = f"{together:,} of {len(rows):,} bars are too narrow to be seen one by one and are drawn together, each kind as high as its share of the time."
    return layers, remark if together else ""


def _scale(chart: Chart, starts: list[float], ends: list[float], length: float) -> tuple[Scale, float]:
    """The axis of time, and the time at its left: 0, or the first start where that lies far from it."""
    column = chart.table.column(chart.low)
    low, high = min(starts), max(ends)
    span = high - low or abs(high) or 1.0
    origin = low if low < 0 or low > span else 0.0
    factor, unit = scale_of(high - origin or span, column.unit, column.style)
    after = f" after {number_text(origin, column.unit, 'plain', 6)}" if origin else ""
    title = f"Time{after} ({unit})" if unit else f"Time{after}"
    return Scale(title, factor, 0.0, (high - origin or span) / factor, length, False, False, unit), origin


def _record(piece: Piece, top: float, height: float, scale: Scale, series: list[str]) -> dict[str, Any]:
    """A rectangle: never so narrow that it vanishes, with an edge to its right where it is wide, without a seam where it is a part of a run."""
    width = piece.end - piece.start
    if width < FINE_PX:
        width = max(width, _LEAST_PX)
    else:
        width += -_EDGE_PX if width >= _EDGED_FROM and piece.bars == 1 and piece.top - piece.foot > 0.99 else _SEAM_PX
    per_px = (scale.high - scale.low) / scale.length
    return {
        "from": scale.low + piece.start * per_px, "to": scale.low + (piece.start + width) * per_px, "group": series[piece.kind],
        "y": round(top + height * (1 - piece.top), 2), "y2": round(top + height * (1 - piece.foot), 2),
    }  # fmt: skip
