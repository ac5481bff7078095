"""Holds a family against its torch twin: the same rows of matrix products, convolutions, attention, norms, softmax and embeddings, one to one."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from thrifty.workload.building import Blueprint, TorchSource, blueprint_of, build_module
from thrifty.workload.entry import Entry, ModelKind
from thrifty.workload.families import Family, family_of, parameter_count
from thrifty.workload.model import WorkPhase
from thrifty.workload.sheets import read_entry
from thrifty.workload.table import COUNTS, SHAPE, Axes, Kind, OperatorTable, Phase

COMPARED = (Kind.LINEAR, Kind.CONV, Kind.ATTENTION, Kind.NORM, Kind.SOFTMAX, Kind.EMBEDDING)
FLOPS = ("flops_matrix", "flops_vector", "flops_skipped", "flops_recomputed", "bytes_weight")
"""What agrees whatever the kernels. Of bytes some differ: what a norm keeps of a row is fp32 on a GPU and as narrow as its input on a CPU."""


def twin(kind: ModelKind, torch_class: str, **config: Any) -> Blueprint:
    """A torch class of a package, to be built at these sizes."""
    return Blueprint(name="twin", kind=kind, torch_class=torch_class, config=config)


def rows(table: OperatorTable, counts: tuple[str, ...] = FLOPS) -> Counter[tuple[object, ...]]:
    """Kind, axes, phase, module, shape and `counts` of the compared rows, as a multiset."""
    found: Counter[tuple[object, ...]] = Counter()
    for index, row in enumerate(table.rows):
        if row["kind"] in COMPARED:
            values = tuple((name, int(row[name])) for name in (*SHAPE, *counts))
            place = (Kind(row["kind"]).label, Axes(row["axes"]).label, Phase(row["phase"]).label, bool(row["causal"]), table.module(index))
            found[*place, *values] += 1
    return found


def assert_same_rows(
    family: Family, blueprint: Blueprint, phase: WorkPhase, point: Mapping[str, int], format_name: str, counts: tuple[str, ...] = FLOPS, peak: float = 0.006
) -> None:  # fmt: skip
    """The family's compared rows are those captured from the twin, no more and no fewer, and its peak memory is as near as `peak`."""
    source = TorchSource(blueprint)
    table, captured = family.table(phase, format_name, point), source.table(phase, format_name, point)
    assert source.where == "meta", source.notes
    ours, theirs = rows(table, counts), rows(captured, counts)
    assert sum(ours.values()) > 0
    assert ours - theirs == Counter()
    assert theirs - ours == Counter()
    assert abs(table.peak()[0] / captured.peak()[0] - 1) <= peak


def assert_every_row_the_same(family: Family, blueprint: Blueprint, phase: WorkPhase, point: Mapping[str, int]) -> None:
    """Operator by operator outside of the optimizer's step, which is one row a parameter here and nine there; and the twin has none without a rule."""
    source = TorchSource(blueprint)
    captured = source.table(phase, "fp32", point)
    assert captured.unknown() == {}

    def named(table: OperatorTable) -> Counter[tuple[object, ...]]:
        names = ("kind", "m", "flops_vector", "bytes_read", "bytes_written")
        chosen = np.flatnonzero(table.rows["phase"] != Phase.OPTIMIZER)
        return Counter((table.op(i), table.module(i), *(int(table.rows[name][i]) for name in names)) for i in chosen)

    ours, theirs = named(family.table(phase, "fp32", point)), named(captured)
    assert ours - theirs == Counter()
    assert theirs - ours == Counter()


def assert_same_parameters(family: Family, blueprint: Blueprint) -> None:
    """Names and shapes, tied ones once."""
    module = build_module(blueprint)
    assert sorted(family.parameters()) == sorted((name, tuple(parameter.shape)) for name, parameter in module.named_parameters())


@functools.cache
def sheet(name: str) -> Entry:
    return read_entry(Path(str(files("thrifty.workload") / "catalogue" / f"{name}.toml")))


def assert_true_count(name: str, parameters: int) -> None:
    """Sheet, family and twin on meta all have `parameters`."""
    entry = sheet(name)
    assert entry.parameters == parameters
    assert parameter_count(family_of(entry)) == parameters
    assert sum(p.numel() for p in build_module(blueprint_of(entry)).parameters()) == parameters


def matrix_flops(family: Family, phase: WorkPhase, point: Mapping[str, int]) -> int:
    return family.table(phase, "bf16", point).totals()["flops_matrix"]


def assert_polynomial(family: Family, phase: WorkPhase, points: list[dict[str, int]], degree: int) -> None:
    """At evenly spaced points the difference of order degree + 1 of every count of every row, and of its live bytes, is zero."""
    tables = [family.table(phase, "fp32", point) for point in points]
    assert len(points) == degree + 2
    for name in (*COUNTS, *SHAPE):
        values = np.stack([table.rows[name].astype(np.int64) for table in tables])
        assert not np.diff(values, n=degree + 1, axis=0).any(), name
    assert not np.diff(np.stack([table.live_bytes() for table in tables]), n=degree + 1, axis=0).any()
