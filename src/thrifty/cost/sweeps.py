"""Millions of points of a workload's symbols on many devices: polynomials in, totals out, no table made again.

Every chamber of `workload.scaling` is a short list of rows that are alike, with their polynomials; the roofline of each is summed inside one compiled
loop. It is the same roofline as `roofline`, for devices known by data sheet.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.cost.columns import Floats
from thrifty.cost.energy import EnergyModel
from thrifty.cost.roofline import ATTENTION, device_arrays
from thrifty.formats import get_format
from thrifty.hardware import Device
from thrifty.workload.model import Workload
from thrifty.workload.scaling import VALUES, Chamber

USED: Final = ("work", "flops_vector", "moved", "seq_q", "seq_k", "head_bytes", "batch")


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Totals of a workload at P points on D devices.

    time_s_DP, energy_j_DP : (D, P); bound_DP: (D, P) index into roofline.BOUNDS of what takes most of the time
    memory_bytes_P         : (P,) held at the fullest row
    """

    points: Mapping[str, npt.NDArray[np.int64]]
    devices: tuple[Device, ...]
    time_s_DP: Floats
    energy_j_DP: Floats
    bound_DP: npt.NDArray[np.int64]
    memory_bytes_P: npt.NDArray[np.int64]


def _loop(
    points: Any, exponents: Any, coefficients: Any, kind: Any, fmt: Any, launches: Any, multiplicity: Any, peak: Any, efficiency: Any, scalars: Any,
    joules: Any, per_flop: Any, seconds: Any, energy: Any, parts: Any,
) -> None:  # fmt: skip
    """points (P, S); coefficients (U, 7, C) of USED; joules (D, 5): static W, TDP W, J/vector FLOP, J/byte, DRAM J/byte; results (D, P), (D, P, 3)."""
    count, symbols = points.shape
    rows, _, monomials = coefficients.shape
    devices = peak.shape[0]
    x = np.empty(monomials)
    for p in range(count):
        for c in range(monomials):
            value = 1.0
            for s in range(symbols):
                for _ in range(exponents[c, s]):
                    value *= points[p, s]
            x[c] = value
        for r in range(rows):
            work = vector = moved = 0.0
            for c in range(monomials):
                work += coefficients[r, 0, c] * x[c]
                vector += coefficients[r, 1, c] * x[c]
                moved += coefficients[r, 2, c] * x[c]
            q = s_k = head = batch = 0.0
            attention = kind[r] == ATTENTION
            if attention:
                for c in range(monomials):
                    q += coefficients[r, 3, c] * x[c]
                    s_k += coefficients[r, 4, c] * x[c]
                    head += coefficients[r, 5, c] * x[c]
                    batch += coefficients[r, 6, c] * x[c]
            for d in range(devices):
                padded, traffic = work, moved
                if attention and q > 1.0:
                    blocks = np.ceil(q / scalars[d, 3])
                    padded *= blocks * scalars[d, 3] / q * (np.ceil(s_k / scalars[d, 4]) * scalars[d, 4] / s_k)
                    if head > scalars[d, 5]:
                        traffic += (blocks - 1.0) * launches[r, 1] * batch * head
                compute = padded / (peak[d, fmt[r]] * efficiency[d, kind[r]]) + vector / scalars[d, 0]
                memory = traffic / scalars[d, 1]
                overhead = launches[r, 0] * scalars[d, 2] if scalars[d, 6] > 0.0 else scalars[d, 2]
                time = (compute if compute > memory else memory) + overhead
                seconds[d, p] += multiplicity[r] * time
                spent = joules[d, 0] * time + per_flop[d, fmt[r]] * work + joules[d, 2] * vector + joules[d, 3] * moved
                cap = joules[d, 1] * time
                energy[d, p] += multiplicity[r] * ((spent if spent < cap else cap) + joules[d, 4] * moved)
                which = 2 if overhead > compute and overhead > memory else (0 if compute > memory else 1)
                parts[d, p, which] += multiplicity[r] * time


