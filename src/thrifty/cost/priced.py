"""A workload on a device, with its price: time, energy, memory, carbon, money, operator by operator."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from thrifty.cost.carbon import CarbonModel
from thrifty.cost.columns import Columns, Floats, Ints
from thrifty.cost.energy import EnergyModel
from thrifty.cost.memory import MemoryAccount
from thrifty.cost.roofline import BOUNDS, device_arrays, limit_seconds, roofline_seconds
from thrifty.cost.sustained import calibrated_parts, sustained_of
from thrifty.footprint import Footprint
from thrifty.hardware import Device, Site, load_site
from thrifty.hardware import load as load_device
from thrifty.workload import Kind, Workload


@dataclass(frozen=True, kw_only=True)
class Priced:
    """What `workload` costs on `device`.

    seconds_R, energy_j_R, limit_s_R : (R,) of every row of the workload's table, one run of it; limit_s_R is what the device's peaks allow
    parts_R3 : (R, 3) seconds of compute, memory and overhead, of which the larger of the first two counts
    bound_R  : (R,) index into BOUNDS of the part that costs most
    model    : name of the time model
    """

    workload: Workload
    device: Device
    site: Site
    seconds_R: Floats
    parts_R3: Floats
    limit_s_R: Floats
    energy_j_R: Floats
    memory: MemoryAccount
    footprint: Footprint
    model: str

    @cached_property
    def bound_R(self) -> Ints:
        return np.asarray(self.parts_R3.argmax(axis=1), dtype=np.int64) if len(self.parts_R3) else np.zeros(0, dtype=np.int64)

    @property
    def time_s(self) -> float:
        return self.footprint.time_s

    @property
    def bound(self) -> str:
        """What most of the time goes to: compute, memory or overhead."""
        repeated = self.seconds_R * self.workload.table.repeats
        return BOUNDS[int(np.bincount(self.bound_R, weights=repeated, minlength=3).argmax())]

    @property
    def limit_s(self) -> float:
        """What the device's peaks allow, operator after operator."""
        return float((self.limit_s_R * self.workload.table.repeats).sum())

    @property
    def fits(self) -> bool:
        return self.memory.fits(self.device)

    def by_kind(self) -> dict[str, dict[str, float]]:
        """Time, limit and energy of every operator class."""
        return self._grouped(np.array([Kind(k).label for k in self.workload.table.rows["kind"]], dtype=object))

    def by_module(self, depth: int = 2) -> dict[str, dict[str, float]]:
        """The same by module path, cut to its first `depth` names; numbered layers count as one."""
        names = [".".join("*" if p.isdigit() else p for p in path.split(".")[: depth + 1]) for path in self.workload.table.strings]
        return self._grouped(np.array(names, dtype=object)[self.workload.table.rows["module"]])

    def _grouped(self, keys: Any) -> dict[str, dict[str, float]]:
        repeats = self.workload.table.repeats
        result: dict[str, dict[str, float]] = {}
        names, place = np.unique(keys.astype(str), return_inverse=True)
        for field, values in (("time_s", self.seconds_R), ("limit_s", self.limit_s_R), ("energy_j", self.energy_j_R)):
            for name, total in zip(names, np.bincount(place, weights=values * repeats, minlength=len(names)), strict=True):
                result.setdefault(str(name), {})[field] = float(total)
        return dict(sorted(result.items(), key=lambda item: -item[1]["time_s"]))

    def to_dict(self) -> dict[str, Any]:
        return {
            "workload": self.workload.name, "device": self.device.name, "site": self.site.name, "model": self.model, "bound": self.bound,
            "fits": self.fits, "limit_s": self.limit_s, "by_kind": self.by_kind(), "peak_memory_bytes": self.memory.peak_memory_bytes,
            **self.footprint.to_dict(),
        }  # fmt: skip


def operator_seconds(workload: Workload, device: Device, *, fused: bool = False) -> tuple[Floats, Floats, Floats, str]:
    """(R,) seconds, (R, 3) parts, (R,) limits and the name of the model: the calibrated one where the device has a calibration."""
    columns = Columns.of(workload.table)
    limits = limit_seconds(columns, device)
    sustained = sustained_of(device)
    if sustained is None:
        seconds, parts = roofline_seconds(columns, device_arrays([device], columns.formats, fused=fused))
        return seconds[0], parts[0], limits, "roofline with the catalogue's efficiencies"
    inside, host = sustained.seconds(columns), sustained.host_seconds(columns)
    parts = calibrated_parts(columns, device, sustained, inside, host)
    return inside + host, parts, limits, "interpolated in this machine's calibration"


def price(workload: Workload | str, device: Device | str, *, site: Site | str = "world", fused: bool = False) -> Priced:
    """What one run of `workload` costs on `device`: time, energy, memory, carbon, and money where the device has a price per hour.

    fused: count a norm or activation that a framework runs as several kernels as one (what compiled stacks do)
    Raises BadValue when the device has no arithmetic for the workload's format; UnknownName for names that no catalogue knows.
    """
    if isinstance(workload, str):
        from thrifty.workload import load as load_workload

        run = load_workload(workload)
    else:
        run = workload
    chip = load_device(device) if isinstance(device, str) else device
    place = load_site(site) if isinstance(site, str) else site
    seconds, parts, limits, model = operator_seconds(run, chip, fused=fused)
    energy = np.asarray(EnergyModel.of(chip).operator_joules(run.table, seconds))
    repeats = run.table.repeats
    time_s, energy_j = float((seconds * repeats).sum()), float((energy * repeats).sum())
    account = MemoryAccount.of(run, chip)
    footprint = Footprint(
        time_s=time_s, memory_bytes=float(account.needed_bytes), energy_j=energy_j, carbon_gco2e=CarbonModel.of(chip, place).carbon(energy_j, time_s),
        cost_usd=None if chip.price_usd_per_hour is None else chip.price_usd_per_hour * time_s / 3600,
    )  # fmt: skip
    return Priced(
        workload=run, device=chip, site=place, seconds_R=seconds, parts_R3=parts, limit_s_R=limits, energy_j_R=energy, memory=account,
        footprint=footprint, model=model,
    )  # fmt: skip
