"""Tasks are handed out in chunks of about a second, so that handing out costs little and a kill loses little."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from thrifty.campaign.rows import Answer
from thrifty.campaign.tasks import Task

CHUNK_S: Final = 1.0
"""Seconds that a chunk should take."""
LEAST_S: Final = 0.05
"""Seconds below which a chunk is not cut, even near the end where workers would share the rest: handing it out costs milliseconds."""
PARTS_PER_S: Final = 50.0
"""Chunks a second that one driver writes without falling behind; with more workers chunks are longer."""
CHUNK_TASKS: Final = 50_000
"""Tasks in `CHUNK_S` at most, however short they are."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Tasks that one worker runs one after another."""

    number: int
    tasks: tuple[Task, ...]


class Source:
    """Chunks of tasks in order, cut as they are asked for; safe to be asked from several threads.

    size: tasks a chunk; None: one until the first answer says how long a task takes, then about `CHUNK_S`, and never so many that workers stand idle at
    the end.
    """

    def __init__(self, tasks: Sequence[Task], *, workers: int, size: int | None = None) -> None:
        self.flying: dict[int, Chunk] = {}
        self._tasks, self._workers, self._size = tasks, workers, size
        self._next, self._number, self._task_s = 0, 0, math.inf
        self._lock = threading.Lock()

    @property
    def left(self) -> int:
        """Tasks not yet handed out."""
        return len(self._tasks) - self._next

    def take(self) -> Chunk | None:
        """The next chunk, None when all are out."""
        with self._lock:
            if not self.left:
                return None
            chunk = Chunk(self._number, tuple(self._tasks[self._next : self._next + self._count()]))
            self._next += len(chunk.tasks)
            self._number += 1
            self.flying[chunk.number] = chunk
            return chunk

    def __iter__(self) -> Source:
        return self

    def __next__(self) -> Chunk:
        chunk = self.take()
        if chunk is None:
            raise StopIteration
        return chunk

    def _count(self) -> int:
        if self._size is not None:
            return self._size
        task_s = max(self._task_s, CHUNK_S / CHUNK_TASKS)
        full, least = max(CHUNK_S, self._workers / PARTS_PER_S) / task_s, LEAST_S / task_s
        share = self.left / (2 * self._workers)
        return max(1, math.ceil(min(full, max(least, share))))

    def land(self, answer: Answer) -> Chunk:
        """The chunk that `answer` belongs to, which flies no longer; learns how long tasks take."""
        with self._lock:
            chunk = self.flying.pop(answer.number)
            if answer.outcomes is not None:
                task_s = answer.seconds / len(chunk.tasks)
                self._task_s = task_s if math.isinf(self._task_s) else (self._task_s + task_s) / 2  # the first is often slower: it imports
            return chunk
