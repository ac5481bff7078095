"""Tasks compiled to index arrays: who waits for whom, in which order they can be solved, and what is truly needed to know of it.

A graph is compiled once and solved for millions of configurations, so that all that does not depend on durations is done here. Of the dependencies
only those are kept that no chain of others implies: the ends on a stream never fall, so that the last task waited for on a stream stands for all before
it, and a task that another predecessor has waited for already need not be waited for again. It is exact: a maximum over fewer numbers that are never
larger is the same number.
"""

from __future__ import annotations

import functools
import heapq
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.timeline.events import Argument
from thrifty.timeline.tasks import Repeated, Task, as_task, split_lag

if TYPE_CHECKING:
    from thrifty.timeline.planned import Schedule
    from thrifty.timeline.programs import FlatProgram, LoopProgram

Ints = npt.NDArray[np.int32]


@dataclass(frozen=True, kw_only=True)
class Block:
    """Tasks `first` to `last` (not included) of a graph, issued `times` times."""

    first: int
    last: int
    times: int


@dataclass(frozen=True, kw_only=True, eq=False)
class TaskGraph:
    """E tasks on streams, without their durations.

    ids, kinds, args    : of each task, in the order of issue; a repeated body is listed once
    streams, stream_E   : names, and which of them each task is on
    pointer, source, lag: dependencies as given, in CSR: task e waits for source[pointer[e]:pointer[e + 1]], `lag` iterations back
    blocks              : the bodies that repeat; none in a flat graph
    column_E            : which column of the durations is whose; equal tasks may share one
    """

    ids: tuple[str, ...]
    streams: tuple[str, ...]
    stream_E: Ints
    kinds: tuple[str, ...]
    args: tuple[Mapping[str, Argument], ...]
    pointer: Ints
    source: Ints
    lag: Ints
    blocks: tuple[Block, ...]
    column_E: Ints

    @classmethod
    def of(cls, events: Iterable[Task | Repeated | Mapping[str, Any]], *, columns: Sequence[int] | None = None) -> TaskGraph:
        """Compile tasks in the order of issue; their durations are not looked at. `columns`: see column_E; each its own where not given.

        Raises BadValue for a double id, a dependency on what does not exist, and a cycle.
        """
        return compile_listing(listed(events), columns)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def columns(self) -> int:
        """How many columns of durations it needs."""
        return int(self.column_E.max()) + 1 if len(self) else 0

    def solve(self, seconds_CU: npt.ArrayLike, *, trusted: bool = False, compiled: bool = True) -> Schedule:
        """The schedule of C configurations at once. `seconds_CU`: (C, U) durations by column, U = E where columns are not shared.

        Fastest where the transpose is contiguous (all configurations of a task side by side); nothing is copied then.
        Repeated bodies are run until periodic, in a time that does not grow with `times`, and equal unrolling to 1e-12. For large batches of less than
        some 90 iterations `graph.unrolled.solve` is faster; compiling it takes milliseconds.
        trusted: spare the check of the durations. compiled: False for the NumPy path. Raises BadValue.
        """
        from thrifty.timeline.planned import Schedule

        seconds = np.asarray(seconds_CU, dtype=np.float64)
        if seconds.ndim != 2 or seconds.shape[1] != self.columns:
            raise BadValue(f"durations have the shape {seconds.shape}. This graph needs (configurations, {self.columns}).")
        if not trusted and seconds.size and not (seconds.min() >= 0 and seconds.max() < np.inf):
            row, column = (int(index[0]) for index in np.nonzero(~(np.isfinite(seconds) & (seconds >= 0))))
            task = self.ids[int(np.flatnonzero(self.column_E == column)[0])]
            raise BadValue(f"task '{task}' lasts {seconds[row, column]} s in configuration {row}. Give a finite time of 0 or more.")
        return Schedule(graph=self, seconds_CU=seconds, compiled=compiled)

    @functools.cached_property
    def unrolled(self) -> TaskGraph:
        """The flat graph: iteration i of x is the task 'x[i]', with the durations of x."""
        return unroll(self) if self.blocks else self

    @functools.cached_property
    def order(self) -> Ints:
        """A flat graph's tasks so that each comes after all that it waits for; the order of issue where that is one."""
        return ordered(self.ids, self.previous, self.pointer, self.source)

    @functools.cached_property
    def previous(self) -> Ints:
        """(E,) the task before on the same stream, -1 for the first."""
        last: dict[int, int] = {}
        result = np.full(len(self), -1, dtype=np.int32)
        for task, stream in enumerate(self.stream_E.tolist()):
            result[task] = last.get(stream, -1)
            last[stream] = task
        return result

    @functools.cached_property
    def needed(self) -> tuple[Ints, Ints]:
        """(pointer, source) of a flat graph's predecessors that no other implies, the one of the same stream first."""
        return needed(self)

    @functools.cached_property
    def flat(self) -> FlatProgram:
        """The instructions of a flat graph."""
        from thrifty.timeline.programs import flat_program

        return flat_program(self)

    @functools.cached_property
    def looped(self) -> LoopProgram:
        """The instructions of a graph with repeated blocks."""
        from thrifty.timeline.programs import loop_program

        return loop_program(self)


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Tasks in the order of issue, and which of them repeat."""

    tasks: tuple[Task, ...]
    blocks: tuple[Block, ...]


def listed(events: Iterable[Task | Repeated | Mapping[str, Any]]) -> Listing:
    tasks: list[Task] = []
    blocks: list[Block] = []
    for event in events:
        if isinstance(event, Repeated):
            blocks.append(Block(first=len(tasks), last=len(tasks) + len(event.tasks), times=int(event.times)))
            tasks.extend(event)
        else:
            tasks.append(as_task(event))
    return Listing(tasks=tuple(tasks), blocks=tuple(blocks))


def compile_listing(listing: Listing, columns: Sequence[int] | None = None) -> TaskGraph:
    """The graph of a listing; all that can be wrong with it is found here."""
    tasks = listing.tasks
    index: dict[str, int] = {}
    for number, task in enumerate(tasks):
        if task.id in index:
            raise BadValue(f"two tasks have the id '{task.id}'. Give each its own.")
        index[task.id] = number
    block_of = np.full(len(tasks), -1, dtype=np.int64)
    for number, block in enumerate(listing.blocks):
        block_of[block.first : block.last] = number
    pointer, source, lags = [0], [], []
    for number, task in enumerate(tasks):
        for name in task.after:
            target, lag = split_lag(name)
            if target not in index:
                raise BadValue(f"task '{task.id}' waits for '{target}', which does not exist. Name a task of this schedule.")
            other = index[target]
            _check_reach(task.id, name, lag, number, other, block_of, listing.blocks)
            source.append(other)
            lags.append(lag)
        pointer.append(len(source))
    if columns is None:
        column = np.arange(len(tasks), dtype=np.int32)
    else:
        column = np.asarray(columns, dtype=np.int32)
        if column.shape != (len(tasks),) or (column < 0).any():
            raise BadValue(f"{len(tasks)} tasks got {column.size} columns. Give each the number of its column of durations, from 0 on.")
    streams = tuple(dict.fromkeys(task.stream for task in tasks))
    number_of = {stream: number for number, stream in enumerate(streams)}
    graph = TaskGraph(
        ids=tuple(index), streams=streams, stream_E=np.array([number_of[task.stream] for task in tasks], dtype=np.int32),
        kinds=tuple(task.kind for task in tasks), args=tuple(task.args for task in tasks), pointer=np.array(pointer, dtype=np.int32),
        source=np.array(source, dtype=np.int32), lag=np.array(lags, dtype=np.int32), blocks=listing.blocks, column_E=column,
    )  # fmt: skip
    for first, last in segments(graph):  # a cycle is found now, not at the first solution
        segment_order(graph, first, last)
    return graph


def _check_reach(task: str, name: str, lag: int, number: int, other: int, block_of: npt.NDArray[np.int64], blocks: Sequence[Block]) -> None:
    """What a dependency may name: its own iteration or earlier ones inside a body, else whatever is issued outside any block that comes later."""
    mine, theirs = int(block_of[number]), int(block_of[other])
    if lag and theirs < 0:
        raise BadValue(f"task '{task}' waits for '{name}', but that task does not repeat. Leave out the '@-{lag}'.")
    if theirs >= 0 and mine != theirs and lag >= blocks[theirs].times:
        raise BadValue(f"task '{task}' waits for '{name}', but its block has {blocks[theirs].times} iterations. Name one of them.")
    if mine != theirs and other > number:
        raise BadValue(f"task '{task}' waits for '{name}', which is issued in or after a repeated block that follows. Issue it before the block.")
    if mine < 0 and other > number and any(number < block.first <= other for block in blocks):
        raise BadValue(f"task '{task}' waits for '{name}', which is issued after a repeated block. Issue it before the block.")


def segments(graph: TaskGraph) -> list[tuple[int, int]]:
    """Ranges of tasks between and in the repeated blocks, in the order of issue."""
    cuts = sorted({0, len(graph), *(cut for block in graph.blocks for cut in (block.first, block.last))})
    return list(itertools.pairwise(cuts))


def segment_order(graph: TaskGraph, first: int, last: int) -> Ints:
    """The order of one segment's tasks by dependencies inside one iteration; numbers are those of the graph."""
    if first == 0 and last == len(graph) and not graph.blocks:
        return graph.order
    pointer, source = [0], []
    for task in range(first, last):
        for edge in range(graph.pointer[task], graph.pointer[task + 1]):
            if first <= graph.source[edge] < last and not graph.lag[edge]:
                source.append(int(graph.source[edge]) - first)
        pointer.append(len(source))
    previous = np.maximum(graph.previous[first:last] - first, -1)
    return first + ordered(graph.ids[first:last], previous, np.array(pointer, dtype=np.int32), np.array(source, dtype=np.int32))


