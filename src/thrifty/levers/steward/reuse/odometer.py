"""A part's history that only grows: readings of hours, writes, erases and heat cycles, each bound to the one before it by a hash.

A file of JSON lines, one reading a line, many parts in one file. ``hash = SHA-256(previous hash of the same part + the reading)``: a changed, dropped, moved or
added line breaks its part's chain from there on. What a chain alone cannot show is that its end was cut off or all of it written anew: give `heads`, the
last hashes as the seller states them, to find that too.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from thrifty.errors import BadFile, BadValue, CannotWrite

COUNTERS: Final = ("power_on_hours", "written_bytes", "erase_cycles", "thermal_cycles")
"""What only goes up."""
EVENTS: Final = ("made", "installed", "read", "removed", "repaired")
START: Final = "0" * 64
"""What the first reading of a part is bound to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a part's counters said at one moment. `serial` names the part, `part` its kind (ddr4-32gb-reused); `at` is ISO 8601 with its time zone."""

    serial: str
    part: str
    at: str
    event: str = "read"
    power_on_hours: float = 0.0
    written_bytes: float = 0.0
    erase_cycles: float = 0.0
    thermal_cycles: float = 0.0
    note: str = ""

    def __post_init__(self) -> None:
        if not self.serial or not self.part:
            raise BadValue(f"a reading of serial '{self.serial}' and part '{self.part}' names no part. Give both.")
        if self.event not in EVENTS:
            raise BadValue(f"event='{self.event}' is unknown. Choose from: {', '.join(EVENTS)}.")
        for name in COUNTERS:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and value >= 0):
                raise BadValue(f"{name}={value} of '{self.serial}' is below 0 or not finite. Give what the counter says.")
        if self.moment.tzinfo is None:
            raise BadValue(f"at='{self.at}' of '{self.serial}' has no time zone. Write e.g. 2026-11-27T12:00:00+00:00.")

    @property
    def moment(self) -> datetime:
        try:
            return datetime.fromisoformat(self.at)
        except ValueError:
            raise BadValue(f"at='{self.at}' of '{self.serial}' is no time. Write e.g. 2026-11-27T12:00:00+00:00.") from None

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def chained(previous: str, reading: Reading) -> str:
    """The hash that binds `reading` to the one before it."""
    return hashlib.sha256((previous + json.dumps(reading.to_dict(), sort_keys=True, ensure_ascii=False, allow_nan=False)).encode()).hexdigest()


def append_reading(file: Path, reading: Reading) -> str:
    """Write `reading` at the end of `file` and return its hash, the part's new head.

    Reads the whole file first: a broken chain is not built upon. Raises BadFile, BadValue for a counter that went down or a time before the last, CannotWrite.
    """
    history = read_history(file) if file.exists() else {}
    before = history.get(reading.serial, ())
    if before:
        _check_order(before[-1], reading)
    previous = START
    for each in before:
        previous = chained(previous, each)
    head = chained(previous, reading)
    try:
        with file.open("a", encoding="utf-8") as out:
            out.write(json.dumps({**reading.to_dict(), "previous": previous, "hash": head}, ensure_ascii=False, allow_nan=False) + "\n")
    except OSError as error:
        raise CannotWrite(f"{file} cannot be written: {error.strerror}. Choose another file.") from error
    return head


def _check_order(last: Reading, new: Reading) -> None:
    if new.part != last.part:
        raise BadValue(f"'{new.serial}' was a '{last.part}' and now is a '{new.part}'. A serial names one part.")
    if new.moment < last.moment:
        raise BadValue(f"'{new.serial}' is read at {new.at}, before its last reading at {last.at}. Readings go forward in time.")
    for name in COUNTERS:
        if getattr(new, name) < getattr(last, name):
            raise BadValue(f"{name} of '{new.serial}' went down from {getattr(last, name):g} to {getattr(new, name):g}. A counter only goes up.")


def read_history(file: Path, heads: Mapping[str, str] | None = None) -> Mapping[str, tuple[Reading, ...]]:
    """Every part's readings in order, by serial. Raises BadFile (with the line) for a chain that is broken or ends elsewhere than `heads` says."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(f"{file} cannot be read as text: {error}. Give a file of JSON lines.") from error
    found: dict[str, list[Reading]] = {}
    last: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        reading, previous, head = _line(file, number, line)
        if previous != last.get(reading.serial, START) or head != chained(previous, reading):
            raise BadFile(f"{file}, line {number}: the history of '{reading.serial}' is broken here: a reading was changed, added or dropped. Distrust it.")
        try:
            if reading.serial in found:
                _check_order(found[reading.serial][-1], reading)
        except BadValue as error:
            raise BadFile(f"{file}, line {number}: {error}") from error
        found.setdefault(reading.serial, []).append(reading)
        last[reading.serial] = head
    for serial, head in (heads or {}).items():
        if last.get(serial) != head:
            raise BadFile(f"{file}: the history of '{serial}' does not end at {head[:12]}…: its end was cut off, or it was written anew. Distrust it.")
    return {serial: tuple(readings) for serial, readings in found.items()}


def _line(file: Path, number: int, line: str) -> tuple[Reading, str, str]:
    try:
        content = json.loads(line)
        previous, head = content.pop("previous"), content.pop("hash")
        return Reading(**content), str(previous), str(head)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadFile(f"{file}, line {number} is no reading ({error}). Each line is a JSON object as append_reading writes it.") from error
    except BadValue as error:
        raise BadFile(f"{file}, line {number}: {error}") from error
