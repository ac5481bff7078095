"""Who takes how much: operators grouped by class, operator, module, stage or kind of attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.cost.carbon import CarbonModel
from thrifty.errors import BadValue
from thrifty.lenses.operators.subjects import Subject
from thrifty.workload import Axes, Kind, OperatorTable

WAYS: Final = ("class", "operator", "module", "stage", "attention")
PROJECTIONS: Final = "projections"
OUTSIDE: Final = "all else"
"""Groups of --by attention: the products around attention that belong to its module, and all else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Operators of one name, all repeats counted. bytes_weight is traffic, row by row; time, energy, carbon and share are None without a device.

    share : of the time; flops_share: of the matrix FLOPs
    """

    name: str
    calls: int
    flops_matrix: int
    flops_vector: int
    bytes_moved: int
    bytes_weight: int
    launches: int
    flops_share: float
    time_s: float | None = None
    energy_j: float | None = None
    carbon_gco2e: float | None = None
    share: float | None = None

    def to_dict(self) -> dict[str, Any]:
        names = ("calls", "flops_matrix", "flops_vector", "bytes_moved", "bytes_weight", "launches", "flops_share")
        said: dict[str, Any] = {name: getattr(self, name) for name in names}
        if self.time_s is not None:
            said |= {name: getattr(self, name) for name in ("time_s", "energy_j", "carbon_gco2e", "share")}
        return said


def breakdown(subject: Subject, by: str = "class", *, depth: int = 2) -> tuple[Group, ...]:
    """Groups of `subject`'s operators, the one that takes most first: most time on a device, else most FLOPs.

    by    : one of WAYS; depth: of module paths, numbered layers count as one
    Shares add up to 1. Raises BadValue for another way.
    """
    if by not in WAYS:
        raise BadValue(f"by='{by}' is none of {', '.join(WAYS)}. Choose one of them.")
    return grouped(subject, keys_of(subject.workload.table, by, depth))


def keys_of(table: OperatorTable, by: str, depth: int = 2) -> npt.NDArray[Any]:
    """(R,) the group of every row."""
    rows = table.rows
    if by == "class":
        return np.asarray(np.array([kind.label for kind in Kind])[rows["kind"]])
    if by == "operator":
        return table.ops()
    if by == "stage":
        return np.asarray(np.array([stage.name for stage in table.stages])[rows["stage"]])
    if by == "attention":
        labels = np.array([axes.label if axes != Axes.NONE else Axes.SELF.label for axes in Axes])
        outside = np.where(attention_modules(table), PROJECTIONS, OUTSIDE)
        return np.asarray(np.where(rows["kind"] == Kind.ATTENTION, labels[rows["axes"]], outside))
    short = [".".join("*" if part.isdigit() else part for part in path.split(".")[:depth]) or "(outside of modules)" for path in table.strings]
    return np.asarray(np.array(short)[rows["module"]])


def attention_modules(table: OperatorTable) -> npt.NDArray[np.bool_]:
    """(R,) which rows are products, norms and the like inside a module that holds an attention: its projections.

    Found by structure: the module whose path the attention carries, or its parent where that module has no linear layer of its own.
    """
    rows = table.rows
    linear = {table.strings[int(index)] for index in np.unique(rows["module"][rows["kind"] == Kind.LINEAR])}
    roots = set()
    for index in np.unique(rows["module"][rows["kind"] == Kind.ATTENTION]).tolist():
        path = table.strings[index]
        for _ in range(2):
            if any(other == path or other.startswith(path + ".") for other in linear) or "." not in path:
                break
            path = path.rpartition(".")[0]
        roots.add(path)
    inside = np.array([any(path == root or path.startswith(root + ".") for root in roots if root) for path in table.strings], dtype=bool)
    return np.asarray(inside[rows["module"]] & (rows["kind"] != Kind.ATTENTION))


def grouped(subject: Subject, keys: npt.NDArray[Any]) -> tuple[Group, ...]:
    """Groups by any key of a row."""
    table, priced = subject.workload.table, subject.priced
    repeats = table.repeats
    names, place = np.unique(keys.astype(str), return_inverse=True)
    count = len(names)

    def total(values: Any) -> list[int]:
        sums = np.zeros(count, dtype=np.int64)
        np.add.at(sums, place, values.astype(np.int64) * repeats)
        return [int(value) for value in sums]

    rows = table.rows
    columns = {
        "calls": total(np.ones(len(table))), "flops_matrix": total(rows["flops_matrix"]), "flops_vector": total(rows["flops_vector"]),
        "bytes_moved": total(rows["bytes_read"] + rows["bytes_written"]), "bytes_weight": total(rows["bytes_weight"]), "launches": total(rows["launches"]),
    }  # fmt: skip
    all_flops = max(sum(columns["flops_matrix"]), 1)
    money: list[dict[str, Any]] = [{} for _ in names]
    if priced is not None:
        seconds = np.bincount(place, weights=priced.seconds_R * repeats, minlength=count)
        joules = np.bincount(place, weights=priced.energy_j_R * repeats, minlength=count)
        carbon = CarbonModel.of(priced.device, priced.site)
        whole = max(float(seconds.sum()), 1e-300)
        money = [
            {"time_s": float(s), "energy_j": float(j), "carbon_gco2e": carbon.carbon(float(j), float(s)).mid, "share": float(s) / whole}
            for s, j in zip(seconds, joules, strict=True)
        ]  # fmt: skip
    groups = [
        Group(name=str(name), flops_share=columns["flops_matrix"][i] / all_flops, **{key: values[i] for key, values in columns.items()}, **money[i])
        for i, name in enumerate(names)
    ]
    return tuple(sorted(groups, key=lambda group: (-(group.time_s or 0.0), -group.flops_matrix, -group.bytes_moved)))


def share_of(groups: Sequence[Group], name: str) -> float:
    """The share of the time that the group called `name` takes; of the FLOPs without a device; 0 where there is none."""
    found = next((group for group in groups if group.name == name), None)
    if found is None:
        return 0.0
    return found.share if found.share is not None else found.flops_share
