"""The caches that a stream of accesses meets: one or two levels, each built like a `hardware.Cache`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final

from thrifty.errors import BadValue
from thrifty.hardware import Cache

MOST_CORES: Final = 1024
MOST_SECTORS: Final = 8
"""A touch (see `touches`) has ten bits for its core and eight for its sectors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchy:
    """A first level, one for each core, and a last level that all cores share; `last` None where there is but one.

    cores         : how many first levels are simulated (a touch says which one it meets)
    hashed        : the last level picks a set by a hash of the line, not by its low bits (GPUs do; CPUs spread lines over slices so)
    store_fetches : a store into what is not there reads it first (a CPU's line); False where whole sectors are written with byte masks (a GPU's)
    """

    first: Cache
    last: Cache | None = None
    cores: int = 1
    hashed: bool = False
    store_fetches: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.cores <= MOST_CORES:
            raise BadValue(f"cores={self.cores} is out of range. Choose from 1 to {MOST_CORES} first-level caches.")
        for cache in self.levels:
            line, sector = cache.line_bytes, cache.sector_bytes
            if line < 1 or line & (line - 1) or sector < 1 or line % sector or sector & (sector - 1):
                raise BadValue(f"{cache.name} has lines of {line} bytes in sectors of {sector}. Choose powers of two, a line of whole sectors.")
            if line // sector > MOST_SECTORS:
                raise BadValue(f"{cache.name} has {line // sector} sectors a line. Choose at most {MOST_SECTORS}.")
            if cache.ways < 1 or cache.capacity_bytes < 1 or cache.capacity_bytes % (line * cache.ways):
                raise BadValue(
                    f"{cache.name} of {cache.capacity_bytes} bytes does not hold whole sets of {cache.ways} lines of {line} bytes. "
                    f"Choose a multiple of {line * max(cache.ways, 1)}."
                )
        if self.last and (self.last.line_bytes, self.last.sector_bytes) != (self.first.line_bytes, self.first.sector_bytes):
            raise BadValue(
                f"{self.first.name} has lines of {self.first.line_bytes} bytes in sectors of {self.first.sector_bytes}, {self.last.name} of "
                f"{self.last.line_bytes} in {self.last.sector_bytes}. Give both levels the same."
            )
        if self.last and self.last.write_through:
            raise BadValue(f"{self.last.name} is the last level and writes through. Let it write back.")

    @property
    def levels(self) -> tuple[Cache, ...]:
        """The levels from the first to the last."""
        return (self.first,) if self.last is None else (self.first, self.last)

    @property
    def line_bytes(self) -> int:
        """What one tag covers, at both levels."""
        return self.first.line_bytes

    @property
    def sector_bytes(self) -> int:
        """What one miss fetches, at both levels."""
        return self.first.sector_bytes

    def with_first(self, capacity_bytes: int) -> Hierarchy:
        """The same with a first level of (at most) another size: as many sets as before, of fewer or more ways. At least one line a set."""
        line, sets = self.first.line_bytes, sets_of(self.first)
        ways = max(1, capacity_bytes // (line * sets))
        return dataclasses.replace(self, first=dataclasses.replace(self.first, ways=ways, capacity_bytes=ways * line * sets))


def sets_of(cache: Cache) -> int:
    """How many places a line may be sent to."""
    return cache.capacity_bytes // (cache.line_bytes * cache.ways)


def full(name: str, lines: int, line_bytes: int = 64) -> Cache:
    """A fully associative cache of `lines` lines: what a reuse distance speaks of."""
    return Cache(name=name, capacity_bytes=lines * line_bytes, line_bytes=line_bytes, sector_bytes=line_bytes, ways=lines)
