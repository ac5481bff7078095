"""The roofs of a roofline chart: a slope, a flat, and their names."""

from __future__ import annotations

import itertools
import math
from typing import Any

from thrifty.report.charts import Chart
from thrifty.report.drawing.axes import CHARACTER_PX, Scale
from thrifty.report.drawing.palette import DASHES, INK, MUTED
from thrifty.report.drawing.placing import along
from thrifty.report.numbers import number_text

Point = tuple[float, float]


def roof_layers(chart: Chart, x: Scale, y: Scale, place: dict[str, Any]) -> tuple[list[Any], list[Point]]:
    """The layers, and points that names should not cover. Slopes and flats that several roofs share are named once."""
    import altair as alt

    layers: list[Any] = []
    obstacles: list[Point] = []
    flats: dict[float, list[str]] = {}
    slopes: dict[float, tuple[Point, Point]] = {}
    x_low, x_high, y_low = x.low * x.factor, x.high * x.factor, y.low * y.factor
    for index, roof in enumerate(chart.roofs):
        ridge, left = roof.peak / roof.slope, max(x_low, y_low / roof.slope)
        corners = [(left, left * roof.slope), (ridge, roof.peak), (x_high, roof.peak)] if left < ridge else [(x_low, roof.peak), (x_high, roof.peak)]
        data = alt.Data(values=[{"x": px / x.factor, "y": py / y.factor} for px, py in corners])
        mark = alt.Chart(data).mark_line(color=INK, strokeWidth=1.6, strokeDash=DASHES[index % len(DASHES)])
        layers.append(mark.encode(**place, order="x:Q"))
        pixels = [(x.pixel(px), y.pixel(py)) for px, py in corners]
        for a, b in itertools.pairwise(pixels):
            obstacles += along(a, b)
        flats.setdefault(roof.peak, []).append(roof.name)
        if left < ridge and (roof.slope not in slopes or slopes[roof.slope][1][0] < pixels[1][0]):
            slopes[roof.slope] = pixels[0], pixels[1]

    texts: list[dict[str, Any]] = []
    for peak, names in flats.items():
        text = f"{', '.join(names)}: {number_text(peak, chart.table.column(chart.y).unit)}"
        texts.append({"x": x.length - 4, "y": y.pixel(peak) - 8, "name": text, "angle": 0, "align": "right"})
        obstacles += along((x.length - len(text) * CHARACTER_PX, y.pixel(peak) - 8), (x.length, y.pixel(peak) - 8))
    for slope, (a, b) in slopes.items():
        text, angle = number_text(slope, "B/s"), math.atan2(b[1] - a[1], b[0] - a[0])
        if math.dist(a, b) > len(text) * CHARACTER_PX + 20:
            at = a[0] + 0.7 * (b[0] - a[0]) + 9 * math.sin(angle), a[1] + 0.7 * (b[1] - a[1]) - 9 * math.cos(angle)
            texts.append({"x": at[0], "y": at[1], "name": text, "angle": math.degrees(angle), "align": "center"})
            half = len(text) * CHARACTER_PX / 2
            across, down = half * math.cos(angle), half * math.sin(angle)
            obstacles += along((at[0] - across, at[1] - down), (at[0] + across, at[1] + down))
    if texts:
        by_datum: dict[str, Any] = {name: {"expr": f"datum.{name}"} for name in ("x", "y", "angle", "align")}
        layers.append(alt.Chart(alt.Data(values=texts)).mark_text(color=MUTED, baseline="middle", **by_datum).encode(text="name:N"))
    return layers, obstacles
