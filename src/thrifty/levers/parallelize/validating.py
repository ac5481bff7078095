"""The plan model held against measured runs: rows beside predictions, relative errors, rank correlation, and what it is on rows that were not fitted.

Training iterations come in a file of one of the known tables (vTrain's two, Megatron-LM on Selene and on 8 x B200); kernels and collectives from the
optional package aiconfigurator-core; LLaMA's GPU-hours from its paper. Errors are means of |predicted / measured - 1|.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from thrifty.cost.agreement import mean_error, spearman
from thrifty.cost.plans.answering import evaluate
from thrifty.cost.plans.physical.constants import fitted
from thrifty.cost.plans.validation.b200 import COLUMNS as B200_COLUMNS
from thrifty.cost.plans.validation.b200 import Case, allocated_bytes, read_cases
from thrifty.cost.plans.validation.calibrating import Fold, Measured, held_out, validate_runs
from thrifty.cost.plans.validation.runs import LLAMAS, Run, b200_runs, llama_run, read_runs
from thrifty.errors import BadFile, MissingExtra
from thrifty.progress import Progress

FOLDS: Final[Mapping[str, tuple[Fold, ...]]] = {
    "vtrain-multi": ("model", "devices"), "vtrain-single": ("model", "devices"), "selene": ("row", "model"), "b200": ("model", "row"),
}  # fmt: skip
"""What is left out of the fit in turn: all rows of one model, all of one count of devices, a row alone."""
PUBLISHED: Final = ("llama", "mad-max", "nccl", "gemm")
SAID: Final[Mapping[str, str]] = {"model": "other models", "devices": "other numbers of devices", "row": "all other rows"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One table beside the model.

    rows       : the table's own columns with `measured` and `predicted` in `unit`, by the catalogue's constants
    mape       : a fraction; spearman: correlation of ranks, None for fewer than two rows
    held_out   : what was fitted to -> mape on the rows that were not; parameters: fitted numbers with their values
    further    : other quantities of the same rows: memory
    """

    name: str
    unit: str
    rows: tuple[Mapping[str, Any], ...] = field(repr=False)
    mape: float
    spearman: float | None
    held_out: Mapping[str, float] = field(default_factory=dict)
    parameters: Mapping[str, float] = field(default_factory=dict)
    further: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self, *, rows: bool = True) -> dict[str, Any]:
        said = {
            "name": self.name, "unit": self.unit, "mape": self.mape, "spearman": self.spearman, "held_out": dict(self.held_out),
            "parameters": dict(self.parameters), **self.further,
        }  # fmt: skip
        return {"rows": [dict(row) for row in self.rows], **said} if rows else {"count": len(self.rows), **said}


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """All parts; `skipped` says which could not be made and why."""

    parts: tuple[Part, ...]
    skipped: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Of a single table its rows and errors at the top; of several, a list of parts."""
        if len(self.parts) == 1:
            return {"mode": "physical", **self.parts[0].to_dict(), "skipped": list(self.skipped)}
        return {"mode": "physical", "parts": [part.to_dict(rows=False) for part in self.parts], "skipped": list(self.skipped)}


def validate(
    data: Path | None = None, *, folds: bool = True, published: Sequence[str] = PUBLISHED, progress: Progress | None = None
) -> Validation:  # fmt: skip
    """The model beside the measured iterations in `data`, a table or a folder of them; without: beside what is `published`.

    folds     : also fit anew without some of the rows, and predict those
    published : LLaMA's GPU-hours, MAD-Max's own numbers (beside compat), collectives and matrix products (those where aiconfigurator-core is installed)

    Raises BadFile for a file that is none of the known tables, or a folder without any.
    """
    if data is None:
        return _published(published, progress)
    paths = sorted(data.glob("*.csv")) if data.is_dir() else [data]
    if not paths:
        raise BadFile(f"'{data}' holds no .csv. Give a table of measured iterations, or a folder of them.")
    tables = {path: _read(path) for path in paths}
    measured: dict[str, Measured] = {runs[0].table: Measured.of(runs) for runs, _ in tables.values()}
    parts = []
    for number, (path, (runs, cases)) in enumerate(tables.items()):
        if progress:
            progress(f"validate: {path.name}", number / len(tables))
        parts.append(_part(path, runs, cases, measured if folds else {}))
    return Validation(parts=tuple(parts))


def _read(path: Path) -> tuple[list[Run], list[Case]]:
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            header = next(csv.reader(stream), [])
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(f"cannot read '{path}': {error.strerror if isinstance(error, OSError) else 'it is no text'}. Give a .csv of measured runs.") from error
    if set(B200_COLUMNS) <= set(header):
        cases = read_cases(path)
        return b200_runs(cases), cases
    return read_runs(path), []


def _part(path: Path, runs: list[Run], cases: list[Case], measured: Mapping[str, Measured]) -> Part:
    table, found = runs[0].table, validate_runs(runs)
    with path.open(encoding="utf-8", newline="") as stream:
        columns = [{key: _plain(value) for key, value in row.items()} for row in csv.DictReader(stream)]
    rows: list[dict[str, Any]] = [
        {**row, "measured": float(m), "predicted": float(p)} for row, m, p in zip(columns, found.measured_R, found.predicted_R, strict=True)
    ]
    further: dict[str, float] = {}
    if cases:
        peaks = np.array([case.peak_bytes for case in cases])
        ours = np.array([allocated_bytes(case) for case in cases])
        rows = [{**row, "measured_gib": float(m) / 2**30, "predicted_gib": float(p) / 2**30} for row, m, p in zip(rows, peaks, ours, strict=True)]
        further = {"memory_mape": mean_error(ours, peaks), "memory_worst": float(np.abs(ours / peaks - 1).max()), "memory_spearman": spearman(ours, peaks)}
    rank = spearman(found.predicted_R, found.measured_R)
    return Part(
        name=table, unit="s" if runs[0].unit_s == 1 else "ms", rows=tuple(rows), mape=mean_error(found.predicted_R, found.measured_R),
        spearman=None if np.isnan(rank) else rank, held_out=dict(_held_out(table, runs, measured)), parameters=found.parameters, further=further,
    )  # fmt: skip


def _held_out(table: str, runs: list[Run], measured: Mapping[str, Measured]) -> Iterator[tuple[str, float]]:
    """Tables of one device type are fitted together, as the catalogue's constants are."""
    if table not in measured:
        return
    device = runs[0].system.device.name
    alike = {name: one for name, one in measured.items() if one.runs[0].system.device.name == device}
    for fold in FOLDS[table]:
        keys = {run.model if fold == "model" else run.devices for run in runs} if fold != "row" else set(range(len(runs)))
        if len(keys) < 2 and len(alike) < 2:
            continue  # nothing is left to fit to
        more = {"names": ("product", "stream"), "start": fitted(runs[0].system.device)} if table == "b200" else {}
        yield SAID[fold], mean_error(held_out(alike, table, fold, **more), alike[table].measured_R)  # type: ignore[arg-type]


