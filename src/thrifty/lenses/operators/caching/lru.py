"""The loops that decide what stays: set-associative LRU at two levels. Compiled where Numba is installed, plain Python where not.

A cached line is one whole number: (line + 1) << 16 | dirty sectors << 8 | valid sectors; 0 is an empty place. Sets of up to `LISTED` ways are kept as
lists in order of use: one associative search finds, and shifts, in a single pass. Wider ones (a GPU's first level has hundreds of ways) are kept as
a table of lines and a chain in order of use, so that a touch costs the same whatever the ways. Both give the same answers (tested).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

_Loop = TypeVar("_Loop", bound=Callable[..., Any])

try:
    from numba import njit

    COMPILED = True
except ImportError:
    COMPILED = False

LISTED: Final = 32
COUNTS: Final = (
    "loads", "stores", "first_load_hits", "first_store_hits", "last_loads", "last_stores", "last_load_hits", "last_store_hits", "fetched", "written",
    "first_written",
)  # fmt: skip
"""What `run` counts, in sectors (on a cache without sectors: in accesses)."""


def _jit(loop: _Loop) -> _Loop:
    compiled: _Loop = njit(cache=True)(loop) if COMPILED else loop
    return compiled


@_jit
def count(bits: Any) -> Any:
    """How many of eight bits are set."""
    bits = bits - ((bits >> 1) & 0x55)
    bits = (bits & 0x33) + ((bits >> 2) & 0x33)
    return (bits + (bits >> 4)) & 0x0F


@_jit
def place(line: Any, sets: Any, masked: Any, hashed: Any) -> Any:
    """The set of a line. masked: sets - 1 where that is a mask of bits, else 0."""
    if hashed:
        line = line ^ (line >> 7) ^ (line >> 13) ^ (line >> 21)
    return line & masked if masked or sets == 1 else line % sets


@_jit
def touch_list(words: Any, base: Any, ways: Any, key: Any, mask: Any, fill: Any, dirty: Any, allocate: Any) -> Any:
    """Touch a line in a listed set. Returns the sectors that were missing and the line that had to leave (0: none)."""
    found = words[base]
    if found >> 16 == key:
        words[base] = found | fill | dirty << 8
        return mask & ~found, 0
    if not allocate:
        way = 1
        while way < ways and words[base + way] >> 16 != key:
            way += 1
        if way >= ways:
            return mask, 0
        found = words[base + way]
        while way > 0:
            words[base + way] = words[base + way - 1]
            way -= 1
        words[base] = found | fill | dirty << 8
        return mask & ~found, 0
    carried = found
    for way in range(1, ways):
        found = words[base + way]
        words[base + way] = carried
        if found >> 16 == key:
            words[base] = found | fill | dirty << 8
            return mask & ~found, 0
        carried = found
    words[base] = key << 16 | dirty << 8 | fill
    return mask, carried


@_jit
def spread(key: Any, bits: Any) -> Any:
    """Where a line's search in the table starts."""
    return ((key * 0x9E3779B1) & 0xFFFFFFFF) >> (32 - bits)


@_jit
def look_up(words: Any, table: Any, corner: Any, bits: Any, key: Any) -> Any:
    """The place of a line in a tabled cache, -1 where it is not there."""
    at = spread(key, bits)
    while table[corner + at] != 0:
        slot = table[corner + at] - 1
        if words[slot] >> 16 == key:
            return slot
        at = (at + 1) & ((1 << bits) - 1)
    return -1


@_jit
def forget(words: Any, table: Any, corner: Any, bits: Any, key: Any) -> None:
    """Take a line out of the table; those that were pushed behind it move up."""
    last = (1 << bits) - 1
    hole = spread(key, bits)
    while words[table[corner + hole] - 1] >> 16 != key:
        hole = (hole + 1) & last
    at = (hole + 1) & last
    while table[corner + at] != 0:
        home = spread(words[table[corner + at] - 1] >> 16, bits)
        if ((at - home) & last) >= ((at - hole) & last):
            table[corner + hole] = table[corner + at]
            hole = at
        at = (at + 1) & last
    table[corner + hole] = 0


@_jit
def touch_table(
    words: Any, older: Any, newer: Any, table: Any, ends: Any, group: Any, ways: Any, corner: Any, bits: Any, key: Any, mask: Any, fill: Any, dirty: Any,
    allocate: Any,
) -> Any:  # fmt: skip
    """Touch a line in a tabled set, as `touch_list` does. ends (sets, 3): newest, oldest, how many."""
    slot = look_up(words, table, corner, bits, key)
    newest = ends[3 * group]
    if slot >= 0:
        found = words[slot]
        words[slot] = found | fill | dirty << 8
        if slot != newest:
            before, after = newer[slot], older[slot]
            older[before] = after
            if after >= 0:
                newer[after] = before
            else:
                ends[3 * group + 1] = before
            older[slot], newer[slot], newer[newest], ends[3 * group] = newest, -1, slot, slot
        return mask & ~found, 0
    if not allocate:
        return mask, 0
    victim = words[0] & 0
    held = ends[3 * group + 2]
    if held < ways:
        slot = group * ways + held
        ends[3 * group + 2] = held + 1
    else:
        slot = ends[3 * group + 1]
        victim = words[slot]
        forget(words, table, corner, bits, victim >> 16)
        ends[3 * group + 1] = newer[slot]
        older[newer[slot]] = -1
    words[slot] = key << 16 | dirty << 8 | fill
    if held == 0:
        older[slot], ends[3 * group + 1] = -1, slot
    else:
        older[slot], newer[newest] = newest, slot
    newer[slot], ends[3 * group] = -1, slot
    at = spread(key, bits)
    while table[corner + at] != 0:
        at = (at + 1) & ((1 << bits) - 1)
    table[corner + at] = slot + 1
    return mask, victim


