"""What is to be scheduled: tasks on streams, in the order in which they are issued, and blocks of them that repeat."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.timeline.events import Argument

Floats = npt.NDArray[np.float64]
_LAG: Final = re.compile(r"^(?P<id>.+)@-(?P<lag>[1-9][0-9]*)$")
_KEYS: Final = ("id", "stream", "duration_s", "after", "kind", "args")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)  # eq: a duration may be an array, which is neither equal nor unequal
class Task:
    """One piece of work to be scheduled.

    id         : unique in its schedule; '@-' followed by a number is kept for earlier iterations (see `Repeated`)
    stream     : what it occupies; a stream runs its tasks one after another, in the order of issue
    duration_s : seconds, or an array (C,) with one value for each of C configurations
    after      : ids of tasks that must have ended before it starts, issued earlier or later
    kind       : a class of work ("gemm", "all_reduce") for sums and sensitivities
    Raises BadValue.
    """

    id: str
    stream: str
    duration_s: float | npt.ArrayLike
    after: Sequence[str] = ()
    kind: str = ""
    args: Mapping[str, Argument] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (isinstance(self.id, str) and self.id):
            raise BadValue(f"a task has the id {self.id!r}. Give each a name of its own.")
        if split_lag(self.id)[1]:
            raise BadValue(f"task '{self.id}' bears a name that means an earlier iteration. Leave out the '@-'.")
        if not (isinstance(self.stream, str) and self.stream):
            raise BadValue(f"task '{self.id}' has the stream {self.stream!r}. Name the stream that it runs on.")
        if isinstance(self.after, str) or not all(isinstance(name, str) for name in self.after):
            raise BadValue(f"task '{self.id}' has after={self.after!r}. Give a tuple of ids.")
        try:
            seconds = np.asarray(self.duration_s, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise BadValue(f"task '{self.id}' lasts {self.duration_s!r}. Give seconds, one number or one for each configuration.") from error
        if seconds.ndim > 1:
            raise BadValue(f"task '{self.id}' has durations of {seconds.ndim} axes. Give one number or an array (configurations,).")
        bad = ~(np.isfinite(seconds) & (seconds >= 0))
        if bad.any():
            raise BadValue(f"task '{self.id}' lasts {np.atleast_1d(seconds)[np.atleast_1d(bad)][0]} s. Give a finite time of 0 or more.")
        object.__setattr__(self, "after", tuple(self.after))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Repeated:
    """A body of tasks that is issued `times` times in a row, as the identical layers of a network are.

    Inside the body, ``after=("x",)`` is x of the same iteration and ``"x@-1"`` x of the iteration before (``"x@-2"`` two before); what lies before
    the first iteration is no dependency. A task issued before the block is named as it is, and holds back the first iterations only. After the block,
    ``"x"`` is x of the last iteration and ``"x@-1"`` of the one before. Raises BadValue.
    """

    tasks: Sequence[Task | Mapping[str, Any]]
    times: int

    def __post_init__(self) -> None:
        if isinstance(self.times, bool) or not isinstance(self.times, int | np.integer) or self.times < 1:
            raise BadValue(f"a block is repeated {self.times!r} times. Give a whole number of 1 or more.")
        object.__setattr__(self, "tasks", tuple(as_task(task) for task in self.tasks))
        if not self.tasks:
            raise BadValue("a repeated block has no tasks. Give it one or leave it out.")

    def __iter__(self) -> Iterator[Task]:
        yield from self.tasks  # type: ignore[misc]


def split_lag(name: str) -> tuple[str, int]:
    """('x', 2) of 'x@-2', ('x', 0) of 'x'."""
    match = _LAG.match(name)
    return (match["id"], int(match["lag"])) if match else (name, 0)


def as_task(task: Task | Mapping[str, Any]) -> Task:
    """A task, or the mapping of one with the same keys. Raises BadValue."""
    if isinstance(task, Task):
        return task
    if not isinstance(task, Mapping):
        raise BadValue(f"a schedule got {task!r:.80}. Give tasks, or mappings with id, stream, duration_s and after.")
    missing, strange = [key for key in _KEYS[:3] if key not in task], [str(key) for key in task if key not in _KEYS]
    if missing or strange:
        fault = f"lacks {', '.join(missing)}" if missing else f"has the key '{strange[0]}'"
        raise BadValue(f"task {task.get('id', '')!r} {fault}. Its keys are {', '.join(_KEYS)}.")
    return Task(**{key: task[key] for key in _KEYS if key in task})
