"""One plan by the published model: its tasks, when they run, what the time is spent on, and what a device must hold."""

from __future__ import annotations

from collections.abc import Mapping

from thrifty.cost.plans.compat.events import COMMUNICATION_KINDS, COMPUTE_KINDS, CompatTask, Variant, build, critical, solve
from thrifty.cost.plans.compat.quirks import quirks_of
from thrifty.cost.plans.compat.rates import PublishedRates, published_system
from thrifty.cost.plans.compat.rules import Laid, check_task, lay
from thrifty.cost.plans.compat.sublayers import Reading, read
from thrifty.cost.plans.evaluation import CriticalPart, Evaluation, PlanMemory
from thrifty.cost.plans.models.layers import LayerClass, Layers
from thrifty.cost.plans.plan import Plan
from thrifty.cost.plans.tasks import Task
from thrifty.errors import unknown_name
from thrifty.hardware.device import System


def evaluate_compat(
    layers: Layers, system: System, plan: Plan, *, batch: int, task: Task | None = None, variant: Variant | None = None, rates: PublishedRates | None = None
) -> Evaluation:  # fmt: skip
    """One iteration of `plan` by the published model of MAD-Max (arXiv 2310.02784), quirks included.

    batch   : samples of one step over all devices (a sequence is one sample)
    variant : of a transformer's backward pass, "pre" or "post" optimised; as published where not given: post for images, else pre
    rates   : what the system sustains; as published under its name where not given
    Raises BadValue for the first published rule that plan, task or batch break, UnknownName for a system without published rates.
    """
    task, rates = task or Task(), rates or published_system(system)
    reading, tasks, laid = _tasks(layers, plan, rates, batch, task, variant)
    times = solve(tasks)
    compute, communication = (
        {kind: sum((each.duration_s for each in tasks if each.kind == kind), 0.0) for kind in kinds} for kinds in (COMPUTE_KINDS, COMMUNICATION_KINDS)
    )
    exposed = times.makespan_s - sum(compute.values())
    path: dict[tuple[str, str], float] = {}
    for each in critical(tasks, times):
        path[each.kind, each.stream] = path.get((each.kind, each.stream), 0.0) + each.duration_s
    return Evaluation(
        mode="compat", workload=layers.name, system=rates.name, devices=rates.devices, plan=plan.text or str(plan), task=task.kind, batch=batch,
        iteration_s=times.makespan_s, compute_s=compute, communication_s=communication, exposed_s=exposed,
        overlapped_s=sum(communication.values()) - exposed, unit=layers.unit, units=batch * layers.tokens, memory=memory_of(reading, laid, task),
        capacity_bytes=rates.capacity_bytes,
        critical_path=tuple(CriticalPart(name=kind, stream=stream, time_s=seconds) for (kind, stream), seconds in sorted(path.items(), key=lambda p: -p[1])),
        quirks=tuple(quirks_of(reading, laid, rates, task, _variant(reading, variant))), notes=(f"stand-in: {layers.stand_in}",) if layers.stand_in else (),
    )  # fmt: skip


def compat_tasks(
    layers: Layers, system: System, plan: Plan, *, batch: int, task: Task | None = None, variant: Variant | None = None, rates: PublishedRates | None = None
) -> list[CompatTask]:  # fmt: skip
    """The tasks of one iteration in the order of issue, for a trace or another scheduler. Raises like `evaluate_compat`."""
    return _tasks(layers, plan, rates or published_system(system), batch, task or Task(), variant)[1]


def _tasks(
    layers: Layers, plan: Plan, rates: PublishedRates, batch: int, task: Task, variant: Variant | None
) -> tuple[Reading, list[CompatTask], Mapping[LayerClass, Laid]]:  # fmt: skip
    reading = read(layers)
    chosen = _variant(reading, variant)
    check_task(task, reading)
    laid = lay(plan, layers, rates, batch)
    rates.flops_of(reading.number_bytes)
    return reading, build(reading, laid, rates, batch, task, chosen), laid


def _variant(reading: Reading, variant: Variant | None) -> Variant:
    check_variant(variant)
    return variant or ("post" if reading.images else "pre")


def check_variant(variant: Variant | None) -> None:
    """Raises UnknownName."""
    if variant not in (None, "pre", "post"):
        raise unknown_name("variant", variant, ("pre", "post"), "thrifty parallelize evaluate --help")


def memory_of(reading: Reading, laid: Mapping[LayerClass, Laid], task: Task) -> PlanMemory:
    """Weights of one device; training holds as much again for gradients and for the optimizer's states (2.7)."""
    weights = reading.table_bytes / laid["embedding"].shards if reading.table_bytes else 0.0
    for run in reading.runs:
        for one in run.sublayers:
            weights += run.repeat * one.weights * reading.number_bytes / laid[one.layer_class].shards
    more = weights if task.trains else 0.0
    return PlanMemory(weights=weights, gradients=more, optimizer=more)

