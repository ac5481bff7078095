"""Chrome trace JSON: written event by event, so that memory does not grow with the trace, and read back.

Of the Trace Event Format three phases are used: X (work with its length), C (counter), M (names of processes and threads).
Times are microseconds; three decimals keep the nanosecond.
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from thrifty.errors import BadFile
from thrifty.files import writing
from thrifty.timeline.events import Counter, Event

_US: Final = 1e6


def write_chrome_trace(events: Iterable[Event | Counter], path: str | os.PathLike[str], about: Mapping[str, str] | None = None) -> Path:
    """Write `events` to `path`, which Perfetto (ui.perfetto.dev) and chrome://tracing open; packed where the name ends in ``.gz``.

    `events` may be a generator, in any order. Processes and threads are numbered as they first appear, which is the order in which a viewer
    lists them. `about` says what made the trace. The file appears whole or not at all; returns where it is. Raises CannotWrite.
    """
    with writing(path) as file, _packed(file, gz=Path(path).suffix == ".gz") as out:
        out.write(b'{"displayTimeUnit":"ms","otherData":' + _json(dict(about or {})) + b',"traceEvents":[')
        for index, record in enumerate(_records(events)):
            out.write((b",\n" if index else b"\n") + _json(record))
        out.write(b"\n]}\n")
    return Path(path)


def _records(events: Iterable[Event | Counter]) -> Iterator[dict[str, Any]]:
    """The events as the format has them, each process and thread introduced before its first."""
    processes: dict[str, int] = {}
    threads: dict[tuple[str, str], int] = {}
    for event in events:
        pid = processes.get(event.process)
        if pid is None:
            pid = processes[event.process] = len(processes) + 1
            yield {"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": {"name": event.process}}
            yield {"ph": "M", "name": "process_sort_index", "pid": pid, "tid": 0, "args": {"sort_index": pid}}
        if isinstance(event, Counter):
            yield {"ph": "C", "name": event.name, "pid": pid, "tid": 0, "ts": _microseconds(event.time_s), "args": dict(event.values)}
            continue
        tid = threads.get((event.process, event.thread))
        if tid is None:
            tid = threads[event.process, event.thread] = 1 + sum(process == event.process for process, _ in threads)
            yield {"ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "args": {"name": event.thread}}
            yield {"ph": "M", "name": "thread_sort_index", "pid": pid, "tid": tid, "args": {"sort_index": tid}}
        record: dict[str, Any] = {"ph": "X", "name": event.name, "pid": pid, "tid": tid, "ts": _microseconds(event.start_s)}
        record["dur"] = _microseconds(event.duration_s)
        if event.category:
            record["cat"] = event.category
        if event.args:
            record["args"] = dict(event.args)
        yield record


def _microseconds(seconds: float) -> float:
    return round(seconds * _US, 3)


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


@contextmanager
def _packed(file: IO[bytes], *, gz: bool) -> Iterator[IO[bytes]]:
    if not gz:
        yield file
        return
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=5, mtime=0, filename="") as packed:
        yield packed  # type: ignore[misc]


def read_chrome_trace(path: str | os.PathLike[str]) -> list[Event | Counter]:
    """The work and counters of a Chrome trace, in the order of the file; other kinds of record (flows, markers) are passed over.

    Reads what `write_chrome_trace` and torch.profiler write. Raises BadFile for what is no such trace.
    """
    records = _load(path)
    processes: dict[Any, str] = {}
    threads: dict[tuple[Any, Any], str] = {}
    for record in records:
        if record.get("ph") == "M" and record.get("name") in ("process_name", "thread_name"):
            name = str(record.get("args", {}).get("name", ""))
            if record["name"] == "process_name":
                processes[record.get("pid")] = name
            else:
                threads[record.get("pid"), record.get("tid")] = name
    result: list[Event | Counter] = []
    for index, record in enumerate(records):
        if record.get("ph") not in ("X", "C"):
            continue
        pid, tid = record.get("pid"), record.get("tid")
        process, name, args = processes.get(pid, str(pid)), str(record.get("name", "")), record.get("args", {})
        try:
            start_s = float(record["ts"]) / _US
            if record["ph"] == "C":
                result.append(Counter(name=name, process=process, time_s=start_s, values={key: float(value) for key, value in args.items()}))
            else:
                thread, category = threads.get((pid, tid), str(tid)), str(record.get("cat", ""))
                duration_s = float(record.get("dur", 0)) / _US
                result.append(Event(name=name, process=process, thread=thread, start_s=start_s, duration_s=duration_s, category=category, args=args))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            fault = f"event {index} lacks a time or has one that is no number"
            raise BadFile(f"'{os.fspath(path)}' is no Chrome trace: {fault}. Write it again.") from error
    return result


def _load(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    try:
        raw = Path(path).read_bytes()
        content = json.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)
    except OSError as error:
        raise BadFile(f"cannot read '{os.fspath(path)}': {(error.strerror or str(error)).lower()}. Give the path of a trace file.") from error
    except (ValueError, EOFError, zlib.error) as error:
        raise BadFile(f"'{os.fspath(path)}' is no Chrome trace: it is not whole JSON. Write it again.") from error
    records = content.get("traceEvents") if isinstance(content, dict) else content
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise BadFile(f"'{os.fspath(path)}' is no Chrome trace: it has no list of 'traceEvents'. Give a file that a tracer wrote.")
    return records
