"""Scales: from numbers to pixels, with ticks that a reader would choose."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from thrifty.report.drawing.palette import GRID, INK, MUTED
from thrifty.report.numbers import number_text, scale_of, takes_prefix
from thrifty.report.tables import Column

CHARACTER_PX = 6.3
"""Mean width of a character of an 11.5 pixel sans-serif face, a little on the wide side."""


_MOST_MARKS = 10


@dataclass(frozen=True, slots=True)
class Scale:
    """One axis: values are divided by `factor` and lie between `low` and `high` on `length` pixels, from the left or from the top."""

    title: str
    factor: float
    low: float
    high: float
    length: float
    log: bool
    flip: bool
    unit: str
    marks: tuple[float, ...] = ()
    """Ticks, where the data's own values are better ones than round numbers."""

    def pixel(self, value: float) -> float:
        """Where `value` (not yet divided) lies."""
        value /= self.factor
        low, high = self.low, self.high
        if self.log:
            value, low, high = math.log(value), math.log(low), math.log(high)
        share = (value - low) / (high - low)
        return self.length * (1 - share if self.flip else share)

    def altair(self) -> Any:
        """The scale as Altair has it."""
        import altair as alt

        return alt.Scale(type="log" if self.log else "linear", domain=[self.low, self.high], nice=False, zero=False)

    def axis(self, *, grid: bool = True) -> Any:
        """The axis as Altair has it, with ticks and their texts."""
        import altair as alt

        ticks = list(self.marks) or (log_ticks(self.low, self.high) if self.log else linear_ticks(self.low, self.high))
        texts = [tick_text(tick, self.unit) if self.log else number_text(tick, "", "plain", 6) for tick in ticks]
        lookup = f"{json.dumps(texts, ensure_ascii=False)}[indexof({json.dumps(ticks)}, datum.value)]"
        return alt.Axis(
            title=self.title, values=ticks, labelExpr=lookup, grid=grid, gridColor=GRID, domainColor=MUTED, ticks=False, domain=not self.flip,
            labelPadding=6, labelColor=MUTED, titleColor=INK, titlePadding=10, labelOverlap=True, labelFlush=False,
        )  # fmt: skip


def tick_text(value: float, unit: str, digits: int = 6) -> str:
    """A tick of a logarithmic axis: with an SI prefix, seconds in seconds however many."""
    return number_text(value, unit, "plain" if unit == "s" and value >= 1 else "auto", digits)


def fit(
    column: Column, values: Sequence[float], length: float, *, log: bool = False, flip: bool = False, room: float = 0.0, own: bool = False
) -> Scale:
    """A scale that holds `values` with some air. Linear ones start at zero, or below it where a value does.

    room : pixels to keep free beyond the largest value, for labels
    own  : take the values for ticks where they are few and the axis is logarithmic
    """
    if log:
        low, high = min(values), max(values)
        decades = math.log10(high / low)
        air = max(decades * 0.07, 0.08)
        low, high = low / 10**air, high * 10 ** (air + room / length * (decades + air))
        inside = takes_prefix(column.unit)  # a prefix stands at every tick, a unit that takes none in the title
        title = f"{column.title} ({column.unit})" if column.unit and not inside else column.title
        marks = tuple(sorted(set(values))) if own and len(set(values)) <= _MOST_MARKS else ()
        return Scale(title, 1.0, low, high, length, True, flip, column.unit if inside else "", marks)
    low, high = min(0.0, *values, 0.0), max(0.0, *values, 0.0)
    factor, unit = scale_of(max(-low, high), column.unit, column.style)
    low, high = 1.05 * low / factor, high / factor if high > low else 1.0
    high = low + (high - low) * (1 / max(1 - room / length, 0.3) if room else 1.04)
    return Scale(f"{column.title} ({unit})" if unit else column.title, factor, low, high, length, False, flip, unit)


def linear_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers within [low, high], some `about` of them."""
    step = 10.0 ** math.floor(math.log10((high - low) / about))
    step = next((step * by for by in (1, 2, 2.5, 5, 10) if (high - low) / (step * by) <= about), step * 10)
    return [float(f"{index * step:.12g}") for index in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten within [low, high]; with 2 and 5 between them, or linear ticks, where those are few; every n-th where they are many."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    if last - first >= 2:
        return [10.0**power for power in range(first, last + 1, math.ceil((last - first + 1) / 7))]
    ticks = [by * 10.0**power for power in range(first - 1, last + 1) for by in (1, 2, 5) if low <= by * 10.0**power <= high]
    return ticks if len(ticks) >= 3 else linear_ticks(low, high, 4)
