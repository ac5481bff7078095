"""A trace as a profile: where the time of a run went, whoever recorded it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from thrifty.measure.trace_classes import FRAMEWORK, class_of
from thrifty.timeline.kineto.breakdowns import Breakdown, Stream, break_down
from thrifty.timeline.kineto.reading import KinetoTrace, read_kineto

IDLE: Final = "idle"
OUTSIDE: Final = "(no module)"
NO_OPERATOR: Final = "(no operator)"
ROOT: Final = "(root)"


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelUse:
    """One kernel (on a CPU: operator) by name, over the whole trace."""

    name: str
    kind: str
    calls: int
    time_s: float

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "class": self.kind, "calls": self.calls, "time_s": self.time_s}


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceProfile:
    """What a trace says of a run. All times measured, in seconds.

    on_device : times are those of kernels on a device's streams; False: self times of operators on threads
    span_s    : from the trace's first event to its last; window_s: from the first piece of work to the last
    by_class  : work by operator class. Of a device, "idle" is when none of its streams had work; of threads, "framework" is their time between operators
                and in what moves no data (views, autograd's bookkeeping). Streams that overlap add up to more than the window
    by_module : work by the innermost module that asked for it ("(root)": the module itself, "(no module)": none did)
    by_operator: of a device, work by the operator that launched it ("(no operator)": none is known); of threads, self time by operator
    by_kernel : the most time first
    launches  : kernels and copies on devices
    linked    : share of the work's time that has an operator
    """

    source: str
    on_device: bool
    events: int
    span_s: float
    window_s: float
    by_class: Mapping[str, float]
    by_module: Mapping[str, float]
    by_operator: Mapping[str, float] = field(repr=False)
    by_kernel: tuple[KernelUse, ...] = field(repr=False)
    idle_s: float
    launches: int
    linked: float
    streams: tuple[Stream, ...]

    @property
    def idle(self) -> dict[str, float]:
        """Seconds in which each stream had no work, by "device/stream"."""
        return {f"{stream.device}/{stream.stream}": stream.idle_s for stream in self.streams}

    @property
    def work_s(self) -> float:
        """Seconds of work, without idle time and the framework's."""
        return sum(seconds for label, seconds in self.by_class.items() if label not in (IDLE, FRAMEWORK))

    def __str__(self) -> str:
        top = ", ".join(f"{label} {seconds / max(sum(self.by_class.values()), 1e-12):.0%}" for label, seconds in list(self.by_class.items())[:4])
        return f"{self.source}: {self.window_s * 1e3:.3g} ms {'on the device' if self.on_device else 'of operators'}, {top}"

    def to_dict(self, kernels: int = 50) -> dict[str, Any]:
        """Plain numbers for JSON; of `by_kernel` the first `kernels`."""
        return {
            "schema": 1, "source": self.source, "truth": "measured", "on_device": self.on_device, "events": self.events, "span_s": self.span_s,
            "window_s": self.window_s, "by_class_s": dict(self.by_class), "by_module_s": dict(self.by_module),
            "by_operator_s": dict(self.by_operator),
            "by_kernel": [kernel.to_dict() for kernel in self.by_kernel[:kernels]], "idle_s": self.idle_s, "launches": self.launches,
            "linked": self.linked, "streams": [stream.to_dict() for stream in self.streams],
        }  # fmt: skip


def profile_of_trace(path: str | os.PathLike[str]) -> TraceProfile:
    """Read the trace at `path` (torch.profiler's or another Chrome trace, packed or not) and say where its time went.

    Raises BadFile for what is no whole trace with work in it.
    """
    return profile_of(read_kineto(path))


def profile_of(trace: KinetoTrace) -> TraceProfile:
    """The profile of a trace that has been read."""
    found = break_down(trace, class_of)
    rows, seconds = found.rows, found.seconds
    total = float(seconds.sum())
    has_op = found.links.op[rows] >= 0
    starts, ends = trace.events["start_ns"][rows], trace.end_ns[rows]
    return TraceProfile(
        source=trace.path, on_device=found.on_device, events=len(trace), span_s=trace.span_s,
        window_s=float(ends.max() - starts.min()) * 1e-9 if len(rows) else 0.0, by_class=_by_class(found), by_module=_by_module(found),
        by_operator=_by_operator(trace, found), by_kernel=_by_kernel(trace, found), idle_s=found.idle_s, launches=int(found.links.device.sum()),
        linked=float(seconds[has_op].sum()) / total if total else 0.0, streams=found.streams,
    )  # fmt: skip


def _sorted(spent: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(spent.items(), key=lambda item: -item[1]))


def _by_class(found: Breakdown) -> dict[str, float]:
    sums = np.bincount(found.classes, weights=found.seconds, minlength=len(found.labels))
    present = np.bincount(found.classes, minlength=len(found.labels)) > 0
    spent = {label: float(sums[i]) for i, label in enumerate(found.labels) if present[i]}
    rest = IDLE if found.on_device else FRAMEWORK
    return _sorted({**spent, rest: spent.get(rest, 0.0) + found.idle_s})


def _by_module(found: Breakdown) -> dict[str, float]:
    links = found.links
    if not links.modules:
        return {}
    names = [path or ROOT for path in links.modules] + [OUTSIDE]
    sums = np.bincount(links.module[found.rows] % len(names), weights=found.seconds, minlength=len(names))  # -1 is the last
    return _sorted({name: float(sums[i]) for i, name in enumerate(names) if sums[i] > 0})


def _by_operator(trace: KinetoTrace, found: Breakdown) -> dict[str, float]:
    op = found.links.op[found.rows]
    names = np.where(op >= 0, trace.events["name"][np.maximum(op, 0)].astype(np.int64), len(trace.strings))
    sums = np.bincount(names, weights=found.seconds, minlength=len(trace.strings) + 1)
    return _sorted({(trace.strings[i] if i < len(trace.strings) else NO_OPERATOR): float(sums[i]) for i in np.unique(names)})


def _by_kernel(trace: KinetoTrace, found: Breakdown) -> tuple[KernelUse, ...]:
    pairs = trace.events["name"][found.rows].astype(np.int64) * len(found.labels) + found.classes
    keys, position, calls = np.unique(pairs, return_inverse=True, return_counts=True)
    sums = np.bincount(position, weights=found.seconds, minlength=len(keys))
    names, kinds = np.divmod(keys, len(found.labels))
    return tuple(
        KernelUse(name=trace.strings[int(names[i])], kind=found.labels[int(kinds[i])], calls=int(calls[i]), time_s=float(sums[i]))
        for i in np.argsort(-sums, kind="stable")
    )