@functools.cache
def _kernel() -> Callable[..., None]:
    try:
        import numba
    except ImportError:
        return _loop
    compiled: Callable[..., None] = numba.njit(cache=True)(_loop)
    return compiled


def _rows(chamber: Chamber, formats: Sequence[str], *, fused: bool) -> tuple[Any, ...]:
    """What the loop needs of a chamber, as floats."""
    place = {name: index for index, name in enumerate(VALUES)}
    value = chamber.values_UVC.astype(np.float64) / chamber.denominator
    rows = chamber.table.rows[chamber.rows]
    element = np.array([get_format(name).bytes_per_number for name in formats])[rows["format"]]
    constant = (chamber.exponents_CS == 0).all(axis=1).argmax()
    staged = 0.0 if fused else value[:, place["bytes_staged"]]
    head_width = (value[:, place["head_dim"], constant] + value[:, place["value_dim"], constant]) * element
    coefficients = np.stack(
        [
            value[:, place["flops_matrix"]] - value[:, place["flops_skipped"]] + value[:, place["flops_recomputed"]],
            value[:, place["flops_vector"]],
            value[:, place["bytes_read"]] + value[:, place["bytes_written"]] + staged, value[:, place["seq_q"]], value[:, place["seq_k"]],
            value[:, place["seq_k"]] * head_width[:, None], value[:, place["batch"]],
        ],
        axis=1,
    )  # fmt: skip
    fixed = np.stack([rows["launches"].astype(np.float64), rows["kv_heads"].astype(np.float64)], axis=1)
    return coefficients, rows["kind"].astype(np.int64), rows["format"].astype(np.int64), fixed, chamber.multiplicity_U.astype(np.float64)


def sweep(workload: Workload, devices: Sequence[Device], points: Mapping[str, npt.ArrayLike], *, fused: bool = False, memory: bool = True) -> Sweep:
    """Time, energy, bound and memory of `workload` at all `points` (arrays of one shape, flattened; symbols not named stay put) on all `devices`.

    Raises BadValue for a size outside its symbol's range, or a device without arithmetic for the workload's format.
    """
    polynomials = workload.polynomials
    groups = polynomials.groups(points)
    count = sum(len(indices) for _, indices, _ in groups)
    seconds, energy = np.zeros((len(devices), count)), np.zeros((len(devices), count))
    parts = np.zeros((len(devices), count, 3))
    sizes = np.zeros((count, len(polynomials.symbols)), dtype=np.int64)
    models = [EnergyModel.of(device) for device in devices]
    joules = np.array([[m.static_w, m.tdp_w, m.j_per_vector_flop, m.j_per_byte, m.dram_j_per_byte] for m in models]).reshape(-1, 5)
    for chamber, indices, at in groups:
        arrays = device_arrays(devices, chamber.table.formats, fused=fused)
        per_flop = np.array([[m.j_per_flop_in(name) for name in chamber.table.formats] for m in models])
        coefficients, kind, fmt, fixed, multiplicity = _rows(chamber, chamber.table.formats, fused=fused)
        part = np.zeros((len(devices), len(indices))), np.zeros((len(devices), len(indices))), np.zeros((len(devices), len(indices), 3))
        _kernel()(
            at.astype(np.float64), chamber.exponents_CS, coefficients, kind, fmt, fixed, multiplicity, arrays.peak_DF, arrays.efficiency_DK,
            arrays.scalars_DS, joules, per_flop, *part,
        )  # fmt: skip
        seconds[:, indices], energy[:, indices], parts[:, indices] = part
        sizes[indices] = at
    held = polynomials.peak_memory(points) if memory else np.zeros(count, dtype=np.int64)
    return Sweep(
        points={name: sizes[:, i] for i, name in enumerate(polynomials.names)}, devices=tuple(devices), time_s_DP=seconds, energy_j_DP=energy,
        bound_DP=parts.argmax(axis=2), memory_bytes_P=held,
    )  # fmt: skip
