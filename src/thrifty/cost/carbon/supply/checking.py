"""Arrays as they come from outside: finite, in range, as long as the others, or refused."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue

Floats = npt.NDArray[np.float64]


def numbers(name: str, values: npt.ArrayLike, *, least: float | None = None, length: int | None = None) -> Floats:
    """A one-dimensional array of finite numbers. Raises BadValue with the first that is none."""
    array = np.ascontiguousarray(values, dtype=np.float64)
    if array.ndim != 1 or not array.size or (length is not None and len(array) != length):
        raise BadValue(f"{name} has shape {array.shape}. Give one number a step{f', {length} of them' if length else ', at least one'}.")
    bad = ~np.isfinite(array) if least is None else ~(np.isfinite(array) & (array >= least))
    if bad.any():
        at = int(bad.argmax())
        raise BadValue(f"{name} has {array[at]} at place {at}. Give finite numbers{'' if least is None else f' of at least {least:g}'}.")
    return array


def shares(name: str, value: npt.ArrayLike, length: int) -> Floats:
    """One share a step, from 0 to 1, of a number or an array. Raises BadValue."""
    array = np.asarray(value, dtype=np.float64)
    array = numbers(name, np.full(length, array) if array.ndim == 0 else array, least=0.0, length=length)
    if (array > 1).any():
        raise BadValue(f"{name} has {array.max():g}, above 1. Give shares from 0 to 1.")
    return array


def day_bounds(days_T: npt.ArrayLike, length: int) -> npt.NDArray[np.int64]:
    """(D + 1,): the steps at which days begin, then the number of steps. A day is a run of equal numbers; the last may be cut short."""
    days = np.asarray(days_T)
    if days.shape != (length,) or days.dtype.kind not in "iu":
        raise BadValue(f"days_T has shape {days.shape} of {days.dtype}. Give the whole number of each of the {length} steps' days, as Series.local does.")
    if (np.diff(days.astype(np.int64)) < 0).any():
        raise BadValue("days_T goes back in time. Give days in order.")
    return np.concatenate([[0], np.flatnonzero(np.diff(days)) + 1, [length]]).astype(np.int64)
