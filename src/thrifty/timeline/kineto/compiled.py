"""Takes the usual records of a trace straight from its bytes: one compiled pass (`scanning`), no Python object per event.

It knows complete events (X) whose times, process and thread are plain numbers and whose name and category have no escapes, launch arrows (s, f), and
the kinds that hold no work. At any other record it stops, and `streaming` reads that one: names of threads (M), pairs (B, E), strings for
numbers, whatever is wrong. Both give the same columns. What is skipped (an argument that no column holds) is not checked for being JSON.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from thrifty.timeline.kineto.columns import Collector
from thrifty.timeline.kineto.streaming import Batch, NotJson, Source

MOST_ROWS: Final = 16384


def compiled_batches() -> Batch | None:
    """A reader of batches for `streaming.read_through`; None without Numba."""
    try:
        from thrifty.timeline.kineto import scanning as at
    except ImportError:
        return None
    known: dict[int, int] = {}  # hash of a string's bytes → its place in the pool
    lanes: dict[tuple[int, int], int] = {}

    def take(source: Source, collector: Collector) -> int:
        window = np.frombuffer(source.data, dtype=np.uint8)
        rows = np.empty((min(MOST_ROWS, (len(window) - source.at) // 24 + 1), 16), dtype=np.int64)
        after, count, records = at.scan(window, source.at, len(window), rows, at.KEYS, at.ARGUMENTS)
        rows = rows[:count]
        work, arrows = rows[rows[:, at.PHASE] == at.X], rows[rows[:, at.PHASE] != at.X]
        if len(work):
            events = collector.events.room(len(work))[collector.events.count : collector.events.count + len(work)]
            events["start_ns"], events["duration_ns"] = work[:, at.START], work[:, at.DURATION]
            events["correlation"], events["external"] = work[:, at.CORRELATION], work[:, at.EXTERNAL]
            events["sequence"], events["forward_thread"] = work[:, at.SEQUENCE], work[:, at.FORWARD]
            events["name"] = _pooled(source.data, work, at.NAME, at.NAME_HASH, collector, known)
            events["category"] = _pooled(source.data, work, at.CATEGORY, at.CATEGORY_HASH, collector, known)
            events["lane"] = _laned(work, [at.PID, at.TID], collector, lanes)
            collector.events.count += len(work)
        if len(arrows):
            flows = collector.flows.room(len(arrows))[collector.flows.count : collector.flows.count + len(arrows)]
            flows["id"], flows["at_ns"], flows["begins"] = arrows[:, at.ID], arrows[:, at.START], arrows[:, at.PHASE] == at.S
            flows["lane"] = _laned(arrows, [at.PID, at.TID], collector, lanes)
            collector.flows.count += len(arrows)
        collector.records += records
        source.at = after
        return records

    return take


def _pooled(data: bytes, rows: Any, column: int, hashes: int, collector: Collector, known: dict[int, int]) -> Any:
    """The pool index of a string of each row; each different one is decoded once."""
    keys, first, position = np.unique(rows[:, hashes], return_index=True, return_inverse=True)
    places = np.empty(len(keys), dtype=np.int64)
    for i in np.argsort(first, kind="stable"):
        key = int(keys[i])
        if key not in known:
            begin, end = rows[first[i], column : column + 2]
            try:
                known[key] = collector.string(data[begin:end].decode("utf-8"))
            except UnicodeDecodeError as error:
                raise NotJson("a name is no UTF-8 text") from error
        places[i] = known[key]
    return places[position]


def _laned(rows: Any, columns: list[int], collector: Collector, known: dict[tuple[int, int], int]) -> Any:
    """The lane of each row."""
    pids, tids = rows[:, columns].T
    pairs: Any = pids << 32 | tids
    if max(pids.max(), tids.max()) >= 1 << 31:
        pairs = np.stack([pids, tids], axis=1)
    _, first, position = np.unique(pairs, axis=0 if pairs.ndim > 1 else None, return_index=True, return_inverse=True)
    places = np.empty(len(first), dtype=np.int64)
    for i in np.argsort(first, kind="stable"):
        pair = (int(pids[first[i]]), int(tids[first[i]]))
        if pair not in known:
            known[pair] = collector.lane(*pair)
        places[i] = known[pair]
    return places[position.reshape(-1)]
