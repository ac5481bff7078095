"""Streams of GPU kernels over one attention: thread blocks on streaming multiprocessors, loads and stores coalesced into sectors.

Blocks are dealt to multiprocessors in turn, as many at a time as fit (a wave); those of a wave go on side by side, a step each (one slice of a product's
inner axis, one pass over a row). What a warp asks of one line is one touch of the sectors it needs, so hit rates are those that the vendor's profiler
gives: sectors found over sectors asked for.

    qk, pv   one block a tile of the result; a step loads a slice of 32 columns of both operands; then the tile is stored. Staged in shared memory, a
             block loads a slice once, two slices ahead; direct, each of its warps loads what it multiplies, so that warps find each other's data
    scale    one block a piece of 2048 bytes: loaded, then stored (any elementwise kernel on the scores looks so)
    softmax  rows of up to `KEPT` numbers: four warps a block, each row read once, kept in registers, stored; longer ones: a block a row, three passes
    copy     a piece of 2048 bytes of the target a block, gathered from where its rows lie

Assumed, not read anywhere: tile sizes (powers of two up to 128 that cover the product), three slices at a time in shared memory, `KEPT`; loads go through
the first level (kernels that copy past it to shared memory show lower rates). Not modelled: clocks, replacement other than LRU, instruction and constant
traffic, address translation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from thrifty.lenses.operators.caching.hierarchy import Hierarchy
from thrifty.lenses.operators.caching.layouts import Attention, Rows
from thrifty.lenses.operators.caching.touches import Touches, merge, touches_of

KEPT: Final = 1024
TILE: Final = 128
SLICE: Final = 32
STAGES: Final = 3
PIECE: Final = 2048
WARP_BYTES: Final = 64
THREADS: Final = 2048
"""Threads that a multiprocessor holds at a time; PIECE: bytes of a block of streaming kernels; WARP_BYTES: what a warp of 2-byte loads covers."""
MOST_BLOCKS: Final = 32
CHUNK: Final = 1 << 20
_Ints = NDArray[np.int64]
Staging = Literal["shared", "direct"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How a kernel is laid on the device: `blocks` in all, `resident` at a time on a multiprocessor, each holding `shared_bytes` there."""

    blocks: int
    resident: int
    shared_bytes: int = 0

    def first_level_bytes(self, hierarchy: Hierarchy) -> int:
        """What shared memory leaves of a multiprocessor's first level."""
        return hierarchy.first.capacity_bytes - self.resident * self.shared_bytes

    def waves(self, cores: int) -> Iterator[tuple[_Ints, _Ints]]:
        """Block numbers of every wave, and the multiprocessor that each runs on."""
        wave = cores * self.resident
        for start in range(0, self.blocks, wave):
            block = np.arange(start, min(start + wave, self.blocks), dtype=np.int64)
            yield block, (block - start) % cores


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """Tiles of one batch of matrix products (m, k) x (k, n)."""

    m: int
    n: int
    k: int
    tile_m: int
    tile_n: int

    @property
    def tiles(self) -> tuple[int, int]:
        """Tiles down and across one result."""
        return -(-self.m // self.tile_m), -(-self.n // self.tile_n)

    @property
    def warps(self) -> tuple[int, int]:
        """Warps of a block, down and across its tile."""
        warps = min(8, max(1, self.tile_m * self.tile_n // 2048))
        down = 1 << (warps.bit_length() - 1) // 2
        return down, warps // down

    def launch(self, units: int, size: int, hierarchy: Hierarchy, staging: Staging) -> Launch:
        """One block a tile; residents are bounded by threads and by shared memory."""
        down, across = self.tiles
        resident = min(MOST_BLOCKS, THREADS // (32 * self.warps[0] * self.warps[1]))
        if staging == "direct" or not hierarchy.first.scratchpad_bytes:
            return Launch(blocks=units * down * across, resident=resident)
        shared = STAGES * (self.tile_m + self.tile_n) * SLICE * size
        return Launch(blocks=units * down * across, resident=max(1, min(resident, hierarchy.first.scratchpad_bytes // shared)), shared_bytes=shared)

    def arrange(self, a: _Ints, b: _Ints, staging: Staging) -> _Ints:
        """(blocks, loads) of one slice from its (blocks, rows) in both operands: once a block, or once a warp."""
        if staging == "shared":
            return np.concatenate((a, b), axis=1)
        down, across = self.warps
        parts = [part for left in np.split(a, down, axis=1) for right in np.split(b, across, axis=1) for part in (left, right)]
        return np.concatenate(parts, axis=1)


def product_of(kernel: str, shape: Attention) -> Product:
    """The product of "qk" or "pv", with the smallest tile (a power of two, 16 to `TILE`) that covers it."""
    inner, n = (shape.video.head_dim, shape.length) if kernel == "qk" else (shape.length, shape.video.head_dim)
    return Product(m=shape.length, n=n, k=inner, tile_m=_tile(shape.length), tile_n=_tile(n))


def launch_of(kernel: str, shape: Attention, hierarchy: Hierarchy, staging: Staging = "shared") -> Launch:
    """How each kernel of this file is launched."""
    size = shape.video.number_bytes
    if kernel in ("qk", "pv"):
        return product_of(kernel, shape).launch(shape.units, size, hierarchy, staging)
    if kernel == "softmax":
        rows = shape.units * shape.length
        return Launch(blocks=-(-rows // _rows_a_block(shape.length)), resident=16 if shape.length <= KEPT else 2)
    total = shape.operand_bytes if kernel == "copy" else shape.scores_bytes
    return Launch(blocks=-(-total // PIECE), resident=16)


def most_touches_of(shape: Attention, hierarchy: Hierarchy, staging: Staging) -> int:
    """About how many touches the largest kernel makes: to choose a part of it."""
    passes = 2 if shape.length <= KEPT else 4
    most = passes * shape.scores_bytes // hierarchy.line_bytes
    for kernel in ("qk", "pv"):
        tile = product_of(kernel, shape)
        down, across = tile.tiles
        rows = tile.tile_m + (tile.tile_n if kernel == "qk" else SLICE)
        again = 1 if staging == "shared" else max(tile.warps)
        most = max(most, shape.units * down * across * -(-tile.k // SLICE) * rows * again)
    return most


def qk(shape: Attention, hierarchy: Hierarchy, staging: Staging = "shared") -> Iterator[Touches]:
    """Scores of every unit: rows of q times rows of k, both sliced along their columns."""
    tile = product_of("qk", shape)
    size, dim = shape.video.number_bytes, shape.video.head_dim
    for block, core in launch_of("qk", shape, hierarchy, staging).waves(hierarchy.cores):
        unit, row, column = _tiles(block, tile)
        a = _rows(_starts(shape.q, shape, unit), row, tile.tile_m, shape.length, shape.q.row)
        b = _rows(_starts(shape.k, shape, unit), column, tile.tile_n, shape.length, shape.k.row)
        both = tile.arrange(a, b, staging)
        for slices in _steps(dim, staging):
            loads = np.concatenate([np.where(both < 0, -1, both + start * size) for start in slices], axis=1)
            width = np.repeat([min(SLICE, dim - start) * size for start in slices], both.shape[1])
            yield _touches(loads, np.broadcast_to(width, loads.shape), core, False, hierarchy)
        start = shape.scores[0] + (unit * shape.length**2 + column * tile.tile_n) * size
        out = _rows(start, row, tile.tile_m, shape.length, shape.length * size)
        held = np.minimum(tile.tile_n, shape.length - column * tile.tile_n) * size
        yield _touches(out, np.broadcast_to(held[:, None], out.shape), core, True, hierarchy)


def scale(shape: Attention, hierarchy: Hierarchy) -> Iterator[Touches]:
    """Every score read once and written once."""
    yield from _stream(shape.scores[0], shape.scores[1], shape.scores_bytes, launch_of("scale", shape, hierarchy), hierarchy)


def softmax(shape: Attention, hierarchy: Hierarchy) -> Iterator[Touches]:
    """Rows kept in registers, or three passes over longer ones."""
    width = shape.length * shape.video.number_bytes
    held = _rows_a_block(shape.length) * width
    passes = 1 if shape.length <= KEPT else 3
    for block, core in launch_of("softmax", shape, hierarchy).waves(hierarchy.cores):
        at = block * held
        bytes_left = np.minimum(held, shape.scores_bytes - at)
        for turn in range(passes):
            last = turn == passes - 1
            yield from _pieces(shape.scores[1] + at, bytes_left, core, False, hierarchy)
            if last:
                yield from _pieces(shape.scores[0] + at, bytes_left, core, True, hierarchy)


def pv(shape: Attention, hierarchy: Hierarchy, staging: Staging = "shared") -> Iterator[Touches]:
    """Outputs of every unit: rows of probabilities times rows of v, sliced along the keys."""
    tile = product_of("pv", shape)
    size, dim = shape.video.number_bytes, shape.video.head_dim
    for block, core in launch_of("pv", shape, hierarchy, staging).waves(hierarchy.cores):
        unit, row, column = _tiles(block, tile)
        scores = _rows(shape.scores[0] + unit * shape.length**2 * size, row, tile.tile_m, shape.length, shape.length * size)
        values = _starts(shape.v, shape, unit) + column * tile.tile_n * size
        held = np.minimum(tile.tile_n, dim - column * tile.tile_n) * size
        for slices in _steps(shape.length, staging):
            loads, widths = [], []
            for start in slices:
                a = np.where(scores < 0, -1, scores + start * size)
                b = _rows(values, np.full_like(row, start // SLICE), SLICE, shape.length, shape.v.row)
                loads.append(tile.arrange(a, b, staging))
                wide = np.full_like(a, min(SLICE, shape.length - start) * size)
                widths.append(tile.arrange(wide, np.broadcast_to(held[:, None], b.shape), staging))
            yield _touches(np.concatenate(loads, axis=1), np.concatenate(widths, axis=1), core, False, hierarchy)
        out = _rows(_starts(shape.o, shape, unit) + column * tile.tile_n * size, row, tile.tile_m, shape.length, shape.o.row)
        yield _touches(out, np.broadcast_to(held[:, None], out.shape), core, True, hierarchy)


def copy(shape: Attention, source: Rows, target: Rows, hierarchy: Hierarchy) -> Iterator[Touches]:
    """Rows moved in the order (sequence, head, row) of the target; a warp's 32 numbers may lie in several rows."""
    row_bytes, total = shape.video.head_dim * shape.video.number_bytes, shape.operand_bytes
    unit_bytes = int(np.gcd(row_bytes, WARP_BYTES))
    for block, core in launch_of("copy", shape, hierarchy).waves(hierarchy.cores):
        at = (block * PIECE)[:, None] + np.arange(0, PIECE, unit_bytes)
        row, inside = at // row_bytes, at % row_bytes
        unit, row = row // shape.length, row % shape.length
        for place, write in ((source, False), (target, True)):
            address = np.where(at < total, _starts(place, shape, unit) + row * place.row + inside, -1)
            yield _touches(address, unit_bytes, core, write, hierarchy, every=WARP_BYTES // unit_bytes)


def _tile(length: int) -> int:
    return min(TILE, max(16, 1 << (length - 1).bit_length()))


def _rows_a_block(length: int) -> int:
    """Four warps, two rows each where they are short."""
    return 1 if length > KEPT else 4 if length > TILE else 8


def _tiles(block: _Ints, tile: Product) -> tuple[_Ints, _Ints, _Ints]:
    """Unit, tile row and tile column of each block: columns first, then rows, then units."""
    down, across = tile.tiles
    return block // (down * across), block // across % down, block % across


def _starts(place: Rows, shape: Attention, unit: _Ints) -> _Ints:
    heads = shape.heads
    return np.asarray(place.base + unit // heads * place.outer + unit % heads * place.head)


def _rows(start: _Ints, tile: _Ints, count: int, length: int, stride: int) -> _Ints:
    """(blocks, count) addresses of a tile's rows; -1 for those behind the last."""
    row = (tile * count)[:, None] + np.arange(count)
    return np.where(row < length, start[:, None] + row * stride, -1)


def _steps(columns: int, staging: Staging) -> Iterator[list[int]]:
    """Slices that a block asks for together: at first all that its stages but one can hold, then one at a time."""
    starts = list(range(0, columns, SLICE))
    ahead = STAGES - 1 if staging == "shared" else 1
    yield starts[:ahead]
    yield from ([start] for start in starts[ahead:])


def _stream(source: int, target: int, total: int, launch: Launch, hierarchy: Hierarchy) -> Iterator[Touches]:
    for block, core in launch.waves(hierarchy.cores):
        at = block * PIECE
        held = np.minimum(PIECE, total - at)
        yield from _pieces(source + at, held, core, False, hierarchy)
        yield from _pieces(target + at, held, core, True, hierarchy)


def _pieces(start: _Ints, held: _Ints, core: _Ints, write: bool, hierarchy: Hierarchy) -> Iterator[Touches]:
    """Every block's `held` bytes from `start`, line by line. They may begin inside a line, not inside a sector of another block."""
    most, line = int(held.max()), hierarchy.line_bytes
    offset = np.arange(0, most, line)
    for first in range(0, len(start), max(1, CHUNK // len(offset))):
        part = slice(first, first + max(1, CHUNK // len(offset)))
        left = held[part, None] - offset
        address = np.where(left > 0, start[part, None] + offset, -1)
        yield _touches(address, np.clip(left, 1, line), core[part], write, hierarchy)


def _touches(address: _Ints, width: int | _Ints, core: _Ints, write: bool, hierarchy: Hierarchy, *, every: int = 0) -> Touches:
    """Coalesced touches of (blocks, pieces) addresses, -1 for none. `every`: pieces of a warp, whose touches never join those of the next."""
    flat = address.ravel()
    wanted = flat >= 0
    cores = np.broadcast_to(core[:, None], address.shape).ravel()[wanted]
    sizes = width if isinstance(width, int) else width.ravel()[wanted]
    touches = touches_of(flat[wanted], sizes=sizes, cores=cores, writes=write, line_bytes=hierarchy.line_bytes, sector_bytes=hierarchy.sector_bytes)
    return merge(touches, groups=(np.arange(flat.size) // every)[wanted] if every else None)
