"""When everything starts and ends, for all configurations; what of it matters, and why. Worked out when asked for, and kept."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from thrifty.errors import BadValue, UnknownName
from thrifty.loops import has_numba, in_threads
from thrifty.timeline import plain
from thrifty.timeline.events import Event
from thrifty.timeline.graphs import TaskGraph
from thrifty.timeline.tasks import Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Schedule:
    """A solved graph: C configurations of `graph`, whose durations are `seconds_CU` (by column).

    Repeated bodies count as often as they run. Starts, ends, paths and what overlaps are those of the unrolled graph, whose E tasks `ids` names;
    the makespan and the time that streams are busy need no unrolling.
    """

    graph: TaskGraph
    seconds_CU: Floats
    compiled: bool = True

    @property
    def ids(self) -> tuple[str, ...]:
        return self.graph.unrolled.ids

    @property
    def configurations(self) -> int:
        return len(self.seconds_CU)

    @functools.cached_property
    def makespan_s_C(self) -> Floats:
        """(C,) when the last task ends."""
        result = np.zeros(self.configurations)
        if not (self.compiled and has_numba()):
            return np.asarray(self.end_s_CE.max(axis=1, initial=0.0))
        if self.graph.blocks:
            _looped(self.graph, self.seconds_CU, result)
            return result
        from thrifty.timeline import kernels

        program = self.graph.flat
        by_task = self.seconds_CU.T.flags.c_contiguous and not (self.configurations == 1 and self.seconds_CU.flags.c_contiguous)
        seconds = self.seconds_CU.T if by_task else np.ascontiguousarray(self.seconds_CU)
        kernel = kernels.makespans_by_task if by_task else kernels.makespans_by_configuration
        arrays = (program.column, program.row, program.pointer, program.source, program.sink, program.rows, seconds, result)
        in_threads(lambda first, last: kernel(*arrays, first, last), self.configurations, len(self.graph))
        return result

    @functools.cached_property
    def _times(self) -> tuple[Floats, Floats]:
        graph, seconds = self.graph.unrolled, self.seconds_CU.T
        if not (self.compiled and has_numba()):
            return plain.times(graph, seconds)
        from thrifty.timeline import kernels

        starts, ends = np.empty((len(graph), self.configurations)), np.empty((len(graph), self.configurations))
        arrays = (graph.order, graph.column_E, *graph.needed, np.ascontiguousarray(seconds), starts, ends)
        in_threads(lambda first, last: kernels.times(*arrays, first, last), self.configurations, len(graph))
        return starts, ends

    @property
    def start_s_CE(self) -> Floats:
        """(C, E) when each task starts."""
        return self._times[0].T

    @property
    def end_s_CE(self) -> Floats:
        """(C, E) when each task ends."""
        return self._times[1].T

    def busy_s(self, *streams: str) -> Floats:
        """(C,) the durations of all tasks on these streams, added up."""
        weights = np.zeros((self.seconds_CU.shape[1], 1))
        chosen = self._numbers(streams)
        for task, stream in enumerate(self.graph.stream_E.tolist()):
            if stream in chosen:
                weights[self.graph.column_E[task]] += next((block.times for block in self.graph.blocks if block.first <= task < block.last), 1)
        return (self.seconds_CU @ weights)[:, 0]

    def covered_s(self, *streams: str) -> Floats:
        """(C,) how long at least one of these streams runs: `busy_s` for one stream, at most that for several."""
        if len(set(streams)) == 1:
            return self.busy_s(*set(streams))
        chosen = self._numbers(streams)
        starts, ends = self._times
        stream_E = self.graph.unrolled.stream_E
        lists = [np.flatnonzero(stream_E == stream).astype(np.int32) for stream in chosen]
        tasks = np.concatenate(lists) if lists else np.zeros(0, dtype=np.int32)
        if not (self.compiled and has_numba()):
            return plain.covered(starts[tasks], ends[tasks])
        from thrifty.timeline import kernels

        pointer = np.cumsum([0, *(len(each) for each in lists)]).astype(np.int32)
        result = np.empty(self.configurations)
        in_threads(lambda first, last: kernels.covered(tasks, pointer, starts, ends, result, first, last), self.configurations, len(tasks))
        return result

    def exposed_s(self, compute: str | Sequence[str]) -> Floats:
        """(C,) makespan less the time in which a compute stream runs: communication that nothing hides, bubbles included.

        It is what MAD-Max (arXiv 2310.02784) calls exposed communication.
        """
        return self.makespan_s_C - self.covered_s(*_names(compute))

    def overlapped_s(self, compute: str | Sequence[str], communication: str | Sequence[str] | None = None) -> Floats:
        """(C,) the durations of communication (all other streams where not given), less what is exposed; MAD-Max's definition."""
        return self.busy_s(*self._others(compute, communication)) - self.exposed_s(compute)

    def strictly_exposed_s(self, compute: str | Sequence[str], communication: str | Sequence[str] | None = None) -> Floats:
        """(C,) how long a communication stream runs while no compute stream does: what is exposed, without the bubbles in which nothing runs."""
        others = self._others(compute, communication)
        return self.covered_s(*_names(compute), *others) - self.covered_s(*_names(compute)) if others else np.zeros(self.configurations)

    def idle_s(self, stream: str) -> Floats:
        """(C,) how long a stream does not run, until the last task of all ends."""
        return self.makespan_s_C - self.busy_s(stream)

    def critical_path(self, configuration: int = 0) -> list[str]:
        """Ids of tasks in the order in which they run: each starts when the one before ends, the first at 0, and the last ends at the makespan.

        Of several such paths: back from the task that ends last (the first in order of those that do), always to the predecessor that ends last,
        the one on the same stream where two do.
        """
        graph = self.graph.unrolled
        return [graph.ids[task] for task in reversed(plain.critical_tasks(graph, self.end_s_CE[self._at(configuration)]))]

    @functools.cached_property
    def slack_s_CE(self) -> Floats:
        """(C, E) by how much each task could last longer, or start later, with the makespan as it is; 0 on every critical path."""
        graph = self.graph.unrolled
        pointer, source = graph.needed
        starts, ends = self._times
        slack = ends.max(axis=0, initial=0.0) - ends
        for task in graph.order[::-1].tolist():
            for other in source[pointer[task] : pointer[task + 1]].tolist():
                np.minimum(slack[other], starts[task] - ends[other] + slack[task], out=slack[other])
        return np.asarray(slack.T)

    def sensitivity_s(self, by: str = "stream") -> dict[str, Floats]:
        """Seconds of each stream (by="kind": of each kind) on the critical path, (C,) for each name.

        It is d makespan / d log(scale of the durations): with all of that name 1 % longer, the iteration lasts 1 % of these seconds longer. The values
        add up to the makespan. Where several paths are critical it is one of the derivatives, that of `critical_path`. Raises BadValue.
        """
        if by not in ("stream", "kind"):
            raise BadValue(f"sensitivities by '{by}'. Choose stream or kind.")
        graph = self.graph.unrolled
        names = graph.streams if by == "stream" else tuple(dict.fromkeys(graph.kinds))
        if by == "stream":
            group = graph.stream_E
        else:
            number_of = {name: number for number, name in enumerate(names)}
            group = np.array([number_of[kind] for kind in graph.kinds], dtype=np.int32)
        if not (self.compiled and has_numba()):
            sums = plain.critical_sums(graph, group, len(names), self._times[1], self.seconds_CU.T)
        else:
            from thrifty.timeline import kernels

            sums = np.zeros((len(names), self.configurations))
            arrays = (graph.order, graph.column_E, *graph.needed, group, np.ascontiguousarray(self.seconds_CU.T), sums)
            in_threads(lambda first, last: kernels.critical_sums(*arrays, first, last), self.configurations, 2 * len(graph))
        return dict(zip(names, sums, strict=True))

    def events(self, configuration: int = 0, *, process: str = "plan") -> list[Event]:
        """One configuration as events for `write_chrome_trace`, in the order of issue; a row for each stream."""
        graph, at = self.graph.unrolled, self._at(configuration)
        starts, seconds = self.start_s_CE[at].tolist(), self.seconds_CU[at][graph.column_E].tolist()
        return [
            Event(name=name, process=process, thread=graph.streams[stream], start_s=start, duration_s=lasts, category=kind, args=args)
            for name, stream, start, lasts, kind, args in zip(graph.ids, graph.stream_E.tolist(), starts, seconds, graph.kinds, graph.args, strict=True)
        ]

    def _at(self, configuration: int) -> int:
        if not 0 <= configuration < self.configurations:
            raise BadValue(f"configuration {configuration} of a schedule of {self.configurations}. They count from 0.")
        return configuration

    def _numbers(self, streams: Sequence[str]) -> set[int]:
        for name in streams:
            if name not in self.graph.streams:
                raise UnknownName(f"no stream named '{name}' in this schedule. It has: {', '.join(self.graph.streams)}.")
        return {self.graph.streams.index(name) for name in streams}

    def _others(self, compute: str | Sequence[str], communication: str | Sequence[str] | None) -> tuple[str, ...]:
        first = _names(compute)
        self._numbers(first)
        return tuple(name for name in self.graph.streams if name not in first) if communication is None else _names(communication)


def _names(streams: str | Sequence[str]) -> tuple[str, ...]:
    return (streams,) if isinstance(streams, str) else tuple(streams)


def _looped(graph: TaskGraph, seconds_CU: Floats, result: Floats) -> None:
    """Makespans of a graph with repeated blocks: many configurations together, then one by one those that are not like the others."""
    from thrifty.timeline import looping

    program, kernel = graph.looped, cast(Callable[..., None], looping.makespans)
    ring = looping.LONGEST + max(looping.LONGEST, int(program.segment[:, 3].max())) + 1
    count, seconds_UC = len(seconds_CU), np.ascontiguousarray(seconds_CU.T)
    alone = np.zeros(count, dtype=np.bool_)
    arrays = tuple(getattr(program, name) for name in ("segment", "task", "column", "pointer", "source", "lag", "entry_pointer", "entry", "final"))

    def solve(chosen: Any, block: int) -> None:
        def part(first: int, last: int) -> None:
            kernel(*arrays, seconds_UC, chosen, result, alone, block, ring, first, last)

        in_threads(part, len(chosen), 4 * len(graph))

    solve(np.arange(count), looping.BLOCK if count > 1 else 1)
    if alone.any():
        solve(np.flatnonzero(alone), 1)
