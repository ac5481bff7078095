"""What a timeline holds: work on streams, and quantities over time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from thrifty.errors import BadValue

Argument = str | int | float | bool | None
"""What may be said about an event: shapes, counts, names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One piece of work.

    process : the device it runs on, a row group of the viewer
    thread  : the stream (or core, or link) within it, a row
    start_s : from the start of the timeline
    args    : what a reader sees on a click; times in seconds, sizes in bytes, with the unit in the name
    """

    name: str
    process: str
    thread: str
    start_s: float
    duration_s: float
    category: str = ""
    args: Mapping[str, Argument] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not math.isfinite(self.start_s):
            raise BadValue(f"event '{self.name}' starts at {self.start_s} s. Give a finite time.")
        if not (math.isfinite(self.duration_s) and self.duration_s >= 0):
            raise BadValue(f"event '{self.name}' lasts {self.duration_s} s. Give a finite time of 0 or more.")

    @property
    def end_s(self) -> float:
        return self.start_s + self.duration_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """The values of a quantity from `time_s` on, until the next Counter of that name: ``values={"package": 31.5}`` for power_w."""

    name: str
    process: str
    time_s: float
    values: Mapping[str, float]

    def __post_init__(self) -> None:
        if not math.isfinite(self.time_s):
            raise BadValue(f"counter '{self.name}' is at {self.time_s} s. Give a finite time.")
        for key, value in self.values.items():
            if not math.isfinite(value):
                raise BadValue(f"counter '{self.name}' has {key}={value}. Give finite values, or leave out what was not read.")
