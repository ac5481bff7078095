"""One door for both modes."""

from __future__ import annotations

from typing import Final

from thrifty import timeline
from thrifty.cost.plans.configurations import Configurations, Evaluations
from thrifty.cost.plans.evaluation import MODES, Evaluation, Mode
from thrifty.cost.plans.models.layers import Layers
from thrifty.cost.plans.placing import place
from thrifty.cost.plans.plan import Plan
from thrifty.cost.plans.tasks import Task, check_task
from thrifty.cost.plans.variability import spread_of_tasks
from thrifty.errors import BadValue, unknown_name
from thrifty.hardware.device import System
from thrifty.quantities import show

BEYOND: Final = 1e100
"""Seconds or bytes that no sum or product of them overflows below."""
MOST_DRAWS: Final = 100_000_000
"""Durations that `spread_of` holds at once, of 8 bytes each."""


def evaluate(
    layers: Layers, system: System, plan: Plan | str, *, batch: int, task: Task | None = None, mode: Mode = "physical"
) -> Evaluation:  # fmt: skip
    """One iteration of `plan` for `layers` on all devices of `system`, `batch` samples (sequences) over all of them.

    mode : physical, calibrated on measured runs; or compat, the published model with its quirks

    Raises BadValue for a plan that breaks a rule of the model, the system or the mode. What does not fit is evaluated all the same, and says so.
    """
    words = Plan.parse(plan) if isinstance(plan, str) else plan
    if mode not in MODES:
        raise unknown_name("mode", mode, MODES, "thrifty parallelize evaluate --help")
    check_task(task or Task(), layers)
    if mode == "compat":
        from thrifty.cost.plans.compat import evaluate_compat

        found = evaluate_compat(layers, system, words, batch=batch, task=task)
    else:
        from thrifty.cost.plans.physical import evaluate_physical

        found = evaluate_physical(layers, system, words, batch=batch, task=task)
    if not (found.iteration_s < BEYOND and found.memory_bytes < BEYOND):
        raise BadValue(f"an iteration of {found.iteration_s} s with {found.memory_bytes} bytes a device is beyond numbers. Look at the sheet of {system.name}.")
    return found


def evaluate_many(configurations: Configurations, mode: Mode = "physical") -> Evaluations:
    """Every configuration at once, compiled. Plans that break a rule are marked, not raised."""
    if mode not in MODES:
        raise unknown_name("mode", mode, MODES, "thrifty parallelize evaluate --help")
    for layers in configurations.workloads:
        check_task(configurations.task, layers)
    if mode == "compat":
        from thrifty.cost.plans.compat import evaluate_compat_many

        return evaluate_compat_many(configurations)
    from thrifty.cost.plans.physical import evaluate_physical_many

    return evaluate_physical_many(configurations)


def tasks_of(layers: Layers, system: System, plan: Plan, *, batch: int, task: Task | None = None, mode: Mode = "physical") -> list[timeline.Task]:
    """The tasks of one iteration on one device, in the order of issue. Raises like `evaluate`."""
    if mode == "compat":
        from thrifty.cost.plans.compat import compat_tasks

        issued = compat_tasks(layers, system, plan, batch=batch, task=task)
        return [timeline.Task(id=each.id, stream=each.stream, duration_s=each.duration_s, after=each.after, kind=each.kind) for each in issued]
    from thrifty.cost.plans.physical.graphs import iteration_tasks

    return iteration_tasks(layers, system, plan, batch=batch, task=task)


def schedule_of(layers: Layers, system: System, plan: Plan, *, batch: int, task: Task | None = None, mode: Mode = "physical") -> list[timeline.Event]:
    """When each task of one iteration runs, for charts and traces. Raises like `evaluate`."""
    tasks = tasks_of(layers, system, plan, batch=batch, task=task, mode=mode)
    return timeline.schedule(tasks).events(process=f"one of {system.devices} x {system.device.name}")


def spread_of(
    layers: Layers, system: System, plan: Plan, *, batch: int, samples: int, task: Task | None = None, mode: Mode = "physical", seed: int = 0
) -> timeline.Spread:  # fmt: skip
    """How the iteration time varies over `samples` drawn iterations. Raises like `evaluate`."""
    tasks = tasks_of(layers, system, plan, batch=batch, task=task, mode=mode)
    if samples * len(tasks) > MOST_DRAWS:
        raise BadValue(f"{samples:,} draws of {len(tasks):,} tasks are more than memory holds. Draw {MOST_DRAWS // len(tasks):,} iterations at most.")
    computing = frozenset(each.stream for each in tasks if each.stream.startswith(("compute", "stage")))
    return spread_of_tasks(tasks, computing=computing, ranks=system.devices, samples=samples, seed=seed)


def smallest_change(layers: Layers, system: System, plan: Plan, *, batch: int, task: Task | None = None, mode: Mode = "physical") -> str:
    """What to change least for a plan that does not fit, as a sentence; "" where it fits."""
    if mode == "compat":
        return "Shard more of the weights (fsdp or tp): the published model counts three times the weights and nothing else."
    from thrifty.cost.plans.physical.memory_remedies import smallest_change_that_fits

    found = smallest_change_that_fits(place(plan, layers, system, batch=batch, task=task))
    if found.fits:
        return ""
    if found.plan is None:
        return f"No change of the plan fits: the leanest one tried needs {show(found.least_bytes, 'B')}. Use more devices, or larger ones."
    return f"Smallest change that fits: {', '.join(found.changes)} ({show(found.least_bytes, 'B')})."
