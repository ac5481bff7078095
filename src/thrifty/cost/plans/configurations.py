"""Many questions at once: columns of (workload, system, plan, batch), mixed as one likes, and columns of answers.

Whatever occurs in many configurations is stated once and named by its index, so a million of them are four arrays of integers.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.cost.plans.evaluation import Mode
from thrifty.cost.plans.models.layers import Layers
from thrifty.cost.plans.plan import Plan
from thrifty.cost.plans.tasks import Task
from thrifty.errors import BadValue
from thrifty.hardware.device import System

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int32]
_SLICE: Final = 4096
"""Tuples that are taken apart at once, few enough to stay in a cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configurations:
    """C questions. The arrays are (C,) indices into the tuples; batch_C: samples of one step over all devices."""

    workloads: tuple[Layers, ...]
    systems: tuple[System, ...]
    plans: tuple[Plan, ...]
    workload_C: Indices
    system_C: Indices
    plan_C: Indices
    batch_C: npt.NDArray[np.int64]
    task: Task = field(default_factory=Task)

    def __post_init__(self) -> None:
        for name, things in (("workload", self.workloads), ("system", self.systems), ("plan", self.plans)):
            index = getattr(self, f"{name}_C")
            if index.shape != self.batch_C.shape or index.ndim != 1:
                raise BadValue(f"{name}_C has shape {index.shape}, and batch_C {self.batch_C.shape}. Give one-dimensional arrays of equal length.")
            if len(index) and not (int(index.min()) >= 0 and int(index.max()) < len(things)):
                raise BadValue(f"{name}_C points beyond the {len(things)} {name}s. Give indices from 0 to {len(things) - 1}.")

    def __len__(self) -> int:
        return len(self.batch_C)

    @classmethod
    def of(cls, questions: Iterable[tuple[Layers, System, Plan, int]], task: Task | None = None) -> Configurations:
        """From tuples of objects; the same object need only be stated once (it is told by identity). Raises BadValue for a tuple that is not of four."""
        rows = questions if isinstance(questions, list) else list(questions)
        key_C4 = np.empty((len(rows), 4), dtype=np.int64)
        for first in range(0, len(rows), _SLICE):
            part = rows[first : first + _SLICE]
            things = np.fromiter(chain.from_iterable(part), dtype=object)
            if len(things) != 4 * len(part):
                raise BadValue(f"some of the questions {first} to {first + len(part) - 1} are not of four parts. Give (workload, system, plan, batch).")
            key_C4[first : first + len(part)] = _identities(things).reshape(-1, 4)
            key_C4[first : first + len(part), 3] = things[3::4]
        seen, index = zip(*(_numbered(key_C4[:, column], rows, column) for column in range(3)), strict=True)
        return cls(
            workloads=seen[0], systems=seen[1], plans=seen[2], workload_C=index[0], system_C=index[1], plan_C=index[2],
            batch_C=key_C4[:, 3].copy(), task=task or Task(),
        )  # fmt: skip

    @classmethod
    def product(
        cls, workloads: Sequence[Layers], systems: Sequence[System], plans: Sequence[Plan], batches: Sequence[int], task: Task | None = None
    ) -> Configurations:  # fmt: skip
        """Every combination, the last axis (batch) running fastest."""
        grid = np.indices((len(workloads), len(systems), len(plans), len(batches)), dtype=np.int32).reshape(4, -1)
        return cls(
            workloads=tuple(workloads), systems=tuple(systems), plans=tuple(plans), workload_C=grid[0], system_C=grid[1], plan_C=grid[2],
            batch_C=np.asarray(batches, dtype=np.int64)[grid[3]], task=task or Task(),
        )  # fmt: skip


def _identities(things: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """`id` of every object of an array. CPython's is where the object lies, which is what such an array holds: it is read, not asked for one by one."""
    if sys.implementation.name != "cpython" or not len(things):
        return np.fromiter(map(id, things), dtype=np.int64, count=len(things))
    held = (ctypes.c_int64 * len(things)).from_address(things.ctypes.data)
    return np.asarray(np.ctypeslib.as_array(held))


def _numbered(key_C: npt.NDArray[np.int64], rows: Sequence[tuple[Any, ...]], column: int) -> tuple[tuple[Any, ...], Indices]:
    """The different objects of a column, and where each stands among them."""
    index_C, first = np.empty(len(key_C), dtype=np.int32), np.empty(len(key_C), dtype=np.int64)
    count = (_numberer() if len(key_C) > _SLICE else _number_sorted)(key_C, index_C, first)
    return tuple(rows[i][column] for i in first[:count]), index_C


@functools.cache
def _numberer() -> Callable[[npt.NDArray[np.int64], Indices, npt.NDArray[np.int64]], int]:
    """What numbers keys in the order of their first occurrence: a table of hashes where Numba is installed, thirty times faster than sorting."""
    try:
        import numba
    except ImportError:
        return _number_sorted
    compiled: Callable[[npt.NDArray[np.int64], Indices, npt.NDArray[np.int64]], int] = numba.njit(cache=True)(_number)
    return compiled


def _number_sorted(key_C: npt.NDArray[np.int64], index_C: Indices, first: npt.NDArray[np.int64]) -> int:
    _, where, index_C[:] = np.unique(key_C, return_index=True, return_inverse=True)
    first[: len(where)] = where
    return len(where)


def _number(key_C: Any, index_C: Any, first: Any) -> int:
    """Keys are above 0. index_C: (C,) the number of each; first: (C,) where each number stands first. Returns how many there are."""
    size = 1024
    table, found = np.zeros(size, np.int64), np.zeros(size, np.int32)
    count = 0
    for c in range(len(key_C)):
        key = key_C[c]
        place = (key >> 4 ^ key >> 14 ^ key >> 24) & size - 1
        while table[place] != key:
            if table[place] == 0:
                table[place], found[place], first[count] = key, count, c
                count += 1
                break
            place = (place + 1) & size - 1
        index_C[c] = found[place]
        if 2 * count > size:  # a table that fills up is made twice as large
            size *= 2
            table, found = np.zeros(size, np.int64), np.zeros(size, np.int32)
            for number in range(count):
                key = key_C[first[number]]
                place = (key >> 4 ^ key >> 14 ^ key >> 24) & size - 1
                while table[place] != 0:
                    place = (place + 1) & size - 1
                table[place], found[place] = key, number
    return count


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluations:
    """C answers. Where a plan breaks a rule, valid_C is False, numbers are NaN, and `reasons` says why by configuration's plan.

    compute_s, communication_s : by kind of work, (C,) each; memory_bytes_C: of the fullest device
    """

    mode: Mode
    configurations: Configurations
    valid_C: npt.NDArray[np.bool_]
    iteration_s_C: Floats
    compute_s: dict[str, Floats]
    communication_s: dict[str, Floats]
    exposed_s_C: Floats
    overlapped_s_C: Floats
    memory_bytes_C: Floats
    capacity_bytes_C: Floats
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def fits_C(self) -> npt.NDArray[np.bool_]:
        return self.valid_C & (self.memory_bytes_C <= self.capacity_bytes_C)

    @property
    def throughput_per_s_C(self) -> Floats:
        return np.asarray(self.configurations.batch_C / self.iteration_s_C)
