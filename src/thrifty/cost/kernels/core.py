"""Seconds of one kernel from its sizes and a row of parameters: scalar functions that Numba compiles into any loop.

A matrix product is cut into tiles of rows × columns; U units take them in waves. Over six tiles, each whole or with its inner sum split:

    time = launch + longer + overlap · (the others of matrix, cache, memory) + tile · waves + step · k / splits (+ adding up the splits)
    matrix = waves · tile's FLOPs / a unit's rate        waves = x + rounding · (⌈x⌉ − x), at least 1, of x = tiles · splits / U
    cache = what the tiles read of both operands          memory = operands and result once

and the fastest counts, as a library's choice of kernel does. Padding of m and n to tiles, the last partly empty wave, splitting where tiles are
fewer than units, and a floor that a small product cannot go below all follow from this. Nothing here checks its arguments: see `times`.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from thrifty.cost.kernels.rows import PLACE

UNITS: Final = PLACE["units"]
INPUT: Final = PLACE["input_bytes"]
OUTPUT: Final = PLACE["output_bytes"]
LAUNCH: Final = PLACE["launch_s"]
FLOP: Final = PLACE["flop_s"]
BYTE: Final = PLACE["byte_s"]
UNIT_BYTE: Final = PLACE["unit_byte_s"]
TILE: Final = PLACE["tile_s"]
STEP: Final = PLACE["step_s"]
SPLIT: Final = PLACE["split_s"]
OVERLAP: Final = PLACE["overlap"]
ROUNDING: Final = PLACE["rounding"]
RESIDENT: Final = PLACE["resident_bytes"]
STREAM_LAUNCH: Final = PLACE["stream_launch_s"]
STREAM_BYTE: Final = PLACE["stream_byte_s"]

TILE_ROWS: Final = (64.0, 64.0, 128.0, 128.0, 128.0, 256.0)
TILE_COLUMNS: Final = (64.0, 128.0, 64.0, 128.0, 256.0, 128.0)
TILES: Final = len(TILE_ROWS)
ROW_SHARE: Final = tuple(1.0 / rows for rows in TILE_ROWS)
COLUMN_SHARE: Final = tuple(1.0 / columns for columns in TILE_COLUMNS)
LEAST_SHARE: Final = 1.0 / 128.0
"""One over the numbers of the inner sum that a part of it has at least."""
PARTIAL_BYTES: Final = 8.0
"""A partial result is written and read again in FP32."""
WEIGHT_SHARE: Final = 3.0
"""Repeats go round several weights but one activation, so a weight stays in cache only if it is this much smaller."""


def gemm_seconds(m: float, n: float, k: float, batch: float, p: Any) -> float:
    """Seconds of `batch` products (m, k) · (k, n) on the device and in the format of the row `p`."""
    activations = batch * m * (k * p[INPUT] + n * p[OUTPUT])
    weights = batch * n * k * p[INPUT]
    memory = (activations + weights) * p[BYTE]
    units = p[UNITS]
    if units == 0.0:
        plain: float = p[LAUNCH] + max(2.0 * batch * m * n * k * p[FLOP], memory)
        return plain
    cache_byte = p[UNIT_BYTE] / units
    resident = p[RESIDENT]
    if resident > 0.0:
        stays = min(1.0, max(0.0, 2.0 - 2.0 * activations / resident)) * activations
        stays += min(1.0, max(0.0, 2.0 - 2.0 * WEIGHT_SHARE * weights / resident)) * weights
        memory += stays * (cache_byte - p[BYTE])
    each = 1.0 / units
    area_s, edge_s = k * 2.0 * p[FLOP] * units, k * p[INPUT] * p[UNIT_BYTE]
    overlap, rounding, tile_s, step_s = p[OVERLAP], p[ROUNDING], p[TILE], k * p[STEP]
    most_splits = np.floor(k * LEAST_SHARE)
    partial_s = batch * m * n * PARTIAL_BYTES * cache_byte
    best = math.inf
    for c in range(TILES):
        rows, columns = TILE_ROWS[c], TILE_COLUMNS[c]
        tiles = batch * np.ceil(m * ROW_SHARE[c]) * np.ceil(n * COLUMN_SHARE[c])
        area, edge = area_s * rows * columns, edge_s * (rows + columns)
        x = tiles * each
        waves = 1.0 if x < 1.0 else x + rounding * (np.ceil(x) - x)
        matrix, cache = waves * area, x * edge
        longer = max(matrix, max(cache, memory))
        seconds = longer + overlap * (matrix + cache + memory - longer) + waves * tile_s + step_s
        best = min(best, seconds)
        if x <= 0.5 and most_splits > 1.0:
            splits = min(np.floor(units / tiles), most_splits)
            part = 1.0 / splits
            matrix = part * area
            longer = max(matrix, max(cache, memory))
            seconds = longer + overlap * (matrix + cache + memory - longer) + tile_s + part * step_s + p[SPLIT] + splits * partial_s
            best = min(best, seconds)
    whole: float = p[LAUNCH] + best
    return whole


def stream_seconds(moved_bytes: float, p: Any) -> float:
    """Seconds of a kernel that reads and writes `moved_bytes` in all and computes next to nothing: norms, activations, copies."""
    seconds: float = p[STREAM_LAUNCH] + moved_bytes * p[STREAM_BYTE]
    return seconds
