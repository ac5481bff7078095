"""Weights in a narrower format than torch computes in: stored narrow, read narrow, multiplied in bfloat16.

That is how weight-only quantisation runs. Activations, caches, gradients and optimizer state stay as they were captured.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.formats import Format, get_format
from thrifty.workload.table import Kind, OperatorTable, Role

CAPTURED_IN: Final = "bf16"
"""The format in which such a table is captured first."""

_READS_WEIGHTS: Final = (Kind.LINEAR, Kind.CONV, Kind.EMBEDDING)


def bytes_of(counts: npt.NDArray[np.int64], chosen: Format) -> npt.NDArray[np.int64]:
    """Bytes of so many numbers each, in `chosen` (`Format.bytes_of` for arrays)."""
    if chosen.block > 1:
        return -(-counts // chosen.block) * chosen.block_bytes
    return -(-counts * chosen.bits // 8)


def with_weights_in(table: OperatorTable, format_name: str) -> OperatorTable:
    """`table`, captured in bf16, with every weight stored and read in `format_name`."""
    chosen, captured = get_format(format_name), get_format(CAPTURED_IN)
    formats = table.formats if chosen.name in table.formats else (*table.formats, chosen.name)
    index = formats.index(chosen.name)
    # Weights that a module keeps in another format than the rest (a router in fp32) stay as they are.
    weight = (table.storages["role"] == Role.WEIGHT) & (table.storages["format"] == _index(table.formats, CAPTURED_IN))

    def narrowed(sizes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return bytes_of(sizes * 8 // captured.bits, chosen)

    storages, rows = table.storages.copy(), table.rows.copy()
    storages["bytes"][weight] = narrowed(storages["bytes"][weight])
    storages["format"][weight] = index
    reads, reads_change = _touched(table.reads_ptr, table.reads, table.reads_bytes, weight, narrowed)
    writes, writes_change = _touched(table.writes_ptr, table.writes, table.writes_bytes, weight, narrowed)
    rows["bytes_read"] += reads_change
    rows["bytes_weight"] += reads_change
    rows["bytes_written"] += writes_change
    rows["format"][(reads_change != 0) & np.isin(rows["kind"], _READS_WEIGHTS)] = index
    return replace(table, rows=rows, storages=storages, reads_bytes=reads, writes_bytes=writes, formats=formats)


def _index(formats: tuple[str, ...], name: str) -> int:
    return formats.index(name) if name in formats else len(formats)


def _touched(
    pointer: npt.NDArray[np.int64], touched: npt.NDArray[np.int32], sizes: npt.NDArray[np.int64], weight: npt.NDArray[np.bool_], narrowed: Any
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """New sizes of the accesses, and by how much each row's sum changes."""
    new = np.where(weight[touched], narrowed(sizes), sizes)
    change = np.zeros(len(pointer) - 1, dtype=np.int64)
    np.add.at(change, np.repeat(np.arange(len(pointer) - 1), np.diff(pointer)), new - sizes)
    return new, change