def _published(names: Sequence[str], progress: Progress | None) -> Validation:
    parts, skipped = [], []
    for number, name in enumerate(names):
        if progress:
            progress(f"validate: {name}", number / len(names))
        try:
            parts.append({"llama": _llama, "mad-max": _mad_max, "nccl": _collectives, "gemm": _gemm}[name]())
        except MissingExtra as error:
            skipped.append(f"{name}: {error}")
    return Validation(parts=tuple(parts), skipped=tuple(skipped))


def _llama() -> Part:
    rows = []
    for name in LLAMAS:
        run = llama_run(name)
        hours = run.gpu_hours(evaluate(run.layers, run.system, run.plan, batch=run.batch).iteration_s)
        rows.append({"model": name, "devices": run.system.devices, "tokens": run.tokens, "measured": run.measured_gpu_hours, "predicted": hours})
    ours, theirs = (np.array([row[key] for row in rows], dtype=np.float64) for key in ("predicted", "measured"))
    return Part(name="llama", unit="GPU-hours", rows=tuple(rows), mape=mean_error(ours, theirs), spearman=spearman(ours, theirs))


def _mad_max() -> Part:
    """What the paper printed or measured beside its own model here (compat), held to nothing."""
    from thrifty.cost.plans.compat import beside_published

    found = beside_published()
    rows = tuple({"name": r.name, "mode": "compat", "where": r.where, "measured": r.published, "predicted": r.ours} for r in found)
    ours, theirs = (np.array([getattr(r, key) for r in found]) for key in ("ours", "published"))
    return Part(name="mad-max", unit="as published", rows=rows, mape=mean_error(ours, theirs), spearman=spearman(ours, theirs))


def _collectives() -> Part:
    from thrifty.cost.collectives.validation import score_collectives, validate_collectives

    found = validate_collectives(("stored", "size", "gpu"))
    scores = {(s.split, s.device): s for s in score_collectives(found)}
    rows = [
        {"device": r.device, "kind": r.kind, "ranks": r.ranks, "bytes": r.size_bytes, "measured": r.measured_s, "predicted": r.predicted_s}
        for r in found if r.split == "stored"
    ]  # fmt: skip
    stored = scores["stored", "all"]
    return Part(
        name="nccl", unit="s", rows=tuple(rows), mape=stored.mape, spearman=stored.spearman,
        held_out={"other sizes": scores["size", "all"].mape, "other GPUs": scores["gpu", "all"].mape},
    )  # fmt: skip


def _gemm() -> Part:
    from thrifty.cost.kernels.validation import validate_gemm

    found = validate_gemm()
    rows = found.rows()
    ours, theirs = (np.array([row[key] for row in rows], dtype=np.float64) for key in ("predicted", "measured"))
    by_device = {f"{r.device}, {r.use}": r.mape for r in found.results}
    return Part(
        name="gemm", unit="s", rows=tuple(rows), mape=mean_error(ours, theirs), spearman=spearman(ours, theirs),
        held_out={"other rows": found.mape_rows, "other GPUs": found.mape_device, **by_device},
    )  # fmt: skip


def _plain(text: str) -> Any:
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number == int(number) else number
