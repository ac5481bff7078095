"""Timelines in words and blocks: sums by row and kind, and rows of characters for a terminal."""

from __future__ import annotations

from typing import Final

from thrifty.report.charts import Chart
from thrifty.report.numbers import number_text
from thrifty.report.tables import Cell, Column, Table

MOST_BARS: Final = 200
"""With more bars than this, a page shows their sums in place of a table of them."""
_BLOCKS: Final = "█▒▓░▚▀▞▄▌▐"
_MORE: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_IDLE, _MOSTLY_IDLE = " ", "·"
_CELLS, _LONGEST_NAME = 56, 20


def sums_table(chart: Chart) -> Table:
    """By row and kind: how many bars, how long together, and which share of the whole timeline."""
    starts, ends = chart.numbers(chart.low), chart.numbers(chart.high)
    names, kinds = chart.texts(chart.y), chart.texts(chart.series)
    rows = chart.drawable()
    span = max((ends[row] for row in rows), default=0.0) - min((starts[row] for row in rows), default=0.0)
    found: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        found.setdefault((names[row], kinds[row]), []).append(ends[row] - starts[row])
    order = list(dict.fromkeys(names[row] for row in rows))
    time = chart.table.column(chart.high)
    columns = [
        Column(key="row", title=chart.table.column(chart.y).title), Column(key="kind", title=chart.table.column(chart.series).title if chart.series else ""),
        Column(key="bars", title="Bars", truth="given", style="integer"), Column(key="busy", title="Together", unit=time.unit, truth=time.truth),
        Column(key="share", title="Of the whole", truth=time.truth, style="percent"),
    ]  # fmt: skip
    cells: list[list[Cell]] = [
        [name, kind, len(each), sum(each), sum(each) / span if span else None]
        for (name, kind), each in sorted(found.items(), key=lambda item: order.index(item[0][0]))
    ]
    if not chart.series:
        return Table(columns=[columns[0], *columns[2:]], rows=[[row[0], *row[2:]] for row in cells], caption=chart.title)
    return Table(columns=columns, rows=cells, caption=chart.title)


def block_lines(chart: Chart) -> list[str]:
    """The rows as characters, the ends of the axis beneath them; nothing where nothing can be drawn. `block_key` says what each character means.

    A character stands for an equal slice of time and shows the kind that holds most of it, or a dot where the row is idle for longer.
    """
    rows = chart.drawable()
    starts, ends, names, kinds = chart.numbers(chart.low), chart.numbers(chart.high), chart.texts(chart.y), chart.texts(chart.series)
    low, high = min((starts[row] for row in rows), default=0.0), max((ends[row] for row in rows), default=0.0)
    if high <= low:
        return []
    glyphs = _glyphs(chart)
    width = (high - low) / _CELLS
    busy: dict[str, list[dict[str, float]]] = {}
    for row in rows:
        cells = busy.setdefault(names[row], [{} for _ in range(_CELLS)])
        first, last = (min(_CELLS - 1, int((at - low) / width)) for at in (starts[row], ends[row]))
        for cell in range(first, last + 1):
            held = min(ends[row], low + (cell + 1) * width) - max(starts[row], low + cell * width)
            if held > 1e-9 * width:
                cells[cell][kinds[row]] = cells[cell].get(kinds[row], 0.0) + held
    head = min(_LONGEST_NAME, max(map(len, busy)))
    lines = [f"{_short(name, head)}  {''.join(_glyph(cell, width, glyphs) for cell in cells)}" for name, cells in busy.items()]
    unit = chart.table.column(chart.low).unit
    left, right = number_text(low, unit), number_text(high, unit)
    return [*lines, f"{'':{head}}  {left}{right:>{_CELLS - len(left)}}"]


def block_key(chart: Chart) -> str:
    """What the characters of `block_lines` mean."""
    return "   ".join([*(f"{glyph} {kind}" for kind, glyph in _glyphs(chart).items() if kind), f"{_MOSTLY_IDLE} mostly idle"])


def _glyphs(chart: Chart) -> dict[str, str]:
    kinds = chart.texts(chart.series)
    return {kind: (_BLOCKS + _MORE)[index % len(_BLOCKS + _MORE)] for index, kind in enumerate(dict.fromkeys(kinds[row] for row in chart.drawable()))}


def _glyph(cell: dict[str, float], width: float, glyphs: dict[str, str]) -> str:
    if not cell:
        return _IDLE
    most = max(cell, key=lambda kind: cell[kind])
    return glyphs[most] if cell[most] >= width - sum(cell.values()) else _MOSTLY_IDLE


def _short(name: str, length: int) -> str:
    return f"{name:{length}}" if len(name) <= length else name[: length - 1] + "…"
