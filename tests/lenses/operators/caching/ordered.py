"""Two levels of LRU as ordered dictionaries: slow, plain, and the judge of the simulator."""

from __future__ import annotations

from collections import OrderedDict

from thrifty.lenses.operators.caching import Hierarchy, Traffic
from thrifty.lenses.operators.caching.hierarchy import sets_of


def place(line: int, sets: int, hashed: bool) -> int:
    return (line ^ (line >> 7) ^ (line >> 13) ^ (line >> 21) if hashed else line) % sets


def ordered(touches: list[int], hierarchy: Hierarchy) -> Traffic:
    """What `Simulator` should say. A cached line is [valid sectors, dirty sectors]; the last of a dictionary is the newest."""
    first, last = hierarchy.first, hierarchy.last
    l1 = [[OrderedDict[int, list[int]]() for _ in range(sets_of(first))] for _ in range(hierarchy.cores)]
    l2 = [OrderedDict[int, list[int]]() for _ in range(sets_of(last))] if last else []
    n = dict.fromkeys(("loads", "stores", "h1l", "h1s", "l2l", "l2s", "h2l", "h2s", "fetched", "written", "first_written"), 0)

    def beyond(line: int, asked: int, passed: bool) -> None:
        if last is None:
            n["written" if passed else "fetched"] += asked.bit_count()
            return
        held = l2[place(line, sets_of(last), hierarchy.hashed)]
        if line not in held and len(held) == last.ways:
            n["written"] += held.popitem(last=False)[1][1].bit_count()
        entry = held.setdefault(line, [0, 0])
        held.move_to_end(line)
        lost = asked & ~entry[0]
        entry[0] |= asked
        entry[1] |= asked if passed else 0
        n["l2s" if passed else "l2l"] += asked.bit_count()
        n["h2s" if passed else "h2l"] += (asked & ~lost).bit_count()
        if not passed or hierarchy.store_fetches:
            n["fetched"] += lost.bit_count()

    for word in touches:
        line, core, mask, store = word >> 19, (word >> 9) & 1023, (word >> 1) & 255, bool(word & 1)
        held = l1[core][place(line, sets_of(first), False)]
        entry = held.get(line)
        missing = mask & ~entry[0] if entry else mask
        n["stores" if store else "loads"] += mask.bit_count()
        n["h1s" if store else "h1l"] += (mask & ~missing).bit_count()
        if store and first.write_through:
            if entry:
                held.move_to_end(line)
            beyond(line, mask, True)
            continue
        if entry is None:
            if len(held) == first.ways:
                gone, (_, dirty) = held.popitem(last=False)
                if dirty:
                    n["first_written"] += dirty.bit_count()
                    copy = l2[place(gone, sets_of(last), hierarchy.hashed)].get(gone) if last else None
                    if copy:
                        copy[0] |= dirty
                        copy[1] |= dirty
                    else:
                        n["written"] += dirty.bit_count()
            entry = held[line] = [0, 0]
        held.move_to_end(line)
        entry[0] |= mask
        entry[1] |= mask if store else 0
        if missing and (not store or hierarchy.store_fetches):
            beyond(line, missing, False)
    dirty = sum(entry[1].bit_count() for held in [*(held for core in l1 for held in core), *l2] for entry in held.values())
    size = hierarchy.sector_bytes
    return Traffic(
        loads=n["loads"], stores=n["stores"], first_load_hits=n["h1l"], first_store_hits=n["h1s"], last_loads=n["l2l"], last_stores=n["l2s"],
        last_load_hits=n["h2l"], last_store_hits=n["h2s"], fetched_bytes=n["fetched"] * size, written_bytes=n["written"] * size,
        first_written_bytes=n["first_written"] * size, dirty_bytes=dirty * size,
    )  # fmt: skip
