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
_MOST_NAMES, _MOST_LARGE, _LONGEST_NAME = 40, 120, 40


def point_layers(chart: Chart) -> tuple[Any, str]:
    """Roofs or front beneath, then points, then names. With it, which names were left out or stand for longer ones."""
    import altair as alt

    rows = chart.drawable()
    if not rows:
        return None, ""
    xs, ys, names = chart.numbers(chart.x), chart.numbers(chart.y), chart.texts(chart.label)
    front = [cell is True for cell in chart.table.values(chart.front)] if chart.front else []
    x_log, y_log = chart.logarithmic
    ridges = [roof.peak / roof.slope for roof in chart.roofs]
    x = fit(chart.table.column(chart.x), [xs[row] for row in rows] + [ridge * by for ridge in ridges for by in (0.5, 4)], _WIDTH, log=x_log)
    y = fit(chart.table.column(chart.y), [ys[row] for row in rows] + [roof.peak * 1.5 for roof in chart.roofs], _HEIGHT, log=y_log, flip=True)
    place_of = {"x": alt.X("x:Q", scale=x.altair(), axis=x.axis()), "y": alt.Y("y:Q", scale=y.altair(), axis=y.axis())}

    layers, obstacles = roof_layers(chart, x, y, place_of)
    best = sorted((row for row in rows if front and front[row]), key=lambda row: (xs[row], -ys[row]))
    if len(best) > 1:
        line = alt.Data(values=[{"x": xs[row] / x.factor, "y": ys[row] / y.factor} for row in best])
        layers.append(alt.Chart(line).mark_line(color=MUTED, strokeDash=[5, 4], strokeWidth=1.4).encode(**place_of, order="x:Q"))
        for a, b in itertools.pairwise(best):
            obstacles += along((x.pixel(xs[a]), y.pixel(ys[a])), (x.pixel(xs[b]), y.pixel(ys[b])))

    groups = chart.texts(chart.series)
    series = list(dict.fromkeys(groups[row] for row in rows))
    many = len(rows) > _MOST_LARGE
    chosen, key = _shown_names(chart, rows, names, [bool(front) and front[row] for row in rows], xs)
    pixels = [(x.pixel(xs[row]), y.pixel(ys[row])) for row in rows]
    stand_out = [place for place, row in enumerate(rows) if names[row] and names[row] in chart.strong]
    first = [*stand_out, *(place for place, row in enumerate(rows) if front and front[row])]
    crowded = many or sum(map(bool, chosen)) > _MOST_NAMES
    labels = place_labels(pixels, chosen, _WIDTH, _HEIGHT, obstacles, first=first if crowded else (), crowded=crowded)
    records: list[dict[str, Any]] = []
    texts: list[dict[str, Any]] = []
    for place, (row, (px, py), label) in enumerate(zip(rows, pixels, labels, strict=True)):
        colour, strong, best_one = plain_colour(series.index(groups[row])), place in stand_out, not front or front[row]
        records.append({
            "x": xs[row] / x.factor, "y": ys[row] / y.factor, "group": groups[row], "rank": int(best_one) + int(strong),
            "fill": colour if best_one else PAPER, "stroke": colour, "size": 150 if strong else 70 if not many or (front and best_one) else 24,
        })  # fmt: skip
        if label is not None:
            texts.append({
                "name": chosen[place], "weight": 700 if strong else 400, "align": label.align,
                "px": px, "py": py, "tx": px + label.dx, "ty": py + label.dy, "far": math.hypot(label.dx, label.dy) > LEADER_FROM,
            })  # fmt: skip
    if many:
        records.sort(key=lambda record: int(record["rank"]))  # those that matter lie on top
    if far := [text for text in texts if text["far"]]:
        rule = alt.Chart(alt.Data(values=far)).mark_rule(stroke=MUTED, strokeWidth=0.8, **{k: _of_datum(v) for k, v in _LEADER.items()})
        layers.append(rule.encode(detail="name:N"))
    layers.append(_marks(alt.Chart(alt.Data(values=records)), series, place_of, filled=not front, stroke=1.1 if many else 1.8))
    if texts:
        base = alt.Chart(alt.Data(values=texts))
        for ink in ({"stroke": PAPER, "strokeWidth": 3.5, "color": PAPER}, {"color": INK}) if many else ({"color": INK},):
            text = base.mark_text(baseline="middle", **ink, **{k: _of_datum(v) for k, v in _TEXT.items()})
            layers.append(text.encode(text="name:N"))
    silent = sum(1 for row in rows if names[row]) - len(texts)
    remark = f"{silent:,} of {len(texts) + silent:,} names are left out of the drawing and stand in the data." if silent else ""
    return alt.layer(*layers).properties(width=_WIDTH, height=_HEIGHT), " ".join(part for part in (key, remark) if part)


def _shown_names(chart: Chart, rows: list[int], names: list[str], best: list[bool], xs: list[float]) -> tuple[list[str], str]:
    """The names beside the points, and the key to them.

    With many names only those of the front and the strong ones; numbers from the left where names are longer than a chart can bear.
    """
    shown = [names[row] for row in rows]
    if sum(map(bool, shown)) > _MOST_NAMES and (any(best) or chart.strong):
        shown = [name if it or name in chart.strong else "" for name, it in zip(shown, best, strict=True)]
    if max(map(len, shown)) <= _LONGEST_NAME:
        return shown, ""
    ordered = sorted((place for place, name in enumerate(shown) if name), key=lambda place: xs[rows[place]])
    numbers = {name: number for number, name in enumerate(dict.fromkeys(shown[place] for place in ordered), 1)}
    key = ", ".join(f"({number})\u00a0{name}" for name, number in numbers.items())
    return [str(numbers[name]) if name else "" for name in shown], f"From the left: {key}."


_LEADER = {"x": "px", "y": "py", "x2": "tx", "y2": "ty"}
_TEXT = {"x": "tx", "y": "ty", "align": "align", "fontWeight": "weight"}


def _of_datum(key: str) -> dict[str, str]:
    return {"expr": f"datum.{key}"}


def _marks(base: Any, series: list[str], place: dict[str, Any], *, filled: bool, stroke: float) -> Any:
    """The points: shape and colour by series, hollow where another point beats them."""
    import altair as alt

    if len(series) == 1:
        return base.mark_point(fill=_of_datum("fill"), stroke=_of_datum("stroke"), size=_of_datum("size"), strokeWidth=stroke, opacity=1).encode(**place)
    columns = max(1, int(_WIDTH / (30 + 7 * max(map(len, series)))))
    legend = alt.Legend(orient="top", title=None, symbolSize=80, columns=columns)
    shapes = alt.Scale(domain=series, range=[SHAPES[index % len(SHAPES)] for index in range(len(series))])
    colours = alt.Scale(domain=series, range=[plain_colour(index) for index in range(len(series))])
    by_series = {"shape": alt.Shape("group:N", scale=shapes, legend=legend), "stroke": alt.Stroke("group:N", scale=colours, legend=legend)}
    marks = {"size": _of_datum("size"), "strokeWidth": stroke, "opacity": 1}
    if filled:
        return base.mark_point(**marks).encode(**place, **by_series, fill=alt.Fill("group:N", scale=colours, legend=legend))
    return base.mark_point(**marks, fill=_of_datum("fill")).encode(**place, **by_series)
