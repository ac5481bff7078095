"""Blocks lie along one axis: arrays as rows with that axis last, and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.formats.rounding.arrays import take


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """x with `axis` last and all others as one, float32 or float64; and how codes (`like_x`) and scales (any length along the axis) go back."""

    values_RN: npt.NDArray[Any]
    axis: int
    wide: bool
    back: Callable[[npt.NDArray[Any]], Any]
    moved: tuple[int, ...]

    def placed(self, array_RN: npt.NDArray[Any]) -> Any:
        """Rows of any length, as the kind of array that came, with the axis where it was."""
        shaped = array_RN.reshape(*self.moved[:-1], array_RN.shape[-1])
        return self.back(np.ascontiguousarray(np.moveaxis(shaped, -1, self.axis)))


def to_rows(x: Any, axis: int, block: int) -> Rows:
    """Raises BadValue for an axis that x lacks and a block that is no whole number above 0."""
    if isinstance(block, bool) or not isinstance(block, int | np.integer) or block < 1:
        raise BadValue(f"block={block!r} must be a whole number of neighbours, 1 or more.")
    given = take(x)
    values = given.values
    if isinstance(axis, bool) or not isinstance(axis, int | np.integer) or not -values.ndim <= axis < values.ndim:
        raise BadValue(f"axis={axis!r} names no axis of x, which has {values.ndim}. {'Give one of them.' if values.ndim else 'Give a row of numbers.'}")
    wide = values.dtype == np.float64
    if wide and values.size:
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            narrow = values.astype(np.float32)
        if ((narrow == values) | (values != values)).all():
            values = narrow  # nothing is lost, and there are fast loops for it
    moved = np.moveaxis(values, axis, -1)
    size = moved.shape[-1]
    rows = np.ascontiguousarray(moved).reshape(-1, size) if moved.size else np.zeros((int(np.prod(moved.shape[:-1])), size), dtype=values.dtype)
    return Rows(values_RN=rows, axis=int(axis) % values.ndim, wide=wide, back=given.back, moved=moved.shape)


def in_blocks(rows_RN: npt.NDArray[Any], block: int) -> npt.NDArray[Any]:
    """Rows cut into blocks, (rows · blocks, block); a last block that is not full ends with zeros."""
    short = -rows_RN.shape[1] % block
    padded = np.pad(rows_RN, ((0, 0), (0, short))) if short else rows_RN
    return np.ascontiguousarray(padded).reshape(-1, block)


def out_of_blocks(blocks: npt.NDArray[Any], rows: int, size: int) -> npt.NDArray[Any]:
    """The way back of `in_blocks`."""
    per_row = -(-size // blocks.shape[-1])
    return blocks.reshape(rows, per_row * blocks.shape[-1])[:, :size]
