"""Time of every operator on a device from its data sheet: the roofline, with what real kernels lose.

    time = max(compute, memory) + overhead
    compute = padded matrix FLOPs (masked blocks skipped, recomputed ones done again) / (peak · efficiency of the kind)
              + vector FLOPs / (vector peak · efficiency); fused attention, whose softmax runs beside its products: the larger of the two
    memory = bytes / (bandwidth · efficiency); attention reads K and V again for every block of queries when those of a head do not fit on chip
    overhead = kernels launched × time of a launch

The fused attention of a GPU works in tiles of (tile_q, tile_k): sequences shorter than a tile still cost the whole tile (FlashAttention-2).
One loop serves all: compiled by Numba where it is installed, else the same sums in NumPy.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from thrifty.cost.columns import Columns, Floats
from thrifty.cost.defaults import defaults_for
from thrifty.hardware.device import Device
from thrifty.workload.table import Kind

COMPUTE, MEMORY, OVERHEAD = 0, 1, 2
BOUNDS: Final = ("compute", "memory", "overhead")
ATTENTION: Final = int(Kind.ATTENTION)
KINDS: Final = len(Kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceArrays:
    """D devices × F formats × K kinds, as the loop wants them.

    peak_DF      : matrix FLOP/s by format; efficiency_DK: share of it by kind; scalars_DS: see `SCALARS`
    """

    peak_DF: Floats
    efficiency_DK: Floats
    scalars_DS: Floats


SCALARS: Final = (
    "vector_flops", "bandwidth", "launch_s", "tile_q", "tile_k", "kv_on_chip_bytes", "staged",
)  # fmt: skip
"""vector_flops and bandwidth are what is sustained; staged is 0 where norms written as several kernels run as one, launched together."""


def device_arrays(devices: Sequence[Device], formats: Sequence[str], *, fused: bool = False) -> DeviceArrays:
    """Everything about `devices` that the loop needs. fused: a norm written as several kernels runs as one, and launches are recorded ahead."""
    peaks = np.array([[device.peak(name) for name in formats] for device in devices], dtype=np.float64).reshape(len(devices), len(formats))
    efficiency = np.empty((len(devices), KINDS))
    scalars = np.empty((len(devices), len(SCALARS)))
    for index, device in enumerate(devices):
        default = defaults_for(device.kind)
        efficiency[index] = [default.efficiency.get(kind.label, default.efficiency["linear"]) for kind in Kind]
        scalars[index] = (
            device.vector_flops * default.vector_efficiency, device.bandwidth_bytes_per_s * default.bandwidth_efficiency,
            default.launch_fused_s if fused else default.launch_s, default.tile_q, default.tile_k, default.kv_on_chip_bytes, 0.0 if fused else 1.0,
        )  # fmt: skip
    return DeviceArrays(peak_DF=peaks, efficiency_DK=efficiency, scalars_DS=scalars)


def limit_seconds(columns: Columns, device: Device) -> Floats:
    """(R,) what physics allows: the larger of matrix FLOPs at peak, vector FLOPs at peak, and bytes at full bandwidth."""
    peak = np.array([device.peak(name) for name in columns.formats] or [1.0])[columns.format]
    work = columns.flops_matrix - columns.flops_skipped
    slower = np.maximum(work / peak, columns.flops_vector / device.vector_flops)
    return np.asarray(np.maximum(slower, columns.bytes_moved / device.bandwidth_bytes_per_s))


def _loop(
    kind: Any, fmt: Any, matrix: Any, vector: Any, extra: Any, moved: Any, staged: Any, batch: Any, seq_q: Any, seq_k: Any, kv_heads: Any,
    head_dim: Any, value_dim: Any, element_bytes: Any, launches: Any, peak: Any, efficiency: Any, scalars: Any, seconds: Any, parts: Any,
) -> None:  # fmt: skip
    """seconds (D, R); parts (D, R, 3): compute, memory, overhead. Plain Python that Numba compiles."""
    devices, rows = seconds.shape
    for d in range(devices):
        vector_rate, bandwidth, launch = scalars[d, 0], scalars[d, 1], scalars[d, 2]
        tile_q, tile_k, onchip, stages = scalars[d, 3], scalars[d, 4], scalars[d, 5], scalars[d, 6]
        for r in range(rows):
            work = matrix[r] + extra[r]
            traffic = moved[r] + stages * staged[r]
            if kind[r] == ATTENTION:
                q, s = seq_q[r], seq_k[r]
                if q > 1.0:
                    blocks = np.ceil(q / tile_q)
                    work *= blocks * tile_q / q * (np.ceil(s / tile_k) * tile_k / s)
                    if s * (head_dim[r] + value_dim[r]) * element_bytes[r] > onchip:
                        traffic += (blocks - 1.0) * batch[r] * kv_heads[r] * s * (head_dim[r] + value_dim[r]) * element_bytes[r]
            products, rest = work / (peak[d, fmt[r]] * efficiency[d, kind[r]]), vector[r] / vector_rate
            compute = max(products, rest) if kind[r] == ATTENTION else products + rest
            memory = traffic / bandwidth
            overhead = launches[r] * launch if stages > 0.0 else launch
            parts[d, r, 0], parts[d, r, 1], parts[d, r, 2] = compute, memory, overhead
            seconds[d, r] = (compute if compute > memory else memory) + overhead


def _numpy(
    kind: Any, fmt: Any, matrix: Any, vector: Any, extra: Any, moved: Any, staged: Any, batch: Any, seq_q: Any, seq_k: Any, kv_heads: Any,
    head_dim: Any, value_dim: Any, element_bytes: Any, launches: Any, peak: Any, efficiency: Any, scalars: Any, seconds: Any, parts: Any,
) -> None:  # fmt: skip
    """The same sums without Numba, one device at a time."""
    tiled = (kind == ATTENTION) & (seq_q > 1.0)
    q, s = np.where(tiled, seq_q, 1.0), np.where(tiled, seq_k, 1.0)
    head_bytes = s * (head_dim + value_dim) * element_bytes
    for d in range(len(seconds)):
        vector_rate, bandwidth, launch, tile_q, tile_k, onchip, stages = scalars[d]
        blocks = np.ceil(q / tile_q)
        work = (matrix + extra) * np.where(tiled, blocks * tile_q / q * (np.ceil(s / tile_k) * tile_k / s), 1.0)
        again = np.where(tiled & (head_bytes > onchip), (blocks - 1.0) * batch * kv_heads * head_bytes, 0.0)
        products, rest = work / (peak[d][fmt] * efficiency[d][kind]), vector / vector_rate
        parts[d, :, 0] = np.where(kind == ATTENTION, np.maximum(products, rest), products + rest)
        parts[d, :, 1] = (moved + stages * staged + again) / bandwidth
        parts[d, :, 2] = launches * launch if stages > 0.0 else launch
        seconds[d] = np.maximum(parts[d, :, 0], parts[d, :, 1]) + parts[d, :, 2]


@functools.cache
def kernel() -> Callable[..., None]:
    """The compiled loop where Numba is installed, else the NumPy one."""
    try:
        import numba
    except ImportError:
        return _numpy
    compiled: Callable[..., None] = numba.njit(cache=True, fastmath=False)(_loop)
    return compiled


def roofline_seconds(columns: Columns, arrays: DeviceArrays, *, compiled: bool = True) -> tuple[Floats, Floats]:
    """(D, R) seconds and (D, R, 3) of compute, memory and overhead, for every device and operator. compiled=False: the NumPy path."""
    from thrifty.formats import get_format

    element = np.array([get_format(name).bytes_per_number for name in columns.formats] or [1.0])[columns.format]
    devices, rows = len(arrays.scalars_DS), len(columns)
    seconds, parts = np.empty((devices, rows)), np.empty((devices, rows, 3))
    (kernel() if compiled else _numpy)(
        columns.kernel, columns.format, columns.flops_matrix, columns.flops_vector, columns.flops_recomputed - columns.flops_skipped,
        columns.bytes_moved, columns.bytes_staged, columns.batch, columns.seq_q, columns.seq_k, columns.kv_heads, columns.head_dim, columns.value_dim,
        element, columns.launches,
        arrays.peak_DF, arrays.efficiency_DK, arrays.scalars_DS, seconds, parts,
    )  # fmt: skip
    return seconds, parts
