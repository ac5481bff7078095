"""What iterations of a plan cost besides time: energy, carbon and money, of all devices and the hosts around them.

    energy = devices · (static power · t + J/FLOP · FLOPs + J/byte · bytes) + nodes · host power · t          physical
    energy = devices · TDP · t + nodes · host power · t                                                      compat, as published: an upper bound
    carbon = devices · (grams a second of having made them) · t + grams a joule · energy                    money = price an hour · t

FLOPs are those of all products, forward, backward and what is run again; bytes those of tables, element-wise kernels and optimizer: what a product moves
is in its J/FLOP, which was fitted to whole models. What the network itself draws is part of the hosts' power; hosts' own making is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from thrifty.cost.carbon import CarbonModel
from thrifty.cost.energy import EnergyModel
from thrifty.cost.plans.configurations import Evaluations, Floats
from thrifty.cost.plans.evaluation import Evaluation, Mode
from thrifty.cost.plans.models.layers import Layers
from thrifty.cost.plans.plan import Plan
from thrifty.cost.plans.tasks import Task
from thrifty.errors import BadValue
from thrifty.footprint import Footprint, Interval
from thrifty.hardware.device import Site, System


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What one second, FLOP and byte of work on `system` at `site` cost, hosts included.

    usd_per_s: None where nobody states a price
    """

    static_w: float
    tdp_w: float
    host_w: float
    j_per_flop: float
    j_per_byte: float
    g_per_j: Interval
    g_per_s: Interval
    usd_per_s: float | None

    @classmethod
    def of(cls, system: System, site: Site, format_name: str) -> Rates:
        device = system.device
        energy, carbon, devices = EnergyModel.of(device), CarbonModel.of(device, site), system.devices
        hourly = None if system.price_usd_per_hour is None else system.price_usd_per_hour * system.nodes
        if hourly is None and device.price_usd_per_hour is not None:
            hourly = device.price_usd_per_hour * devices
        return cls(
            static_w=energy.static_w * devices, tdp_w=device.tdp_w * devices, host_w=(system.host_power_w or 0.0) * system.nodes,
            j_per_flop=energy.j_per_flop_in(format_name), j_per_byte=energy.j_per_byte, g_per_j=carbon.g_per_j, g_per_s=carbon.g_per_s * devices,
            usd_per_s=None if hourly is None else hourly / 3600,
        )  # fmt: skip


