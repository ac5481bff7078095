"""Tiles of keys: their size by the paper's rule, their order, and splits of them."""

from __future__ import annotations

from typing import Final

from thrifty.errors import BadValue

SRAM_ELEMENTS: Final = 98_304
"""M where none is given: 192 KiB of SRAM, an A100's streaming multiprocessor (Dao et al. 2022, section 2.1), holding elements of 16 bits."""

Tile = tuple[int, int]


def block_sizes(head_dim: int, block_q: int | None, block_k: int | None, sram: int | None = None) -> tuple[int, int]:
    """(Br, Bc): what is given, else Bc = ⌈M/4d⌉ and Br = min(⌈M/4d⌉, d) (Dao et al. 2022, algorithm 1). Raises BadValue below 1."""
    for name, given in (("block_q", block_q), ("block_k", block_k), ("sram", sram)):
        if given is not None and (isinstance(given, bool) or not isinstance(given, int) or given < 1):
            raise BadValue(f"{name}={given!r} must be a whole number of at least 1.")
    by_rule = -(-(sram or SRAM_ELEMENTS) // (4 * head_dim))
    return block_q or min(by_rule, head_dim), block_k or by_rule


def splits_of(seq_kv: int, block_k: int, splits: int | None, split_size: int | None, kv_order: str) -> list[list[Tile]]:
    """For each split its tiles (first key, one past the last) in the order of their visit; one split where neither is asked for.

    splits     : so many, each of as many whole tiles as the others but the last (depends on the length: not batch invariant)
    split_size : keys of one, a multiple of block_k (does not depend on the length)
    """
    if splits is not None and split_size is not None:
        raise BadValue("splits and split_size are two ways to say one thing. Give one.")
    for name, given in (("splits", splits), ("split_size", split_size)):
        if given is not None and (isinstance(given, bool) or not isinstance(given, int) or given < 1):
            raise BadValue(f"{name}={given!r} must be a whole number of at least 1.")
    if split_size is not None and split_size % block_k:
        raise BadValue(f"split_size={split_size} is no multiple of block_k={block_k}, so a tile would be cut. Give a multiple.")
    tiles = [(first, min(first + block_k, seq_kv)) for first in range(0, seq_kv, block_k)]
    each = len(tiles) if splits is None else -(-len(tiles) // splits)
    if split_size is not None:
        each = split_size // block_k
    parts = [tiles[first : first + each] for first in range(0, len(tiles), max(each, 1))] or [[]]
    return [part[::-1] for part in parts] if kv_order == "reverse" else parts