@_jit
def run(
    touches: Any, repeats: Any, shape: Any, words: Any, older: Any, newer: Any, table: Any, ends: Any,
    last_words: Any, last_older: Any, last_newer: Any, last_table: Any, last_ends: Any, counts: Any,
) -> None:  # fmt: skip
    """Send every touch through both levels and add up what happened. repeats: how often each comes in a row; empty: once.

    shape: sets, ways, mask, table bits (0: listed) and hashed of the first level, whether it writes through; the same five of the last level (sets 0:
    there is none); whether stores fetch.
    """
    sets, ways, masked, bits, hashed, through, last_sets, last_ways, last_masked, last_bits, last_hashed, fetches = shape
    once = len(repeats) == 0
    simple = not bits and not through
    quick_loads = quick_stores = 0
    loads = stores = load_hits = store_hits = last_loads = last_stores = last_load_hits = last_store_hits = fetched = written = first_written = 0
    for index in range(len(touches)):
        word = touches[index]
        store = word & 1
        mask = (word >> 1) & 255
        line = word >> 19
        key = line + 1
        group = ((word >> 9) & 1023) * sets + place(line, sets, masked, hashed)
        if simple:
            # Most touches find their line the newest of its set: nothing moves.
            found = words[group * ways]
            if found >> 16 == key and found & mask == mask:
                here = 1 if mask == 1 else count(mask)
                if not once:
                    here *= repeats[index]
                if store:
                    words[group * ways] = found | mask << 8
                    quick_stores += here
                else:
                    quick_loads += here
                continue
        core = (word >> 9) & 1023
        sectors = count(mask)
        turns = 1 if once else repeats[index]
        kept = not (store and through)
        if store:
            stores += sectors * turns
        else:
            loads += sectors * turns
        if kept and turns > 1:
            # After the first of a run its line is the newest and holds these sectors: the others hit.
            if store:
                store_hits += sectors * (turns - 1)
            else:
                load_hits += sectors * (turns - 1)
            turns = 1
        fill = mask if kept else 0
        dirty = mask if kept and store else 0
        for _ in range(turns):
            if bits:
                missing, victim = touch_table(words, older, newer, table, ends, group, ways, core << bits, bits, key, mask, fill, dirty, kept)
            else:
                missing, victim = touch_list(words, group * ways, ways, key, mask, fill, dirty, kept)
            lacking = count(missing)
            if store:
                store_hits += sectors - lacking
            else:
                load_hits += sectors - lacking
            leaving = (victim >> 8) & 255
            if leaving:
                first_written += count(leaving)
                slot = -1
                if last_sets:
                    gone = (victim >> 16) - 1
                    spot = place(gone, last_sets, last_masked, last_hashed)
                    if last_bits:
                        slot = look_up(last_words, last_table, 0, last_bits, gone + 1)
                    else:
                        for way in range(last_ways):
                            if last_words[spot * last_ways + way] >> 16 == gone + 1:
                                slot = spot * last_ways + way
                                break
                if slot >= 0:
                    last_words[slot] = last_words[slot] | leaving | leaving << 8
                else:
                    written += count(leaving)
            asked = missing if kept else mask
            if asked == 0 or (kept and store and not fetches):
                continue
            wanted = count(asked)
            passed = store and not kept
            if last_sets == 0:
                if passed:
                    written += wanted
                else:
                    fetched += wanted
                continue
            spot = place(line, last_sets, last_masked, last_hashed)
            stained = asked if passed else 0
            if last_bits:
                lost, victim = touch_table(
                    last_words, last_older, last_newer, last_table, last_ends, spot, last_ways, 0, last_bits, key, asked, asked, stained, True
                )
            else:
                lost, victim = touch_list(last_words, spot * last_ways, last_ways, key, asked, asked, stained, True)
            lacking = count(lost)
            if passed:
                last_stores += wanted
                last_store_hits += wanted - lacking
            else:
                last_loads += wanted
                last_load_hits += wanted - lacking
            if not passed or fetches:
                fetched += lacking
            written += count((victim >> 8) & 255)
    loads, load_hits, stores, store_hits = loads + quick_loads, load_hits + quick_loads, stores + quick_stores, store_hits + quick_stores
    totals = (loads, stores, load_hits, store_hits, last_loads, last_stores, last_load_hits, last_store_hits, fetched, written, first_written)
    for index in range(len(totals)):
        counts[index] += totals[index]
