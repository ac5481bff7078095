"""How the constants of `catalogue/collectives.toml` were reached from measured tables, and how far they hold on rows and on GPUs that had no part.

Robust least squares of the logarithm of predicted over measured time, by Levenberg-Marquardt in the logarithms of the constants. All NVLink
classes are fitted together (nine constants each, seven shared), then PCIe classes with the shared ones held (ten each). A weak pull towards
one start for all keeps constants that few rows speak of from running away.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from thrifty.cost.collectives import kernels
from thrifty.cost.collectives.kinds import KIND_CODES
from thrifty.cost.collectives.links import (
    NVLINKS,
    OWN,
    OWN_SECONDS,
    PCIES,
    SHARED,
    SHARED_SECONDS,
    Floats,
    link_class,
    row_of,
    switch_ranks,
)  # fmt: skip
from thrifty.cost.collectives.tables import MeasuredCollective
from thrifty.cost.facts import load_facts
from thrifty.hardware import load
from thrifty.hardware.device import Tier

LARGE_BYTES: Final = 1 << 20
_SMALL_WEIGHT, _PULL, _OUTLIER, _ITERATIONS = 0.15, 0.05, 0.05, 40
_SHEET_OF: Final = {"gb300": "gb200"}
"""Devices of the tables whose links another sheet states."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectiveFit:
    """own: constants by class and name; shared: by name (see `links.OWN` and `links.SHARED`), in seconds and shares."""

    own: Mapping[str, Mapping[str, float]]
    shared: Mapping[str, float]

    def predict(self, rows: Sequence[MeasuredCollective], *, link: str | None = None) -> Floats:
        """(R,) seconds of every row. link: price all as this class, e.g. of a class nobody fitted."""
        problem = _Problem.of(rows)
        names = [link or name for name in problem.names]
        own = {name: self.own[name] if name in self.own else self.mean() for name in set(names)}
        links_RP = np.array([
            row_of(bandwidth, own[name], self.shared, switch_ranks=switch_ranks(true))
            for name, bandwidth, true in zip(names, problem.bandwidth_R, problem.names, strict=True)
        ])  # fmt: skip
        return problem.seconds(links_RP, self.shared["int8_reduction"])

    def mean(self) -> Mapping[str, float]:
        """The constants of an unseen generation of NVLink: the geometric mean of those that were fitted."""
        fitted = [self.own[name] for name in NVLINKS if name in self.own]
        return {name: math.prod(row[name] for row in fitted) ** (1 / len(fitted)) for name in OWN}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    """Measured rows as arrays (R,). names: the class of each; int8: it sums integers of one byte."""

    names: tuple[str, ...]
    bandwidth_R: Floats
    kind_R: NDArray[np.int64]
    ranks_R: Floats
    size_R: Floats
    int8_R: NDArray[np.bool_]
    measured_R: Floats

    @classmethod
    def of(cls, rows: Sequence[MeasuredCollective]) -> _Problem:
        where = {row.device: class_and_bandwidth(row.device) for row in rows}
        kinds = np.array([KIND_CODES[row.kind] for row in rows], dtype=np.int64)
        summing = (kinds == kernels.ALL_REDUCE) | (kinds == kernels.REDUCE_SCATTER)
        return cls(
            names=tuple(where[row.device][0] for row in rows), bandwidth_R=np.array([where[row.device][1] for row in rows]), kind_R=kinds,
            ranks_R=np.array([float(row.ranks) for row in rows]), size_R=np.array([float(row.size_bytes) for row in rows]),
            int8_R=summing & np.array([row.data_type == "int8" for row in rows]), measured_R=np.array([row.time_s for row in rows]),
        )  # fmt: skip

    def seconds(self, links_RP: Floats, int8_reduction: float) -> Floats:
        latency_R, transfer_R = np.empty(len(self.names)), np.empty(len(self.names))
        kernels.rows_loop()(self.kind_R, self.size_R, self.ranks_R, links_RP, latency_R, transfer_R)
        return np.asarray(latency_R + transfer_R * np.where(self.int8_R, int8_reduction, 1.0))


def as_toml(fit: CollectiveFit, rows: Sequence[MeasuredCollective]) -> str:
    """The fit as the tables of `catalogue/collectives.toml`, to three digits; each class says how far it is from its own rows."""
    error_R = np.abs(fit.predict(rows) / np.array([row.time_s for row in rows]) - 1.0)
    large_R = np.array([row.size_bytes >= LARGE_BYTES for row in rows])
    class_R = np.array([class_and_bandwidth(row.device)[0] for row in rows])
    ground = 'source = "aiconfigurator-core-0.12.0", where = "fitted to systems/data/*/comm/nccl/*/nccl_perf.parquet"'
    lines: list[str] = []
    for path, values in (("shared", fit.shared), *fit.own.items()):
        note = ""
        if path != "shared":
            parts = [(np.sum(mask), 100 * np.mean(error_R[mask])) for mask in ((class_R == path) & large_R, (class_R == path) & ~large_R)]
            note = ", note = " + '"mean error on the {} rows fitted of 1 MiB and more: {:.1f} %, on the {} smaller: {:.1f} %"'.format(*parts[0], *parts[1])
        lines.append(f"[fitted.{'all' if path == 'shared' else path}]\nshared = {{ {ground}{note} }}")
        for name, value in values.items():
            if name in OWN_SECONDS or name in SHARED_SECONDS:
                lines.append(f'{name} = {{ value = {value * 1e6:.3g}, unit = "us" }}')
            elif value > 0:
                lines.append(f'{name} = {{ value = {value:.3g}, unit = "dimensionless" }}')
        lines.append("")
    return "\n".join(lines)


