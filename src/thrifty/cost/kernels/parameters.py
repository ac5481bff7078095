"""The row of kernel parameters of a device and a format, and what it stands on: a fit to measured kernels, a fit carried over, or defaults.

Fits are kept as shares of a device's peaks and as times of one compute unit (`cost/catalogue/kernels.toml`), so that a device that was never measured
takes those of its chip's family with its own peaks, bandwidth and number of units. A device of another family, or without a number of units, follows
the plain roofline with the default efficiencies of its kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from thrifty.cost.defaults import defaults_for
from thrifty.cost.facts import Facts, load_facts
from thrifty.cost.kernels.rows import COLUMNS, PLACE
from thrifty.formats import get_format
from thrifty.hardware.device import Device

FloatArray = npt.NDArray[np.float64]
Basis = Literal["fitted", "transferred", "defaults"]
Shares = dict[str, float]
FITTED: Final[dict[str, tuple[str, ...]]] = {
    "gemm": ("launch", "compute", "bandwidth", "unit_bandwidth", "tile", "step", "split", "overlap", "rounding", "resident"),
    "prefill": ("launch", "compute", "bandwidth", "score", "tile", "overlap", "rounding", "tail"),
    "decode": ("launch", "compute", "bandwidth", "unit_bandwidth", "tile", "split", "resident"),
}
"""What is fitted a device, by kernel; gemm's a format."""
UNITS_OF: Final = {
    "launch": "time", "compute": "ratio", "bandwidth": "ratio", "unit_bandwidth": "bandwidth", "score": "time", "tile": "time", "step": "time",
    "split": "time", "overlap": "ratio", "rounding": "ratio", "tail": "ratio", "resident": "capacity",
}  # fmt: skip
NARROW_BYTES: Final = 2.0
"""Products of narrower numbers come out, and attention runs, in 16 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a row stands on. basis: the weaker of products' and attention's; text: one sentence for a reader; fitted_on: devices whose measurements it uses."""

    basis: Basis
    text: str
    fitted_on: tuple[str, ...] = ()


def kernel_parameters(device: Device, format_name: str, *, replayed: bool = False, fitted_on: str | None = None) -> FloatArray:
    """(P,) row of `device` for numbers stored in `format_name`, laid out as `rows.COLUMNS`.

    replayed: for a kernel repeated on the same few operands, as benchmarks do, whose activations stay in cache; else all operands come from memory.
    fitted_on: carry over the fit of this device, whatever the chip (to see how far that goes). Raises BadValue where the device has no arithmetic for
    the format or `fitted_on` has no fit.
    """
    return _build(device, format_name, replayed=replayed, fitted_on=fitted_on)[0]


def kernel_ground(device: Device, format_name: str) -> Ground:
    """What `kernel_parameters` of the same arguments stands on."""
    return _build(device, format_name, replayed=False, fitted_on=None)[1]


def compute_units(device: Device) -> float:
    """Streaming multiprocessors of the device; 0 where `kernels.toml` states none."""
    sheet = load_facts("kernels")
    return sheet.get(f"units.{device.name}", "count") if f"units.{device.name}" in sheet.facts else 0.0


