"""Seconds of fused attention from its sizes and a row of parameters: scalar functions that Numba compiles into any loop.

Many queries: tiles of 128 queries of one head, each passing all keys it may see, shared by U units as in `core`:

    time = launch + longer + overlap · shorter + tile · waves       of  scores · (2 · (head + value) · s/FLOP + s/score)  and  bytes · s/byte

where scores are counted in whole tiles, with half a tile more on a causal diagonal, and no unit finishes before its longest tile. The second term
is the softmax, whose exponentials run outside the matrix units: it is why small heads are slower a FLOP (FlashAttention-3, section 3.1).

Few queries (a decoding step): keys and values stream once for the group of heads that shares them; where sequences × groups are fewer than
units, keys are split among units and their results joined.

Backward: the forward time times a ratio from FlashAttention-2's published rates.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from thrifty.cost.kernels.rows import PLACE

UNITS: Final = PLACE["units"]
BYTES: Final = PLACE["attention_bytes"]
BACKWARD: Final = PLACE["backward"]
P_LAUNCH: Final = PLACE["prefill_launch_s"]
P_FLOP: Final = PLACE["prefill_flop_s"]
P_SCORE: Final = PLACE["prefill_score_s"]
P_BYTE: Final = PLACE["prefill_byte_s"]
P_TILE: Final = PLACE["prefill_tile_s"]
P_OVERLAP: Final = PLACE["prefill_overlap"]
P_ROUNDING: Final = PLACE["prefill_rounding"]
P_TAIL: Final = PLACE["prefill_tail"]
D_LAUNCH: Final = PLACE["decode_launch_s"]
D_BYTE: Final = PLACE["decode_byte_s"]
D_UNIT_BYTE: Final = PLACE["decode_unit_byte_s"]
D_TILE: Final = PLACE["decode_tile_s"]
D_SPLIT: Final = PLACE["decode_split_s"]
D_RESIDENT: Final = PLACE["decode_resident_bytes"]
D_FLOP: Final = PLACE["decode_flop_s"]

TILE: Final = 128.0
"""Queries, and keys, of one tile."""
FEW: Final = 16.0
"""Up to so many queries a sequence are a decoding step."""
SPLIT_KEYS: Final = 128.0
"""Keys that one of several units has at least."""


def attention_seconds(
    batch: float, heads: float, kv_heads: float, queries: float, keys: float, head_dim: float, value_dim: float, causal: bool, backward: bool, p: Any
) -> float:  # fmt: skip
    """Seconds of softmax(Q Kᵀ) V with `heads` query heads that share `kv_heads`, on the device and in the format of the row `p`.

    causal: the last query sees all keys, each one before it one less. backward: the backward pass alone, not both.
    """
    width = head_dim + value_dim
    moved = batch * (kv_heads * keys + heads * queries) * width * p[BYTES]
    seen = keys - 0.5 * (min(queries, keys) - 1.0) if causal else keys
    units = p[UNITS]
    scores = batch * heads * queries * seen
    if units == 0.0:
        seconds: float = p[P_LAUNCH] + max(scores * (2.0 * width * p[P_FLOP] + p[P_SCORE]), moved * p[P_BYTE])
    elif queries > FEW:
        blocks = np.ceil(queries / TILE)
        padded = np.ceil(keys / TILE) * TILE
        mean = min(seen + 0.5 * TILE, padded) if causal else padded
        tiles = batch * heads * blocks
        x = tiles / units
        rows = min(TILE, np.ceil(queries / FEW) * FEW)
        one = rows * units * (2.0 * width * p[P_FLOP] + p[P_SCORE])
        work = max(one * padded * p[P_TAIL], one * mean * (x + p[P_ROUNDING] * (np.ceil(x) - x)))
        memory = moved * p[P_BYTE]
        seconds = p[P_LAUNCH] + max(work, memory) + p[P_OVERLAP] * min(work, memory) + max(1.0, x) * p[P_TILE]
    else:
        tiles = batch * kv_heads
        splits = max(1.0, min(np.floor(units / tiles), np.ceil(keys / SPLIT_KEYS)))
        waves = max(1.0, tiles * splits / units)
        part = waves * keys / splits
        memory = moved * p[D_BYTE]
        resident = p[D_RESIDENT]
        if resident > 0.0:
            memory += min(1.0, max(0.0, 2.0 - 2.0 * moved / resident)) * moved * (p[D_UNIT_BYTE] / units - p[D_BYTE])
        stream = max(memory, part * width * p[BYTES] * p[D_UNIT_BYTE])
        seconds = p[D_LAUNCH] + stream + waves * p[D_TILE] + scores * 2.0 * width * p[D_FLOP]
        if splits > 1.0:
            seconds += p[D_SPLIT]
    return seconds * p[BACKWARD] if backward else seconds