def ordered(ids: Sequence[str], previous: Ints, pointer: Ints, source: Ints) -> Ints:
    """Kahn's order, the first issued of those that are ready first. Raises BadValue that names a cycle."""
    count = len(ids)
    owner = np.repeat(np.arange(count), np.diff(pointer))
    if (source < owner).all():
        return np.arange(count, dtype=np.int32)
    waits = [source[pointer[task] : pointer[task + 1]].tolist() + ([int(previous[task])] if previous[task] >= 0 else []) for task in range(count)]
    missing = [len(each) for each in waits]
    followers: list[list[int]] = [[] for _ in range(count)]
    for task, each in enumerate(waits):
        for other in each:
            followers[other].append(task)
    ready = [task for task in range(count) if not missing[task]]
    result: list[int] = []
    while ready:
        task = heapq.heappop(ready)
        result.append(task)
        for follower in followers[task]:
            missing[follower] -= 1
            if not missing[follower]:
                heapq.heappush(ready, follower)
    if len(result) < count:
        _raise_cycle(ids, waits, missing)
    return np.array(result, dtype=np.int32)


def _raise_cycle(ids: Sequence[str], waits: list[list[int]], missing: list[int]) -> None:
    task = next(task for task, left in enumerate(missing) if left)
    seen: dict[int, int] = {}
    walk: list[int] = []
    while task not in seen:  # every task that is left waits for another one that is left
        seen[task] = len(walk)
        walk.append(task)
        task = next(other for other in waits[task] if missing[other])
    cycle = walk[seen[task] :]
    start = cycle.index(min(cycle))
    names = [ids[each] for each in cycle[start:] + cycle[:start]]
    shown = names if len(names) <= 8 else [*names[:4], "…", *names[-3:]]
    path = " -> ".join(f"'{name}'" if name != "…" else name for name in (*shown, names[0]))
    raise BadValue(f"tasks wait for each other in a cycle: {path} (by dependency or by the order of their stream). Drop one, or issue them in another order.")


