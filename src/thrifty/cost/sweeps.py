"""Millions of points of a workload's symbols on many devices: polynomials in, totals out, no table made again.

Every chamber of `workload.scaling` is a short list of rows that are alike, with their polynomials; the roofline of each is summed inside one compiled
loop. It is the same roofline as `roofline`, for devices known by data sheet; a calibrated device is interpolated row by row, a thousand times slower.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.cost.columns import CACHE_BYTES, Columns, Floats, cold_bytes, kernel_kind
from thrifty.cost.energy import EnergyModel
from thrifty.cost.roofline import ATTENTION, device_arrays
from thrifty.cost.sustained import Sustained, calibrated_parts, sustained_of
from thrifty.formats import get_format
from thrifty.hardware import Device
from thrifty.workload.model import Workload
from thrifty.workload.pipelines import Pipeline
from thrifty.workload.scaling import VALUES, Chamber

BLOCK: Final = 32
"""Points that the loop takes at once."""
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
    points: Any, exponents: Any, pointer: Any, monomial: Any, coefficient: Any, plain: int, kv_heads: Any, multiplicity: Any, per_work: Any, overhead: Any,
    scalars: Any, joules: Any, per_flop: Any, seconds: Any, energy: Any, parts: Any,
) -> None:  # fmt: skip
    """points (P, S); coefficients of USED × U rows, those that are not zero: pointer (7 · U + 1), monomial, coefficient; plain: rows before the first
    attention; per_work (D, U) seconds a padded FLOP; overhead (D, U) seconds; scalars (D, 5): seconds a vector FLOP, seconds a byte, tile_q, tile_k,
    on-chip bytes; joules (D, 5): static W, TDP W, J/vector FLOP, J/byte, DRAM J/byte; per_flop (D, U) J/FLOP;
    results seconds, energy (D, P) and parts (2, D, P) of compute and memory, all zero. A point's values are found once and serve every device."""
    count, symbols = points.shape
    monomials, rows, devices = exponents.shape[0], kv_heads.shape[0], per_work.shape[0]
    x, values = np.empty((monomials, BLOCK)), np.empty((7, BLOCK))
    for first in range(0, count, BLOCK):  # a block of points at a time: every loop over b below runs several at once
        size = min(BLOCK, count - first)
        for c in range(monomials):
            for b in range(size):
                x[c, b] = 1.0
            for s in range(symbols):
                for _ in range(exponents[c, s]):
                    for b in range(size):
                        x[c, b] *= points[first + b, s]
        for r in range(rows):
            for v in range(3 if r < plain else 7):
                for b in range(size):
                    values[v, b] = 0.0
                for c in range(pointer[v * rows + r], pointer[v * rows + r + 1]):
                    factor, which = coefficient[c], monomial[c]
                    for b in range(size):
                        values[v, b] += factor * x[which, b]
            many = multiplicity[r]
            for d in range(devices):
                per_vector, per_byte, static, cap = scalars[d, 0], scalars[d, 1], joules[d, 0], joules[d, 1]
                j_vector, j_byte, j_dram, j_work = joules[d, 2], joules[d, 3], joules[d, 4], per_flop[d, r]
                rate, extra = per_work[d, r], overhead[d, r]
                if r < plain:
                    for b in range(size):
                        work, vector, moved = values[0, b], values[1, b], values[2, b]
                        compute, memory = work * rate + vector * per_vector, moved * per_byte
                        slower = max(compute, memory)
                        time = slower + extra
                        spent = min(static * time + j_work * work + j_vector * vector + j_byte * moved, cap * time) + j_dram * moved
                        seconds[d, first + b] += many * time
                        energy[d, first + b] += many * spent
                        by_compute, by_memory = slower >= extra and compute >= memory, slower >= extra and compute < memory
                        parts[0, d, first + b] += many * time if by_compute else 0.0
                        parts[1, d, first + b] += many * time if by_memory else 0.0
                    continue
                tile_q, tile_k, onchip, heads = scalars[d, 2], scalars[d, 3], scalars[d, 4], kv_heads[r]
                for b in range(size):  # fused attention, in tiles
                    work, vector, moved, q, keys = values[0, b], values[1, b], values[2, b], values[3, b], values[4, b]
                    padded, traffic = work, moved
                    if q > 1.0:
                        blocks = np.ceil(q / tile_q)
                        padded *= blocks * tile_q / q * (np.ceil(keys / tile_k) * tile_k / keys)
                        if values[5, b] > onchip:
                            traffic += (blocks - 1.0) * heads * values[6, b] * values[5, b]
                    compute, memory = max(padded * rate, vector * per_vector), traffic * per_byte
                    slower = max(compute, memory)
                    time = slower + extra
                    spent = min(static * time + j_work * work + j_vector * vector + j_byte * moved, cap * time) + j_dram * moved
                    seconds[d, first + b] += many * time
                    energy[d, first + b] += many * spent
                    by_compute, by_memory = slower >= extra and compute >= memory, slower >= extra and compute < memory
                    parts[0, d, first + b] += many * time if by_compute else 0.0
                    parts[1, d, first + b] += many * time if by_memory else 0.0


