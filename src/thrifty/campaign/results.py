"""What a campaign has found, in the order of its configurations, read from the parts when asked for."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.campaign import folders, parts
from thrifty.campaign.tasks import Identity, Task, make_task
from thrifty.errors import BadFile, UnknownName, missing_extra

if TYPE_CHECKING:
    import pyarrow

OWN: Final = ("key", "configuration", "seed")
BATCH: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A task that raised, or whose workers died. error: kind, first line and place of what it raised."""

    configuration: dict[str, Any]
    seed: int
    error: str


@dataclass(frozen=True, kw_only=True)
class Results:
    """The rows of a campaign. Iterating gives one mapping a row: the configuration's values, then the task's (which win where both
    have a name; what is None is left out).

    tasks  : in the order asked for; equal configurations stand twice
    ran    : tasks that the call ran;  reused: tasks that the folder held already, with rows or with an error
    missing: tasks that have neither yet (only where results are read while a campaign is not at its end)
    damaged: parts that were not what they had been, set aside; their tasks ran again
    """

    folder: Path
    identity: Identity
    tasks: tuple[Task, ...]
    ran: int = 0
    reused: int = 0
    missing: int = 0
    damaged: tuple[str, ...] = ()

    def table(self, *columns: str) -> pyarrow.Table:
        """The tasks' own columns (default: all), in order, as an Arrow table. Raises UnknownName for a column that no row has."""
        found, rows_P = self._ordered(columns or None, with_owners=False)
        return found.take(rows_P)

    def columns(self, *names: str) -> dict[str, npt.NDArray[Any]]:
        """The tasks' own columns (default: all) as arrays of one value a row; what a row lacks is NaN in numbers, None in an array of objects elsewhere."""
        table = self.table(*names)
        return {name: column.to_numpy() for name, column in zip(table.column_names, table.columns, strict=True)}

    def frame(self) -> Any:
        """Configurations and rows side by side as a pandas DataFrame. Raises MissingExtra without pandas."""
        try:
            import pandas
        except ImportError as error:
            raise missing_extra("Results.frame", "pandas", "scale") from error
        return pandas.DataFrame(list(self))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        found, rows_P = self._ordered(None, with_owners=True)
        for first in range(0, len(rows_P), BATCH):
            for row in found.take(rows_P[first : first + BATCH]).to_pylist():
                own = {name: value for name, value in row.items() if name not in OWN and value is not None}
                yield {**json.loads(row["configuration"]), **own}

    def __len__(self) -> int:
        return len(self._ordered((), with_owners=False)[1])

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Tasks without rows, in order, with their latest errors."""
        done = {key for table in parts.read_parts(self.folder, parts.ROWS, ["key"]) for key in table["key"].to_pylist()}
        errors: dict[str, str] = {}
        for table in parts.read_parts(self.folder, parts.ERRORS, ["key", "error"]):
            for key, error in zip(table["key"].to_pylist(), table["error"].to_pylist(), strict=True):
                errors.setdefault(key, error)
        wanted = {task.key: task for task in self.tasks if task.key in errors and task.key not in done}
        return tuple(Failure(configuration=json.loads(task.configuration), seed=task.seed, error=errors[key]) for key, task in wanted.items())

    def summary(self) -> str:
        """``12 tasks: 3 run now, 9 at hand, 1 failed``."""
        count, failed = len({task.key for task in self.tasks}), len(self.failures)
        missing = f", {self.missing} not run yet" if self.missing else ""
        redone = f", {len(self.damaged)} damaged part(s) run again" if self.damaged else ""
        return f"{count} tasks: {self.ran} run now, {self.reused} at hand, {failed} failed{missing}{redone}"

    def _ordered(self, columns: Iterable[str] | None, *, with_owners: bool) -> tuple[pyarrow.Table, npt.NDArray[np.int64]]:
        """All rows as they lie, and which of them to take, in order."""
        pa = parts.arrow()
        tables = parts.read_parts(self.folder, parts.ROWS, None if columns is None else ["key", *columns])
        if not tables:
            return pa.table({}), np.zeros(0, dtype=np.int64)
        try:
            table = parts.join_tables(tables)
        except pa.ArrowInvalid as error:
            raise BadFile(f"the parts in '{self.folder}' do not fit together: {error}. Run the campaign in another folder.") from error
        for name in columns or ():
            if name not in table.column_names:
                raise UnknownName(f"no row of the campaign in '{self.folder}' has the column '{name}'. Ask for one of {', '.join(self._names())}.")
        keys = list(dict.fromkeys(task.key for task in self.tasks))
        rows_P, place_P = parts.order_rows(table["key"], [len(each) for each in tables], keys)
        if len(keys) < len(self.tasks):  # equal configurations: the rows of a task once for each
            bounds_K = np.searchsorted(place_P, np.arange(len(keys) + 1))
            where = {key: place for place, key in enumerate(keys)}
            rows_P = np.concatenate([rows_P[bounds_K[where[task.key]] : bounds_K[where[task.key] + 1]] for task in self.tasks])
        return (table if with_owners else table.select([name for name in table.column_names if name not in OWN])), rows_P

    def _names(self) -> list[str]:
        return sorted({name for path in parts.list_parts(self.folder, parts.ROWS) for name in parts.read_kinds(path)})


def read_results(folder: str | os.PathLike[str], configurations: Iterable[Mapping[str, Any]] | None = None) -> Results:
    """The results that lie in `folder`, nothing run: of `configurations` in their order, or of all tasks as they lie.

    Raises BadFile where the folder holds no campaign, or a damaged part of one.
    """
    path = Path(folder)
    found = folders.read_manifest(path)
    if not found:
        raise BadFile(f"'{path}' holds no campaign. Give a folder that thrifty.campaign.run has written to.")
    identity = Identity(function=str(found["function"]), version=str(found["version"]), seed=int(found["seed"]))
    if configurations is not None:
        tasks = tuple(make_task(identity, configuration) for configuration in configurations)
    else:
        lying: dict[str, Task] = {}
        for kind in (parts.ROWS, parts.ERRORS):
            for table in parts.read_parts(path, kind, OWN):
                for key, configuration, seed in zip(*(table[name].to_pylist() for name in OWN), strict=True):
                    lying.setdefault(key, Task(key, configuration, seed))
        tasks = tuple(lying.values())
    held = {key for kind in (parts.ROWS, parts.ERRORS) for table in parts.read_parts(path, kind, ["key"]) for key in table["key"].to_pylist()}
    asked = {task.key for task in tasks}
    return Results(folder=path, identity=identity, tasks=tasks, reused=len(asked & held), missing=len(asked - held))
