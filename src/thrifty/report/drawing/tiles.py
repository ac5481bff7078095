"""Heat maps: a tile for every pair of names, its number printed in it; a field of small tiles under a scale of colours where they are many."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from thrifty.report.charts import Chart
from thrifty.report.crowds.fields import MOST_TILES, Field, edges_of, field_of, limits_of, step_of, ticks_of
from thrifty.report.drawing.axes import CHARACTER_PX
from thrifty.report.drawing.palette import INK, MUTED, PAPER, STEPS, step_colour
from thrifty.report.numbers import column_texts

_WIDTH, _TILE_PX, _ROW_PX = 640.0, 110.0, 30
_FIELD_PX, _FIELD_TILE_PX, _MOST_NAMES_PX = 250.0, 20.0, 150.0
_LEGEND_PX, _SWATCH_PX, _SWATCH_HIGH_PX = 58.0, 56.0, 10.0


def tile_layers(chart: Chart) -> tuple[Any, bool]:
    """Tiles with their numbers, or a field of tiles without where they are many or too narrow. With it, whether it is such a field."""
    if not chart.drawable():
        return None, False
    columns, lines, field = field_of(chart)
    column = chart.table.column(chart.colour)
    texts, unit = column_texts([value for row in field for value in row], column.unit, column.style, column.digits)
    left = max(len(name) for name in lines) * CHARACTER_PX + 30
    width = min(_WIDTH - left, _TILE_PX * len(columns))
    longest = max(len(text.strip("\u2007\u2008")) for text in texts)
    names = max(len(name) for name in columns)
    if len(chart.rows) > MOST_TILES or max(longest, names) * CHARACTER_PX > width / len(columns):
        return _field(chart, columns, lines, field), True
    return _numbered(chart, columns, lines, field, texts, unit, width), False


def _numbered(chart: Chart, columns: list[str], lines: list[str], field: Field, texts: list[str], unit: str, width: float) -> Any:
    import altair as alt

    edges = edges_of([value for row in field for value in row if not math.isnan(value)], STEPS)
    records = []
    for place, text in enumerate(texts):
        y, x = divmod(place, len(columns))
        if not math.isnan(value := field[y][x]):
            step = step_of(value, edges)
            ink = PAPER if step >= STEPS - 3 else INK
            records.append({"x": columns[x], "y": lines[y], "fill": step_colour(step), "ink": ink, "label": text.strip("\u2007\u2008")})
    titles = chart.table.column(chart.x), chart.table.column(chart.y)
    axis: dict[str, Any] = {"domain": False, "ticks": False, "labelColor": INK, "titleColor": INK, "titlePadding": 8}
    base = alt.Chart(alt.Data(values=records)).encode(
        x=alt.X("x:N", sort=columns, title=_titled(titles[0].title, titles[0].unit), axis=alt.Axis(**axis, labelAngle=0)),
        y=alt.Y("y:N", sort=lines, title=_titled(titles[1].title, titles[1].unit), axis=alt.Axis(**axis)),
    )
    tiles = base.mark_rect(fill={"expr": "datum.fill"}, stroke=PAPER, strokeWidth=2)
    numbers = base.mark_text(color={"expr": "datum.ink"}, baseline="middle").encode(text="label:N")
    title = alt.TitleParams(_titled(chart.table.column(chart.colour).title, unit), anchor="start", color=INK, fontSize=11.5, fontWeight=600, offset=8)
    return alt.layer(tiles, numbers).properties(width=width, height=_ROW_PX * len(lines), title=title)


def _field(chart: Chart, columns: list[str], lines: list[str], field: Field) -> Any:
    """Small tiles without numbers, on axes with few ticks, under the scale of their colours. Neighbours of one step are drawn as one."""
    import altair as alt

    edges = edges_of([value for row in field for value in row if not math.isnan(value)], STEPS)
    high = min(_FIELD_TILE_PX, _FIELD_PX / len(lines))
    down = ticks_of(lines, max(2, int(high * len(lines) / 15)))
    room = min(max(len(name) for _, name in down) * CHARACTER_PX, _MOST_NAMES_PX) + 34
    wide = min(_FIELD_TILE_PX, (_WIDTH - room) / len(columns))
    length, height = wide * len(columns), high * len(lines)
    longest = max(len(name) for _, name in ticks_of(columns, 12))
    across = ticks_of(columns, max(2, int(length / (longest * CHARACTER_PX + 14))))

    x_scale = alt.Scale(domain=[0, length], range=[0, length], nice=False, zero=False)
    y_scale = alt.Scale(domain=[0, height], range=[0, height], nice=False, zero=False)
    titles = chart.table.column(chart.x), chart.table.column(chart.y)
    x = alt.X("x:Q", scale=x_scale, title=_titled(titles[0].title, titles[0].unit), axis=_axis(across, wide))
    y = alt.Y("y:Q", scale=y_scale, title=_titled(titles[1].title, titles[1].unit), axis=_axis(down, high))
    records = [
        {"x": x0 * wide, "x2": x1 * wide, "y": y0 * high, "y2": y1 * high, "fill": step_colour(step)} for x0, x1, y0, y1, step in _runs(field, edges)
    ]
    swatches, labels = _scale(chart, edges)
    tiles = alt.Chart(alt.Data(values=records + swatches)).mark_rect(fill={"expr": "datum.fill"}).encode(x=x, x2="x2:Q", y=y, y2="y2:Q")
    words = alt.Chart(alt.Data(values=labels)).mark_text(
        align={"expr": "datum.align"}, baseline="middle", color=INK, fontWeight={"expr": "datum.weight"}
    ).encode(x=x, y=y, text="label:N")  # fmt: skip
    return alt.layer(tiles, words).properties(width=length, height=height)


def _axis(ticks: list[tuple[int, str]], tile_px: float) -> Any:
    import altair as alt

    places = [round((place + 0.5) * tile_px, 3) for place, _ in ticks]
    texts = json.dumps([name for _, name in ticks], ensure_ascii=False)
    return alt.Axis(
        values=places, labelExpr=f"{texts}[indexof({json.dumps(places)}, datum.value)]", grid=False, domain=False, ticks=True, tickColor=MUTED, tickSize=4,
        labelColor=INK, titleColor=INK, titlePadding=8, labelPadding=4, labelLimit=_MOST_NAMES_PX, labelFlush=False,
    )  # fmt: skip


def _scale(chart: Chart, edges: list[float]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The scale of colours above the field: what it is of, a swatch a step, and the limits between them."""
    texts, unit = limits_of(chart, edges)
    top = -_LEGEND_PX
    labels: list[dict[str, Any]] = [{"x": 0, "y": top + 6, "label": _titled(chart.table.column(chart.colour).title, unit), "align": "left", "weight": 600}]
    swatches = [
        {"x": step * _SWATCH_PX, "x2": (step + 1) * _SWATCH_PX, "y": top + 18, "y2": top + 18 + _SWATCH_HIGH_PX, "fill": step_colour(step)}
        for step in range(len(edges) - 1)
    ]
    for place, text in enumerate(texts[: 1 if edges[0] == edges[-1] else None]):
        align = "left" if place == 0 else "center"
        labels.append({"x": place * _SWATCH_PX, "y": top + 38, "label": text, "align": align, "weight": 400})
    return swatches, labels


def _runs(field: Field, edges: list[float]) -> Iterator[tuple[int, int, int, int, int]]:
    """Left, right, top, bottom (in tiles) and step of rectangles of one step, along rows or along columns, whichever are fewer."""
    steps = [[-1 if math.isnan(value) else step_of(value, edges) for value in row] for row in field]
    along, aside = (list(_lines(each)) for each in (steps, [list(column) for column in zip(*steps, strict=True)]))
    if len(along) <= len(aside):
        yield from ((start, end, line, line + 1, step) for line, start, end, step in along)
    else:
        yield from ((line, line + 1, start, end, step) for line, start, end, step in aside)


def _lines(steps: list[list[int]]) -> Iterator[tuple[int, int, int, int]]:
    for line, row in enumerate(steps):
        start = 0
        for end in range(1, len(row) + 1):
            if end == len(row) or row[end] != row[start]:
                if row[start] >= 0:
                    yield line, start, end, row[start]
                start = end


def _titled(title: str, unit: str) -> str:
    return f"{title} ({unit})" if unit else title