@functools.cache
def start_constants() -> Mapping[str, float]:
    """Where the search begins and where the pull goes to, by the names of `OWN` and `SHARED`, in seconds and shares."""
    sheet = load_facts("collectives")
    return {name: sheet.get(f"start.{name}", "time" if name in (*OWN_SECONDS, *SHARED_SECONDS) else "ratio") for name in (*OWN, *SHARED)}


@functools.cache
def class_and_bandwidth(device: str) -> tuple[str, float]:
    """The link class of a device of the tables, and the bandwidth that its data sheet states: NVLink where it has some, else PCIe."""
    sheet = load(_SHEET_OF.get(device, device))
    link = next(link for name in ("nvlink", "pcie") for link in sheet.links if link.name == name)
    return link_class(Tier(name=link.name, count=2, bandwidth_bytes_per_s=link.bandwidth_bytes_per_s), sheet), link.bandwidth_bytes_per_s


def fit_collectives(rows: Iterable[MeasuredCollective]) -> CollectiveFit:
    """Fit all classes that `rows` show."""
    problem_rows = list(rows)
    nvlink = [row for row in problem_rows if class_and_bandwidth(row.device)[0] in NVLINKS]
    own, shared = _fit(nvlink, SHARED, {})
    for name in PCIES:
        of_class = [row for row in problem_rows if class_and_bandwidth(row.device)[0] == name]
        if of_class:
            own = {**own, **_fit(of_class, (), shared)[0]}
    return CollectiveFit(own=own, shared=shared)


def _fit(
    rows: Sequence[MeasuredCollective], shared_names: tuple[str, ...], held: Mapping[str, float]
) -> tuple[dict[str, dict[str, float]], Mapping[str, float]]:
    problem = _Problem.of(rows)
    classes = tuple(dict.fromkeys(problem.names))
    own_names = tuple(name for name in OWN if name != "spread" or classes[0] in PCIES)
    place_R = np.array([classes.index(name) for name in problem.names])
    switched = [switch_ranks(name) for name in classes]
    begin = start_constants()
    start = np.log([begin[name] for name in shared_names] + [begin[name] for _ in classes for name in own_names])
    weight_R = np.where(problem.size_R >= LARGE_BYTES, 1.0, _SMALL_WEIGHT)
    pull = _PULL * math.sqrt(len(rows) / 200)

    def named(logs: Floats) -> tuple[dict[str, dict[str, float]], Mapping[str, float]]:
        values = np.exp(logs)
        shared = {**held, **dict(zip(shared_names, map(float, values), strict=False))}
        parts = values[len(shared_names) :].reshape(len(classes), len(own_names))
        return {name: {"spread": 0.0, **dict(zip(own_names, map(float, part), strict=True))} for name, part in zip(classes, parts, strict=True)}, shared

    def residuals(logs: Floats) -> Floats:
        own, shared = named(logs)
        unit_LP = np.array([row_of(1.0, own[name], shared, switch_ranks=ranks) for name, ranks in zip(classes, switched, strict=True)])
        links_RP = unit_LP[place_R]
        links_RP[:, list(kernels.RATES)] *= problem.bandwidth_R[:, None]
        predicted = problem.seconds(links_RP, shared["int8_reduction"])
        return np.concatenate([weight_R * np.log(predicted / problem.measured_R), pull * (logs - start)])

    return named(_least_squares(residuals, start))


def _least_squares(residuals: Callable[[Floats], Floats], start: Floats) -> Floats:
    """Levenberg-Marquardt with the soft-L1 loss (outliers beyond `_OUTLIER` count linearly) and a numeric Jacobian."""

    def cost(r: Floats) -> float:
        return float(np.sum(np.sqrt(1.0 + (r / _OUTLIER) ** 2) - 1.0))

    x, damping = start.copy(), 1e-2
    r = residuals(x)
    best = cost(r)
    for _ in range(_ITERATIONS):
        jacobian = np.stack([(residuals(x + step) - r) / 1e-4 for step in 1e-4 * np.eye(len(x))], axis=1)
        w = (1.0 + (r / _OUTLIER) ** 2) ** -0.5
        normal, gradient = jacobian.T @ (jacobian * w[:, None]), jacobian.T @ (w * r)
        before = best
        for _ in range(8):
            candidate = x - np.clip(np.linalg.solve(normal + damping * np.diag(np.diag(normal) + 1e-9), gradient), -0.7, 0.7)
            trial = residuals(candidate)
            found = cost(trial)
            if found < best:
                x, r, best, damping = candidate, trial, found, damping / 4
                break
            damping *= 4
        if before - best < 1e-5 * before:
            break
    return x
