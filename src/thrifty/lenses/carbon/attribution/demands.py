"""What tenants ask for over time, read from CSV or JSON."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadFile, BadValue
from thrifty.files import strict_json
from thrifty.lenses.carbon.attribution.games.capacity import checked_demand

Floats = npt.NDArray[np.float64]
TIMES: Final = ("time", "hour", "hours", "step", "t", "date", "datetime", "timestamp", "period", "slot", "")
"""Heads of a first column that says when."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Demand:
    """demand_TN : of one resource (cores, GB, W), a row a step of equal length, a column a tenant; used_TN: what they used of it, if that is known
    times     : what each step is called
    """

    tenants: tuple[str, ...]
    demand_TN: Floats = field(repr=False)
    used_TN: Floats | None = field(default=None, repr=False)
    times: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        demand = checked_demand(self.demand_TN)
        if len(self.tenants) != demand.shape[1]:
            raise BadValue(f"{len(self.tenants)} tenants do not fit {demand.shape[1]} columns of demand. Name every column.")
        for name in self.tenants:
            if not name or self.tenants.count(name) > 1:
                raise BadValue(f"tenant '{name}' is named {self.tenants.count(name)} times. Give every column a name of its own.")
        object.__setattr__(self, "demand_TN", demand)
        if self.used_TN is not None:
            used = checked_demand(self.used_TN)
            if used.shape != demand.shape:
                raise BadValue(f"use has {used.shape[0]} steps of {used.shape[1]} tenants, demand {demand.shape[0]} of {demand.shape[1]}. Give the same.")
            object.__setattr__(self, "used_TN", used)
        if not self.times:
            object.__setattr__(self, "times", tuple(str(step) for step in range(len(demand))))
        elif len(self.times) != len(demand):
            raise BadValue(f"{len(self.times)} times do not fit {len(demand)} steps of demand. Give one a step.")

    @property
    def total_T(self) -> Floats:
        return np.asarray(self.demand_TN.sum(axis=1))

    @property
    def peak(self) -> float:
        """The highest demand of all tenants together."""
        return float(self.total_T.max())


def read_demand(path: str | Path, used: str | Path | None = None) -> Demand:
    """Read a table of steps by tenants, and what was used from a second one with the same tenants.

    CSV : a line of heads, then a line a step; a first column named time, hour, step, ... says when.
    JSON: {"tenant": [numbers], ...}, {"time": [..], "demand": {..}, "used": {..}}, or a list of one object a step.
    Raises BadFile for another content, BadValue for demand that cannot be.
    """
    times, columns, found = _read(Path(path))
    if used is not None:
        found = _read(Path(used))[1]
    if not columns:
        raise BadValue(f"'{path}' names no tenant. Give a column a tenant.")
    if found is not None and set(found) != set(columns):
        differ = ", ".join(sorted(set(found) ^ set(columns)))
        raise BadValue(f"use and demand name different tenants: {differ}. Name the same in both.")
    return Demand(
        tenants=tuple(columns), demand_TN=_table(columns, path), used_TN=None if found is None else _table({name: found[name] for name in columns}, path),
        times=times,
    )  # fmt: skip


def _read(path: Path) -> tuple[tuple[str, ...], dict[str, list[Any]], dict[str, list[Any]] | None]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadFile(f"cannot read '{path}': {(error.strerror or str(error)).lower()}. Name a table of demand, .csv or .json.") from error
    except UnicodeDecodeError as error:
        raise BadFile(f"'{path}' is no text: {error.reason}. Give a table of demand, .csv or .json.") from error
    if path.suffix.lower() == ".json":
        return _of_json(path, text)
    return (*_of_csv(path, text), None)


def _of_csv(path: Path, text: str) -> tuple[tuple[str, ...], dict[str, list[Any]]]:
    try:
        rows = [row for row in csv.reader(text.splitlines()) if row]
    except csv.Error as error:
        raise BadFile(f"'{path}' is no CSV: {error}. Mend it.") from error
    if not rows:
        raise BadFile(f"'{path}' is empty. Give a line of tenants' names, then a line a step.")
    heads = [head.strip() for head in rows[0]]
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(heads):
            raise BadFile(f"'{path}', line {number}: {len(row)} cells under {len(heads)} heads. Give one a column; 0 where a tenant asks for nothing.")
    timed = heads[0].lower() in TIMES
    names = heads[1:] if timed else heads
    if not timed and all(_is_number(name) for name in names):
        raise BadFile(f"'{path}' begins with numbers where tenants' names are due. Write a line of heads, e.g. time,web,ads.")
    for name in names:
        if names.count(name) > 1:
            raise BadValue(f"tenant '{name}' is named {names.count(name)} times. Give every column a name of its own.")
    cells = list(zip(*rows[1:], strict=True)) if len(rows) > 1 else [()] * len(heads)
    return tuple(cells[0]) if timed else (), {name: list(column) for name, column in zip(names, cells[1:] if timed else cells, strict=True)}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _of_json(path: Path, text: str) -> tuple[tuple[str, ...], dict[str, list[Any]], dict[str, list[Any]] | None]:
    try:
        content = strict_json(text)
    except BadFile as error:
        raise BadFile(f"'{path}' is no JSON: {error}. Mend it.") from error
    if isinstance(content, list) and content and all(isinstance(row, dict) and set(row) == set(content[0]) for row in content):
        content = {name: [row[name] for row in content] for name in content[0]}
    if not isinstance(content, dict):
        raise BadFile(f"'{path}' is no table of demand. Give {{\"tenant\": [numbers]}} or a list of one object a step, all with the same tenants.")
    content = dict(content)
    timed = next((name for name in TIMES if name and isinstance(content.get(name), list)), "")
    times: list[Any] = content.pop(timed, [])
    demand, used = (content.get("demand", content), content.get("used")) if isinstance(content.get("demand"), dict) else (content, None)
    for columns in (demand, *([used] if used is not None else [])):
        if not isinstance(columns, Mapping) or not all(isinstance(column, list) for column in columns.values()):
            raise BadFile(f"'{path}' is no table of demand. Give every tenant a list of numbers, one a step.")
    return tuple(str(time) for time in times), dict(demand), None if used is None else dict(used)


def _table(columns: Mapping[str, Sequence[Any]], path: str | Path) -> Floats:
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1:
        raise BadFile(f"'{path}' has {' and '.join(str(length) for length in sorted(lengths))} steps for different tenants. Give the same steps to all.")
    table = np.empty((lengths.pop(), len(columns)))
    for place, (name, column) in enumerate(columns.items()):
        for step, cell in enumerate(column):
            try:
                if isinstance(cell, bool) or cell is None:
                    raise ValueError
                table[step, place] = float(cell)
            except (TypeError, ValueError, OverflowError):
                raise BadFile(f"'{path}', tenant '{name}', step {step}: {cell!r} is no number. Give numbers; 0 where a tenant asks for nothing.") from None
    return table
