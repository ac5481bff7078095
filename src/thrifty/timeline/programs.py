"""A graph as instructions of the compiled loops: which rows of a small work space to compare, which duration to add, where to put the end.

A flat graph's end is kept only until its last reader has run (as registers are allocated), so that the work space of a hundred tasks is five rows and
stays in the first cache.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from thrifty.timeline.graphs import Ints, segment_order, segments

if TYPE_CHECKING:
    from thrifty.timeline.graphs import TaskGraph


@dataclass(frozen=True, kw_only=True)
class FlatProgram:
    """P = E instructions: column (P,) and row (P,) of each end, the rows it waits for in CSR, whether nothing waits for it, and rows in all."""

    column: Ints
    row: Ints
    pointer: Ints
    source: Ints
    sink: npt.NDArray[np.bool_]
    rows: int


@dataclass(frozen=True, kw_only=True)
class LoopProgram:
    """E instructions in S segments, of which some repeat.

    segment (S, 4)       : first and last instruction, times, largest lag
    task, column         : (E,) whose end, which duration
    pointer, source, lag : what it waits for in its own segment; lag counts iterations
    entry_pointer, entry : and before it, (n, 3): task, iterations before the last, segment; read in the first iteration only, because the later
                           ones follow the first on the same stream
    final (stream, 2)    : last task of every stream, and its segment
    """

    segment: Ints
    task: Ints
    column: Ints
    pointer: Ints
    source: Ints
    lag: Ints
    entry_pointer: Ints
    entry: Ints
    final: Ints


def flat_program(graph: TaskGraph) -> FlatProgram:
    pointer, source = graph.needed
    order = graph.order.tolist()
    last: dict[int, int] = {}
    for task in order:
        for other in source[pointer[task] : pointer[task + 1]].tolist():
            last[other] = task
    row_of: dict[int, int] = {}
    free: list[int] = []
    rows, new_pointer = 0, [0]
    new_source: list[int] = []
    for task in order:
        if not free:
            free, rows = [rows], rows + 1
        row_of[task] = heapq.heappop(free)  # before its sources' rows are freed: a loop that reads what it writes does not vectorise
        waits = source[pointer[task] : pointer[task + 1]].tolist()
        new_source.extend(row_of[other] for other in waits)
        new_pointer.append(len(new_source))
        for done in [other for other in waits if last[other] == task] + ([] if task in last else [task]):
            heapq.heappush(free, row_of[done])
    return FlatProgram(
        column=graph.column_E[graph.order], row=np.array([row_of[task] for task in order], dtype=np.int32), pointer=_ints(new_pointer),
        source=_ints(new_source), sink=np.array([task not in last for task in order], dtype=np.bool_), rows=rows,
    )  # fmt: skip


def loop_program(graph: TaskGraph) -> LoopProgram:
    ranges = segments(graph)
    times = {block.first: block.times for block in graph.blocks}
    segment_of = np.zeros(len(graph), dtype=np.int64)
    for number, (first, last) in enumerate(ranges):
        segment_of[first:last] = number
    tasks: list[int] = []
    pointer, entry_pointer = [0], [0]
    inside: list[tuple[int, int]] = []
    entry: list[tuple[int, int, int]] = []
    table: list[list[int]] = []
    for number, (first, last) in enumerate(ranges):
        start, repeats, largest = len(tasks), times.get(first, 1), 0
        closing = {int(graph.stream_E[task]): task for task in range(first, last)}
        for task in segment_order(graph, first, last).tolist():
            waits = {(int(graph.source[edge]), int(graph.lag[edge])) for edge in range(graph.pointer[task], graph.pointer[task + 1])}
            if graph.previous[task] >= 0:
                waits.add((int(graph.previous[task]), 0))
            if first in times and graph.previous[task] < first:  # the first of its stream follows the last of the iteration before
                waits.add((closing[int(graph.stream_E[task])], 1))
            here = {pair for pair in waits if segment_of[pair[0]] == number and pair[1] < repeats}
            same = [pair for pair in here if graph.stream_E[pair[0]] == graph.stream_E[task]]
            newest = max(same, key=lambda pair: (-pair[1], pair[0]), default=None)  # stands for all before it on the stream
            here -= {pair for pair in same if pair != newest}
            inside.extend(sorted(here, key=lambda pair: (pair[1], pair[0])))
            entry.extend((other, lag, int(segment_of[other])) for other, lag in sorted(waits) if segment_of[other] != number)
            pointer.append(len(inside))
            entry_pointer.append(len(entry))
            largest = max([largest, *(lag for _, lag in here)])
            tasks.append(task)
        table.append([start, len(tasks), repeats, largest])
    for _, lag, number in entry:  # what is read later must be in the regular regime too
        table[number][3] = max(table[number][3], lag)
    finals = {int(stream): task for task, stream in enumerate(graph.stream_E.tolist())}
    return LoopProgram(
        segment=_ints(table).reshape(-1, 4), task=_ints(tasks), column=graph.column_E[np.array(tasks, dtype=np.int64)], pointer=_ints(pointer),
        source=_ints([other for other, _ in inside]), lag=_ints([lag for _, lag in inside]), entry_pointer=_ints(entry_pointer),
        entry=_ints(entry).reshape(-1, 3), final=_ints([(task, segment_of[task]) for task in finals.values()]).reshape(-1, 2),
    )  # fmt: skip


def _ints(values: object) -> Ints:
    return np.array(values, dtype=np.int32)
