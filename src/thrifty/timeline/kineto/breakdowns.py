"""Where a trace's time went: by class, module and kernel, and how long each stream stood idle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.timeline.kineto.links import COPIES, Links, link
from thrifty.timeline.kineto.nesting import Ints
from thrifty.timeline.kineto.reading import KinetoTrace

UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One stream of a device, over the time from the device's first piece of work to its last.

    busy_s : some work ran on it; idle_s: none did; unlaunched_s: the part of idle_s in which the next piece of work had not been launched yet, so that the
    stream waited for the host
    """

    device: str
    stream: str
    pieces: int
    busy_s: float
    idle_s: float
    unlaunched_s: float

    def to_dict(self) -> dict[str, Any]:
        return {
            "device": self.device, "stream": self.stream, "pieces": self.pieces, "busy_s": self.busy_s, "idle_s": self.idle_s,
            "unlaunched_s": self.unlaunched_s,
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    """Rows of work with their time, class and place.

    rows     : (W,) events that count: a device's work, or operators where no device worked
    seconds  : (W,) time of each: as it lies on the stream, or an operator's self time
    labels, classes : (W,) index into `labels`
    idle_s   : no stream of the device had work, summed over devices; of threads: between their first operator and their last, outside of operators
    """

    on_device: bool
    rows: Ints = field(repr=False)
    seconds: npt.NDArray[np.float64] = field(repr=False)
    classes: Ints = field(repr=False)
    labels: tuple[str, ...]
    idle_s: float
    streams: tuple[Stream, ...]
    links: Links = field(repr=False)


def break_down(trace: KinetoTrace, classify: Callable[[str], str]) -> Breakdown:
    """Split the time of `trace` by what `classify` says of names.

    classify : from the name of an operator ("aten::mm") or kernel to its class; "unknown" where it has none. A kernel has the class of the operator that
    launched it, and its own where that is unknown; copies have their own.
    """
    links = link(trace)
    on_device = bool(links.device.any())
    rows = np.flatnonzero(links.device if on_device else links.operator)
    spent = trace.events["duration_ns"] if on_device else links.nesting.self_ns
    own = trace.events["name"][rows].astype(np.int64)
    if on_device:
        from_op = np.where(trace.in_categories(COPIES)[rows], -1, links.op[rows])
        by_op = np.where(from_op >= 0, trace.events["name"][np.maximum(from_op, 0)].astype(np.int64), -1)
    else:
        by_op = np.full(len(rows), -1, dtype=np.int64)
    classes, labels = _classes(trace, own, by_op, classify)
    streams, idle_s = _streams(trace, links, rows) if on_device else ((), _between(trace, links, rows))
    seconds = np.asarray(spent[rows] * 1e-9, dtype=np.float64)
    return Breakdown(
        on_device=on_device, rows=rows, seconds=seconds, classes=classes, labels=labels, idle_s=idle_s, streams=streams, links=links
    )


def _classes(trace: KinetoTrace, own: Ints, by_op: Ints, classify: Callable[[str], str]) -> tuple[Ints, tuple[str, ...]]:
    """Class of each row: its operator's where it has one with a class, else its own. Each name is classified once."""
    labels: dict[str, int] = {UNKNOWN: 0}
    of_name = np.zeros(len(trace.strings) + 1, dtype=np.int64)  # its last element answers for -1
    for name in np.unique(np.concatenate([own, by_op])):
        if name >= 0:
            of_name[name] = labels.setdefault(classify(trace.strings[int(name)]), len(labels))
    classes = np.where(of_name[by_op] > 0, of_name[by_op], of_name[own])
    return classes, tuple(labels)


def _busy(start: Ints, end: Ints) -> tuple[int, Ints, Ints]:
    """(ns in which any ran, position after each gap, ns of each gap), of intervals sorted by start."""
    reach = np.maximum.accumulate(end)
    gap = np.maximum(start[1:] - reach[:-1], 0)
    after = np.flatnonzero(gap) + 1
    return int(reach[-1] - start[0] - gap.sum()), after, gap[after - 1]


def _streams(trace: KinetoTrace, links: Links, rows: Ints) -> tuple[tuple[Stream, ...], float]:
    events, end = trace.events, trace.end_ns
    rows = rows[np.argsort(events["start_ns"][rows], kind="stable")]
    pids = np.array([lane.pid for lane in trace.lanes])[events["lane"][rows]]
    result, idle_s = [], 0.0
    for pid in sorted(set(pids.tolist())):
        here = rows[pids == pid]
        first, last = int(events["start_ns"][here].min()), int(end[here].max())
        idle_s += (last - first - _busy(events["start_ns"][here], end[here])[0]) * 1e-9
        for lane in np.unique(events["lane"][here]):
            part = here[events["lane"][here] == lane]
            start = events["start_ns"][part]
            busy, after, gap = _busy(start, end[part])
            # The wait before the stream's first piece counts too; what follows its last one is idle, but waits for nothing.
            after, gap = np.concatenate([[0], after]), np.concatenate([[start[0] - first], gap])
            launch = links.launch[part[after]]
            late = np.where(launch >= 0, events["start_ns"][np.maximum(launch, 0)] - (start[after] - gap), 0)
            unlaunched = int(np.clip(late, 0, gap).sum())
            about = trace.lanes[int(lane)]
            result.append(
                Stream(
                    device=pid, stream=about.thread, pieces=len(part), busy_s=busy * 1e-9, idle_s=(last - first - busy) * 1e-9,
                    unlaunched_s=unlaunched * 1e-9,
                )
            )  # fmt: skip
    return tuple(result), idle_s


def _between(trace: KinetoTrace, links: Links, rows: Ints) -> float:
    """Seconds between a thread's first operator and its last in which no operator ran, summed over threads."""
    events, total = trace.events, 0
    rows = rows[np.argsort(events["start_ns"][rows], kind="stable")]
    for lane in np.unique(events["lane"][rows]):
        part = rows[events["lane"][rows] == lane]
        start, end = events["start_ns"][part], trace.end_ns[part]
        total += int(end.max() - start[0]) - _busy(start, end)[0]
    return total * 1e-9
