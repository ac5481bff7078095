"""Packing compiled: eight codes at a time through one 128-bit window, held as two words. The definition is in `packing`."""

from __future__ import annotations

from typing import Any

import numpy as np

from thrifty.loops import jit


@jit
def pack_groups(codes: Any, packed: Any, bits: int, first: int, last: int) -> None:
    """Groups first to last - 1 of eight codes; each fills `bits` bytes."""
    for group in range(first, last):
        low, high = np.uint64(0), np.uint64(0)
        half = 4 * bits
        for place in range(4):
            low |= np.uint64(codes[8 * group + place]) << np.uint64(place * bits)
            high |= np.uint64(codes[8 * group + 4 + place]) << np.uint64(place * bits)
        # low holds bits 0 to half - 1 of the group, high those above.
        if half % 8:
            low |= (high & np.uint64(15)) << np.uint64(half)
            high >>= np.uint64(4)
        lows = (half + 7) // 8
        for byte in range(lows):
            packed[group * bits + byte] = np.uint8((low >> np.uint64(8 * byte)) & np.uint64(255))
        for byte in range(bits - lows):
            packed[group * bits + lows + byte] = np.uint8((high >> np.uint64(8 * byte)) & np.uint64(255))


@jit
def unpack_groups(packed: Any, codes: Any, bits: int, first: int, last: int) -> None:
    """The way back: groups first to last - 1."""
    mask = (np.uint64(1) << np.uint64(bits)) - np.uint64(1)
    half = 4 * bits
    lows = (half + 7) // 8
    for group in range(first, last):
        low, high = np.uint64(0), np.uint64(0)
        for byte in range(lows):
            low |= np.uint64(packed[group * bits + byte]) << np.uint64(8 * byte)
        for byte in range(bits - lows):
            high |= np.uint64(packed[group * bits + lows + byte]) << np.uint64(8 * byte)
        if half % 8:
            high = (high << np.uint64(4)) | (low >> np.uint64(half))
        for place in range(4):
            codes[8 * group + place] = np.uint16((low >> np.uint64(place * bits)) & mask)
            codes[8 * group + 4 + place] = np.uint16((high >> np.uint64(place * bits)) & mask)
