"""What dominates over two sizes of a workload (image side and batch, say): the class that takes most time, and what bounds the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from thrifty.errors import BadValue
from thrifty.lenses.operators.subjects import Subject
from thrifty.lenses.operators.views.grouping import breakdown, share_of
from thrifty.workload.attention_forms import in_form

SIDES: Final = ("latent", "image", "height", "seq")
"""Symbols that may stand for the size of what is made, the first that a workload has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One point of a map. top: the class that takes most time, and its share; bound: compute, memory or overhead."""

    x: int
    y: int
    top: str
    top_share: float
    attention_share: float
    bound: str
    time_s: float

    def to_dict(self) -> dict[str, Any]:
        return {
            "x": self.x, "y": self.y, "top": self.top, "top_share": self.top_share, "attention_share": self.attention_share, "bound": self.bound,
            "time_s": self.time_s,
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class BottleneckMap:
    """Cells over two sizes, x fastest."""

    x: str
    y: str
    xs: tuple[int, ...]
    ys: tuple[int, ...]
    cells: tuple[Cell, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"x": self.x, "y": self.y, "xs": list(self.xs), "ys": list(self.ys), "cells": [cell.to_dict() for cell in self.cells]}


def side_symbol(subject: Subject) -> str:
    """The symbol that is the size of what is made. Raises BadValue where there is none."""
    names = {symbol.name for symbol in subject.workload.symbols}
    for name in SIDES:
        if name in names:
            return name
    raise BadValue(f"'{subject.workload.name}' has no {', '.join(SIDES)} among its sizes ({', '.join(sorted(names)) or 'none'}). Name another workload.")


def bottleneck_map(subject: Subject, x: str | None = None, xs: Sequence[int] = (), y: str = "batch", ys: Sequence[int] = (1, 2, 4, 8, 16, 32)) -> BottleneckMap:
    """x: a symbol (default: the side), xs: its values (default: a quarter to four times where the workload is).

    Raises BadValue for a subject without device, or a size outside its range.
    """
    if subject.device is None:
        raise BadValue("a map needs a device to price on. Name one with --on.")
    across = x or side_symbol(subject)
    now = subject.workload.point[across]
    values = tuple(xs) or tuple(dict.fromkeys(max(1, now * factor // 4) for factor in (1, 2, 3, 4, 6, 8, 12, 16)))
    cells = []
    for down in ys:
        for value in values:
            cells.append(_cell(subject, {across: value, y: down}, value, down))
    return BottleneckMap(x=across, y=y, xs=values, ys=tuple(ys), cells=tuple(cells))


def _cell(subject: Subject, sizes: dict[str, int], x: int, y: int) -> Cell:
    work = subject.workload.at(sizes)
    if subject.form != "as it is":
        work = replace(work, table=in_form(work.table, subject.form))
    there = replace(subject, workload=work)
    groups = breakdown(there)
    priced = there.priced
    assert priced is not None
    return Cell(
        x=x, y=y, top=groups[0].name, top_share=groups[0].share or 0.0, attention_share=share_of(groups, "attention"), bound=priced.bound, time_s=priced.time_s
    )  # fmt: skip
