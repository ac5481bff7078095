"""The columns that a trace is read into: one row an event, strings in a pool, threads and streams as lanes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

EVENT: Final = np.dtype(
    [
        ("start_ns", "i8"), ("duration_ns", "i8"), ("name", "u4"), ("category", "u4"), ("lane", "u4"),
        # torch.profiler's arguments: what ties a kernel to its launch, a launch to its operator, a backward operator to its forward one
        ("correlation", "i8"), ("external", "i8"), ("sequence", "i8"), ("forward_thread", "i8"),
    ]
)  # fmt: skip
"""One piece of work. Times are whole nanoseconds (the format's microseconds have three decimals), from the earliest event on;
`name` and `category` index the string pool, `lane` the lanes. An argument that an event lacks is -1 (a forward thread: 0)."""

FLOW: Final = np.dtype([("id", "i8"), ("at_ns", "i8"), ("lane", "u4"), ("begins", "?")])
"""One end of an arrow from a launch to the work that it started."""

ARGUMENTS: Final = {"correlation": "correlation", "External id": "external", "Sequence number": "sequence", "Fwd thread id": "forward_thread"}
"""Argument of an event → column. Older files write 'external id'."""

MOST_NS: Final = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A row of the viewer: a thread of a process, or a stream of a device. `pid` and `tid` are as the file has them."""

    process: str
    thread: str
    pid: str
    tid: str


class Faulty(Exception):
    """An event that breaks the format; says how. `kineto` turns it into a BadFile that names the file."""


def nanoseconds(value: Any) -> int | None:
    """Microseconds as whole nanoseconds, exact also for times since 1970; None for what is no finite number."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    whole = math.floor(value)
    return whole * 1000 + round((value - whole) * 1000)


class Growing:
    """An array that rows are added to; grows by half."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._array: npt.NDArray[Any] = np.zeros(1024, dtype=dtype)
        self.count = 0

    def room(self, more: int) -> npt.NDArray[Any]:
        """The whole array, with at least `more` free rows behind `count`."""
        if self.count + more > len(self._array):
            grown = np.zeros(max(self.count + more, len(self._array) * 3 // 2), dtype=self._array.dtype)
            grown[: self.count] = self._array[: self.count]
            self._array = grown
        return self._array

    def append(self, row: tuple[Any, ...]) -> None:
        self.room(1)[self.count] = row
        self.count += 1

    def done(self) -> npt.NDArray[Any]:
        return self._array[: self.count]


class Collector:
    """Takes records one by one, in the order of the file, and keeps what the columns hold."""

    def __init__(self) -> None:
        self.events, self.flows = Growing(EVENT), Growing(FLOW)
        self.records = 0
        self.strings: dict[str, int] = {}
        self.lanes: dict[tuple[str, str], int] = {}
        self._processes: dict[str, str] = {}
        self._threads: dict[tuple[str, str], str] = {}
        self._open: dict[int, list[int]] = {}

    def string(self, text: str) -> int:
        return self.strings.setdefault(text, len(self.strings))

    def lane(self, pid: Any, tid: Any) -> int:
        return self.lanes.setdefault((str(pid), str(tid)), len(self.lanes))

    def add(self, record: Any) -> None:
        """One record of the file. Raises Faulty for one that breaks the format; kinds that hold no work (markers, counters) are passed over."""
        if not isinstance(record, dict):
            raise Faulty(f"event {self.records} is {type(record).__name__}, not an object")
        phase = record.get("ph")
        if phase in ("X", "B", "E"):
            self._work(record, phase)
        elif phase in ("s", "f") and record.get("cat") in ("ac2g", "async_cpu_to_gpu"):
            at = nanoseconds(record.get("ts"))
            if at is not None and isinstance(record.get("id"), int):
                self.flows.append((record["id"], at, self.lane(record.get("pid", ""), record.get("tid", "")), phase == "s"))
        elif phase == "M":
            self._describe(record)
        elif phase is None:
            raise Faulty(f"event {self.records} has no 'ph', the letter that tells its kind")
        self.records += 1

    def _describe(self, record: dict[str, Any]) -> None:
        args = record.get("args")
        if isinstance(args, dict) and "name" in args:
            pid, tid = str(record.get("pid", "")), str(record.get("tid", ""))
            if record.get("name") == "process_name":
                self._processes[pid] = str(args["name"])
            elif record.get("name") == "thread_name":
                self._threads[pid, tid] = str(args["name"])

    def _time(self, record: dict[str, Any], key: str) -> int:
        value = record.get(key)
        what = f"event {self.records} ('{str(record.get('name', ''))[:60]}')"
        if value is None:
            raise Faulty(f"{what} has no '{key}'")
        found = nanoseconds(value)
        if found is None:
            raise Faulty(f"{what} has {key}={str(value)[:40]}, which is no time")
        if found < 0 or found > MOST_NS:
            raise Faulty(f"{what} has {key}={str(value)[:40]}; a time is 0 or more, in microseconds")
        return found

    def _work(self, record: dict[str, Any], phase: str) -> None:
        start, lane = self._time(record, "ts"), self.lane(record.get("pid", ""), record.get("tid", ""))
        rows = self.events.room(1)
        if phase == "E":
            begun = self._open.get(lane)
            if not begun:
                raise Faulty(f"event {self.records} ends work that never began")
            row = rows[begun.pop()]
            if start < row["start_ns"]:
                raise Faulty(f"event {self.records} ends its work before it began")
            row["duration_ns"] = start - row["start_ns"]
            return
        duration = self._time(record, "dur") if phase == "X" else 0
        given = record.get("args")
        args = given if isinstance(given, dict) else {}
        if phase == "B":
            self._open.setdefault(lane, []).append(self.events.count)
        rows[self.events.count] = (
            start, duration, self.string(str(record.get("name", ""))), self.string(str(record.get("cat", ""))), lane, whole(args.get("correlation")),
            whole(args.get("External id", args.get("external id"))), whole(args.get("Sequence number")), whole(args.get("Fwd thread id"), 0),
        )  # fmt: skip
        self.events.count += 1

    def close(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any], tuple[Lane, ...], int]:
        """(events, flows, lanes, earliest time in ns), times from the earliest event on. Raises Faulty where work began and never ended."""
        unended = [row for rows in self._open.values() for row in rows]
        events, flows = self.events.done(), self.flows.done()
        if unended:
            name = list(self.strings)[int(events["name"][unended[0]])]
            raise Faulty(f"{len(unended)} events begin and never end ('{name[:60]}')")
        origin = int(events["start_ns"].min()) if len(events) else 0
        events["start_ns"] -= origin
        flows["at_ns"] -= origin
        lanes = tuple(
            Lane(process=self._processes.get(pid, pid), thread=self._threads.get((pid, tid), tid), pid=pid, tid=tid) for pid, tid in self.lanes
        )
        return events, flows, lanes, origin


def whole(value: Any, otherwise: int = -1) -> int:
    """An argument that should be a whole number, else -1."""
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and -MOST_NS < value < MOST_NS else otherwise
