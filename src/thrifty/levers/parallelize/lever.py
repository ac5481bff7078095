"""The lever as `assess` sees it: the same job, cut over several of the same device by tensor parallelism.

Before and after are seen through the plan model, one device against several, and the case's own price is scaled by their ratio, so that the estimate
stands beside other levers' on one ground.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from thrifty.cost import Case
from thrifty.cost.plans.answering import evaluate
from thrifty.cost.plans.evaluation import Evaluation
from thrifty.cost.plans.models.extracting import layers_of
from thrifty.cost.plans.models.layers import Layers
from thrifty.cost.plans.plan import Level, Plan
from thrifty.cost.plans.pricing import footprint_of
from thrifty.cost.plans.tasks import Task
from thrifty.errors import ThriftyError
from thrifty.footprint import Footprint
from thrifty.hardware import load_system, system_names
from thrifty.hardware.device import Device, System, Tier
from thrifty.levers.contract import Estimate, Refusal

DEVICES: Final = (2, 4, 8)


@dataclass(frozen=True, slots=True)
class Parallelize:
    """Several devices instead of one."""

    name: str = "parallelize"

    def estimate(self, case: Case) -> Sequence[Estimate] | Refusal:
        """The job over 2, 4 and 8 of the same device, fastest first; a refusal where the device has no link to another or nothing gets faster."""
        if not case.device.links:
            return Refusal(self.name, f"the sheet of {case.device.name} states no link to other devices")
        try:
            works = [(layers_of(part.workload), part.times, part.workload.phase) for part in case.job.parts]
        except ThriftyError as error:
            return Refusal(self.name, str(error))
        batch = case.job.point.get("batch", 1)
        one = self._footprint(case, works, node_of(case.device, 1), batch)
        if isinstance(one, str):
            return Refusal(self.name, one)
        found = list(self._wider(case, works, batch, one))
        if not found:
            return Refusal(self.name, "no number of devices up to 8 makes a unit faster")
        return sorted(found, key=lambda e: -(e.factor("time") or 0.0))

    def _wider(self, case: Case, works: Sequence[tuple[Layers, int, str]], batch: int, one: Footprint) -> Iterator[Estimate]:
        before = case.per_unit
        for devices in DEVICES:
            many = self._footprint(case, works, node_of(case.device, devices), batch)
            if isinstance(many, str) or many.time_s >= one.time_s / 1.01:
                continue
            after = Footprint(
                time_s=before.time_s * many.time_s / one.time_s, memory_bytes=many.memory_bytes, energy_j=before.energy_j * many.energy_j / one.energy_j,
                carbon_gco2e=before.carbon_gco2e * (many.carbon_gco2e.mid / one.carbon_gco2e.mid),
                cost_usd=None if before.cost_usd is None else before.cost_usd * devices * many.time_s / one.time_s,
            )  # fmt: skip
            yield Estimate(
                lever=self.name, change=f"1 → {devices} x {case.device.name}, tensor parallel", before=before, after=after, unit=case.job.unit,
                command=f"thrifty parallelize evaluate {case.job.name} --on {system_with(case.device)} --devices {devices} --batch {batch} --task inference "
                f"--plan dense=tp:{devices}",
                caveat="devices joined as by the sheet's link; a full batch at once",
            )  # fmt: skip

    def _footprint(self, case: Case, works: Sequence[tuple[Layers, int, str]], system: System, batch: int) -> Footprint | str:
        """Of the whole job on `system`, or why the plan cannot be."""
        total: Footprint | None = None
        devices = system.devices
        plan = Plan(levels={"dense": (Level("tp", devices),) if devices > 1 else ()})
        for layers, times, phase in works:
            task = Task(kind="pretrain") if phase == "training" else Task(kind="inference", phase="decode" if phase == "decode" else "prefill")
            try:
                found: Evaluation = evaluate(layers, system, plan, batch=batch, task=task)
            except ThriftyError as error:
                return str(error)
            cost = footprint_of(found, layers, system, plan, case.site, task=task) * times
            total = cost if total is None else total + cost
        return total if total is not None else "the job has no part"


def system_with(device: Device) -> str:
    """The first system of the catalogue that is made of `device`; where none is, a word for a sheet of one's own."""
    return next((name for name in system_names() if load_system(name).device.name == device.name), "YOUR-SYSTEM.toml")


def node_of(device: Device, devices: int) -> System:
    """So many of `device`, each joined to the others by its own first link."""
    link = device.links[0]
    tier = Tier(name=link.name, count=devices, bandwidth_bytes_per_s=link.bandwidth_bytes_per_s)
    return System(name=f"{devices}x-{device.name}", title=f"{devices} x {device.title}", device=device, tiers=(tier,))


PARALLELIZE: Final = Parallelize()
