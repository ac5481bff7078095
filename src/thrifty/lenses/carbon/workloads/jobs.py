"""A job with its carbon: what runs how often, what a run takes, and what all of it emits, apart by who emits it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from thrifty.cost.energy import EnergyModel
from thrifty.errors import BadValue, unknown_name
from thrifty.footprint import Footprint, Interval
from thrifty.lenses.carbon.ledger import Ledger, spread
from thrifty.lenses.carbon.workloads.machines import Machine
from thrifty.lenses.carbon.workloads.places import Place
from thrifty.quantities import J_PER_KWH

TaskName = Literal["train", "finetune", "serve"]
MOST_RUNS = 1e24
TASKS: tuple[TaskName, ...] = get_args(TaskName)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """Runs of one kind that make up a job: training steps, or batches of requests.

    count    : how many, not necessarily whole (the last may be partial)
    time_s, energy_j : of one run, of all devices with their hosts; cost_usd None where no price is known
    flops    : of all matrix products of one run; units: tokens or samples that come out of one, `unit` says which;
               requests of one, 0 in training; tokens_read: of all prompts of one
    """

    count: float
    time_s: float
    energy_j: float
    memory_bytes: float
    cost_usd: float | None
    flops: float
    unit: str
    units: float
    requests: float = 0.0
    tokens_read: float = 0.0
    fits: bool = True
    how: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCarbon:
    """What a whole job emits.

    footprint     : of the whole job; energy is that of devices and hosts, its carbon with PUE, grid and the share of making them
    busy          : share of their time in which the machines work; the rest is idle power and making, charged to this job
    energy_j      : by who draws it: devices, idle (devices while they wait), hosts, building
    operational_gco2e, embodied_gco2e : embodied by part, devices and hosts, as the span over public models and lives
    """

    workload: str
    task: TaskName
    format: str
    machine: Machine
    place: Place
    runs: Runs
    busy: float
    footprint: Footprint
    energy_j: Mapping[str, float]
    intensity_g_per_kwh: float
    operational_gco2e: float
    embodied_gco2e: Mapping[str, Interval]
    notes: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, workload: str, task: str, format_name: str, machine: Machine, place: Place, runs: Runs, busy: float = 1.0) -> JobCarbon:
        """Price `runs`. Raises BadValue for a share of time outside (0, 1], for a job of no size."""
        if task not in TASKS:
            raise unknown_name("task", task, TASKS, "thrifty carbon workload --help")
        if not (math.isfinite(busy) and 0 < busy <= 1):
            raise BadValue(f"busy={busy} is no share of time. Give the part of their time in which the machines work, above 0 and at most 1.")
        if not (math.isfinite(runs.count) and runs.count > 0):
            raise BadValue(f"a job of {runs.count} runs does nothing. Give tokens, samples or requests above 0.")
        if runs.count > MOST_RUNS:
            raise BadValue(f"a job of {runs.count:g} runs would outlast the universe. Give fewer tokens, samples or requests.")
        working_s = runs.time_s * runs.count
        time_s = working_s / busy
        hosts_j, idle_j = machine.host_w * time_s, EnergyModel.of(machine.device).idle_w * machine.devices * (time_s - working_s)
        devices_j = runs.energy_j * runs.count - machine.host_w * working_s
        drawn_j = devices_j + idle_j + hosts_j
        intensity = place.mean_g_per_kwh(time_s)
        operational = drawn_j / J_PER_KWH * place.site.pue * intensity
        devices_g, hosts_g = (rate * time_s for rate in machine.embodied_g_per_s(place.site))
        notes = [*machine.notes, *runs.notes]
        if not runs.fits:
            notes.append("the job does not fit in the memory of the devices: priced as if it did")
        if busy < 1:
            notes.append("power of hosts is taken as the same while devices wait")
        footprint = Footprint(
            time_s=time_s, memory_bytes=runs.memory_bytes, energy_j=drawn_j,
            carbon_gco2e=Interval.exact(operational) + devices_g + hosts_g,
            cost_usd=None if runs.cost_usd is None else runs.cost_usd * runs.count / busy,
        )  # fmt: skip
        return cls(
            workload=workload, task=task, format=format_name, machine=machine, place=place, runs=runs, busy=busy, footprint=footprint,
            energy_j={"devices": devices_j, "idle": idle_j, "hosts": hosts_j, "building": (place.site.pue - 1) * drawn_j}, intensity_g_per_kwh=intensity,
            operational_gco2e=operational, embodied_gco2e={"devices": devices_g, "hosts": hosts_g}, notes=tuple(dict.fromkeys(notes)),
        )  # fmt: skip

    @property
    def device_hours(self) -> float:
        return self.footprint.time_s * self.machine.devices / 3600

    @property
    def flops(self) -> float:
        return self.runs.flops * self.runs.count

    @property
    def units(self) -> float:
        return self.runs.units * self.runs.count

    @property
    def embodied_total_gco2e(self) -> Interval:
        return self.embodied_gco2e["devices"] + self.embodied_gco2e["hosts"]

    @property
    def achieved_flops(self) -> float:
        """FLOP/s of one device over the whole job."""
        return self.flops / (self.footprint.time_s * self.machine.devices)

    def per(self) -> dict[str, Interval]:
        """Grams of a unit of use: a token or sample, a request, an exaFLOP."""
        total = self.footprint.carbon_gco2e
        counts = {self.runs.unit: self.units, "request": self.runs.requests * self.runs.count, "EFLOP": self.flops / 1e18}
        return {name: total * (1 / count) for name, count in counts.items() if count}

    def ledger(self, *, hourly: bool = False) -> Ledger:
        """Rows by asset, phase and scope; hourly: by the hour too, where the grid is known so and the job has a start.

        Electricity is scope 2 by location: who buys it from another's hall counts the same rows as scope 3.
        """
        drawn = sum(self.energy_j.values())
        rows = [
            {"asset": name, "phase": "use", "scope": 2, "method": "location", "carbon_gco2e": self.operational_gco2e * joules / drawn,
             "line": "idle" if name == "idle" else "overhead" if name == "building" else "used"}
            for name, joules in self.energy_j.items() if joules
        ]  # fmt: skip
        rows += [{"asset": name, "phase": "manufacture", "scope": 3, "carbon_gco2e": g.mid} for name, g in self.embodied_gco2e.items() if g.mid]
        made = Ledger.of(rows)
        if not hourly or self.place.start is None:
            return made
        hours, part, intensity = self.place.hours(self.footprint.time_s)
        return spread(made.select(phase="use"), hours, part * intensity) + spread(made.select(phase="manufacture"), hours, part)

    def to_dict(self) -> dict[str, Any]:
        return {
            "workload": self.workload, "task": self.task, "format": self.format, "on": self.machine.system.name, "devices": self.machine.devices,
            "how": self.runs.how, "site": self.place.site.name, "pue": self.place.site.pue, "intensity_g_per_kwh": self.intensity_g_per_kwh,
            "intensity": self.place.said, "truth": "modelled", "runs": self.runs.count, "time_s": self.footprint.time_s, "busy": self.busy,
            "device_hours": self.device_hours, "flops": self.flops, "achieved_flops_per_device": self.achieved_flops, "fits": self.runs.fits,
            "units": self.units, "unit": self.runs.unit, "requests": self.runs.requests * self.runs.count or None,
            "energy_j": dict(self.energy_j), "facility_energy_j": sum(self.energy_j.values()), "operational_gco2e": self.operational_gco2e,
            "embodied_gco2e": {name: each.to_dict() for name, each in self.embodied_gco2e.items()}, "footprint": self.footprint.to_dict(),
            "per": {name: each.to_dict() for name, each in self.per().items()}, "ledger": self.ledger().rows(), "notes": list(self.notes),
        }  # fmt: skip