def _joules(rates: Mapping[str, Floats], time_s: Floats, flops: Floats, moved_bytes: Floats, mode: Mode) -> Floats:
    """Of all devices and hosts; `flops` and `moved_bytes` of all devices together."""
    most = rates["tdp_w"] * time_s
    chips = rates["static_w"] * time_s + rates["j_per_flop"] * flops + rates["j_per_byte"] * moved_bytes
    return np.asarray((most if mode == "compat" else np.minimum(chips, most)) + rates["host_w"] * time_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """(C,) of one iteration each; carbon is the middle of the interval; usd is NaN where no price is known."""

    time_s_C: Floats
    energy_j_C: Floats
    carbon_gco2e_C: Floats
    usd_C: Floats

    def column(self, what: str) -> Floats:
        """time, energy, carbon or cost."""
        return {"time": self.time_s_C, "energy": self.energy_j_C, "carbon": self.carbon_gco2e_C, "cost": self.usd_C}[what]


def footprint_of(evaluation: Evaluation, layers: Layers, system: System, plan: Plan, site: Site, *, task: Task | None = None) -> Footprint:
    """The footprint of one iteration over all devices."""
    rates = Rates.of(system, site, layers.format)
    flops = np.array([work_flops(layers, plan, task or Task()) * evaluation.batch], dtype=np.float64)
    moved = np.array([_moved(evaluation.compute_s, system)]) * system.devices
    columns = {name: np.array([getattr(rates, name)]) for name in _POWERS}
    energy_j = float(_joules(columns, np.array([evaluation.iteration_s]), flops, moved, evaluation.mode)[0])
    return Footprint(
        time_s=evaluation.iteration_s, memory_bytes=evaluation.memory_bytes, energy_j=energy_j,
        carbon_gco2e=rates.g_per_j * energy_j + rates.g_per_s * evaluation.iteration_s,
        cost_usd=None if rates.usd_per_s is None else rates.usd_per_s * evaluation.iteration_s,
    )  # fmt: skip


def costs_of(found: Evaluations, site: Site) -> Costs:
    """Costs of many iterations at one site."""
    asked = found.configurations
    time_s = found.iteration_s_C
    rates = [Rates.of(system, site, layers.format) for system in asked.systems for layers in asked.workloads]
    pair_C = asked.system_C.astype(np.int64) * len(asked.workloads) + asked.workload_C
    work_W = [WorkFlops.of(layers, asked.task) for layers in asked.workloads]
    flops_WP = np.array([[work.under(plan) for plan in asked.plans] for work in work_W])
    flops_C = np.asarray(flops_WP[asked.workload_C, asked.plan_C] * asked.batch_C, dtype=np.float64)
    bandwidth_C = np.array([system.device.bandwidth_bytes_per_s * system.devices for system in asked.systems])[asked.system_C]
    moved_C = sum((found.compute_s[name] for name in _STREAMING if name in found.compute_s), np.zeros(len(time_s))) * bandwidth_C

    columns = {name: np.array([getattr(rate, name) for rate in rates], dtype=np.float64)[pair_C] for name in _POWERS}
    energy = _joules(columns, time_s, flops_C, moved_C, found.mode)
    carbon, usd = (np.array(values, dtype=np.float64)[pair_C] for values in (
        [(rate.g_per_j.mid, rate.g_per_s.mid) for rate in rates], [np.nan if rate.usd_per_s is None else rate.usd_per_s for rate in rates],
    ))  # fmt: skip
    return Costs(time_s_C=time_s, energy_j_C=energy, carbon_gco2e_C=carbon[:, 0] * energy + carbon[:, 1] * time_s, usd_C=usd * time_s)


_POWERS = ("static_w", "tdp_w", "host_w", "j_per_flop", "j_per_byte")
_STREAMING = ("elementwise", "embedding", "optimizer")
"""Kinds of work that take as long as their bytes do."""


def _moved(compute_s: Mapping[str, float], system: System) -> float:
    """Bytes that one device's memory moves in the kernels that wait for it."""
    return sum(float(compute_s.get(name, 0.0)) for name in _STREAMING) * system.device.bandwidth_bytes_per_s


def work_flops(layers: Layers, plan: Plan, task: Task) -> float:
    """FLOPs of all products for one sample: forward; in training one more for each gradient that is needed, and one of what is run again."""
    return WorkFlops.of(layers, task).under(plan)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkFlops:
    """FLOPs of one sample: forward and backward passes, and of what recomputation would run again (attention's cores, or all that the backward pass meets).

    A product costs one more for its inputs' gradient where something up to it is trained, and one for its weights' where they are; attention has no
    weights, but two inputs a product.
    """

    passes: float
    cores: float
    met: float

    @classmethod
    def of(cls, layers: Layers, task: Task) -> WorkFlops:
        from thrifty.cost.plans.physical.memory_states import pieces_of

        forward, backward, cores, met = layers.flops, 0.0, 0.0, 0.0
        for piece in pieces_of(layers, task) if task.trains else ():
            for block, trained, reached in zip(piece.blocks, piece.trained, piece.reached, strict=True):
                core = piece.count * (block.core.flops if block.core else 0.0) * reached
                backward += piece.count * block.flops_of_weights * (trained + reached) + 2.0 * core
                met += piece.count * block.flops * reached
                cores += core
        return cls(passes=forward + backward, cores=cores, met=met)

    def under(self, plan: Plan) -> float:
        """With what `plan` runs again."""
        return self.passes + {"none": 0.0, "selective": self.cores, "full": self.met}[plan.recompute]


def refuse_unpriced(costs: Costs, what: str, system: System) -> None:
    """Raises BadValue where an answer in money is asked of a system without a price."""
    if what == "cost" and np.isnan(costs.usd_C).all():
        raise BadValue(f"'{system.name}' states no price per hour, so cost cannot be the objective. Choose time, energy or carbon, or a cloud system.")
