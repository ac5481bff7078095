"""A chart as a value: which columns, against which axes. How it is drawn is known to `drawing` alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from thrifty.errors import BadValue
from thrifty.report.numbers import Ground, Number
from thrifty.report.tables import Cell, Column, Table

ChartKind = Literal["bars", "stacked bars", "scatter", "line", "roofline", "heat map", "timeline"]
"""bars, stacked bars : y names, x numbers; one bar a name, or one a name and series
scatter           : x and y numbers, a name at each point; `front` marks those that nothing beats
line              : x and y numbers, one line a series
roofline          : x work per byte, y work per second, both logarithmic, under `roofs`
heat map          : x and y names, `colour` numbers
timeline          : y names of rows (streams), `low` and `high` numbers, the start and the end of each bar; x is the column of `low`"""

KINDS: Final = get_args(ChartKind)
ROLES: Final = ("x", "y", "series", "label", "colour", "low", "high", "front")
_NUMERIC: Final[dict[str, tuple[str, ...]]] = {
    "bars": ("x",), "stacked bars": ("x",), "scatter": ("x", "y"), "line": ("x", "y"), "roofline": ("x", "y"), "heat map": ("colour",),
    "timeline": ("low", "high"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Roof:
    """A limit over a roofline chart: at most `peak` work per second, and at most `slope` bytes per second times work per byte."""

    name: str
    peak: float
    slope: float

    def __post_init__(self) -> None:
        if not (self.peak > 0 and self.slope > 0 and math.isfinite(self.peak) and math.isfinite(self.slope)):
            raise BadValue(f"roof '{self.name}' has peak {self.peak} and slope {self.slope}. Give two finite numbers above 0.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A drawing of a table, which always comes with it.

    x, y, series, label, colour, low, high, front : keys of columns. `label` names points; `low` and `high` are a bar's range,
        on a timeline its start and end; `front` is True for points that nothing beats
    x_log, y_log : logarithmic axes; bars become dots on one
    strong : names of bars or points that stand out, e.g. this machine
    alt : what a reader who cannot see the chart is told: what is drawn against what, and what it shows
    """

    kind: ChartKind
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    x: str
    y: str
    alt: str
    caption: str = ""
    series: str = ""
    label: str = ""
    colour: str = ""
    low: str = ""
    high: str = ""
    front: str = ""
    x_log: bool = False
    y_log: bool = False
    roofs: Sequence[Roof] = ()
    roofs_truth: Ground = "literature"
    strong: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise BadValue(f"chart '{self.title}' is of kind '{self.kind}'. Choose one of: {', '.join(KINDS)}.")
        for role in ROLES:
            if key := getattr(self, role):
                self.table.column(key)
        for role in _NUMERIC[self.kind]:
            key = getattr(self, role)
            for value in self.table.values(key) if key else ():
                if isinstance(value, (str, bool)):
                    raise BadValue(f"chart '{self.title}' draws '{value}' of column '{key}' as a number. Give numbers, or None where there is none.")
        if self.kind == "heat map" and not self.colour:
            raise BadValue(f"heat map '{self.title}' has no colour. Name the column whose numbers colour it.")
        if self.kind == "timeline":
            self._check_timeline()
        if len(self.alt) < 40:
            raise BadValue(f"chart '{self.title}' tells readers who cannot see it {len(self.alt)} characters. Say in 40 or more what it shows.")

    def _check_timeline(self) -> None:
        if not (self.low and self.high and self.x == self.low):
            raise BadValue(f"timeline '{self.title}' has x='{self.x}', low='{self.low}', high='{self.high}'. Name the columns of start and end, x as low.")
        if self.x_log or self.y_log:
            raise BadValue(f"timeline '{self.title}' has a logarithmic axis, and time has no ratio. Leave x_log and y_log out.")
        for name, start, end in zip(self.texts(self.y), self.numbers(self.low), self.numbers(self.high), strict=True):
            if end < start:
                raise BadValue(f"timeline '{self.title}' has a bar on '{name}' that starts at {start:g} and ends at {end:g}. End it at its start or later.")

    @property
    def table(self) -> Table:
        """The numbers behind the drawing."""
        return Table(columns=self.columns, rows=self.rows, caption=self.title)

    @property
    def grounds(self) -> tuple[Ground, ...]:
        """The tags of what is drawn, each once."""
        found: list[Ground] = []
        for column in self.columns:
            if column.key in (self.x, self.y, self.colour, self.low, self.high):
                found += [column.truth] if column.truth is not None else []
                found += [cell.truth for cell in self.table.values(column.key) if isinstance(cell, Number)]
        return tuple(dict.fromkeys([*found, *([self.roofs_truth] if self.roofs else [])]))

    @property
    def logarithmic(self) -> tuple[bool, bool]:
        """Whether x and y are."""
        return (True, True) if self.kind == "roofline" else (self.x_log, self.y_log)

    def texts(self, key: str) -> list[str]:
        """The column as names, empty where no such role is set."""
        if not key:
            return [""] * len(self.rows)
        return [_name(cell) for cell in self.table.values(key)]

    def numbers(self, key: str) -> list[float]:
        """The column as floats, NaN where there is no number."""
        if not key:
            return [math.nan] * len(self.rows)
        raw = [cell.value if isinstance(cell, Number) else cell for cell in self.table.values(key)]
        return [math.nan if value is None or isinstance(value, str) else float(value) for value in raw]

    def drawable(self) -> list[int]:
        """Rows that have a place on the axes: finite numbers, above 0 on a logarithmic axis."""
        keep = []
        numeric = {role: self.numbers(getattr(self, role)) for role in _NUMERIC[self.kind]}
        logarithmic = dict(zip(("x", "y"), self.logarithmic, strict=True))
        for index in range(len(self.rows)):
            values = {role: column[index] for role, column in numeric.items()}
            if all(math.isfinite(v) and (v > 0 or not logarithmic.get(role, False)) for role, v in values.items()):
                keep.append(index)
        return keep


def _name(cell: Cell) -> str:
    if isinstance(cell, Number):
        return cell.text
    return "" if cell is None else f"{cell:g}" if isinstance(cell, float) else str(cell)
