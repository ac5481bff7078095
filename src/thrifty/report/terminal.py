"""A page on a terminal, by rich."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from thrifty.report.blocks import Block, Bullets, Code, Facts, Note, Page, Text, plain, spans
from thrifty.report.charts import Chart
from thrifty.report.crowds.fields import MOST_TILES, grid_width, pairs_grid, shaded_lines, tiles_grid
from thrifty.report.crowds.timelines import block_key, block_lines, sums_table
from thrifty.report.grids import Grid, grid_of
from thrifty.report.numbers import Ground, Number
from thrifty.report.tables import Table

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text as RichText

_STYLES: Final[dict[Ground, str]] = {"measured": "green", "modelled": "blue", "literature": "yellow", "given": "dim"}
_SPELLINGS: Final[dict[str, str]] = {"plain": "", "strong": "bold", "emphasis": "italic", "code": "cyan"}
_BAR_CELLS: Final = 28
_MOST_POINTS: Final = 60
_WIDEST: Final = 96
"""Characters that a table of tiles may take; wider ones are shaded."""


def to_terminal(page: Page) -> RenderableType:
    """The page as something rich prints: ``rich.print(to_terminal(page))``. Charts become tables, bars beside; timelines blocks, large heat maps shades."""
    from rich.console import Group
    from rich.text import Text as RichText

    parts: list[RenderableType] = [RichText(page.title, style="bold"), _marked(page.summary)]
    if page.headline:
        parts += [RichText(), _facts(page.headline)]
    for section in page.sections:
        parts += [RichText(), RichText(section.title, style="bold underline")]
        for index, block in enumerate(section.blocks):
            parts += [RichText()] if index else []
            parts += block_parts(block)
    if page.sources:
        parts += [RichText(), RichText("Sources", style="bold underline")]
        for number, source in enumerate(page.sources, 1):
            parts.append(_line(f"{number}. {', '.join(part for part in (source.title, source.publisher, source.date, source.url) if part)}"))
    if page.generated:
        parts += [RichText(), RichText(page.generated, style="dim")]
    return Group(*parts)


def block_parts(block: Block) -> list[RenderableType]:
    """One block as renderables, one below the other."""
    from rich.padding import Padding
    from rich.text import Text as RichText

    match block:
        case Text(text=text):
            return [_marked(text)]
        case Bullets(items=items, ordered=ordered):
            return [_marked(f"{f'{number}.' if ordered else '•'} {item}") for number, item in enumerate(items, 1)]
        case Note(text=text, kind=kind):
            return [RichText.assemble((f"{kind.capitalize()}. ", "bold yellow" if kind == "warning" else "bold"), _marked(text))]
        case Code(text=text, caption=caption):
            return [*([_marked(caption)] if caption else []), Padding(RichText(text, style="cyan"), (0, 2))]
        case Facts(items=items, caption=caption):
            return [*([_marked(caption)] if caption else []), _facts(items)]
        case Table():
            return [_grid(grid_of(block))]
        case Chart():
            return [*_chart_parts(block), *([_marked(block.caption)] if block.caption else [])]


def _chart_parts(chart: Chart) -> list[RenderableType]:
    """The table of a chart with what can be drawn beside it; the rows of a timeline above its sums."""
    from rich.text import Text as RichText

    if chart.kind == "timeline":
        lines: list[RenderableType] = [RichText(line, no_wrap=True, overflow="crop") for line in block_lines(chart)]
        lines += [RichText(block_key(chart))] if lines else []
        return [RichText(plain(chart.title), style="bold"), *lines, RichText(), _grid(replace(grid_of(sums_table(chart)), caption=""))]
    if chart.kind == "heat map":
        return _tiles(chart)
    if chart.series and (pairs := _pairs(chart)) is not None:
        return [_grid(pairs)]
    front = [value is True for value in chart.table.values(chart.front)] if chart.front else []
    names = chart.texts(chart.label)
    if chart.kind != "scatter" or len(chart.rows) <= _MOST_POINTS or not (front or chart.strong):
        return [_grid(grid_of(chart.table), _bars(chart) or [" ★" if best else "" for best in front])]
    kept = [row for row in range(len(chart.rows)) if (front and front[row]) or (names[row] and names[row] in chart.strong)]
    table = replace(chart.table, rows=[chart.rows[row] for row in kept])
    left_out = f"{len(chart.rows) - len(kept):,} of {len(chart.rows):,} points are not listed here; JSON has them all."
    return [_grid(grid_of(table), [" ★" if front and front[row] else "" for row in kept]), RichText(left_out, style="dim")]


def _pairs(chart: Chart) -> Grid | None:
    """Bars and lines of several series as one column a series, or one a name; None where they are one series, or too wide."""
    down, value = (chart.x, chart.y) if chart.kind == "line" else (chart.y, chart.x)
    if chart.kind not in ("bars", "stacked bars", "line") or chart.low or len(set(chart.texts(chart.series))) < 2:
        return None
    turned = [(chart.series, down)] if chart.kind != "line" else []
    for rows, columns in [(down, chart.series), *turned]:
        grid = pairs_grid(chart, rows, columns, value)
        if grid is not None and grid_width(grid) <= _WIDEST:
            return grid
    return None


def _tiles(chart: Chart) -> list[RenderableType]:
    """A table with one name a row and one a column where that is narrow, else shaded characters."""
    from rich.text import Text as RichText

    grid = tiles_grid(chart)
    if grid is not None and len(chart.rows) <= MOST_TILES and grid_width(grid) <= _WIDEST:
        return [_grid(grid)]
    lines = [RichText(line, no_wrap=True, overflow="crop") for line in shaded_lines(chart)]
    if not lines:
        return [_grid(grid_of(chart.table))]
    tags = " ".join(ground for ground in chart.grounds if ground != "given")
    return [_line(plain(chart.title), f" {tags}" if tags else "", "bold"), *lines]


def _bars(chart: Chart) -> list[str]:
    """A bar of block characters for every row, where the chart has bars from zero."""
    if chart.kind != "bars" or chart.x_log:
        return []
    values = chart.numbers(chart.x)
    longest = max((abs(value) for value in values if value == value), default=0.0)
    if not longest:
        return []
    eighths = [round(abs(value) / longest * _BAR_CELLS * 8) if value == value else 0 for value in values]
    return ["█" * (count // 8) + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[count % 8] for count in eighths]


def _grid(grid: Grid, beside: list[str] | None = None) -> RenderableType:
    from rich import box
    from rich.console import Group
    from rich.table import Table as RichTable
    from rich.text import Text as RichText

    table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for head in grid.heads:
        heading = _line(head.title, f" ({head.unit})" if head.unit else "")
        if head.truth and head.truth != "given":
            heading.append(f"\n{head.truth}", style=_STYLES[head.truth])
        table.add_column(heading, justify="right" if head.numeric else "left", no_wrap=head.numeric)
    if beside:
        table.add_column("")
    for index, row in enumerate(grid.rows):
        cells = [_line(entry.text, f" {entry.tag}" if entry.tag else "", _STYLES[entry.tag or "given"]) for entry in row]
        table.add_row(*cells, *([beside[index]] if beside else []), style="bold" if index in grid.strong else None)
    return Group(RichText(plain(grid.caption), style="bold"), table) if grid.caption else table  # a table's own title would wrap at its width


def _facts(items: Mapping[str, Number | str]) -> RenderableType:
    from rich.table import Table as RichTable

    table = RichTable.grid(padding=(0, 2))
    for name, value in items.items():
        shown = _marked(value) if isinstance(value, str) else _number(value)
        table.add_row(_line(name, style="dim"), shown)
    return table


def _number(number: Number) -> RichText:
    text = _line(number.text)
    if number.truth != "given":
        text.append(f"  {number.truth}", style=_STYLES[number.truth])
    if number.model:
        text.append(f" ({number.model})", style="dim")
    return text


def _line(text: str, more: str = "", style: str = "") -> RichText:
    from rich.text import Text as RichText

    line = RichText(text, style="" if more else style)
    if more:
        line.append(more, style=style or "dim")
    return line


def _marked(text: str) -> RichText:
    from rich.text import Text as RichText

    line = RichText()
    for kind, piece in spans(text):
        line.append(piece, style=_SPELLINGS[kind])
    return line
