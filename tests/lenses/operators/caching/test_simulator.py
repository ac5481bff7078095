"""The simulator against an ordered dictionary, by hand, and its doors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.lenses.operators.caching.ordered import ordered

from thrifty.errors import BadValue
from thrifty.hardware import Cache
from thrifty.lenses.operators.caching import Hierarchy, Simulator, collapse, full, simulate, touch
from thrifty.lenses.operators.caching.lru import LISTED


def cache(name: str, sets: int, ways: int, *, line: int = 64, sector: int = 0, through: bool = False) -> Cache:
    return Cache(
        name=name, capacity_bytes=sets * ways * line, line_bytes=line, sector_bytes=sector or line, ways=ways, write_through=through, scratchpad_bytes=0
    )  # fmt: skip


@st.composite
def hierarchies(draw: st.DrawFn) -> Hierarchy:
    sectors, through = draw(st.sampled_from([1, 4])), draw(st.booleans())
    ways = st.sampled_from([1, 2, 3, 4, 8, LISTED, LISTED + 1, 40])
    first = cache("l1", draw(st.sampled_from([1, 2, 3, 4])), draw(ways), line=128, sector=128 // sectors, through=through)
    last = cache("l2", draw(st.sampled_from([1, 2, 5, 8])), draw(ways), line=128, sector=128 // sectors) if draw(st.booleans()) else None
    return Hierarchy(first=first, last=last, cores=draw(st.sampled_from([1, 3])), hashed=draw(st.booleans()), store_fetches=draw(st.booleans()))


def random_touches(hierarchy: Hierarchy, seed: int, count: int, lines: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    most = 1 << (hierarchy.line_bytes // hierarchy.sector_bytes)
    near = draw.integers(0, lines, count)
    near[draw.random(count) < 0.3] //= 4
    return touch(near, sectors=draw.integers(1, most, count), core=draw.integers(0, hierarchy.cores, count), write=draw.random(count) < 0.3)


@settings(max_examples=150, deadline=None)
@given(hierarchy=hierarchies(), seed=st.integers(0, 2**32 - 1), lines=st.sampled_from([4, 60, 400]))
def test_property_set_associative_lru(hierarchy: Hierarchy, seed: int, lines: int) -> None:
    touches = random_touches(hierarchy, seed, 1500, lines)
    simulator = Simulator(hierarchy)
    simulator.feed(touches[:700])
    simulator.feed(touches[700:])
    assert simulator.traffic() == ordered(touches.tolist(), hierarchy)


@settings(max_examples=20, deadline=None)
@given(hierarchy=hierarchies(), seed=st.integers(0, 2**32 - 1))
def test_property_plain_python_gives_the_same(hierarchy: Hierarchy, seed: int) -> None:
    touches = random_touches(hierarchy, seed, 600, 60)
    assert simulate([touches], hierarchy, compiled=False) == simulate([touches], hierarchy)


@settings(max_examples=40, deadline=None)
@given(hierarchy=hierarchies(), seed=st.integers(0, 2**32 - 1))
def test_property_runs_collapsed_give_what_one_by_one_gives(hierarchy: Hierarchy, seed: int) -> None:
    touches = np.repeat(random_touches(hierarchy, seed, 300, 60), np.random.default_rng(seed).integers(1, 5, 300))
    heads, lengths = collapse(touches)
    assert lengths.sum() == touches.size
    simulator = Simulator(hierarchy)
    simulator.feed(heads, lengths)
    assert simulator.traffic() == simulate([touches], hierarchy)


def test_formula_a_line_too_many_for_its_set() -> None:
    """Three lines of one set of two ways, in turn: LRU always throws out the next one to come."""
    hierarchy = Hierarchy(first=cache("l1", 4, 2), last=cache("l2", 4, 4))
    found = simulate(np.tile([0, 256, 512], 100), hierarchy)
    assert (found.accesses, found.first_misses, found.last_loads, found.last_misses) == (300, 300, 300, 3)
    assert (found.first_hit_rate, found.last_hit_rate, found.fetched_bytes, found.memory_bytes) == (0, 0.99, 192, 192)
    assert simulate(np.tile([0, 256, 320], 100), hierarchy).first_misses == 3


def test_formula_a_sequential_read_misses_once_a_line_and_a_write_comes_back() -> None:
    hierarchy = Hierarchy(first=cache("l1", 64, 8), last=cache("l2", 1024, 8))
    read = simulate(np.arange(0, 2**20, 4), hierarchy, sizes=4)
    assert (read.accesses, read.first_misses, read.fetched_bytes, read.memory_bytes) == (2**18, 2**14, 2**20, 2**20)
    written = simulate(np.arange(0, 2**20, 4), hierarchy, sizes=4, writes=True)
    assert (written.fetched_bytes, written.written_bytes + written.dirty_bytes, written.memory_bytes) == (2**20, 2**20, 2**21)


def test_formula_a_straddling_access_touches_two_lines() -> None:
    hierarchy = Hierarchy(first=full("l1", 8))
    assert simulate([60], hierarchy, sizes=8).first_misses == 2
    assert simulate([60], hierarchy, sizes=[4]).first_misses == 1
    assert simulate([0], hierarchy, sizes=[64 * 5 + 1]).first_misses == 6


def test_formula_sectors_are_fetched_one_by_one() -> None:
    hierarchy = Hierarchy(first=cache("l1", 1, 4, line=128, sector=32, through=True), last=cache("l2", 1, 8, line=128, sector=32), store_fetches=False)
    found = simulate([0, 32, 40, 96, 0], hierarchy, sizes=[1, 1, 1, 1, 128], writes=False)
    assert (found.loads, found.first_load_hits, found.fetched_bytes) == (8, 4, 128)
    stored = simulate([0, 0], hierarchy, sizes=32, writes=[True, False])
    assert (stored.fetched_bytes, stored.first_load_hits, stored.last_load_hits, stored.dirty_bytes) == (0, 0, 1, 32)


def test_peer_pycachesim_counts_the_same_misses_of_loads() -> None:
    """Loads only: of stores that miss, pycachesim 0.3.1 counts a little more than an ordered dictionary as LRU does (74388 for 74361 of 100000)."""
    cachesim = pytest.importorskip("cachesim", reason="pycachesim is not installed")
    hierarchy = Hierarchy(first=cache("l1", 64, 8), last=cache("l2", 256, 8))
    lines = np.random.default_rng(0).integers(0, 4000, 50_000)
    memory = cachesim.MainMemory()
    last = cachesim.Cache("l2", 256, 8, 64, "LRU")
    first = cachesim.Cache("l1", 64, 8, 64, "LRU", store_to=last, load_from=last)
    memory.load_to(last)
    memory.store_from(last)
    cachesim.CacheSimulator(first, memory).loadstore([((line * 64,), ()) for line in lines.tolist()], length=1)
    ours = simulate(lines * 64, hierarchy)
    assert (ours.first_misses, ours.last_misses) == (first.MISS_count, last.MISS_count)


def test_nothing_is_no_traffic() -> None:
    found = simulate([], Hierarchy(first=full("l1", 4)))
    assert (found.accesses, found.first_hit_rate, found.first_load_hit_rate, found.last_hit_rate, found.memory_bytes) == (0, 0, 0, 0, 0)


def test_a_gpus_first_level_is_emptied_between_kernels() -> None:
    hierarchy = Hierarchy(first=cache("l1", 2, 8, through=True), last=cache("l2", 8, 8), store_fetches=False)
    simulator = Simulator(hierarchy)
    lines = touch(np.arange(8))
    simulator.feed(lines)
    simulator.next_kernel(4 * 64)
    assert simulator.hierarchy.first.capacity_bytes == 4 * 64
    before = simulator.traffic()
    simulator.feed(lines)
    after = simulator.traffic().since(before)
    assert (after.first_misses, after.last_misses) == (8, 0)
    simulator.feed(touch(np.arange(8), write=True))
    simulator.next_kernel(cold=True)
    simulator.feed(lines)
    assert simulator.traffic().written_bytes == 512 and simulator.traffic().last_misses == 16
    assert simulator.traffic().plus(before).loads == 32


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: simulate([-1], FOUR), "addresses holds -1. Choose from 0 to 1125899906842624."),
        (lambda: simulate([2**51], FOUR), "addresses holds 2251799813685248. Choose from 0 to 1125899906842624."),
        (lambda: simulate([1.5], FOUR), "addresses are float64, not whole numbers. Give integers."),
        (lambda: simulate([1], FOUR, sizes=0), "sizes holds 0. Choose from 1 to 1125899906842624."),
        (lambda: simulate([1, 2], FOUR, sizes=[1, 2, 3]), "addresses, sizes, writes and cores have other lengths. Give one each or one for all."),
        (lambda: Simulator(FOUR).feed(touch([1, 2], core=[0, 1])), "a touch names core 1 of 1. Simulate more cores, or number them from 0."),
        (lambda: Simulator(FOUR).feed(touch([1, 2]), np.array([1])), "2 touches have 1 repeats. Give one for each, or none."),
        (lambda: Simulator(FOUR).next_kernel(), "l1 writes back and is not emptied between kernels. Let it be, or let it write through."),
        (lambda: Hierarchy(first=full("l1", 4), cores=0), "cores=0 is out of range. Choose from 1 to 1024 first-level caches."),
        (
            lambda: Hierarchy(first=Cache(name="l1", capacity_bytes=1000, line_bytes=64, sector_bytes=64, ways=4)),
            "l1 of 1000 bytes does not hold whole sets of 4 lines of 64 bytes. Choose a multiple of 256.",
        ),
        (
            lambda: Hierarchy(first=cache("l1", 1, 4, line=96)),
            "l1 has lines of 96 bytes in sectors of 96. Choose powers of two, a line of whole sectors.",
        ),
        (lambda: Hierarchy(first=cache("l1", 1, 4, line=512, sector=32)), "l1 has 16 sectors a line. Choose at most 8."),
        (
            lambda: Hierarchy(first=cache("l1", 1, 4), last=cache("l2", 1, 8, line=128)),
            "l1 has lines of 64 bytes in sectors of 64, l2 of 128 in 128. Give both levels the same.",
        ),
        (lambda: Hierarchy(first=full("l1", 4), last=cache("l2", 1, 8, through=True)), "l2 is the last level and writes through. Let it write back."),
    ],
)
def test_the_door(call, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadValue) as caught:
        call()
    assert str(caught.value) == says


FOUR = Hierarchy(first=full("l1", 4))
