"""The simulator against cachegrind: the same loops in C, compiled and run there, miss as often (acceptance: within 2 %)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from thrifty.hardware import Cache
from thrifty.lenses.operators.caching import Hierarchy, Simulator, attention, loops
from thrifty.lenses.operators.caching.layouts import Attention, Kind, Layout, Video

SOURCE = Path(__file__).with_name("attention.c")
HIERARCHY = Hierarchy(
    first=Cache(name="D1", capacity_bytes=8192, line_bytes=64, sector_bytes=64, ways=4),
    last=Cache(name="LL", capacity_bytes=131072, line_bytes=64, sector_bytes=64, ways=8),
)
VIDEO = Video(frames=16, positions=64, channels=32, heads=2, number_bytes=4)
OWN = ("qk", "scale", "softmax", "pv", "main", "???")
"""The program's own functions; a valgrind that cannot read its symbols calls them ???. What the system's start-up did has other names."""
PLAIN = ("-O2", "-fno-tree-vectorize", "-fno-ivopts", "-fno-tree-loop-distribute-patterns")
"""Loops as they are written: no vectors, no call of memset, and few enough pointers that none is spilled to the stack, whose line would compete too."""
CASES: tuple[tuple[Kind, Layout], ...] = (("spatial", "contiguous"), ("temporal", "strided"), ("temporal", "materialised"))

pytestmark = pytest.mark.skipif(
    not (shutil.which("gcc") and shutil.which("valgrind")), reason="needs gcc and valgrind: the oracle is cachegrind's count of a compiled program"
)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("cachegrind") / "attention"
    subprocess.run(["gcc", *PLAIN, "-o", str(target), str(SOURCE)], check=True)
    return target


def counted(program: Path, kernel: str, shape: Attention) -> dict[str, int]:
    """What cachegrind counted inside the program's own functions: accesses and misses, loads and stores together."""
    size = shape.video.number_bytes
    strides = (shape.q.outer // size, shape.q.head // size, shape.q.row // size)
    numbers = (shape.sequences, shape.video.heads, shape.length, shape.video.head_dim, *strides)
    first, last = HIERARCHY.levels
    out = program.with_name("counts")
    subprocess.run(
        [
            "valgrind", "--tool=cachegrind", "--cache-sim=yes", "--I1=32768,8,64", f"--D1={first.capacity_bytes},{first.ways},{first.line_bytes}",
            f"--LL={last.capacity_bytes},{last.ways},{last.line_bytes}", f"--cachegrind-out-file={out}", str(program), kernel, *map(str, numbers),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    events: list[str] = []
    totals: dict[str, int] = {}
    inside = False
    for line in out.read_text().splitlines():
        if line.startswith("events:"):
            events = line.split()[1:]
        elif line.startswith("fn="):
            inside = line.removeprefix("fn=") in OWN
        elif inside and line[:1].isdigit():
            for name, value in zip(events, line.split()[1:], strict=True):
                totals[name] = totals.get(name, 0) + int(value)
    return {"accesses": totals["Dr"] + totals["Dw"], "first": totals["D1mr"] + totals["D1mw"], "last": totals["DLmr"] + totals["DLmw"]}


@pytest.mark.parametrize(("kind", "layout"), CASES)
@pytest.mark.parametrize("kernel", ["qk", "scale", "softmax", "pv"])
def test_peer_cachegrind_counts_the_same_misses(program: Path, kernel: str, kind: Kind, layout: Layout) -> None:
    shape = attention(VIDEO, kind, layout)
    theirs = counted(program, kernel, shape)
    simulator = Simulator(HIERARCHY)
    for touches in getattr(loops, kernel)(shape, HIERARCHY.line_bytes):
        simulator.feed(touches)
    ours = simulator.traffic()
    assert ours.accesses == loops.touches_in(kernel, shape)
    assert ours.first_misses == pytest.approx(theirs["first"], rel=0.02)
    assert ours.last_misses == pytest.approx(theirs["last"], rel=0.02)
