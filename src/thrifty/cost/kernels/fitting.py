"""Fits the constants of `kernels.toml` to measured kernels: at most ten a kernel, format and device, by the simplex method on the mean of |ln ratio|.

The objective adds a tenth of the mean square, so that a few rows far off still pull. Constants are bounded by physics: shares of a peak at most 0.98,
shares of overlap and rounding between 0 and 1. Deterministic; rows of a split are drawn with a fixed seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from thrifty.cost.kernels.compiled import functions
from thrifty.cost.kernels.measured import Floats, Measured
from thrifty.cost.kernels.parameters import FITTED, Shares, compute_units, row_of
from thrifty.hardware.device import Device

ROWS: Final = 5000
"""Rows that a fit looks at; the others are for the test."""
EVALUATIONS: Final = 2500
_START: Final[dict[str, Shares]] = {
    "gemm": {"launch": 1.7e-6, "compute": 0.9, "bandwidth": 0.92, "unit_bandwidth": 120e9, "tile": 0.7e-6, "step": 0.2e-9, "split": 2.3e-6,
             "overlap": 0.2, "rounding": 0.2, "resident": 1e6},
    "prefill": {"launch": 8e-6, "compute": 0.75, "bandwidth": 0.6, "score": 20e-12, "tile": 1e-6, "overlap": 0.5, "rounding": 0.3, "tail": 1.2},
    "decode": {"launch": 8e-6, "compute": 0.5, "bandwidth": 0.9, "unit_bandwidth": 60e9, "tile": 1.5e-6, "split": 1e-6, "resident": 1e6},
}  # fmt: skip
_ELSEWHERE: Final[Shares] = {"resident": 50e6, "compute": 0.6, "rounding": 0.6, "unit_bandwidth": 50e9}
"""A second start, for chips whose cache holds what a benchmark repeats."""
_BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "launch": (0.3e-6, 5e-5), "compute": (0.05, 0.98), "bandwidth": (0.1, 0.98), "unit_bandwidth": (5e9, 400e9), "score": (1e-13, 1e-9),
    "tile": (1e-9, 1e-5), "step": (1e-13, 3e-9), "split": (1e-9, 2e-5), "overlap": (1e-3, 1.0), "rounding": (1e-3, 1.0), "tail": (0.1, 4.0),
    "resident": (1e4, 5e8),
}  # fmt: skip


def predict(device: Device, rows: Measured, shares: Shares) -> Floats:
    """(R,) seconds of the measured shapes with the constants `shares` of their kernel on `device`, operands as a benchmark leaves them."""
    parts = {name: shares if name == rows.kind else start for name, start in _START.items()}
    return predict_row(rows, row_of(device, rows.format, compute_units(device), parts["gemm"], parts["prefill"], parts["decode"], replayed=True))


def predict_row(rows: Measured, row: Floats) -> Floats:
    """(R,) seconds of the measured shapes with a whole row of parameters."""
    out, size = np.empty(len(rows.seconds_R)), rows.sizes
    if rows.kind == "gemm":
        functions().gemm_many(size["m"], size["n"], size["k"], np.ones_like(out), row, out)
    else:
        functions().attention_many(
            size["batch"], size["heads"], size["kv_heads"], size["queries"], size["keys"], size["head_dim"], size["head_dim"], True, False, row, out
        )  # fmt: skip
    return out


def split_rows(rows: Measured, count: int = ROWS, seed: int = 0) -> tuple[Measured, Measured]:
    """`count` rows to fit, drawn at random, and all others to test (at least half of them)."""
    order = np.random.default_rng(seed).permutation(len(rows.seconds_R))
    count = min(count, len(order) // 2)
    return rows.take(order[:count]), rows.take(order[count:])


def fit(pairs: Sequence[tuple[Device, Measured]]) -> Shares:
    """The constants of one kernel and format that fit the rows of one device, or of several together, best."""
    kernel = pairs[0][1].kind
    names = FITTED[kernel]
    start = _START[kernel]
    low, high = (np.log(np.array([_BOUNDS[name][side] for name in names])) for side in (0, 1))

    def shares_at(z: Floats) -> Shares:
        return dict(zip(names, np.exp(np.clip(z, low, high)).tolist(), strict=True))

    def loss(z: Floats) -> float:
        total = 0.0
        for device, rows in pairs:
            error = np.log(predict(device, rows, shares_at(z)) / rows.seconds_R)
            total += float(np.abs(error).mean() + 0.1 * np.square(error).mean())
        return total / len(pairs)

    found = []
    for other in ({}, _ELSEWHERE):
        best = np.log(np.array([other.get(name, start[name]) for name in names]))
        for size in (0.4, -0.4, 0.3, -0.2):
            best = _simplex(loss, np.clip(best, low, high), size)
        found.append(best)
    return shares_at(min(found, key=loss))


def _simplex(loss: Callable[[Floats], float], start: Floats, size: float) -> Floats:
    """The best point of Nelder and Mead's method with the coefficients of Gao and Han (2012) for many dimensions."""
    n = len(start)
    reflect, expand, contract, shrink = 1.0, 1.0 + 2.0 / n, 0.75 - 0.5 / n, 1.0 - 1.0 / n
    points = np.vstack([start, start + size * np.eye(n)])
    values = np.array([loss(point) for point in points])
    for _ in range(EVALUATIONS // 2):
        order = np.argsort(values, kind="stable")
        points, values = points[order], values[order]
        if values[-1] - values[0] < 1e-6 * values[0]:
            break
        centre = points[:-1].mean(axis=0)
        away = centre + reflect * (centre - points[-1])
        value = loss(away)
        if value < values[0]:
            further = centre + expand * (away - centre)
            beyond = loss(further)
            points[-1], values[-1] = (further, beyond) if beyond < value else (away, value)
        elif value < values[-2]:
            points[-1], values[-1] = away, value
        else:
            inner = centre + contract * ((away if value < values[-1] else points[-1]) - centre)
            within = loss(inner)
            if within < min(value, values[-1]):
                points[-1], values[-1] = inner, within
            else:
                points[1:] = points[0] + shrink * (points[1:] - points[0])
                values[1:] = [loss(point) for point in points[1:]]
    return np.asarray(points[int(values.argmin())])
