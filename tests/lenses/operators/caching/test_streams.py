"""Streams of kernels, by hand: what they touch, how often, and what coalescing makes of it."""

from __future__ import annotations

import numpy as np
import pytest

from thrifty.errors import BadValue
from thrifty.lenses.operators.caching import Video, attention, hierarchy_of, loops, merge, tiles, touch, touches_of
from thrifty.lenses.operators.caching.layouts import LAYOUTS, Attention

VIDEO = Video(frames=4, positions=9, channels=24, heads=2, number_bytes=4)
CASES = [(kind, layout) for kind, layouts in LAYOUTS.items() for layout in layouts]
A100 = hierarchy_of("a100-80gb")


def naive_qk(shape: Attention) -> list[tuple[int, bool]]:
    """The loops of qk as they are read in C: (address, store)."""
    size, found = shape.video.number_bytes, []
    for unit in range(shape.units):
        sequence, head = divmod(unit, shape.heads)
        q, k = (rows.base + sequence * rows.outer + head * rows.head for rows in (shape.q, shape.k))
        for i in range(shape.length):
            for j in range(shape.length):
                for d in range(shape.video.head_dim):
                    found += [(q + i * shape.q.row + d * size, False), (k + j * shape.k.row + d * size, False)]
                found.append((shape.scores[0] + ((unit * shape.length + i) * shape.length + j) * size, True))
    return found


@pytest.mark.parametrize(("kind", "layout"), CASES)
def test_formula_loops_are_those_of_c(kind: str, layout: str) -> None:
    shape = attention(VIDEO, kind, layout)  # type: ignore[arg-type]
    addresses, writes = zip(*naive_qk(shape), strict=True)
    assert np.array_equal(np.concatenate(list(loops.qk(shape, 64))), touches_of(np.array(addresses), sizes=4, writes=writes))


@pytest.mark.parametrize(("kind", "layout"), CASES)
def test_formula_loops_touch_as_often_as_they_say(kind: str, layout: str) -> None:
    shape = attention(VIDEO, kind, layout)  # type: ignore[arg-type]
    for kernel in ("qk", "scale", "softmax", "pv"):
        assert sum(chunk.size for chunk in getattr(loops, kernel)(shape, 64)) == loops.touches_in(kernel, shape), kernel
    assert sum(chunk.size for chunk in loops.copy(shape, shape.source_q, shape.q, 64)) == loops.touches_in("copy", shape)


@pytest.mark.parametrize(("kind", "layout"), CASES)
def test_property_tiles_touch_exactly_the_sectors_of_their_tensors(kind: str, layout: str) -> None:
    shape = attention(Video(frames=6, positions=40, channels=80, heads=2), kind, layout)  # type: ignore[arg-type]
    streams = {
        "qk": (tiles.qk(shape, A100), (shape.q, shape.k), [0]), "pv": (tiles.pv(shape, A100), (shape.v,), []),
        "scale": (tiles.scale(shape, A100), (), [1]), "softmax": (tiles.softmax(shape, A100), (), [0]),
    }  # fmt: skip
    scores = {buffer: set(sectors(np.arange(start, start + shape.scores_bytes, 2))) for buffer, start in enumerate(shape.scores)}
    for kernel, (stream, rows, stored) in streams.items():
        loads, stores = split(np.concatenate(list(stream)))
        read = {"qk": set(), "pv": scores[0], "scale": scores[0], "softmax": scores[1]}[kernel]
        wanted = read.union(*(sectors(numbers_of(shape, place)) for place in rows))
        assert loads == wanted, kernel
        assert stores == (scores[stored[0]] if stored else set(sectors(numbers_of(shape, shape.o)))), kernel
    loads, stores = split(np.concatenate(list(tiles.copy(shape, shape.source_q, shape.q, A100))))
    assert (loads, stores) == (set(sectors(numbers_of(shape, shape.source_q))), set(sectors(numbers_of(shape, shape.q))))


def numbers_of(shape: Attention, rows: object) -> np.ndarray:
    sequence, head, row, d = np.ogrid[: shape.sequences, : shape.heads, : shape.length, : shape.video.head_dim]
    return (rows.base + sequence * rows.outer + head * rows.head + row * rows.row + d * 2).ravel()  # type: ignore[attr-defined]


def sectors(addresses: np.ndarray) -> set[int]:
    return set(np.unique(addresses // 32).tolist())


def split(touches: np.ndarray) -> tuple[set[int], set[int]]:
    """Sectors loaded and sectors stored."""
    found: tuple[set[int], set[int]] = (set(), set())
    for sector in range(4):
        has = touches[(touches >> (1 + sector)) & 1 == 1]
        for store in (0, 1):
            found[store].update(((has[has & 1 == store] >> 19) * 4 + sector).tolist())
    return found


def test_formula_coalescing_joins_neighbours_of_one_line() -> None:
    one = touches_of(np.arange(0, 256, 16), sizes=16, line_bytes=128, sector_bytes=32)
    assert merge(one).tolist() == touch([0, 1], sectors=15).tolist()
    assert merge(touch([1, 1, 2, 1, 1], sectors=[1, 2, 4, 8, 1], write=[0, 0, 0, 0, 1])).tolist() == [
        *touch([1, 2, 1], sectors=[3, 4, 8]).tolist(), *touch([1], sectors=1, write=True).tolist(),
    ]  # fmt: skip
    assert merge(one, groups=np.arange(16) // 4).size == 4 and merge(one[:0]).size == 0


def test_formula_launches() -> None:
    spatial, temporal = attention(Video(positions=4096), "spatial", "contiguous"), attention(Video(positions=4096), "temporal", "strided")
    launch = tiles.launch_of("qk", spatial, A100)
    assert (launch.blocks, launch.resident, launch.shared_bytes) == (16 * 8 * 32 * 32, 3, 3 * 256 * 32 * 2)
    assert launch.first_level_bytes(A100) == (192 - 144) * 1024
    assert tiles.launch_of("qk", temporal, A100).blocks == 4096 * 8
    assert tiles.launch_of("qk", spatial, A100, "direct").first_level_bytes(A100) == 192 * 1024
    assert tiles.product_of("qk", spatial).warps == (2, 4) and tiles.product_of("qk", temporal).warps == (1, 1)
    blocks, cores = zip(*launch.waves(108), strict=True)
    assert sum(map(len, blocks)) == launch.blocks and len(blocks[0]) == 324 and set(cores[0].tolist()) == set(range(108))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: Video(frames=0), "frames=0 is below 1. Choose a whole number from 1 up."),
        (lambda: Video(channels=30, heads=8), "channels=30 is not divisible by heads=8. Choose a multiple of 8."),
        (lambda: Video(number_bytes=3), "number_bytes=3 is no size of a number. Choose 1, 2, 4 or 8."),
        (lambda: attention(VIDEO, "temporal", "contiguous"), "temporal attention has no layout 'contiguous'. Choose from: strided, materialised."),
        (lambda: attention(VIDEO, "cross", "strided"), "kind 'cross' is unknown. Choose from: spatial, temporal."),  # type: ignore[arg-type]
        (lambda: touches_of([0], line_bytes=96), "line_bytes=96 is no power of two. Choose e.g. 64."),
    ],
)
def test_the_door(call, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadValue) as caught:
        call()
    assert str(caught.value) == says
