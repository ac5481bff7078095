"""The compiled pass over a trace's bytes; imported only where Numba is installed. `compiled` says what it reads and what it leaves.

Every function returns a position in the window, or -1 where it leaves the record to the general reader.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import numba
import numpy as np
import numpy.typing as npt

LARGEST: Final = 4_000_000_000_000_000
"""Microseconds; more does not fit in whole nanoseconds, and digits beyond would not fit in a double."""

# Columns of a row that the scan fills; positions and hashes of strings, and what the event is (0: passed over).
START, DURATION, PID, TID, ID, CORRELATION, EXTERNAL, SEQUENCE, FORWARD, NAME, NAME_END, CATEGORY, CATEGORY_END, NAME_HASH, CATEGORY_HASH, PHASE = range(16)
X, S = ord("X"), ord("s")


def _table(*words: bytes) -> npt.NDArray[np.uint8]:
    return np.array([[len(word), *word.ljust(19)] for word in words], dtype=np.uint8)


KEYS: Final = _table(b"ph", b"ts", b"dur", b"pid", b"tid", b"id", b"name", b"cat", b"args")
ARGUMENTS: Final = _table(b"correlation", b"External id", b"Sequence number", b"Fwd thread id", b"external id", b"ac2g", b"async_cpu_to_gpu")
"""In the order of their columns; then how older files write the second, and the categories of launch arrows."""
HASH_BASIS, HASH_PRIME = -3750763034362895579, 1099511628211  # FNV-1a, 64 bits, as signed numbers that wrap

Function = TypeVar("Function", bound=Callable[..., Any])


def njit(function: Function) -> Function:
    compiled: Function = numba.njit(cache=True)(function)
    return compiled


@njit
def _space(data: Any, at: int, end: int) -> int:
    while at < end and (data[at] == 32 or data[at] == 10 or data[at] == 13 or data[at] == 9):
        at += 1
    return at


@njit
def _string(data: Any, at: int, end: int) -> tuple[int, bool]:
    """From behind an opening quote: (position of the closing one, whether there was an escape); -1 where the window ends first."""
    escaped = False
    while at < end:
        if data[at] == 34:
            return at, escaped
        if data[at] == 92:
            escaped = True
            at += 1
        at += 1
    return -1, escaped


@njit
def _number(data: Any, at: int, end: int) -> tuple[int, int, int]:
    """(position after it, whole part, thousandths) of a plain decimal number of 0 or more that a double holds; position -1 for anything else.

    Thousandths are those of the nearest double, as Python's json would read it."""
    whole, digits, begin = 0, 0, at
    while at < end and 48 <= data[at] <= 57:
        whole = whole * 10 + (data[at] - 48)
        at += 1
        if whole > LARGEST:
            return -1, 0, 0
    if at == begin or (data[begin] == 48 and at > begin + 1):
        return -1, 0, 0
    if at < end and data[at] == 46:
        at += 1
        begin, scale, digits = at, 1.0, whole
        while at < end and 48 <= data[at] <= 57:
            digits = digits * 10 + (data[at] - 48)
            scale *= 10.0
            at += 1
            if digits > 9_007_199_254_740_992 or at - begin > 18:
                return -1, 0, 0
        if at == begin:
            return -1, 0, 0
        value = digits / scale
        base = np.floor(value)
        if at >= end or data[at] == 101 or data[at] == 69:
            return -1, 0, 0
        return at, int(base), int(np.rint((value - base) * 1000.0))
    if at >= end or data[at] == 101 or data[at] == 69:
        return -1, 0, 0
    return at, whole, 0


@njit
def _skip(data: Any, at: int, end: int) -> int:
    """Position after the value at `at`; -1 where the window ends first or no value begins there."""
    if at >= end:
        return -1
    if data[at] == 34:
        at, _ = _string(data, at + 1, end)
        return at + 1 if at >= 0 else -1
    if data[at] == 123 or data[at] == 91:
        depth = 0
        while at < end:
            byte = data[at]
            if byte == 34:
                at, _ = _string(data, at + 1, end)
                if at < 0:
                    return -1
            elif byte == 123 or byte == 91:
                depth += 1
            elif byte == 125 or byte == 93:
                depth -= 1
                if depth == 0:
                    return at + 1
            at += 1
        return -1
    begin = at
    while at < end and (48 <= data[at] <= 57 or 97 <= data[at] <= 122 or 65 <= data[at] <= 90 or data[at] == 45 or data[at] == 43 or data[at] == 46):
        at += 1
    return at if begin < at < end else -1


@njit
def _which(data: Any, at: int, end: int, words: Any) -> int:
    """Which of `words` stands there; -1 for none. `words` is (W, 20): a word's length and its bytes in each row."""
    for w in range(len(words)):
        if words[w, 0] == end - at and words[w, 1] == data[at]:
            same = True
            for i in range(end - at):
                if data[at + i] != words[w, i + 1]:
                    same = False
                    break
            if same:
                return w
    return -1


