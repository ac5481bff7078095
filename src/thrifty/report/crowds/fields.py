"""Heat maps in words: steps of colour, ticks among many names, the tiles as a small table, sums of many tiles, and shaded rows for a terminal."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final

from thrifty.report.charts import Chart
from thrifty.report.grids import Entry, Grid, Head
from thrifty.report.numbers import Number, column_texts, join_unit, number_text, scale_of
from thrifty.report.tables import Cell, Column, Table

MOST_TILES: Final = 400
"""With more tiles than this, no number stands in them, and a page shows sums in place of a table of them."""
_SPAN: Final = 10.0
"""Ratio of the largest to the smallest number beyond which steps are equal ratios, not equal differences."""
_SHADES: Final = "·░▒▓█"
_CELLS, _LINES, _LONGEST_NAME = 76, 24, 16
_MOST_COLUMNS: Final = 31
_FEW_DAYS: Final = 75
"""Days up to which ticks and sums are days."""
_THINNED: Final = (1, 2, 3, 4, 6, 7, 12, 14, 24, 28)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

Field = list[list[float]]
"""A row of numbers for every name downwards, a number for every name across, NaN where there is no tile."""


def field_of(chart: Chart) -> tuple[list[str], list[str], Field]:
    """Names across, names down, each in order of first appearance, and the numbers between them."""
    across, down, values = chart.texts(chart.x), chart.texts(chart.y), chart.numbers(chart.colour)
    columns, lines = list(dict.fromkeys(across)), list(dict.fromkeys(down))
    at_x, at_y = ({name: index for index, name in enumerate(names)} for names in (columns, lines))
    field = [[math.nan] * len(columns) for _ in lines]
    for x, y, value in zip(across, down, values, strict=True):
        field[at_y[y]][at_x[x]] = value if math.isfinite(value) else math.nan
    return columns, lines, field


def edges_of(values: Sequence[float], count: int) -> list[float]:
    """The limits of `count` steps: equal differences, or equal ratios where the numbers span a decade and all are above 0. Two equal ones where all are."""
    low, high = min(values), max(values)
    if low == high:
        return [low, high]
    if low > 0 and high / low >= _SPAN:
        return [low, *(low * (high / low) ** (step / count) for step in range(1, count)), high]
    return [low, *(low + (high - low) * step / count for step in range(1, count)), high]


def step_of(value: float, edges: Sequence[float]) -> int:
    """The step in which `value` lies, 0 for the lowest."""
    return sum(value >= edge for edge in edges[1:-1])


def ticks_of(names: Sequence[str], most: int) -> list[tuple[int, str]]:
    """At most `most` of `names` with their places. Dates become months where they are many, else days; of several years, January stands as its year."""
    if all(_DATE.fullmatch(name) for name in names):
        firsts = [index for index, name in enumerate(names) if name.endswith("-01")]
        if len(names) > _FEW_DAYS and firsts:
            by = next((by for by in (1, 2, 3, 6, 12) if len(firsts) <= most * by), 12 * (len(firsts) // (12 * most) + 1))
            kept = [index for index in firsts if (int(names[index][5:7]) - 1) % by == 0] if by <= 12 else firsts[::by]
            several = names[firsts[0]][:4] != names[firsts[-1]][:4]
            return [(i, names[i][:4] if several and names[i][5:7] == "01" else _MONTHS[int(names[i][5:7]) - 1]) for i in kept]
        names = [f"{int(name[8:])} {_MONTHS[int(name[5:7]) - 1]}" for name in names]
    by = next((by for by in _THINNED if len(names) <= most * by), -(-len(names) // most))
    return [(index, names[index]) for index in range(0, len(names), by)]


def tiles_grid(chart: Chart) -> Grid | None:
    """The numbers with one name a row and one a column. None where a tile has a range, or columns are too many."""
    columns, _, _ = field_of(chart)
    return None if len(columns) > _MOST_COLUMNS else pairs_grid(chart, chart.y, chart.x, chart.colour)


def pairs_grid(chart: Chart, down: str, across: str, value: str) -> Grid | None:
    """A table of the numbers of column `value` with a row for each of `down` and a column for each of `across`.

    None where a pair stands twice, or a number has a range, which no narrow column holds.
    """
    cells = chart.table.values(value)
    names = list(zip(_texts(chart, down), _texts(chart, across), strict=True))
    if len(set(names)) < len(names) or any(isinstance(cell, Number) and cell.range_text for cell in cells):
        return None
    lines, columns = (list(dict.fromkeys(pair[side] for pair in names)) for side in (0, 1))
    known = dict(zip(names, chart.numbers(value), strict=True))
    column, first, over = (chart.table.column(key) for key in (value, down, across))
    texts, unit = column_texts([known.get((line, name), math.nan) for line in lines for name in columns], column.unit, column.style, column.digits)
    heads = (Head(_titled(first.title, first.unit), "", None, False, first.meaning), *(Head(name, "", None, True, "") for name in columns))
    tags = {pair: cell.truth for pair, cell in zip(names, cells, strict=True) if isinstance(cell, Number) and cell.truth not in (column.truth, "given")}
    rows = tuple(
        (Entry(line), *(Entry(texts[at * len(columns) + place], True, tags.get((line, name))) for place, name in enumerate(columns)))
        for at, line in enumerate(lines)
    )
    ground = "" if column.truth in (None, "given") else f", {column.truth}"
    return Grid(f"{_titled(chart.title, unit)}{ground}; across: {_titled(over.title, over.unit).lower()}", heads, rows, ())


def _texts(chart: Chart, key: str) -> list[str]:
    """A column as names; numbers without their unit, which stands in the head."""
    cells = chart.table.values(key)
    if any(isinstance(cell, str) for cell in cells):
        return chart.texts(key)
    return [number_text(number, "", "plain", 4) for number in chart.numbers(key)]


def grid_width(grid: Grid) -> int:
    """Characters of a grid's widest row, two between cells."""
    widths = [max(len(head.title), *(len(f"{row[place].text} {row[place].tag or ''}") - 1 for row in grid.rows), 0) for place, head in enumerate(grid.heads)]
    return sum(widths) + 2 * len(widths)


