"""The same results as the compiled loops, bit by bit, where Numba is not installed: NumPy over the configurations, Python over the tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from thrifty.timeline.tasks import Floats

if TYPE_CHECKING:
    from thrifty.timeline.graphs import Ints, TaskGraph


def times(graph: TaskGraph, seconds_UC: Floats) -> tuple[Floats, Floats]:
    """Starts and ends (E, C) of a flat graph."""
    pointer, source = graph.needed
    starts, ends = np.zeros((len(graph), seconds_UC.shape[1])), np.zeros((len(graph), seconds_UC.shape[1]))
    for task in graph.order.tolist():
        for other in source[pointer[task] : pointer[task + 1]].tolist():
            np.maximum(starts[task], ends[other], out=starts[task])
        np.add(starts[task], seconds_UC[graph.column_E[task]], out=ends[task])
    return starts, ends


def covered(starts_NC: Floats, ends_NC: Floats) -> Floats:
    """(C,) seconds in which at least one of N tasks runs."""
    if not len(starts_NC):
        return np.zeros(starts_NC.shape[1])
    order = np.argsort(starts_NC, axis=0, kind="stable")
    starts, ends = np.take_along_axis(starts_NC, order, axis=0), np.take_along_axis(ends_NC, order, axis=0)
    reached = np.zeros_like(starts)
    reached[1:] = np.maximum.accumulate(ends[:-1], axis=0)
    return np.cumsum(np.maximum(ends - np.maximum(starts, reached), 0.0), axis=0)[-1]  # type: ignore[no-any-return]


def critical_sums(graph: TaskGraph, group: Ints, groups: int, ends_EC: Floats, seconds_UC: Floats) -> Floats:
    """(G, C) seconds of each group on the critical path."""
    sums = np.zeros((groups, ends_EC.shape[1]))
    for configuration in range(ends_EC.shape[1]):
        for task in critical_tasks(graph, ends_EC[:, configuration]):
            sums[group[task], configuration] += seconds_UC[graph.column_E[task], configuration]
    return sums


def critical_tasks(graph: TaskGraph, ends_E: Floats) -> list[int]:
    """Tasks of one critical path, from the last to the first: of equal ends, the first in order, and the predecessor on the same stream."""
    pointer, source = graph.needed
    order = graph.order
    path = [int(order[np.argmax(ends_E[order])])] if len(graph) else []
    while path:
        waits = source[pointer[path[-1]] : pointer[path[-1] + 1]]
        if not len(waits):
            break
        path.append(int(waits[np.argmax(ends_E[waits])]))
    return path