@njit
def _hash(data: Any, at: int, end: int) -> int:
    value = HASH_BASIS
    for i in range(at, end):
        value = (value ^ int(data[i])) * HASH_PRIME
    return value


@njit
def _key(data: Any, at: int, end: int, words: Any) -> tuple[int, int]:
    """(position of the value behind the key at `at`, which of `words` the key is, or -1)."""
    if at >= end or data[at] != 34:
        return -1, -1
    stop, escaped = _string(data, at + 1, end)
    if stop < 0 or escaped:
        return -1, -1
    which = _which(data, at + 1, stop, words)
    at = _space(data, stop + 1, end)
    if at >= end or data[at] != 58:
        return -1, -1
    return _space(data, at + 1, end), which


@njit
def _following(data: Any, at: int, end: int) -> tuple[int, bool]:
    """From behind a value of an object: (position of the next key, False) or (position behind the closing brace, True)."""
    at = _space(data, at, end)
    if at < end and data[at] == 125:
        return at + 1, True
    if at < end and data[at] == 44:
        return _space(data, at + 1, end), False
    return -1, True


@njit
def _count(data: Any, at: int, end: int) -> tuple[int, int]:
    """(position after it, value) of a whole number of 0 or more."""
    begin = at
    at, value, _ = _number(data, at, end)
    for i in range(begin, at):
        if data[i] == 46:
            return -1, 0
    return at, value


@njit
def _arguments(data: Any, at: int, end: int, row: Any, words: Any) -> int:
    """From behind the brace of an event's arguments: position after them, with what the columns hold put into `row`."""
    at = _space(data, at, end)
    if at < end and data[at] == 125:
        return at + 1
    done = False
    while not done:
        at, which = _key(data, at, end, words)
        if at < 0 or which == 4:  # as older files write it
            return -1
        if which >= 0:
            at, row[CORRELATION + which] = _count(data, at, end)
        else:
            at = _skip(data, at, end)
        if at < 0:
            return -1
        at, done = _following(data, at, end)
        if at < 0:
            return -1
    return at


@njit
def _event(data: Any, at: int, end: int, row: Any, keys: Any, arguments: Any) -> int:
    """From behind the brace of an event: position after it, with `row` filled."""
    row[:] = 0
    row[CORRELATION] = row[EXTERNAL] = row[SEQUENCE] = -1
    phase, seen, done = 0, 0, False
    at = _space(data, at, end)
    while not done:
        at, which = _key(data, at, end, keys)
        if at < 0 or at >= end:
            return -1
        if which == 0:  # ph
            if at + 2 >= end or data[at] != 34 or data[at + 2] != 34:
                return -1
            phase = data[at + 1]
            at += 3
        elif which == 1 or which == 2:  # ts, dur
            at, whole, thousandths = _number(data, at, end)
            row[START + which - 1] = whole * 1000 + thousandths
            seen |= which
        elif 3 <= which <= 5:  # pid, tid, id
            at, row[PID + which - 3] = _count(data, at, end)
            seen |= 1 << (which - 1)
        elif which == 6 or which == 7:  # name, cat
            if data[at] != 34:
                return -1
            begin = at + 1
            at, escaped = _string(data, begin, end)
            if at < 0 or escaped:
                return -1
            column = NAME if which == 6 else CATEGORY
            row[column], row[column + 1] = begin, at
            at += 1
        elif which == 8 and data[at] == 123:  # args
            at = _arguments(data, at + 1, end, row, arguments)
        else:
            at = _skip(data, at, end)
        if at < 0:
            return -1
        at, done = _following(data, at, end)
        if at < 0:
            return -1
    if phase == X:
        if seen & 15 != 15:
            return -1
        row[PHASE] = X
        row[NAME_HASH] = _hash(data, row[NAME], row[NAME_END])
        row[CATEGORY_HASH] = _hash(data, row[CATEGORY], row[CATEGORY_END])
    elif phase == 115 or phase == 102:  # s, f
        category = _which(data, row[CATEGORY], row[CATEGORY_END], arguments)
        if category == 5 or category == 6:
            if seen & 29 != 29:
                return -1
            row[PHASE] = phase
    elif not (phase == 116 or phase == 105 or phase == 73 or phase == 67 or phase == 98 or phase == 101 or phase == 110):  # t i I C b e n
        return -1
    return at


@njit
def scan(data: Any, at: int, end: int, rows: Any, keys: Any, arguments: Any) -> tuple[int, int, int]:
    """(position, rows filled, records passed) after as many records as lie whole in the window, each with its comma (or before the closing bracket)."""
    count, records = 0, 0
    while at < end and count < len(rows) and data[at] == 123:
        after = _event(data, at + 1, end, rows[count], keys, arguments)
        if after < 0:
            break
        after = _space(data, after, end)
        if after >= end:
            break
        if data[after] == 44:
            after = _space(data, after + 1, end)
        elif data[after] != 93:
            break
        at = after
        records += 1
        if rows[count, PHASE] != 0:
            count += 1
    return at, count, records
