"""A trace file, a few MiB at a time: finds the list of events inside the JSON and hands over its records as they become whole.

Memory holds one block of the file and the columns. Records are parsed by the C scanner of Python's json, one by one from inside the block; where Numba
is installed, `compiled` takes the usual ones straight from the bytes, about ten times as fast, and leaves the rest to this.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from thrifty.timeline.kineto.columns import Collector, Faulty

BLOCK_BYTES: Final = 4 << 20
LONGEST_BYTES: Final = 256 << 20
"""A single record or header value longer than this is no trace of ours."""

LONGEST_WORD: Final = 16

_DECODER: Final = json.JSONDecoder(strict=False)
_SPACE: Final = re.compile(rb"[ \t\r\n]*")
_BETWEEN: Final = re.compile(r"[ \t\r\n]*")
_NUMBER_PART: Final = re.compile(r"[-+.eE0-9]*")
_WORDS: Final = ("true", "false", "null", "NaN", "Infinity", "-Infinity")


class Cut(Exception):
    """The file ends before its JSON does; says where."""


class NotJson(Exception):
    """The file is no JSON; says what stands where something else should."""


class Source:
    """The bytes of a file, packed or not, as a window that moves forward.

    data, at : the window, and how far into it has been read
    """

    def __init__(self, path: str | os.PathLike[str], block_bytes: int = BLOCK_BYTES) -> None:
        self._block = block_bytes
        self._raw = Path(path).open("rb")  # noqa: SIM115 (`close` closes it)
        packed = self._raw.read(2) == b"\x1f\x8b"
        self.size = self._raw.seek(0, os.SEEK_END)
        self._raw.seek(0)
        self._file = gzip.GzipFile(fileobj=self._raw) if packed else self._raw
        self.data, self.at, self.before = b"", 0, 0

    def close(self) -> None:
        self._raw.close()

    def more(self) -> bool:
        """Drop what has been read and take in the next block; False at the end of the file. Raises Cut where packed data stops short."""
        if len(self.data) - self.at > LONGEST_BYTES:
            raise NotJson(f"a value at byte {self.place} goes on for more than {LONGEST_BYTES >> 20} MiB")
        try:
            block = self._file.read(self._block)
        except EOFError as error:
            raise Cut("the packed data ends in the middle") from error
        except (zlib.error, gzip.BadGzipFile) as error:
            raise Cut(f"the packed data is damaged ({str(error).splitlines()[0]})") from error
        self.before += self.at
        self.data, self.at = self.data[self.at :] + block, 0
        return bool(block)

    @property
    def place(self) -> int:
        """How far into the (unpacked) file has been read."""
        return self.before + self.at

    def peek(self) -> bytes:
        """The next byte that is no space, without taking it; b"" at the end of the file."""
        while True:
            found = _SPACE.match(self.data, self.at)
            assert found is not None
            self.at = found.end()
            if self.at < len(self.data):
                return self.data[self.at : self.at + 1]
            if not self.more():
                return b""

    def take(self, wanted: bytes, what: str) -> None:
        """Take one of the bytes `wanted`. Raises Cut at the end of the file, NotJson for another byte."""
        found = self.peek()
        if not found:
            raise Cut("it ends in the middle")
        if found not in wanted:
            raise NotJson(f"byte {self.place} is {found!r:.10}, where {what} should be")
        self.at += 1

    def value(self) -> Any:
        """Take the next JSON value. Raises Cut or NotJson."""
        first = self.peek()
        length = 1 << 14
        while True:
            text = self._text(length)
            try:
                value, end = _DECODER.raw_decode(text)
            except json.JSONDecodeError as error:
                known, where = length >= len(self.data) - self.at, error.pos
                if where < len(text) - LONGEST_WORD and not error.msg.startswith("Unterminated string"):
                    raise self._no_value(text, where) from error
            except RecursionError as error:
                raise NotJson(f"the value at byte {self.place} is nested too deep") from error
            else:
                known, where = length >= len(self.data) - self.at, end
                if first in b'{["' or end < len(text):  # a number or word at the very end of the window may go on
                    self.at += len(text[:end].encode())
                    return value
            if not known:
                length *= 4
            elif not self.more():
                rest = text[where:]
                if rest.startswith(('"', "\\")) or _NUMBER_PART.fullmatch(rest) or any(word.startswith(rest) for word in _WORDS):
                    raise Cut("it ends in the middle")
                raise self._no_value(text, where)

    def _no_value(self, text: str, where: int) -> NotJson:
        return NotJson(f"byte {self.place + len(text[:where].encode())} is {text[where : where + 1]!r}, which has no place there")

    def _text(self, length: int) -> str:
        """The next `length` bytes of the window as text, up to the last whole character."""
        window = self.data[self.at : self.at + length]
        try:
            return window.decode("utf-8")
        except UnicodeDecodeError as error:
            if error.end < len(window) or len(window) - error.start > 3:
                raise NotJson(f"byte {self.place + error.start} is no UTF-8 text") from error
            return window[: error.start].decode("utf-8")


Batch = Callable[[Source, Collector], int]


def read_through(source: Source, collector: Collector, take_batch: Batch | None) -> dict[str, Any]:
    """Go through the whole file; what stands beside the list of events comes back. Raises Cut, NotJson or Faulty.

    take_batch : takes records from the window as far as it can, and says how many; none (also: None) leaves the next to the general reader
    """
    about: dict[str, Any] = {}
    opening = source.peek()
    if not opening:
        raise NotJson("it is empty")
    if opening == b"[":
        source.at += 1
        _elements(source, collector, take_batch, closed=False)
        return about
    if opening != b"{":
        raise NotJson(f"it begins with {opening!r:.10}, where an object or a list should be")
    source.at += 1
    seen = False
    while source.peek() != b"}":
        key = source.value()
        if not isinstance(key, str):
            raise NotJson(f"byte {source.place} ends a key that is no text")
        source.take(b":", "':'")
        if key == "traceEvents":
            if source.peek() != b"[":
                raise Faulty("its 'traceEvents' is no list")
            source.at += 1
            _elements(source, collector, take_batch, closed=True)
            seen = True
        else:
            value = source.value()
            if isinstance(value, (str, int, float, bool)) or key in ("deviceProperties", "otherData"):
                about[key] = value
        if source.peek() == b",":
            source.at += 1
        elif source.peek() != b"}":
            source.take(b",}", "',' or '}'")
    source.at += 1
    if not seen:
        raise Faulty("it has no list of 'traceEvents'")
    if source.peek():
        raise NotJson(f"byte {source.place} comes after the end of the JSON")
    return about


def _elements(source: Source, collector: Collector, take_batch: Batch | None, *, closed: bool) -> None:
    """The records of a list that has been opened. A bare list may end without its bracket: tracers that stop early leave it out."""
    while True:
        following = source.peek()
        if not following:
            if closed or collector.records == 0:
                raise Cut("it ends in the middle")
            return
        if following == b"]":
            source.at += 1
            return
        if following != b"{":
            raise Faulty(f"event {collector.records} is no object") if following in b'"[-0123456789tfnN' else NotJson(
                f"byte {source.place} is {following!r:.10}, where an event should be"
            )
        if take_batch is None:
            for record in _records(source):
                collector.add(record)
        elif not take_batch(source, collector):  # one that the compiled reader leaves to the general one
            collector.add(source.value())
            _comma(source)


def _comma(source: Source) -> None:
    following = source.peek()
    if following == b",":
        source.at += 1
    elif following and following != b"]":
        source.take(b",]", "',' or ']'")


def _records(source: Source) -> Iterator[Any]:
    """The records that lie whole in the window, or the next one however long it is; each with its comma taken."""
    end = source.data.rfind(b"}") + 1
    found = 0
    if end > source.at:
        try:
            text = source.data[source.at : end].decode("utf-8")
        except UnicodeDecodeError:
            text = ""  # `value` says where
        at, ascii_only = 0, text.isascii()
        while at < len(text) and text[at] == "{":
            try:
                record, after = _DECODER.raw_decode(text, at)
            except (ValueError, RecursionError):  # `value` says why
                break
            space = _BETWEEN.match(text, after)
            assert space is not None
            comma = space.end() < len(text) and text[space.end()] == ","
            source.at += (after - at) if ascii_only else len(text[at:after].encode())
            yield record
            found += 1
            if not comma:
                break
            following = _BETWEEN.match(text, space.end() + 1)
            assert following is not None
            source.at += following.end() - after
            at = following.end()
        if found:
            _comma_if_due(source)
            return
    yield source.value()
    _comma(source)


def _comma_if_due(source: Source) -> None:
    """After the last whole record of a window: its comma may lie in the next block."""
    if source.data[source.at - 1 : source.at] == b"}":
        _comma(source)