def sums_of(chart: Chart) -> Table:
    """Least, mean and most by slices of the names across: months where they are many dates, else two dozen equal ones at most."""
    columns, _, field = field_of(chart)
    column, axis = chart.table.column(chart.colour), chart.table.column(chart.x)
    groups: dict[str, list[int]] = {}
    if len(columns) > _FEW_DAYS and all(_DATE.fullmatch(name) for name in columns):
        title = "Month"
        for place, name in enumerate(columns):
            groups.setdefault(f"{_MONTHS[int(name[5:7]) - 1]} {name[:4]}", []).append(place)
    else:
        title, by = axis.title, -(-len(columns) // 24)
        for start in range(0, len(columns), by):
            inside = list(range(start, min(start + by, len(columns))))
            groups[columns[start] if by == 1 else f"{columns[start]} to {columns[inside[-1]]}"] = inside
    rows: list[list[Cell]] = []
    for name, places in groups.items():
        found = [value for row in field for place in places if not math.isnan(value := row[place])]
        rows.append([name, len(found), *((min(found), sum(found) / len(found), max(found)) if found else (None, None, None))])
    shape = {"unit": column.unit, "truth": column.truth, "style": column.style, "digits": column.digits}
    heads = (
        Column(key="slice", title=title), Column(key="tiles", title="Tiles", truth="given", style="integer"),
        *(Column(key=key, title=words, **shape) for key, words in (("least", "Least"), ("mean", "Mean"), ("most", "Most"))),  # type: ignore[arg-type]
    )  # fmt: skip
    return Table(columns=heads, rows=rows, caption=chart.title)


def shaded_lines(chart: Chart) -> list[str]:
    """The tiles as shaded characters, the axis and what each shade means beneath; nothing where nothing can be drawn.

    A character shows the mean of the tiles that it stands for, a space that there are none.
    """
    columns, lines, field = field_of(chart)
    wide, tall = -(-len(columns) // _CELLS) if columns else 1, -(-len(lines) // _LINES) if lines else 1
    means = [[_mean([value for row in field[y : y + tall] for value in row[x : x + wide]]) for x in range(0, len(columns), wide)]
             for y in range(0, len(lines), tall)]  # fmt: skip
    known = [value for row in means for value in row if not math.isnan(value)]
    if not known:
        return []
    edges = edges_of(known, len(_SHADES))
    names = [name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…" for name in lines[::tall]]
    head = max(map(len, names))
    stretch = max(1, min(4, _CELLS // (2 * len(means[0])) * 2))  # few columns are drawn wider
    shaded = [
        f"{name:>{head}}  {''.join(stretch * (' ' if math.isnan(value) else _SHADES[step_of(value, edges)]) for value in row)}"
        for name, row in zip(names, means, strict=True)
    ]
    more = [f"Each character is the mean of {wide * tall} tiles."] if wide * tall > 1 else []
    return [*shaded, f"{'':{head}}  {_axis(columns, wide, stretch)}".rstrip(), _key(chart, edges), *more]


def _axis(columns: Sequence[str], wide: int, stretch: int) -> str:
    """Ticks under the characters, as many as do not touch."""
    line = ""
    for place, name in ticks_of(columns, max(2, _CELLS // 7)):
        at = place // wide * stretch
        if at >= len(line) + (2 if line else 0):
            line = f"{line:{at}}{name}"
    return line


def _key(chart: Chart, edges: Sequence[float]) -> str:
    said, unit = limits_of(chart, edges)
    if edges[0] == edges[-1]:
        return f"{_SHADES[0]} {join_unit(said[0], unit)}"
    return "   ".join([*(f"{shade} {low} to {high}" for shade, low, high in zip(_SHADES, said, said[1:], strict=False)), unit]).rstrip()


def limits_of(chart: Chart, edges: Sequence[float]) -> tuple[list[str], str]:
    """The limits of steps as texts in the unit of the largest, and that unit."""
    column = chart.table.column(chart.colour)
    factor, unit = scale_of(max(abs(edge) for edge in edges), column.unit, column.style, column.digits)
    return [number_text(edge / factor, "", "integer" if column.style == "integer" else "plain", column.digits) for edge in edges], unit


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def _titled(title: str, unit: str) -> str:
    return f"{title} ({unit})" if unit else title
