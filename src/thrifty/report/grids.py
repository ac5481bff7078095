"""A table as texts: one unit a column where that reads best, points beneath one another. Shared by terminal and HTML."""

from __future__ import annotations

from dataclasses import dataclass

from thrifty.report.numbers import NOTHING, Ground, Number, column_texts
from thrifty.report.tables import Cell, Column, Table


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a column."""

    title: str
    unit: str
    truth: Ground | None
    numeric: bool
    meaning: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A cell; `tag` where its ground is not that of its column."""

    text: str
    numeric: bool = False
    tag: Ground | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """Heads and rows of texts."""

    caption: str
    heads: tuple[Head, ...]
    rows: tuple[tuple[Entry, ...], ...]
    strong: tuple[int, ...]


def grid_of(table: Table) -> Grid:
    """`table` as texts."""
    heads, columns = [], []
    for index, column in enumerate(table.columns):
        head, entries = _column(column, [row[index] for row in table.rows])
        heads.append(head)
        columns.append(entries)
    rows = tuple(tuple(entries[row] for entries in columns) for row in range(len(table.rows)))
    return Grid(table.caption, tuple(heads), rows, tuple(table.strong_rows))


def _column(column: Column, cells: list[Cell]) -> tuple[Head, list[Entry]]:
    numeric = any(isinstance(cell, (int, float, Number)) and not isinstance(cell, bool) for cell in cells)
    bare = [None if cell is None or isinstance(cell, (str, bool, Number)) else float(cell) for cell in cells]
    own = any(isinstance(cell, Number) for cell in cells)
    texts, unit = column_texts(bare, column.unit, column.style, column.digits) if numeric else ([NOTHING] * len(cells), "")
    if own and all(cell is None or isinstance(cell, (Number, str)) for cell in cells):
        unit = ""
    entries = [_entry(cell, text, column, numeric) for cell, text in zip(cells, texts, strict=True)]
    return Head(column.title, unit, column.truth, numeric, column.meaning), entries


def _entry(cell: Cell, text: str, column: Column, numeric: bool) -> Entry:
    if isinstance(cell, Number):
        return Entry(cell.text, numeric, cell.truth if cell.truth not in (column.truth, "given") else None, cell.source)
    if cell is None:
        return Entry(NOTHING, numeric)
    if isinstance(cell, bool):
        return Entry("yes" if cell else "no", numeric)
    return Entry(cell if isinstance(cell, str) else text, numeric)
