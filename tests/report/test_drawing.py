"""Scales, places for labels, and the SVG that comes of them."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.report.samples import all_charts, bars, scatter

from thrifty.report import Column
from thrifty.report.drawing import chart_svg
from thrifty.report.drawing.axes import CHARACTER_PX, fit, linear_ticks, log_ticks
from thrifty.report.drawing.palette import SERIES, STEPS, hatched_colour, plain_colour, recolour, step_colour
from thrifty.report.drawing.placing import place_labels, spread

CHARTS = all_charts()
TIME = Column(key="t", title="Time", unit="s", truth="modelled")


def test_formula_linear_ticks() -> None:
    assert linear_ticks(0, 1.31) == [0, 0.5, 1]
    assert linear_ticks(0, 8.6) == [0, 2, 4, 6, 8]


def test_formula_log_ticks() -> None:
    assert log_ticks(0.0008, 1.5) == [0.001, 0.01, 0.1, 1.0]
    assert log_ticks(0.15, 60) == pytest.approx([0.2, 0.5, 1, 2, 5, 10, 20, 50])
    assert log_ticks(1e-9, 1e9) == pytest.approx([10.0**p for p in range(-9, 10, 3)])
    assert len(log_ticks(1.1, 1.3)) >= 2


@given(st.floats(1e-12, 1e12), st.floats(1.0001, 1e6))
def test_property_ticks_lie_on_the_axis_in_order(low: float, ratio: float) -> None:
    for ticks in (linear_ticks(low, low * ratio), log_ticks(low, low * ratio)):
        assert 1 <= len(ticks) <= 24
        assert ticks == sorted(set(ticks))
        assert all(low * (1 - 1e-6) <= tick <= low * ratio * (1 + 1e-6) for tick in ticks)


def test_formula_pixels() -> None:
    scale = fit(TIME, [0.2, 0.5], 100, flip=True)
    assert (scale.title, scale.unit, scale.pixel(0.0)) == ("Time (ms)", "ms", 100)
    assert scale.pixel(0.52) == pytest.approx(0, abs=1e-9)
    log = fit(TIME, [0.01, 1.0], 100, log=True)
    assert log.pixel(0.1) == pytest.approx(50)
    assert fit(TIME, [0.0, 0.0], 100).high > 0
    assert fit(TIME, [-1.0, 2.0], 100).pixel(-1.0) >= 0


@given(st.lists(st.tuples(st.floats(30, 530), st.floats(20, 320)), min_size=1, max_size=12))
def test_property_labels_keep_off_each_other_where_there_is_room(points: list[tuple[float, float]]) -> None:
    labels = [label for label in place_labels(points, ["H100"] * len(points), 560, 340) if label]
    assert len(labels) == len(points)
    boxes = []
    for (x, y), label in zip(points, labels, strict=True):
        length = 4 * CHARACTER_PX
        left = x + label.dx - {"left": 0, "center": length / 2, "right": length}[label.align]
        boxes.append((left, y + label.dy - 6.5, left + length, y + label.dy + 6.5))
    distances = [math.dist(a, b) for i, a in enumerate(points) for b in points[:i]]
    if min(distances, default=99) > 60:
        assert all(b[0] >= a[2] or b[2] <= a[0] or b[1] >= a[3] or b[3] <= a[1] for i, a in enumerate(boxes) for b in boxes[:i])


def test_formula_spread() -> None:
    assert spread([10.0, 100.0]) == [10.0, 100.0]
    assert spread([50.0, 50.0]) == [43.0, 57.0]
    assert spread([98.0, 100.0], bottom=100.0) == pytest.approx([86.0, 100.0], abs=1.0)


def test_stand_ins_become_variables() -> None:
    areas = f'<path fill="{hatched_colour(1)}" stroke="{plain_colour(9)}"/><path fill="{hatched_colour(0)}"/>'
    text = f'<svg a="b">{areas}<rect fill="{step_colour(6)}"/></svg>'
    result = recolour(text, "c3")
    assert 'fill="url(#c3-h1)" stroke="var(--s2)"' in result
    assert 'fill="var(--s1)"/><rect fill="var(--h7)"' in result
    assert result.startswith('<svg a="b"><defs><pattern id="c3-h1"')


@pytest.mark.parametrize("name", CHARTS)
def test_every_kind_is_drawn(name: str) -> None:
    svg = chart_svg(CHARTS[name], "c1")
    root = ET.fromstring(svg)
    assert root.get("aria-hidden") == "true"
    assert root.get("viewBox")
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    chart = CHARTS[name]
    named = {
        "bars": [chart.y], "stacked bars": [chart.y, chart.series], "line": [chart.series], "heat map": [chart.x, chart.y],
        "timeline": [chart.y, chart.series],
    }  # fmt: skip
    for key in named.get(chart.kind, [chart.label]):
        assert set(chart.texts(key)) - {""} <= set(texts), "every name is written beside what it names"
    assert not re.findall(r"#[0-9a-fA-F]{3,6}\b(?!-)", svg.replace("url(#c1", "")), "every colour is the stylesheet's"
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")
    assert len(svg) < 16_000


def test_series_differ_without_colour() -> None:
    grouped, line, points = (chart_svg(CHARTS[name], "c") for name in ("grouped", "line", "scatter"))
    assert "url(#c-h1)" in grouped
    assert "stroke-dasharray" in line
    assert len(set(re.findall(r'<path transform="[^"]*" d="(M[^"]*)"', points))) > 1


def test_an_empty_chart_is_no_drawing() -> None:
    assert chart_svg(bars(rows=[]), "c") == ""
    assert chart_svg(scatter(rows=[("a", "b", None, 1.0, False)]), "c") == ""


def test_a_bar_is_as_long_as_its_number() -> None:
    svg = chart_svg(bars(rows=[("a", "", 2.0), ("b", "", 1.0)]), "c")
    lengths = [float(width) for width in re.findall(r'<path d="M0,[\d.]+h([\d.]+)v[\d.]+h-[\d.]+Z" fill="var\(--s1\)"', svg)]
    assert len(lengths) == 2
    assert lengths[0] == pytest.approx(2 * lengths[1], rel=1e-3)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_formula_contrast_meets_wcag_aa(scheme: int) -> None:
    css = resources.files("thrifty.report").joinpath("static/report.css").read_text()
    blocks = re.findall(r"\.thrifty \{\s*(--ink[^}]*)", css)
    assert len(blocks) == 2
    colour = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[scheme]))
    for text in ("ink", "muted", "link", "measured", "modelled", "literature", *(f"s{i + 1}" for i in range(SERIES))):
        assert contrast(colour[text], colour["paper"]) >= 4.5, text
    for text in ("ink", "muted"):
        assert contrast(colour[text], colour["wash"]) >= 4.5, text
    for step in range(STEPS):
        assert contrast(colour["paper" if step >= STEPS - 3 else "ink"], colour[f"h{step + 1}"]) >= 4.5, step
