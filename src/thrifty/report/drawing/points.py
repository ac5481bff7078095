"""Points with their names: scatter with its front, and roofline."""

from __future__ import annotations

import itertools
import math
from typing import Any

from thrifty.report.charts import Chart
from thrifty.report.drawing.axes import fit
from thrifty.report.drawing.palette import INK, MUTED, PAPER, SHAPES, plain_colour
from thrifty.report.drawing.placing import LEADER_FROM, along, place_labels
from thrifty.report.drawing.roofs import roof_layers

_WIDTH, _HEIGHT = 560.0, 340.0


def point_layers(chart: Chart) -> Any:
    """Roofs or front beneath, then points, then names."""
    import altair as alt

    rows = chart.drawable()
    if not rows:
        return None
    xs, ys, names = chart.numbers(chart.x), chart.numbers(chart.y), chart.texts(chart.label)
    front = [cell is True for cell in chart.table.values(chart.front)] if chart.front else []
    x_log, y_log = chart.logarithmic
    ridges = [roof.peak / roof.slope for roof in chart.roofs]
    x = fit(chart.table.column(chart.x), [xs[row] for row in rows] + [ridge * by for ridge in ridges for by in (0.5, 4)], _WIDTH, log=x_log)
    y = fit(chart.table.column(chart.y), [ys[row] for row in rows] + [roof.peak * 1.5 for roof in chart.roofs], _HEIGHT, log=y_log, flip=True)
    place = {"x": alt.X("x:Q", scale=x.altair(), axis=x.axis()), "y": alt.Y("y:Q", scale=y.altair(), axis=y.axis())}

    layers, obstacles = roof_layers(chart, x, y, place)
    best = sorted((row for row in rows if front and front[row]), key=lambda row: (xs[row], -ys[row]))
    if len(best) > 1:
        line = alt.Data(values=[{"x": xs[row] / x.factor, "y": ys[row] / y.factor} for row in best])
        layers.append(alt.Chart(line).mark_line(color=MUTED, strokeDash=[5, 4], strokeWidth=1.4).encode(**place, order="x:Q"))
        for a, b in itertools.pairwise(best):
            obstacles += along((x.pixel(xs[a]), y.pixel(ys[a])), (x.pixel(xs[b]), y.pixel(ys[b])))

    groups = chart.texts(chart.series)
    series = list(dict.fromkeys(groups[row] for row in rows))
    pixels = [(x.pixel(xs[row]), y.pixel(ys[row])) for row in rows]
    records: list[dict[str, Any]] = []
    for row, (px, py), label in zip(rows, pixels, place_labels(pixels, [names[row] for row in rows], _WIDTH, _HEIGHT, obstacles), strict=True):
        colour, strong = plain_colour(series.index(groups[row])), names[row] in chart.strong
        records.append({
            "x": xs[row] / x.factor, "y": ys[row] / y.factor, "name": names[row], "group": groups[row],
            "fill": colour if not front or front[row] else PAPER, "stroke": colour, "size": 150 if strong else 70, "weight": 700 if strong else 400,
            "px": px, "py": py, "tx": px + label.dx, "ty": py + label.dy, "align": label.align, "far": math.hypot(label.dx, label.dy) > LEADER_FROM,
        })  # fmt: skip
    data = alt.Data(values=records)
    if chart.label:
        far = alt.Chart(alt.Data(values=[record for record in records if record["far"]]))
        layers.append(far.mark_rule(stroke=MUTED, strokeWidth=0.8, **{k: _of_datum(v) for k, v in _LEADER.items()}).encode(detail="name:N"))
    layers.append(_marks(alt.Chart(data), series, place, filled=not front))
    if chart.label:
        text = alt.Chart(data).mark_text(baseline="middle", color=INK, **{k: _of_datum(v) for k, v in _TEXT.items()})
        layers.append(text.encode(text="name:N"))
    return alt.layer(*layers).properties(width=_WIDTH, height=_HEIGHT)


_LEADER = {"x": "px", "y": "py", "x2": "tx", "y2": "ty"}
_TEXT = {"x": "tx", "y": "ty", "align": "align", "fontWeight": "weight"}


def _of_datum(key: str) -> dict[str, str]:
    return {"expr": f"datum.{key}"}


def _marks(base: Any, series: list[str], place: dict[str, Any], *, filled: bool) -> Any:
    """The points: shape and colour by series, hollow where another point beats them."""
    import altair as alt

    if len(series) == 1:
        return base.mark_point(fill=_of_datum("fill"), stroke=_of_datum("stroke"), size=_of_datum("size"), strokeWidth=1.8, opacity=1).encode(**place)
    columns = max(1, int(_WIDTH / (30 + 7 * max(map(len, series)))))
    legend = alt.Legend(orient="top", title=None, symbolSize=80, columns=columns)
    shapes = alt.Scale(domain=series, range=[SHAPES[index % len(SHAPES)] for index in range(len(series))])
    colours = alt.Scale(domain=series, range=[plain_colour(index) for index in range(len(series))])
    by_series = {"shape": alt.Shape("group:N", scale=shapes, legend=legend), "stroke": alt.Stroke("group:N", scale=colours, legend=legend)}
    marks = {"size": _of_datum("size"), "strokeWidth": 1.8, "opacity": 1}
    if filled:
        return base.mark_point(**marks).encode(**place, **by_series, fill=alt.Fill("group:N", scale=colours, legend=legend))
    return base.mark_point(**marks, fill=_of_datum("fill")).encode(**place, **by_series)
