"""Runs a stream of touches through a hierarchy and says what hit, what was fetched and what was written back."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thrifty.errors import BadValue
from thrifty.hardware import Cache
from thrifty.lenses.operators.caching.hierarchy import Hierarchy, sets_of
from thrifty.lenses.operators.caching.touches import Stream, Touches, touches_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What a stream did, counted in sectors: on a cache without sectors these are accesses, as cachegrind counts them.

    loads, stores                       : that reached the first level
    first_load_hits, first_store_hits   : that found their sector there
    last_loads, last_stores             : that the first level passed on (a write-back first level passes loads only, also for a store's line)
    last_load_hits, last_store_hits     : that found their sector in the last level
    fetched_bytes, written_bytes        : between the last level and what lies behind it, while the stream ran
    first_written_bytes                 : dirty data that left the first level
    dirty_bytes                         : dirty data that both levels still held when the stream ended, to be written some day
    """

    loads: int
    stores: int
    first_load_hits: int
    first_store_hits: int
    last_loads: int
    last_stores: int
    last_load_hits: int
    last_store_hits: int
    fetched_bytes: int
    written_bytes: int
    first_written_bytes: int
    dirty_bytes: int

    @property
    def accesses(self) -> int:
        """Loads and stores at the first level."""
        return self.loads + self.stores

    @property
    def first_misses(self) -> int:
        """Loads and stores that missed in the first level."""
        return self.accesses - self.first_load_hits - self.first_store_hits

    @property
    def last_misses(self) -> int:
        """Loads and stores that missed in the last level."""
        return self.last_loads + self.last_stores - self.last_load_hits - self.last_store_hits

    @property
    def first_hit_rate(self) -> float:
        """Hits of the first level over all that reached it; 0 where nothing did."""
        return 1 - self.first_misses / self.accesses if self.accesses else 0.0

    @property
    def first_load_hit_rate(self) -> float:
        """The same of loads alone."""
        return self.first_load_hits / self.loads if self.loads else 0.0

    @property
    def last_hit_rate(self) -> float:
        """Hits of the last level over all that reached it; 0 where nothing did."""
        asked = self.last_loads + self.last_stores
        return 1 - self.last_misses / asked if asked else 0.0

    @property
    def memory_bytes(self) -> int:
        """All that crosses to and from what lies behind the last level, what is still dirty included."""
        return self.fetched_bytes + self.written_bytes + self.dirty_bytes

    def plus(self, other: Traffic) -> Traffic:
        """Both together."""
        return Traffic(**{field.name: getattr(self, field.name) + getattr(other, field.name) for field in dataclasses.fields(self)})

    def since(self, before: Traffic) -> Traffic:
        """What was added after `before`. Dirty data: how much more there is (it may be less: then it was written in between)."""
        return Traffic(**{field.name: getattr(self, field.name) - getattr(before, field.name) for field in dataclasses.fields(self)})


class Simulator:
    """Two levels of LRU caches that touches are fed to; they stay warm between feeds.

        simulator = Simulator(hierarchy)
        for touches in stream:
            simulator.feed(touches)
        simulator.traffic()

    At every level the misses are those of a set-associative LRU cache without prefetching, allocating on loads and, where it writes back, on stores. The
    last level sees what the first misses; a dirty line that leaves the first level marks its copy in the last without making it any newer (so that
    misses there depend on misses here alone, as in cachegrind), or goes on to memory where there is no copy.
    """

    def __init__(self, hierarchy: Hierarchy, *, compiled: bool = True) -> None:
        from thrifty.lenses.operators.caching import lru

        self.hierarchy = hierarchy
        self._native = compiled and lru.COMPILED
        self._run: Any = lru.run if self._native or not lru.COMPILED else _plain(lru)
        first, last = hierarchy.first, hierarchy.last
        self._first, geometry = _state(first, hierarchy.cores, self._native, lru.LISTED, hashed=False)
        self._last, last_geometry = _state(last, 1, self._native, lru.LISTED, hashed=hierarchy.hashed)
        self._shape: tuple[int, ...] = (*geometry, int(first.write_through), *last_geometry, int(hierarchy.store_fetches))
        self._names = lru.COUNTS
        self._counts: Any = np.zeros(len(lru.COUNTS), np.int64) if self._native else [0] * len(lru.COUNTS)

    def feed(self, touches: Touches, repeats: NDArray[np.int64] | None = None) -> None:
        """Send touches through, in their order. repeats: how often each comes in a row (see `touches.collapse`)."""
        times = np.empty(0, np.int64) if repeats is None else repeats
        if times.size not in (0, touches.size):
            raise BadValue(f"{touches.size} touches have {times.size} repeats. Give one for each, or none.")
        if touches.size and int(((touches >> 9) & 1023).max()) >= self.hierarchy.cores:
            raise BadValue(f"a touch names core {int(((touches >> 9) & 1023).max())} of {self.hierarchy.cores}. Simulate more cores, or number them from 0.")
        if self._native:
            self._run(np.ascontiguousarray(touches, np.int64).ravel(), times, self._shape, *self._first, *self._last, self._counts)
        else:
            self._run(touches.ravel().tolist(), times.tolist(), self._shape, *self._first, *self._last, self._counts)

    def next_kernel(self, first_capacity_bytes: int | None = None, *, cold: bool = False) -> None:
        """Empty every first level, as a GPU does between kernels, and give it another size where shared memory takes a part of it.

        cold: empty the last level too; what is dirty there counts as written. Raises BadValue for a first level that writes back: a CPU keeps it.
        """
        first, last = self.hierarchy.first, self.hierarchy.last
        if not first.write_through:
            raise BadValue(f"{first.name} writes back and is not emptied between kernels. Let it be, or let it write through.")
        if first_capacity_bytes is not None:
            self.hierarchy = self.hierarchy.with_first(first_capacity_bytes)
        from thrifty.lenses.operators.caching import lru

        self._first, geometry = _state(self.hierarchy.first, self.hierarchy.cores, self._native, lru.LISTED, hashed=False)
        self._shape = (*geometry, *self._shape[len(geometry) :])
        if cold:
            self._counts[self._names.index("written")] += _dirty(self._last[0])
            self._last, _ = _state(last, 1, self._native, lru.LISTED, hashed=self.hierarchy.hashed)

    def traffic(self) -> Traffic:
        """What has happened so far."""
        sector = self.hierarchy.sector_bytes
        raw = {name: int(value) for name, value in zip(self._names, self._counts, strict=True)}
        in_bytes = {f"{name}_bytes": raw.pop(name) * sector for name in ("fetched", "written", "first_written")}
        return Traffic(**raw, **in_bytes, dirty_bytes=sector * (_dirty(self._first[0]) + _dirty(self._last[0])))