@functools.cache
def _kernel() -> Callable[..., None]:
    try:
        import numba
    except ImportError:
        return _loop
    compiled: Callable[..., None] = numba.njit(cache=True, fastmath={"reassoc", "contract", "nsz"})(_loop)
    return compiled


def _rows(chamber: Chamber, formats: Sequence[str], *, fused: bool) -> tuple[Any, ...]:
    """What the loop needs of a chamber, as floats."""
    place = {name: index for index, name in enumerate(VALUES)}
    value = chamber.values_UVC.astype(np.float64) / chamber.denominator
    rows = chamber.table.rows[chamber.rows]
    element = np.array([get_format(name).bytes_per_number for name in formats])[rows["format"]]
    constant = int((chamber.exponents_CS == 0).all(axis=1).argmax())
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
    # Rows that differ in name alone cost the same: one row with their number.
    fixed = np.stack([kernel_kind(rows), rows["format"], rows["launches"], rows["kv_heads"]], axis=1).astype(np.float64)
    alike = np.ascontiguousarray(np.concatenate([fixed, coefficients.reshape(len(rows), -1)], axis=1))
    _, first, place_of = np.unique(alike.view([("", alike.dtype)] * alike.shape[1]).ravel(), return_index=True, return_inverse=True)
    many = np.bincount(place_of, weights=chamber.multiplicity_U.astype(np.float64), minlength=len(first))
    order = np.argsort(fixed[first, 0] == ATTENTION, kind="stable")  # attention last
    first, many = first[order], many[order]
    return np.ascontiguousarray(np.moveaxis(coefficients[first], 1, 0)), fixed[first], many


def _by_data_sheet(
    chamber: Chamber, sizes_PS: npt.NDArray[np.int64], devices: Sequence[Device], joules: Floats, models: Sequence[EnergyModel], *, fused: bool
) -> tuple[Floats, Floats, Floats]:  # fmt: skip
    """Seconds (D, P), joules (D, P) and parts (D, P, 3) by the roofline."""
    arrays = device_arrays(devices, chamber.table.formats, fused=fused)
    coefficients, fixed, many = _rows(chamber, chamber.table.formats, fused=fused)
    kind, fmt = fixed[:, 0].astype(np.int64), fixed[:, 1].astype(np.int64)
    per_work = 1.0 / (arrays.peak_DF[:, fmt] * arrays.efficiency_DK[:, kind])
    launch = arrays.scalars_DS[:, 2:3]
    overhead = np.repeat(launch, len(fixed), axis=1) if fused else launch * fixed[None, :, 2]
    scalars = np.concatenate([1.0 / arrays.scalars_DS[:, :2], arrays.scalars_DS[:, 3:6]], axis=1)
    per_flop = np.array([[m.j_per_flop_in(name) for name in chamber.table.formats] for m in models])[:, fmt]
    shape = (len(devices), len(sizes_PS))
    seconds, energy, bound = np.zeros(shape), np.zeros(shape), np.zeros((2, *shape))
    flat = coefficients.reshape(-1, coefficients.shape[-1])
    place, monomial = np.nonzero(flat)  # few rows have more than three monomials of the thirty that three symbols make
    pointer = np.concatenate([[0], np.cumsum(np.bincount(place, minlength=len(flat)))]).astype(np.int64)
    _kernel()(
        sizes_PS.astype(np.float64), chamber.exponents_CS, pointer, monomial, flat[place, monomial], int((kind != ATTENTION).sum()), fixed[:, 3].copy(),
        many, per_work, overhead, scalars, joules, per_flop, seconds, energy, bound,
    )  # fmt: skip
    return seconds, energy, np.stack([*bound, seconds - bound.sum(axis=0)], axis=2)


def _calibrated(chamber: Chamber, sustained: Sustained, sizes_PS: npt.NDArray[np.int64], device: Device) -> tuple[Floats, Floats, Floats]:
    """Seconds, joules and parts at P points on a calibrated device: every row of every point, interpolated in its calibration."""
    columns, multiplicity = chamber_columns(chamber, sizes_PS)
    inside, host = sustained.seconds(columns), sustained.host_seconds(columns)
    parts = calibrated_parts(columns, device, sustained, inside, host)
    model = EnergyModel.of(device)
    per_flop = np.array([model.j_per_flop_in(name) for name in columns.formats])[columns.format]
    work = columns.flops_matrix - columns.flops_skipped + columns.flops_recomputed
    joules = model.joules(inside + host, per_flop * work, columns.flops_vector, columns.bytes_moved + columns.bytes_staged)
    shape = (len(chamber.rows), len(sizes_PS))
    weight = multiplicity[:, None]
    total = ((inside + host).reshape(shape) * weight).sum(axis=0)
    which = parts.argmax(axis=1).reshape(shape)
    split = np.stack([np.where(which == w, (inside + host).reshape(shape) * weight, 0.0).sum(axis=0) for w in range(3)], axis=1)
    return total, (joules.reshape(shape) * weight).sum(axis=0), split


