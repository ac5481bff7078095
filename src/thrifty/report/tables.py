"""Rows under columns whose numbers have a unit and a ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from thrifty.errors import BadValue
from thrifty.report.numbers import Ground, Number, Style, check_ground

Cell = str | float | bool | Number | None
"""What stands in a table: text, a number (its column says unit and ground), a number of its own, yes or no, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table or a chart.

    key   : its name in code and JSON, with the unit as everywhere (``time_s``)
    truth : the ground of its numbers; a column of numbers must have one
    """

    key: str
    title: str
    unit: str = ""
    truth: Ground | None = None
    style: Style = "auto"
    digits: int = 3
    meaning: str = ""

    def __post_init__(self) -> None:
        if self.truth is not None:
            check_ground(self.truth, f"column '{self.key}'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under columns. The first column names the row; `strong_rows` (a total, this machine) stand out."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    caption: str
    strong_rows: Sequence[int] = ()

    def __post_init__(self) -> None:
        for index, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise BadValue(f"table '{self.caption}': row {index} has {len(row)} cells for {len(self.columns)} columns. Give one cell a column.")
            for column, cell in zip(self.columns, row, strict=True):
                if isinstance(cell, (int, float)) and not isinstance(cell, bool) and column.truth is None:
                    raise BadValue(
                        f"table '{self.caption}': column '{column.key}' holds numbers without a ground. "
                        "Tag it as measured, modelled, literature or given."
                    )

    def column(self, key: str) -> Column:
        """The column of that key."""
        for column in self.columns:
            if column.key == key:
                return column
        raise BadValue(f"table '{self.caption}' has no column '{key}'. Its columns: {', '.join(c.key for c in self.columns)}.")

    def values(self, key: str) -> list[Cell]:
        """The cells of the column of that key, from the top."""
        index = list(self.columns).index(self.column(key))
        return [row[index] for row in self.rows]
