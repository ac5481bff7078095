"""One question about plans: which model, where, how many devices, which task and batch, in which mode."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from thrifty.cost.collectives import link_class
from thrifty.cost.plans.answering import evaluate
from thrifty.cost.plans.evaluation import Evaluation, Mode
from thrifty.cost.plans.models.layers import Layers
from thrifty.cost.plans.models.naming import layers_named
from thrifty.cost.plans.plan import Plan
from thrifty.cost.plans.pricing import footprint_of
from thrifty.cost.plans.tasks import Task
from thrifty.errors import BadValue
from thrifty.footprint import Footprint
from thrifty.hardware import load_site, load_system
from thrifty.hardware.device import Site, System


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked; `system` has the number of devices that is meant."""

    layers: Layers
    system: System
    site: Site
    task: Task
    batch: int
    mode: Mode

    def answer(self, plan: Plan) -> Evaluation:
        """One iteration of `plan`. Raises BadValue for one that breaks a rule."""
        return evaluate(self.layers, self.system, plan, batch=self.batch, task=self.task, mode=self.mode)

    def footprint(self, evaluation: Evaluation, plan: Plan) -> Footprint:
        """Of one iteration over all devices."""
        return footprint_of(evaluation, self.layers, self.system, plan, self.site, task=self.task)

    def on(self, system: System) -> Question:
        """The same asked of another system."""
        return replace(self, system=system)

    def in_mode(self, mode: Mode) -> Question:
        return replace(self, mode=mode)


def ask(
    workload: str, on: str, *, devices: int = 0, batch: int = 0, task: Task | None = None, mode: Mode = "physical", site: str = "world",
    seq: int = 0, format: str | None = None,
) -> Question:  # fmt: skip
    """The question about `workload` on the system called `on`.

    devices : 0: as many as the system has; batch: samples of a step over all devices, 0: one a device

    Raises what loading the workload and the system raises; BadValue for devices that leave an inner tier half full.
    """
    chosen = task or Task()
    if batch < 0:
        raise BadValue(f"batch={batch} is below 0. Give the samples of one step over all devices, or 0 for one a device.")
    system = system_named(on, devices)
    layers = layers_named(workload, task=chosen, seq=seq, format=format, mode=mode)
    return Question(layers=layers, system=system, site=load_site(site), task=chosen, batch=batch or system.devices, mode=mode)


def system_named(on: str, devices: int = 0) -> System:
    """So many devices of the system called `on`; 0: all that its sheet has.

    Raises BadValue for more devices than a system without a network joins, and for a number that leaves an inner tier half full.
    """
    system = load_system(on)
    if not devices:
        return system
    last = system.tiers[-1]
    link = link_class(last, system.device)
    if devices > system.devices and (link.startswith(("nvlink", "pcie")) or (len(system.tiers) == 1 and link != "network")):
        raise BadValue(
            f"devices={devices} is above the {system.devices} that {last.name} of '{system.name}' joins. Choose a system with a network between nodes."
        )
    return system.sized(devices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A whole job of `samples` at the pace of one iteration."""

    samples: float
    hours: float
    device_hours: float
    energy_mwh: float
    carbon_tco2e: float
    cost_usd: float | None

    @classmethod
    def of(cls, question: Question, evaluation: Evaluation, footprint: Footprint, samples: float) -> Job:
        """Raises BadValue for samples that are no size of a job."""
        steps = samples / evaluation.batch
        hours = steps * evaluation.iteration_s / 3600
        if not (samples > 0 and math.isfinite(hours * question.system.devices) and math.isfinite(footprint.energy_j * steps * 1e6)):
            raise BadValue(f"samples={samples:g} is no size of a job. Give a finite number above 0.")
        return cls(
            samples=samples, hours=hours, device_hours=hours * question.system.devices, energy_mwh=footprint.energy_j * steps / 3.6e9,
            carbon_tco2e=footprint.carbon_gco2e.mid * steps / 1e6, cost_usd=None if footprint.cost_usd is None else footprint.cost_usd * steps,
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("samples", "hours", "device_hours", "energy_mwh", "carbon_tco2e", "cost_usd")}
