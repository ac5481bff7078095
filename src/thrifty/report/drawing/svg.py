"""One chart as static SVG that takes its colours and its type from the page around it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from thrifty.errors import missing_extra
from thrifty.report.charts import Chart
from thrifty.report.drawing.bars import bar_layers
from thrifty.report.drawing.lines import line_layers
from thrifty.report.drawing.palette import GRID, INK, recolour
from thrifty.report.drawing.points import point_layers
from thrifty.report.drawing.tiles import tile_layers
from thrifty.report.drawing.timelines import timeline_layers

_LAYERS: dict[str, Callable[[Chart], Any]] = {"bars": bar_layers, "stacked bars": bar_layers, "line": line_layers}
_REMARKING: dict[str, Callable[[Chart], tuple[Any, str]]] = {"scatter": point_layers, "roofline": point_layers, "timeline": timeline_layers}
"""Kinds that may leave out or draw together, and say what."""

_CONFIG: dict[str, Any] = {
    "aria": False,  # the figure around it has the role and the words
    "background": None, "padding": 4, "font": "Liberation Sans",
    "view": {"stroke": None},
    "text": {"fontSize": 11.5, "color": INK},
    "axis": {"labelFontSize": 11.5, "titleFontSize": 11.5, "titleFontWeight": 600, "gridColor": GRID, "gridWidth": 1},
    "legend": {"labelFontSize": 11.5, "labelColor": INK, "labelLimit": 260, "rowPadding": 4, "columnPadding": 16},
}  # fmt: skip


_AREA = r'<path d="(M[^"]*)" fill="([^"]*)"/>'


@dataclass(frozen=True, slots=True)
class Drawing:
    """An SVG element, empty when no row can be drawn, and what a reader must know about how it was drawn, mostly nothing."""

    svg: str
    remark: str = ""


def draw(chart: Chart, prefix: str) -> Drawing:
    """`chart` as an SVG element. `prefix` makes the ids within it unique on the page.

    Raises MissingExtra without altair and vl-convert.
    """
    try:
        import altair  # noqa: F401 - the layers use it
        import vl_convert
    except ImportError as error:
        raise missing_extra("the HTML report", "altair", "report") from error
    crowded, remark = chart.kind == "timeline", ""
    if chart.kind == "heat map":
        layers, crowded = tile_layers(chart)
    elif chart.kind in _REMARKING:
        layers, remark = _REMARKING[chart.kind](chart)
    else:
        layers = _LAYERS[chart.kind](chart)
    if layers is None:
        return Drawing("")
    spec = layers.to_dict()
    spec["config"] = _CONFIG
    svg = _slim(vl_convert.vegalite_to_svg(spec))
    svg = _joined(svg) if crowded else svg
    if crowded and chart.kind == "heat map":  # without it, thin lines of paper show between tiles that touch
        svg = re.sub(f"(?={_AREA})<path", '<path shape-rendering="crispEdges"', svg)
    return Drawing(recolour(svg, prefix), remark)


def chart_svg(chart: Chart, prefix: str) -> str:
    """The element alone."""
    return draw(chart, prefix).svg


_DROPPED = re.compile(
    r' (?:(?:role|aria-roledescription|aria-hidden|class|pointer-events|stroke-miterlimit|font-family|xmlns:xlink|version)="[^"]*"|opacity="1")'
)
_LONG = re.compile(r"-?\d+\.\d{3,}")
_EMPTY = re.compile(
    r'<path d=""[^>]*/>|<path[^>]*d="M0,0h0v0h0Z"[^>]*/>|<path[^>]*display="none"/>|<text[^>]*opacity="0"[^>]*>[^<]*</text>|<g>\s*</g>'
)


def _slim(svg: str) -> str:
    """Without what a page does not need: roles of parts, type faces, empty groups; coordinates, not texts, to a hundredth of a pixel."""
    svg = _DROPPED.sub("", svg)
    svg = re.sub(r"<[^>]*>", lambda tag: _LONG.sub(lambda match: f"{float(match[0]):.2f}".rstrip("0").rstrip("."), tag[0]), svg)
    while True:
        lighter = _EMPTY.sub("", svg)
        if lighter == svg:
            break
        svg = lighter
    return svg.replace("<svg", '<svg aria-hidden="true" focusable="false"', 1)


def _joined(svg: str) -> str:
    """Areas of one fill that follow one another, or lie between others, as one path: a printed page holds each hatched path's pattern anew."""

    def by_fill(match: re.Match[str]) -> str:
        outlines: dict[str, list[str]] = {}
        for outline, fill in re.findall(_AREA, match[0]):
            outlines.setdefault(fill, []).append(outline)
        return "".join(f'<path d="{"".join(parts)}" fill="{fill}"/>' for fill, parts in outlines.items())

    return re.sub(f"(?:{_AREA})+", by_fill, svg)