def chamber_columns(chamber: Chamber, sizes_PS: npt.NDArray[np.int64]) -> tuple[Columns, Floats]:
    """Columns of the U rows that are alike at P points (U × P of them, points fastest), and the multiplicity (U,) of each row."""
    values = chamber.evaluate(chamber.values_UVC, sizes_PS).astype(np.float64)  # (U, V, P)
    by_name = {name: values[:, index].ravel() for index, name in enumerate(VALUES)}
    rows, points = chamber.table.rows[chamber.rows], len(sizes_PS)
    moved = by_name.pop("bytes_read") + by_name.pop("bytes_written")
    ints: dict[str, Any] = {name: np.repeat(rows[name].astype(np.int64), points) for name in ("kind", "phase", "format", "op")}
    ints["kernel"] = np.repeat(kernel_kind(rows), points)
    floats: dict[str, Any] = {name: values for name, values in by_name.items() if name in Columns.__dataclass_fields__}
    cold = np.repeat(cold_bytes(chamber.table)[chamber.rows].astype(np.float64), points)  # where the chamber was first met; it moves little
    per_step = (moved.reshape(len(rows), points) * chamber.multiplicity_U[:, None]).sum(axis=0)
    hot = np.tile((per_step <= CACHE_BYTES).astype(np.float64), len(rows))
    columns = Columns(
        **ints, **floats, bytes_moved=moved, bytes_cold=cold, hot=hot, repeats=np.ones(len(moved)), formats=chamber.table.formats, strings=chamber.table.strings
    )  # fmt: skip
    return columns, chamber.multiplicity_U.astype(np.float64)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Seconds and joules (D, P), seconds by what bounds them (D, P, 3), and bytes held (P,) of one workload at P points."""

    seconds_DP: Floats
    energy_j_DP: Floats
    bound_s_DP3: Floats
    memory_bytes_P: npt.NDArray[np.int64]
    sizes: Mapping[str, npt.NDArray[np.int64]]


def sweep_parts(workload: Workload, devices: Sequence[Device], points: Mapping[str, npt.ArrayLike], *, fused: bool = False, memory: bool = True) -> Parts:
    """`sweep` of a workload without stages, its times still told apart by what bounds them."""
    polynomials = workload.polynomials
    groups = polynomials.groups(points)
    count = sum(len(indices) for _, indices, _ in groups)
    seconds, energy = np.zeros((len(devices), count)), np.zeros((len(devices), count))
    parts = np.zeros((len(devices), count, 3))
    sizes = np.zeros((count, len(polynomials.symbols)), dtype=np.int64)
    models = [EnergyModel.of(device) for device in devices]
    joules = np.array([[m.static_w, m.tdp_w, m.j_per_vector_flop, m.j_per_byte, m.dram_j_per_byte] for m in models]).reshape(-1, 5)
    roofs = np.array([i for i, device in enumerate(devices) if device.calibration is None], dtype=np.int64)
    for chamber, indices, at in groups:
        sizes[indices] = at
        for d, device in enumerate(devices):
            sustained = sustained_of(device)
            if sustained is not None:
                seconds[d, indices], energy[d, indices], parts[d, indices] = _calibrated(chamber, sustained, at, device)
        if len(roofs):
            found = _by_data_sheet(chamber, at, [devices[i] for i in roofs], joules[roofs], [models[i] for i in roofs], fused=fused)
            for result, values in zip((seconds, energy, parts), found, strict=True):
                result[np.ix_(roofs, indices)] = values
    held = polynomials.peak_memory(points) if memory else np.zeros(count, dtype=np.int64)
    return Parts(
        seconds_DP=seconds, energy_j_DP=energy, bound_s_DP3=parts, memory_bytes_P=held,
        sizes={name: sizes[:, i] for i, name in enumerate(polynomials.names)},
    )  # fmt: skip


def sweep(workload: Workload, devices: Sequence[Device], points: Mapping[str, npt.ArrayLike], *, fused: bool = False, memory: bool = True) -> Sweep:
    """Time, energy, bound and memory of `workload` at all `points` (arrays of one shape, flattened; symbols not named stay put) on all `devices`.

    A pipeline's stages are swept each for itself and added up. Raises BadValue for a size outside its symbol's range, or a device without
    arithmetic for the workload's format.
    """
    if isinstance(workload.source, Pipeline):
        from thrifty.cost.staged import staged_parts

        found = staged_parts(workload, devices, points, fused=fused, memory=memory)
    else:
        found = sweep_parts(workload, devices, points, fused=fused, memory=memory)
    return Sweep(
        points=found.sizes, devices=tuple(devices), time_s_DP=found.seconds_DP, energy_j_DP=found.energy_j_DP, bound_DP=found.bound_s_DP3.argmax(axis=2),
        memory_bytes_P=found.memory_bytes_P,
    )  # fmt: skip