def needed(graph: TaskGraph) -> tuple[Ints, Ints]:
    """Predecessors of a flat graph without those that others imply."""
    position = np.zeros(len(graph), dtype=np.int32)  # on its stream
    count = [0] * len(graph.streams)
    for task, stream in enumerate(graph.stream_E.tolist()):
        position[task] = count[stream]
        count[stream] += 1
    over = np.full((len(graph), len(graph.streams)), -1, dtype=np.int32)  # how far every stream is known to have come when a task ends
    kept: list[list[int]] = [[] for _ in range(len(graph))]
    for task in graph.order.tolist():
        latest: dict[int, int] = {}
        candidates = graph.source[graph.pointer[task] : graph.pointer[task + 1]].tolist()
        if graph.previous[task] >= 0:
            candidates.append(int(graph.previous[task]))
        for other in candidates:
            stream = int(graph.stream_E[other])
            if stream not in latest or position[other] > position[latest[stream]]:
                latest[stream] = other
        mine = int(graph.stream_E[task])
        for stream, other in sorted(latest.items(), key=lambda pair: (pair[0] != mine, pair[1])):
            if not any(over[rival, stream] >= position[other] for rival in latest.values() if rival != other):
                kept[task].append(other)
            np.maximum(over[task], over[other], out=over[task])
        over[task, mine] = position[task]
    pointer = np.concatenate([[0], np.cumsum([len(each) for each in kept])]).astype(np.int32)
    return pointer, np.array([other for each in kept for other in each], dtype=np.int32)


