"""Reads the traces of torch.profiler, and any Chrome trace of complete events, into columns.

A trace of a real run holds millions of events; as Python objects they take five to ten times the size of the file. Here the file goes by in blocks and
only numbers stay: about 70 bytes an event, a tenth to a fifth of its JSON. `nesting` then tells which event ran inside which, `links`
which operator launched which kernel.

Not read: memory events, samples of call stacks, counters, and async work (phases b and e), which no stream runs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadFile
from thrifty.timeline.kineto.columns import EVENT, FLOW, Collector, Faulty, Lane
from thrifty.timeline.kineto.compiled import compiled_batches
from thrifty.timeline.kineto.streaming import BLOCK_BYTES, Cut, NotJson, Source, read_through

WORTH_COMPILING_BYTES: Final = 4 << 20
"""Of the file; a smaller one is read before Numba is loaded."""


@dataclass(frozen=True, kw_only=True)
class KinetoTrace:
    """All work of a trace, in the order of the file.

    events    : (E,) of `columns.EVENT`
    flows     : (F,) of `columns.FLOW`: arrows from launches to the work that they started
    strings   : what `name` and `category` index
    lanes     : what `lane` indexes
    origin_ns : the earliest event's time in the file, from which all times here count
    records   : of every kind in the file
    about     : what stands beside the events: the profiler's settings, the devices' properties
    """

    path: str
    events: npt.NDArray[Any] = field(repr=False)
    flows: npt.NDArray[Any] = field(repr=False)
    strings: tuple[str, ...] = field(repr=False)
    lanes: tuple[Lane, ...]
    origin_ns: int
    records: int
    about: Mapping[str, Any] = field(repr=False)

    def __len__(self) -> int:
        return len(self.events)

    @property
    def ts_s(self) -> npt.NDArray[np.float64]:
        """(E,) start of each event in seconds from the earliest."""
        return np.asarray(self.events["start_ns"] * 1e-9)

    @property
    def dur_s(self) -> npt.NDArray[np.float64]:
        """(E,) how long each event lasts."""
        return np.asarray(self.events["duration_ns"] * 1e-9)

    @cached_property
    def end_ns(self) -> npt.NDArray[np.int64]:
        """(E,) end of each event."""
        return np.asarray(self.events["start_ns"] + self.events["duration_ns"])

    @property
    def span_s(self) -> float:
        """From the start of the earliest event to the end of the last."""
        return float(self.end_ns.max() - self.events["start_ns"].min()) * 1e-9

    def name(self, index: int) -> str:
        return self.strings[int(self.events["name"][index])]

    def category(self, index: int) -> str:
        return self.strings[int(self.events["category"][index])]

    def names(self, indices: npt.NDArray[np.int64] | None = None) -> npt.NDArray[np.str_]:
        """The names of the events at `indices` (all by default). Wide: every row takes as much as the longest name."""
        chosen = self.events["name"] if indices is None else self.events["name"][indices]
        return np.asarray(np.array(self.strings)[chosen])

    def in_categories(self, wanted: Iterable[str]) -> npt.NDArray[np.bool_]:
        """(E,) whether an event's category is one of `wanted`, upper and lower case alike."""
        low = {each.lower() for each in wanted}
        return np.asarray(np.array([each.lower() in low for each in self.strings], dtype=bool)[self.events["category"]])

    def categories(self) -> dict[str, int]:
        """Number of events by category."""
        counts = np.bincount(self.events["category"], minlength=len(self.strings))
        return {self.strings[int(i)]: int(counts[i]) for i in np.flatnonzero(counts)}


def read_kineto(path: str | os.PathLike[str], *, block_bytes: int = BLOCK_BYTES, compiled: bool | None = None) -> KinetoTrace:
    """Read a trace that torch.profiler, `write_chrome_trace` or another tracer wrote as (packed) Chrome trace JSON.

    block_bytes : read at a time; memory holds about three blocks and 70 bytes an event (test_memory_stays_below_the_file)
    compiled    : whether to use the compiled reader, where Numba is installed; by default for large files. The result is the same
                  (test_property_both_readers_agree)

    Events are complete ones (X) or pairs of begin and end (B, E) of a thread; launch arrows (s, f) and names (M) are read too.
    Raises BadFile for a file that is cut, is no JSON or no trace, holds no work, or holds an event without a time of 0 or more.
    """
    where, collector = os.fspath(path), Collector()
    try:
        source = Source(path, block_bytes)
        chosen = source.size > WORTH_COMPILING_BYTES if compiled is None else compiled
    except OSError as error:
        raise BadFile(f"cannot read '{where}': {(error.strerror or str(error)).lower()}. Give the path of a trace file.") from error
    try:
        about = read_through(source, collector, compiled_batches() if chosen else None)
        events, flows, lanes, origin = collector.close()
    except OSError as error:
        raise BadFile(f"cannot read '{where}': {(error.strerror or str(error)).lower()}. Give the path of a trace file.") from error
    except Cut as error:
        raise BadFile(f"'{where}' breaks off after {collector.records} whole events: {error}. Copy it again, or let the profiler finish.") from error
    except NotJson as error:
        raise BadFile(f"'{where}' is no Chrome trace: {error}. Give a JSON file that a tracer wrote.") from error
    except Faulty as error:
        raise BadFile(f"'{where}' is no Chrome trace: {error}. Give a file that a tracer wrote.") from error
    finally:
        source.close()
    if not len(events):
        raise BadFile(f"'{where}' holds {collector.records} records but no work (events of phase X, or B and E). Profile something and export it again.")
    assert events.dtype == EVENT and flows.dtype == FLOW
    return KinetoTrace(
        path=where, events=events, flows=flows, strings=tuple(collector.strings), lanes=lanes, origin_ns=origin, records=collector.records, about=about
    )