def row_of(device: Device, format_name: str, units: float, gemm: Shares, prefill: Shares, decode: Shares, *, replayed: bool) -> FloatArray:
    """(P,) row from fitted shares and times (SI), the device's peaks and its units."""
    row = np.zeros(len(COLUMNS))
    stored = get_format(format_name).bytes_per_number
    peak, bandwidth = device.peak(format_name), device.bandwidth_bytes_per_s
    attention_peak = min(peak, device.peak("bf16")) if stored < NARROW_BYTES else peak
    values = {
        "units": units, "input_bytes": stored, "output_bytes": max(stored, NARROW_BYTES), "attention_bytes": max(stored, NARROW_BYTES),
        "launch_s": gemm["launch"], "flop_s": 1.0 / (peak * gemm["compute"]), "byte_s": 1.0 / (bandwidth * gemm["bandwidth"]),
        "unit_byte_s": 1.0 / gemm["unit_bandwidth"], "tile_s": gemm["tile"], "step_s": gemm["step"], "split_s": gemm["split"],
        "overlap": gemm["overlap"], "rounding": gemm["rounding"], "resident_bytes": gemm["resident"] if replayed else 0.0,
        "prefill_launch_s": prefill["launch"], "prefill_flop_s": 1.0 / (attention_peak * prefill["compute"]), "prefill_score_s": prefill["score"] / units,
        "prefill_byte_s": 1.0 / (bandwidth * prefill["bandwidth"]), "prefill_tile_s": prefill["tile"], "prefill_overlap": prefill["overlap"],
        "prefill_rounding": prefill["rounding"], "prefill_tail": prefill["tail"],
        "decode_launch_s": decode["launch"], "decode_flop_s": 1.0 / (attention_peak * decode["compute"]),
        "decode_byte_s": 1.0 / (bandwidth * decode["bandwidth"]), "decode_unit_byte_s": 1.0 / decode["unit_bandwidth"],
        "decode_tile_s": decode["tile"], "decode_split_s": decode["split"],
        "decode_resident_bytes": decode["resident"] if replayed else 0.0,
        "backward": _backward(load_facts("kernels")), "stream_launch_s": gemm["launch"], "stream_byte_s": 1.0 / (bandwidth * gemm["bandwidth"]),
    }  # fmt: skip
    for name, value in values.items():
        row[PLACE[name]] = value
    return row


def fit_of(donor: str, kernel: str) -> Shares:
    """Fitted constants of one kernel of a device, in SI; kernel: "prefill", "decode" or "gemm.<format>". Raises BadSheet where there is none."""
    sheet = load_facts("kernels")
    names = FITTED[kernel.partition(".")[0]]
    return {name: sheet.get(f"fit.{donor}.{kernel}.{name}", UNITS_OF[name]) for name in names}


def _build(device: Device, format_name: str, *, replayed: bool, fitted_on: str | None) -> tuple[FloatArray, Ground]:
    sheet = load_facts("kernels")
    units = compute_units(device)
    donor = fitted_on or sheet.texts.get(f"family.{device.chip}", "")
    if not units or not donor:
        return _defaults(device, format_name, sheet)
    arithmetic = device.runs_in(format_name)
    known = f"fit.{donor}.gemm.{arithmetic}.launch" in sheet.facts
    gemm = fit_of(donor, f"gemm.{arithmetic if known else 'bf16'}")
    row = row_of(device, format_name, units, gemm, fit_of(donor, "prefill"), fit_of(donor, "decode"), replayed=replayed)
    own = donor == device.name
    where = f"fitted on {donor}" if own else f"transferred from {donor}, with the peaks, bandwidth and {units:.0f} units of {device.name}"
    if not known and arithmetic != "fp16":
        where += f"; products in {arithmetic} with the constants of bf16"
    return row, Ground(basis="fitted" if own and (known or arithmetic == "fp16") else "transferred", text=where, fitted_on=(donor,))


def _defaults(device: Device, format_name: str, sheet: Facts) -> tuple[FloatArray, Ground]:
    """The plain roofline: no tiles, launch as in a recorded graph."""
    default = defaults_for(device.kind)
    row = np.zeros(len(COLUMNS))
    stored = get_format(format_name).bytes_per_number
    peak, byte_s = device.peak(format_name), 1.0 / (device.bandwidth_bytes_per_s * default.bandwidth_efficiency)
    for name in ("launch_s", "prefill_launch_s", "stream_launch_s"):
        row[PLACE[name]] = default.launch_fused_s
    for name in ("byte_s", "prefill_byte_s", "stream_byte_s"):
        row[PLACE[name]] = byte_s
    for name, value in (
        ("input_bytes", stored), ("output_bytes", max(stored, NARROW_BYTES)), ("attention_bytes", max(stored, NARROW_BYTES)),
        ("flop_s", 1.0 / (peak * default.efficiency["linear"])), ("prefill_flop_s", 1.0 / (peak * default.efficiency["attention"])),
        ("backward", _backward(sheet)),
    ):  # fmt: skip
        row[PLACE[name]] = value
    return row, Ground(basis="defaults", text=f"no measured kernels of this family: the roofline with the default efficiencies of a {device.kind}")


def _backward(sheet: Facts) -> float:
    """Backward over forward time: its FLOPs over the forward's, times the ratio of their published shares of peak."""
    return sheet.get("backward.flops", "ratio") * sheet.get("backward.forward_share", "ratio") / sheet.get("backward.backward_share", "ratio")