def simulate(
    what: ArrayLike | Stream, hierarchy: Hierarchy, *, sizes: ArrayLike = 1, writes: ArrayLike = False, compiled: bool = True
) -> Traffic:
    """What happens when a stream of accesses meets empty caches.

    what     : byte addresses (N,) in their order, or a stream of touches (any other iterable of arrays, see `touches`)
    sizes    : bytes of each access, writes: whether it stores; one for all or one each (for addresses only)
    compiled : False takes the plain Python loops, which give the same numbers

    Raises BadValue for addresses or sizes that cannot be. Exact: misses equal those of a plain LRU and, fully associative, those that reuse
    distances give (test_property_set_associative_lru, test_property_reuse_distances_are_the_oracle).
    """
    simulator = Simulator(hierarchy, compiled=compiled)
    if isinstance(what, np.ndarray | list | tuple) and not (len(what) and isinstance(what[0], np.ndarray)):
        line, sector = hierarchy.line_bytes, hierarchy.sector_bytes
        simulator.feed(touches_of(np.asarray(what), sizes=sizes, writes=writes, line_bytes=line, sector_bytes=sector) if len(what) else np.empty(0, np.int64))
    else:
        for chunk in what:  # type: ignore[union-attr]
            simulator.feed(np.asarray(chunk))
    return simulator.traffic()


def _plain(lru: Any) -> Any:
    """The loops as plain Python although Numba is installed: the module once more, without it."""
    import importlib.util
    import sys

    spec = importlib.util.spec_from_file_location("_plain_lru", lru.__file__)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    held = sys.modules.get("numba")
    sys.modules["numba"] = None  # type: ignore[assignment]
    try:
        spec.loader.exec_module(module)
    finally:
        sys.modules.pop("numba")
        if held is not None:
            sys.modules["numba"] = held
    return module.run


def _state(cache: Cache | None, cores: int, native: bool, listed: int, *, hashed: bool) -> tuple[list[Any], tuple[int, int, int, int, int]]:
    """Empty arrays of a level (words, older, newer, table, ends) and its sets, ways, mask, table bits and hashed."""

    def zeros(size: int, fill: int = 0, kind: type[np.signedinteger[Any]] = np.int64) -> Any:
        return np.full(size, fill, kind) if native else [fill] * size

    if cache is None:
        return [zeros(1), *(zeros(1, 0, np.int32) for _ in range(4))], (0, 0, 0, 0, 0)
    sets = sets_of(cache)
    slots = cores * sets * cache.ways
    mask = sets - 1 if sets & (sets - 1) == 0 else 0
    if cache.ways <= listed:
        return [zeros(slots), *(zeros(1, 0, np.int32) for _ in range(4))], (sets, cache.ways, mask, 0, int(hashed))
    bits = max(4, (2 * sets * cache.ways - 1).bit_length())
    chain = [zeros(slots), *(zeros(size, fill, np.int32) for size, fill in ((slots, -1), (slots, -1), (cores << bits, 0), (3 * cores * sets, 0)))]
    return chain, (sets, cache.ways, mask, bits, int(hashed))


def _dirty(words: Any) -> int:
    """Dirty sectors that a level holds."""
    bits = (np.asarray(words, np.int64) >> 8) & 255
    return int(np.bitwise_count(bits).sum())
