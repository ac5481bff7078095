"""How many joules a device takes for its work: idle power and switching, not TDP times time.

    E = min( static · t + Σ J/FLOP[format] · FLOPs + J/FLOP[vector] · vector FLOPs + J/byte · bytes,  TDP · t )

The anchored model hands out a device's dynamic power, TDP − idle, at its peaks: J/FLOP = compute · (TDP − idle) / peak and
J/byte = memory · (TDP − idle) / bandwidth, with three shares a kind of device from `catalogue/energy.toml`. The outer minimum says that a
chip throttles rather than draw more than its TDP. A CPU's DRAM sits outside its TDP and is added by the bit.

What it does not know: clocks below the nominal ones, data values (zeros switch less), hosts, fans and power supplies. How far it is
off is computed in `energy_evidence` against published measurements.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from thrifty.cost.facts import load_facts
from thrifty.errors import BadValue
from thrifty.formats import get_format
from thrifty.hardware.device import Device
from thrifty.quantities import Truth
from thrifty.workload.table import OperatorTable

Floats = npt.NDArray[np.float64] | np.float64

_DRAM_OUTSIDE_TDP: Final = ("cpu",)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyModel:
    """Joules of work on one device, as coefficients.

    idle_w            : on and doing nothing; static_w: while anything runs, work itself excluded
    j_per_flop        : by arithmetic format of the device's matrix units; j_per_vector_flop: outside of them
    j_per_byte        : between the largest memory and the chip, all the way; dram_j_per_byte is the part of it outside TDP (CPU: its DIMMs)
    j_per_byte_onchip : of the next memory on chip, as if streaming it drew what streaming the largest one does; None where the device has none
    published_error   : how far off the model was against published measurements of this kind of device, as a reader would say it
    notes             : what was assumed for want of a number in the device's sheet
    """

    device: Device = field(repr=False)
    name: str
    idle_w: float
    static_w: float
    tdp_w: float
    j_per_flop: Mapping[str, float]
    j_per_vector_flop: float
    j_per_byte: float
    dram_j_per_byte: float = 0.0
    j_per_byte_onchip: float | None = None
    truth: Truth = "modelled"
    published_error: str = ""
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, device: Device) -> EnergyModel:
        """The anchored model of `device`.

        Raises BadValue when its sheet states an idle power at or above its TDP.
        """
        sheet = load_facts("energy")
        notes: list[str] = []
        if device.idle_w is None:
            share = sheet.get(f"idle.{device.kind}", "ratio")
            idle_w = share * device.tdp_w
            notes.append(f"idle power unknown: {share:.3g} of TDP taken, as for a {device.kind}")
        else:
            idle_w = device.idle_w
        if not 0 <= idle_w < device.tdp_w:
            raise BadValue(f"{device.name}: idle power {idle_w:g} W is not below its TDP of {device.tdp_w:g} W. Mend its sheet.")
        dynamic_w = device.tdp_w - idle_w
        awake, memory, compute = (sheet.get(f"anchor.{device.kind}.{part}", "ratio") for part in ("awake", "memory", "compute"))
        outside = dram_floor_j_per_byte(device) if device.kind in _DRAM_OUTSIDE_TDP else 0.0
        if outside is None:
            outside = 0.0
            notes.append(f"energy of memory technology '{device.memory_technology}' unknown: DRAM outside the package left out")
        onchip = device.memory[1].bandwidth_bytes_per_s if len(device.memory) > 1 else 0.0
        return cls(
            device=device, name=str(sheet.texts["model.name"]), idle_w=idle_w, static_w=idle_w + awake * dynamic_w, tdp_w=device.tdp_w,
            j_per_flop={arithmetic: compute * dynamic_w / peak for arithmetic, peak in device.peak_flops.items()},
            j_per_vector_flop=compute * dynamic_w / device.vector_flops,
            j_per_byte=memory * dynamic_w / device.bandwidth_bytes_per_s, dram_j_per_byte=outside,
            j_per_byte_onchip=memory * dynamic_w / onchip if onchip else None, published_error=_published_error(device), notes=tuple(notes),
        )  # fmt: skip

    def j_per_flop_in(self, format_name: str) -> float:
        """J/FLOP of matrix products of numbers stored in `format_name`, in the arithmetic that the device runs them in."""
        return self.j_per_flop[self.device.runs_in(format_name)]

    def energy_j(
        self, *, time_s: float, flops_matrix: float = 0.0, flops_vector: float = 0.0, bytes_moved: float = 0.0, format_name: str = "bf16"
    ) -> float:  # fmt: skip
        """Joules of work that takes `time_s`: flops_matrix in the arithmetic of `format_name`, bytes_moved between the largest memory and the chip.

        Raises BadValue for a negative or NaN quantity, and when the device has no arithmetic for the format.
        """
        given = {"time_s": time_s, "flops_matrix": flops_matrix, "flops_vector": flops_vector, "bytes_moved": bytes_moved}
        for name, value in given.items():
            if not value >= 0:
                raise BadValue(f"{name}={value} is below 0 or not a number. Give 0 or more.")
        per_flop = self.j_per_flop_in(format_name) if flops_matrix else 0.0
        return float(self.joules(np.float64(time_s), per_flop * np.float64(flops_matrix), np.float64(flops_vector), np.float64(bytes_moved)))

    def joules(self, time_s: Floats, matrix_j: Floats, flops_vector: Floats, bytes_moved: Floats) -> Floats:
        """The equation above over arrays of one shape; `matrix_j` is the energy of matrix products, already priced by format."""
        chip = self.static_w * time_s + matrix_j + self.j_per_vector_flop * flops_vector + self.j_per_byte * bytes_moved
        return np.asarray(np.minimum(chip, self.tdp_w * time_s) + self.dram_j_per_byte * bytes_moved, dtype=np.float64)

    def operator_joules(self, table: OperatorTable, seconds_R: Floats) -> Floats:
        """(R,) joules of every row of `table`, each run once in its `seconds_R`. Masked blocks that kernels skip take no energy."""
        rows = table.rows
        per_flop = np.array([self.j_per_flop_in(name) for name in table.formats] or [0.0])[rows["format"]]
        work = (rows["flops_matrix"] - rows["flops_skipped"] + rows["flops_recomputed"]).astype(np.float64)
        moved = (rows["bytes_read"] + rows["bytes_written"] + rows["bytes_staged"]).astype(np.float64)
        return self.joules(np.asarray(seconds_R, dtype=np.float64), per_flop * work, rows["flops_vector"].astype(np.float64), moved)

    def tdp_bound_j(self, time_s: float) -> float:
        """TDP × time: not an estimate but an upper bound of what the chip can take, and labelled so wherever it is shown."""
        return self.tdp_w * time_s


def _published_error(device: Device) -> str:
    sheet = load_facts("energy")
    if device.kind == "gpu":
        median, p90 = sheet.get("model.error.gpu_median", "ratio"), sheet.get("model.error.gpu_p90", "ratio")
        return f"median {median:.0%}, 90th percentile {p90:.0%} against published measurements with known time"
    if device.kind == "tpu":
        return f"median {sheet.get('model.error.all_median', 'ratio'):.0%} over all published rows; a TPU's are of whole systems"
    return f"not checked: no published measurement of a {device.kind} in the table"


def dram_floor_j_per_byte(device: Device) -> float | None:
    """What moving a byte between the DRAM and its controller takes at least, by memory technology; None for an unknown one."""
    sheet = load_facts("energy")
    wanted = device.memory_technology.upper().replace(" ", "").replace("-", "")
    known = [name for name in sheet.under("dram") if wanted.startswith(name)]
    if not known:
        return None
    return sheet.get(f"dram.{max(known, key=len)}", "energy_per_byte")


def arithmetic_floor_j_per_flop(format_name: str, process_node_nm: float) -> float:
    """What a multiply-add takes in the arithmetic circuits alone, over its two FLOPs: Horowitz's 45 nm values × node / 45 nm.

    The scaling with the node (charge with length, voltage unchanged) is an assumption on the high side below 45 nm. Raises BadValue for formats the
    table lacks.
    """
    arithmetic = get_format(format_name).arithmetic
    circuit = {"bf16": "fp16", "fp16": "fp16", "tf32": "fp32", "fp32": "fp32", "int8": "int8"}.get(arithmetic)
    if circuit is None:
        raise BadValue(f"no 45 nm energy of a multiply-add in '{arithmetic}'. Choose bf16, fp16, tf32, fp32 or int8.")
    sheet = load_facts("energy")
    pair_j = sum(sheet.get(f"arithmetic_45nm.{circuit}_{step}", "energy") for step in ("multiply", "add"))
    return pair_j / 2 * process_node_nm / 45.0