def unroll(graph: TaskGraph) -> TaskGraph:
    """Every iteration as tasks of its own."""
    times = {block.first: block for block in graph.blocks}
    issue: list[tuple[int, int]] = []  # (task, iteration or -1)
    block_of: dict[int, Block] = {task: block for block in graph.blocks for task in range(block.first, block.last)}
    for first, last in segments(graph):
        if first in times:
            issue.extend((task, iteration) for iteration in range(times[first].times) for task in range(first, last))
        else:
            issue.extend((task, -1) for task in range(first, last))
    where = {each: number for number, each in enumerate(issue)}
    pointer, source = [0], []
    for task, iteration in issue:
        for edge in range(graph.pointer[task], graph.pointer[task + 1]):
            other, lag = int(graph.source[edge]), int(graph.lag[edge])
            block = block_of.get(other)
            if block is None:
                source.append(where[other, -1])
                continue
            from_ = (iteration if block is block_of.get(task) else block.times - 1) - lag
            if from_ >= 0:
                source.append(where[other, from_])
        pointer.append(len(source))
    listed_E = np.array([task for task, _ in issue], dtype=np.int64)
    ids = tuple(graph.ids[task] if iteration < 0 else f"{graph.ids[task]}[{iteration}]" for task, iteration in issue)
    if len(set(ids)) < len(ids):
        double = next(name for name in ids if ids.count(name) > 1)
        raise BadValue(f"two tasks have the id '{double}': one is an iteration of a repeated block. Rename the other.")
    return TaskGraph(
        ids=ids, streams=graph.streams, stream_E=graph.stream_E[listed_E], kinds=tuple(graph.kinds[task] for task in listed_E),
        args=tuple(graph.args[task] for task in listed_E), pointer=np.array(pointer, dtype=np.int32), source=np.array(source, dtype=np.int32),
        lag=np.zeros(len(source), dtype=np.int32), blocks=(), column_E=graph.column_E[listed_E],
    )  # fmt: skip
