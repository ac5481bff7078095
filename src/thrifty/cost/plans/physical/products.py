"""Matrix products of many micro-batches at once: `kernels.core.gemm_seconds` with the loop over lanes innermost, so that a compiler makes vectors of it.

The formula is that of `core`, term for term, and tests hold both equal; what no lane needs (splitting inner sums) is left out for all of them.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from thrifty.cost.kernels.core import (
    BYTE,
    COLUMN_SHARE,
    FLOP,
    INPUT,
    LAUNCH,
    LEAST_SHARE,
    OUTPUT,
    OVERLAP,
    PARTIAL_BYTES,
    RESIDENT,
    ROUNDING,
    ROW_SHARE,
    SPLIT,
    STEP,
    TILE,
    TILE_COLUMNS,
    TILE_ROWS,
    TILES,
    UNIT_BYTE,
    UNITS,
    WEIGHT_SHARE,
    gemm_seconds,
)  # fmt: skip


def gemm_lanes(room: Any, rows: int, n: Any, inner: int, batch: Any, p: Any, lanes: int, memory: int, seconds: int) -> None:
    """Fills room[seconds] with `batch` products (m, k) · (k, n) of every lane, m in room[rows] and k in room[inner]; room[memory] is for what lies between."""
    units = p[UNITS]
    if units == 0.0 or lanes == 1:
        for i in range(lanes):
            room[seconds, i] = gemm_seconds(room[rows, i], n, room[inner, i], batch, p)
        return
    rows_N, inner_N, memory_N, seconds_N = room[rows], room[inner], room[memory], room[seconds]
    byte, resident, read, write = p[BYTE], p[RESIDENT], p[INPUT], p[OUTPUT]
    cache_byte = p[UNIT_BYTE] / units
    fewest = rows_N[0]
    for i in range(lanes):
        activations = batch * rows_N[i] * (inner_N[i] * read + n * write)
        weights = batch * n * inner_N[i] * read
        memory_N[i] = (activations + weights) * byte
        if resident > 0.0:
            stays = min(1.0, max(0.0, 2.0 - 2.0 * activations / resident)) * activations
            stays += min(1.0, max(0.0, 2.0 - 2.0 * WEIGHT_SHARE * weights / resident)) * weights
            memory_N[i] += stays * (cache_byte - byte)
        seconds_N[i] = np.inf
    for i in range(lanes):
        fewest = min(fewest, rows_N[i])
    each = 1.0 / units
    area_k, edge_k = 2.0 * p[FLOP] * units, read * p[UNIT_BYTE]
    overlap, rounding, tile_s, step_k, split_s = p[OVERLAP], p[ROUNDING], p[TILE], p[STEP], p[SPLIT]
    partial_s = batch * n * PARTIAL_BYTES * cache_byte
    for c in range(TILES):
        edges, both = TILE_ROWS[c] + TILE_COLUMNS[c], TILE_ROWS[c] * TILE_COLUMNS[c]
        share, across = ROW_SHARE[c], batch * np.ceil(n * COLUMN_SHARE[c])
        for i in range(lanes):
            k, memory = inner_N[i], memory_N[i]
            x = np.ceil(rows_N[i] * share) * across * each
            waves = 1.0 if x < 1.0 else x + rounding * (np.ceil(x) - x)
            matrix, cache = waves * (k * area_k * both), x * (k * edge_k * edges)
            longer = max(matrix, max(cache, memory))
            seconds_N[i] = min(seconds_N[i], longer + overlap * (matrix + cache + memory - longer) + waves * tile_s + k * step_k)
        if np.ceil(fewest * share) * across * each <= 0.5:
            for i in range(lanes):
                k, memory = inner_N[i], memory_N[i]
                tiles = np.ceil(rows_N[i] * share) * across
                x, most = tiles * each, np.floor(k * LEAST_SHARE)
                splits = min(np.floor(units / tiles), most)
                part = 1.0 / max(1.0, splits)
                matrix, cache = part * (k * area_k * both), x * (k * edge_k * edges)
                longer = max(matrix, max(cache, memory))
                split = longer + overlap * (matrix + cache + memory - longer) + tile_s + part * (k * step_k) + split_s + splits * rows_N[i] * partial_s
                seconds_N[i] = min(seconds_N[i], split if x <= 0.5 and most > 1.0 else np.inf)
    launch = p[LAUNCH]
    for i in range(lanes):
        seconds_N[i] += launch


FUNCTIONS: Final = (gemm_lanes,)
