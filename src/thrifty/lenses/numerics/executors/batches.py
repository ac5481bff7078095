"""Does a row's result depend on how many rows came with it? Bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from thrifty.errors import BadValue
from thrifty.formats.rounding.arrays import take


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchInvariance:
    """invariant: rows are the same bits at all sizes; same: for each size; differences: largest |difference| from the smallest size's rows; first: the size,
    row and place of the first element that differs."""

    invariant: bool
    sizes: tuple[int, ...]
    same: tuple[bool, ...]
    differences: tuple[float, ...]
    first: tuple[int, tuple[int, ...]] | None

    def to_dict(self) -> dict[str, Any]:
        first = None if self.first is None else {"size": self.first[0], "index": list(self.first[1])}
        return {"invariant": self.invariant, "sizes": list(self.sizes), "same": list(self.same), "differences": list(self.differences), "first": first}


def batch_invariance(op: Callable[[Any], Any], x: Any, sizes: Sequence[int]) -> BatchInvariance:
    """Run `op` on the first b rows of x for each b in `sizes`, and compare every row with that of the smallest b that holds it, bit for bit.

    op : takes rows (b, …) and gives as many results (b, …), arrays or tensors

    Signs of zero count, NaN equals NaN. Raises BadValue where sizes are none of x's, or op gives another number of rows.
    """
    rows = len(x)
    if not sizes or any(isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= rows for size in sizes):
        raise BadValue(f"sizes={list(sizes)} must be whole numbers from 1 to {rows}, the rows of x.")
    ordered = tuple(sorted(set(sizes)))
    if len(ordered) < 2:
        raise BadValue(f"sizes={list(sizes)} is one size, so nothing can be compared. Give two at least.")
    seen: list[Any] = []
    same, differences, first = [], [], None
    for size in ordered:
        made = np.asarray(take(op(x[:size]), "op's result").values)
        if made.ndim == 0 or made.shape[0] != size:
            raise BadValue(f"op gave shape {list(made.shape)} for {size} rows; its first axis must be theirs.")
        known = len(seen)
        before = np.stack(seen) if known else made[:0]
        bits = np.dtype(f"u{made.dtype.itemsize}")
        unequal = (np.ascontiguousarray(before).view(bits) != np.ascontiguousarray(made[:known]).view(bits)) & ~(np.isnan(before) & np.isnan(made[:known]))
        same.append(not bool(unequal.any()))
        with np.errstate(invalid="ignore"):
            gap = np.abs(before.astype(np.float64) - made[:known])[unequal]
        differences.append(float(np.nanmax(gap, initial=0.0)) if gap.size else 0.0)
        if first is None and unequal.any():
            first = (size, tuple(int(each) for each in np.argwhere(unequal)[0]))
        seen += list(made[known:])
    return BatchInvariance(invariant=all(same), sizes=ordered, same=tuple(same), differences=tuple(differences), first=first)
