"""Training and fine-tuning as a job: one step through the operator table on one device, through a plan on many or with low-rank matrices."""

from __future__ import annotations

import math
from dataclasses import replace

from thrifty.cost import price
from thrifty.cost.plans import Plan, Task, evaluate, footprint_of, layers_named
from thrifty.cost.plans.models.naming import LENGTH
from thrifty.cost.plans.pricing import work_flops
from thrifty.errors import BadValue
from thrifty.lenses.carbon.workloads.jobs import JobCarbon, Runs
from thrifty.lenses.carbon.workloads.machines import Machine
from thrifty.lenses.carbon.workloads.places import Place
from thrifty.workload import Workload
from thrifty.workload import load as load_workload

PLAN = "dense=fsdp"
"""Of many devices, where no plan is named."""


def carbon_of_training(
    workload: str, machine: Machine, place: Place, *, tokens: float = 0.0, samples: float = 0.0, batch: int = 0, seq: int = 0,
    format: str | None = None, plan: str = "", task: Task | None = None, busy: float = 1.0,
) -> JobCarbon:  # fmt: skip
    """Training `workload` on so many tokens (or samples, where it has no sequence).

    batch : samples of a step over all devices, 0: one a device; seq: tokens of one, 0: 2048 or the model's context
    task  : pretrain (default), or finetune with what it trains
    Raises what loading raises; BadValue for a job of no size, in the wrong unit, or with a plan for one device.
    """
    chosen = task or Task()
    if not chosen.trains:
        raise BadValue("task=inference trains nothing. Choose --task serve.")
    for name, value in (("tokens", tokens), ("samples", samples)):
        if value and not (math.isfinite(value) and value > 0):
            raise BadValue(f"{name}={value} is below 0 or not a number. Give how many the job has, above 0.")
    if bool(tokens) == bool(samples):
        raise BadValue("a training job needs its size once. Give --tokens (language models), e.g. --tokens 300e9, or --samples.")
    if batch < 0:
        raise BadValue(f"batch={batch} is below 1. Give the samples of one step over all devices.")
    whole = chosen.kind == "pretrain" and machine.single
    if machine.single and plan:
        raise BadValue(f"plan={plan} spreads a job over devices, and '{machine.system.name}' is one. Leave it out, or name a system.")
    named = load_workload(workload)
    runs = _by_operators(named, machine, place, batch=batch, seq=seq, format=format) if whole else _by_plan(
        workload, machine, place, batch=batch, seq=seq, format=format, plan=plan, task=chosen
    )  # fmt: skip
    if tokens and runs.unit != "token":
        raise BadValue(f"'{workload}' reads no tokens. Give --samples.")
    count = tokens / runs.units if tokens else samples / (batch or machine.devices)
    return JobCarbon.of(
        named.name, "train" if chosen.kind == "pretrain" else "finetune", format or named.format, machine, place, replace(runs, count=count), busy
    )  # fmt: skip


def _by_operators(plain: Workload, machine: Machine, place: Place, *, batch: int, seq: int, format: str | None) -> Runs:
    """One step on one device, operator by operator."""
    length = next((symbol for symbol in plain.symbols if symbol.name == "seq"), None)
    sizes = {"batch": batch or 1}
    if seq and length is None:
        raise BadValue(f"seq={seq} is no size of '{plain.name}', which reads no sequence. Leave it out.")
    if length is not None:
        sizes["seq"] = seq or min(LENGTH, length.high or LENGTH)
    made = plain.at(sizes, format=format, phase="training")
    step = price(made, machine.device, site=place.site)
    totals = made.table.totals()
    return Runs(
        count=1.0, time_s=step.time_s, energy_j=step.footprint.energy_j + machine.host_w * step.time_s, memory_bytes=step.footprint.memory_bytes,
        cost_usd=step.footprint.cost_usd, flops=float(totals["flops_matrix"]), unit="token" if "seq" in sizes else "sample",
        units=float(sizes["batch"] * sizes.get("seq", 1)), fits=step.fits,
        how=f"operator table of one training step, {', '.join(f'{name} {size}' for name, size in sizes.items())}",
    )  # fmt: skip


def _by_plan(workload: str, machine: Machine, place: Place, *, batch: int, seq: int, format: str | None, plan: str, task: Task) -> Runs:
    """One step of a plan over all devices; its hosts are those of the machine."""
    layers = layers_named(workload, task=task, seq=seq, format=format)
    words, system = Plan.parse(plan or PLAN), machine.system
    found = evaluate(layers, system, words, batch=batch or system.devices, task=task)
    foot = footprint_of(found, layers, system, words, place.site, task=task)
    stated = (system.host_power_w or 0.0) * system.nodes
    return Runs(
        count=1.0, time_s=foot.time_s, energy_j=foot.energy_j + (machine.host_w - stated) * foot.time_s, memory_bytes=foot.memory_bytes,
        cost_usd=foot.cost_usd, flops=work_flops(layers, words, task) * found.batch, unit=layers.unit, units=float(found.batch * layers.tokens),
        fits=found.fits,
        how=f"plan {words}, {found.batch} samples of {layers.tokens} tokens a step" if layers.tokens > 1 else f"plan {words}, {found.batch} samples a step",
        notes=((f"{layers.stand_in} stands in for the model",) if layers.stand_in else ()),
    )  # fmt: skip
