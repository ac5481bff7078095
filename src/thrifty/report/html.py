"""A page as one HTML file: no script, nothing fetched, light and dark and on paper."""

from __future__ import annotations

import functools
import os
import secrets
from importlib import resources
from pathlib import Path
from typing import Any

from thrifty.errors import missing_extra
from thrifty.files import writing
from thrifty.report.blocks import Block, Bullets, Code, Facts, Note, Page, Text, plain, spans
from thrifty.report.charts import Chart
from thrifty.report.crowds.fields import MOST_TILES, sums_of, tiles_grid
from thrifty.report.crowds.timelines import MOST_BARS, sums_table
from thrifty.report.grids import Grid, grid_of
from thrifty.report.numbers import GROUNDS, Ground
from thrifty.report.tables import Column, Table


def to_html(page: Page) -> str:
    """The whole page as one self-contained document.

    Raises MissingExtra without jinja2, or, where there are charts, without altair and vl-convert.
    """
    template = _environment().get_template("page.html")
    return str(template.render(page=_view(page, ""), style=_stylesheet()))


def to_fragment(page: Page, plain_text: str = "") -> str:
    """The page as a piece of HTML for a notebook, with `plain_text` for where its style is not trusted."""
    template = _environment().get_template("fragment.html")
    return str(template.render(page=_view(page, f"t{secrets.token_hex(4)}-"), style=_stylesheet(), plain_text=plain_text))


def write_html(page: Page, path: str | os.PathLike[str]) -> Path:
    """Write the page to `path`, whole or not at all, and return where it is. Raises CannotWrite where the system refuses."""
    text = to_html(page)
    with writing(path) as file:
        file.write(text.encode())
    return Path(path)


@functools.cache
def _environment() -> Any:
    try:
        import jinja2
    except ImportError as error:
        raise missing_extra("the HTML report", "jinja2", "report") from error
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("thrifty.report", "static"), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters["spans"] = spans
    environment.filters["plain"] = plain
    return environment


@functools.cache
def _stylesheet() -> Any:
    from markupsafe import Markup

    return Markup(resources.files("thrifty.report").joinpath("static/report.css").read_text(encoding="utf-8"))


def _view(page: Page, prefix: str) -> dict[str, Any]:
    """What the templates see: texts and drawings, nothing left to compute."""
    drawn = 0
    sections = []
    grounds = _grounds(page)
    for section in page.sections:
        blocks = []
        for block in section.blocks:
            if isinstance(block, Chart):
                drawn += 1
            blocks.append(_block_view(block, f"{prefix}c{drawn}"))
        sections.append({"title": section.title, "anchor": section.anchor, "blocks": blocks})
    return {
        "prefix": prefix, "title": page.title, "summary": page.summary, "headline": page.headline, "inputs": page.inputs, "sections": sections,
        "contents": len(sections) > 2, "sources": page.sources, "generated": page.generated, "command": page.command,
        "cited": {source.key: number for number, source in enumerate(page.sources, 1)},
        "titles": {source.key: source.title for source in page.sources},
        "grounds": [(ground, meaning) for ground, meaning in GROUNDS.items() if ground in grounds],
    }  # fmt: skip


def _block_view(block: Block, prefix: str) -> dict[str, Any]:
    match block:
        case Text(text=text):
            return {"is": "text", "text": text}
        case Bullets(items=items, ordered=ordered):
            return {"is": "bullets", "items_": items, "ordered": ordered}
        case Note(text=text, kind=kind):
            return {"is": "note", "text": text, "kind": kind}
        case Code(text=text, caption=caption):
            return {"is": "code", "text": text, "caption": caption}
        case Facts(items=facts, prominent=prominent, caption=caption):
            return {"is": "facts", "facts": facts, "prominent": prominent, "caption": caption}
        case Table():
            return {"is": "table", "grid": grid_of(block)}
        case Chart():
            return _chart_view(block, prefix)


def _chart_view(chart: Chart, prefix: str) -> dict[str, Any]:
    from markupsafe import Markup

    from thrifty.report.drawing import draw

    drawing = draw(chart, prefix)
    caption = f"{chart.caption} {drawing.remark}".strip()
    lost = len(chart.rows) - len(chart.drawable())
    if lost and chart.kind == "heat map":
        said = "has no number and is left out" if lost == 1 else "have no number and are left out"
        caption = f"{caption} {lost:,} of {len(chart.rows):,} tiles {said}.".strip()
    elif lost:
        caption = f"{caption} {lost} of {len(chart.rows)} rows cannot be drawn on these axes and stand in the data only.".strip()
    table = chart.table
    if chart.kind == "timeline" and len(chart.rows) > MOST_BARS:
        table = sums_table(chart)
        caption = f"{caption} The data beneath sums {len(chart.rows):,} bars by row and kind.".strip()
    grid = grid_of(table)
    if chart.kind == "heat map" and len(chart.rows) > MOST_TILES:
        grid = grid_of(sums_of(chart))
        caption = f"{caption} The data beneath sums {len(chart.rows):,} tiles.".strip()
    elif chart.kind == "heat map" and len(chart.columns) == 3:
        grid = tiles_grid(chart) or grid
    return {
        "is": "chart", "title": chart.title, "caption": caption, "alt": chart.alt, "svg": Markup(drawing.svg),
        "grid": grid, "roofs": roofs_grid(chart), "grounds": chart.grounds,
    }  # fmt: skip


def roofs_grid(chart: Chart) -> Grid | None:
    """The roofs of a roofline chart as a table of their own."""
    if not chart.roofs:
        return None
    columns = (
        Column(key="roof", title="Roof"),
        Column(key="peak", title="Peak", unit=chart.table.column(chart.y).unit, truth=chart.roofs_truth),
        Column(key="slope", title="Slope", unit="B/s", truth=chart.roofs_truth),
    )
    return grid_of(Table(columns=columns, rows=[(roof.name, roof.peak, roof.slope) for roof in chart.roofs], caption="Roofs"))


def _grounds(page: Page) -> set[Ground]:
    """Every tag that occurs on the page."""
    found: set[Ground] = {number.truth for number in page.numbers()}
    for block in page.blocks():
        if isinstance(block, (Table, Chart)):
            found |= {column.truth for column in block.columns if column.truth is not None}
    return found
