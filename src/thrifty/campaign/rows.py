"""What a task may answer, and what runs on a worker: a chunk of tasks, each with its rows or its error in one line."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from thrifty.campaign.tasks import Function, Task, find_function
from thrifty.errors import BadValue, ThriftyError

Row = dict[str, Any]
Outcome = list[Row] | str
"""The rows of a task, or what it died of in one line."""
ERROR_CHARACTERS: Final = 500
INT64: Final = 2**63
RESERVED: Final = ("key", "configuration", "seed")
"""Columns of a part that say whose row it is."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A chunk come back. outcomes: one for each task, in order; None where the worker died; seconds: what the tasks took together."""

    number: int
    outcomes: list[Outcome] | None
    seconds: float = 0.0


def run_chunk(function: str | Function, number: int, tasks: Sequence[Task]) -> Answer:
    """Run `tasks` one after another; called on a worker. What a task raises becomes its outcome, so that no task stops another."""
    called = find_function(function)
    began = time.perf_counter()
    outcomes: list[Outcome] = []
    for task in tasks:
        try:
            outcomes.append(_rows(called(json.loads(task.configuration), task.seed)))
        except (Exception, SystemExit) as error:  # foreign code: whatever it raises is what it died of
            outcomes.append(_one_line(error))
    return Answer(number, outcomes, time.perf_counter() - began)


def _one_line(error: BaseException) -> str:
    """``ValueError: batch is zero (sweep.py:31)``: kind, first line and innermost place."""
    said = (str(error).strip().splitlines() or [""])[0]
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames and not isinstance(error, ThriftyError) else ""
    return f"{type(error).__name__}{': ' * bool(said)}{said[:ERROR_CHARACTERS]}{place}"


def _rows(answer: Any) -> list[Row]:
    if isinstance(answer, Mapping):
        return [_row(answer)]
    if isinstance(answer, list | tuple) and answer and all(isinstance(each, Mapping) for each in answer):
        return [_row(each) for each in answer]
    raise BadValue(f"a task answers one mapping or a list of them, not {type(answer).__name__ if answer != [] else 'an empty list'}. Return a dict.")


def _row(row: Mapping[Any, Any]) -> Row:
    return {_name(name): value if type(value) in (float, str, bool) or value is None else _plain(name, value) for name, value in row.items()}


def _name(name: Any) -> str:
    if not isinstance(name, str) or not name or name in RESERVED:
        raise BadValue(f"a row has the column {name!r}. Name columns by strings other than {', '.join(RESERVED)}.")
    return name


def _plain(name: str, value: Any) -> float | int | str | bool | None:
    if hasattr(value, "item") and hasattr(value, "dtype") and getattr(value, "ndim", 0) == 0:  # a scalar of NumPy or torch
        value = value.item()
    if isinstance(value, bool | float | str) or value is None:
        return value
    if isinstance(value, int):
        if not -INT64 <= value < INT64:
            raise BadValue(f"'{name}' is a whole number of more than 64 bits. Return a float or a string.")
        return value
    raise BadValue(f"'{name}' is of {type(value).__name__}. A row holds numbers, strings and booleans: split it into columns, or return several rows.")


def kind_of(value: float | int | str | bool | None) -> str | None:
    """``bool``, ``int``, ``float`` or ``str``; None for None, which fits every column."""
    return None if value is None else "bool" if isinstance(value, bool) else "int" if isinstance(value, int) else "float" if isinstance(value, float) else "str"


def join_kinds(known: Mapping[str, str], rows: Sequence[Row]) -> dict[str, str]:
    """The kinds of columns once `rows` join them: whole numbers and floats make floats. Raises BadValue for any other pair."""
    kinds = dict(known)
    for row in rows:
        for name, value in row.items():
            kind, before = kind_of(value), kinds.get(name)
            if kind is None or kind == before:
                continue
            if before is not None and {kind, before} != {"int", "float"}:
                raise BadValue(f"'{name}' is of {kind} here and of {before} in other tasks. Return one kind.")
            kinds[name] = kind if before is None else "float"
    return kinds
