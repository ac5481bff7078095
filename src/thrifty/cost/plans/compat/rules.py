"""What the published model allows (brief of MAD-Max, 2.2): at most two levels a class, the inner one a node, and which strategy may stand where."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from thrifty.cost.plans.compat.rates import PublishedRates, published_system
from thrifty.cost.plans.compat.sublayers import PERCEPTRONS, Reading, read
from thrifty.cost.plans.models.layers import LayerClass, Layers
from thrifty.cost.plans.plan import Level, Levels, Plan
from thrifty.cost.plans.tasks import Task
from thrifty.errors import BadValue
from thrifty.hardware.device import System

DENSE: Final = ("ddp", "fsdp", "tp", "pp")
TABLES: Final = ("mp", "ddp")
REPLICATING: Final = ("ddp", "fsdp")
SHARDING: Final = ("tp", "pp", "fsdp", "mp")
_OPTIONS: Final = ("micro_batch", "schedule", "interleave", "recompute", "sequence", "offload", "fused")
_PHYSICAL: Final = "choose --mode physical"


@dataclass(frozen=True, slots=True)
class Laid:
    """Strategies of one class with their degrees, innermost first."""

    levels: tuple[tuple[str, int], ...]

    def degree(self, *strategies: str) -> int:
        return math.prod(degree for strategy, degree in self.levels if strategy in strategies)

    @property
    def replicas(self) -> int:
        """Ranks that see different samples."""
        return self.degree(*REPLICATING)

    @property
    def shards(self) -> int:
        """Parts that the weights are cut into."""
        return self.degree(*SHARDING)

    @property
    def tensor(self) -> int:
        return self.degree("tp")


def check_plan(plan: Plan) -> None:
    """Raises BadValue for words of a plan that were not published."""
    plain = Plan(levels={})
    for option in _OPTIONS:
        if getattr(plan, option) != getattr(plain, option):
            raise BadValue(f"the published model knows no '{option}', and the plan states it. Leave it out, or {_PHYSICAL}.")
    for key, levels in plan.levels.items():
        if "." in key:
            raise BadValue(f"the published model plans whole classes, and the plan names {key}. Name the class, or {_PHYSICAL}.")
        known = TABLES if key == "embedding" else DENSE
        for level in levels:
            if level.strategy not in known:
                raise BadValue(f"the published model knows no {level.strategy} for {key}. Choose {', '.join(known)}, or {_PHYSICAL}.")
        if len(levels) > 2:
            raise BadValue(f"the published model has two levels, and {key} names {len(levels)}. Name two at most, or {_PHYSICAL}.")
        if len(levels) == 2 and levels[1].strategy == "fsdp":
            raise BadValue(f"the published model has fsdp inside a node only, and {key} names it second. Put it first, or {_PHYSICAL}.")


def check_task(task: Task, reading: Reading) -> None:
    """Raises BadValue for what the published model cannot be asked."""
    if task.lora_rank or task.base_format:
        raise BadValue(f"the published model fine-tunes weights, and the task states lora_rank={task.lora_rank}. Leave it out, or {_PHYSICAL}.")
    if task.kind == "inference" and task.phase == "decode":
        raise BadValue(f"the published model's inference is one forward pass of whole samples, and the task says decode. Say prefill, or {_PHYSICAL}.")
    if task.trained_layers >= 0 and reading.recommender:
        raise BadValue(f"the published model trains single layers of transformers only, and {reading.name} is a recommender. Freeze bottom, top or embedding.")


def said_of(plan: Plan, layer_class: str, *, recommender: bool) -> Levels:
    """What a plan says of a class; tables that it does not name are spread whole (recommenders) or replicated (language models), as published."""
    if layer_class == "embedding" and "embedding" not in plan.levels:
        return (Level("mp" if recommender else "ddp"),)
    return plan.of(layer_class)


def lay(plan: Plan, layers: Layers, rates: PublishedRates, batch: int) -> Mapping[LayerClass, Laid]:
    """Every class that `layers` has, with all degrees. Raises BadValue for the first rule that is broken."""
    check_plan(plan)
    if batch < 1:
        raise BadValue(f"batch={batch} is below 1. Give the samples of one step over all devices.")
    reading = read(layers)
    for key in plan.levels:
        if key != "dense" and key not in layers.classes:
            raise BadValue(f"the plan names {key}, and {layers.name} has no such layers. It has: {', '.join(layers.classes)}.")
    laid = {name: Laid(_fill(said_of(plan, name, recommender=reading.recommender), name, rates)) for name in layers.classes}
    for role in PERCEPTRONS:
        count = reading.layers_in(role)
        for run in reading.run_of(role):
            if count % 2 and laid[run.sublayers[0].layer_class].tensor > 1:
                raise BadValue(f"the published model sums tp over pairs of layers, and {layers.name} has {count} {role} layers. Choose another strategy.")
    for name, one in laid.items():
        if batch % one.replicas:
            raise BadValue(
                f"batch={batch} does not spread evenly over {one.replicas} ranks of {name} that see different samples. Choose a multiple of {one.replicas}."
            )
    return laid


def _fill(said: Levels, name: str, rates: PublishedRates) -> tuple[tuple[str, int], ...]:
    devices, node = rates.devices, rates.node_devices
    text = f"{name}={','.join(map(str, said))}"
    if devices == 1:
        return ()
    if len(said) == 2 and rates.nodes == 1:
        if any(level.degree for level in said):
            raise BadValue(f"{text} has two levels, and {rates.name} is one node of {devices} devices. Name one.")
        said = said[:1]  # hsdp, all inside
    if len(said) == 1:
        degrees = [said[0].degree or devices]
    else:
        degrees = [said[0].degree or (devices // said[1].degree if said[1].degree else node)]
        degrees.append(said[1].degree or devices // max(degrees[0], 1))
        if degrees[0] != node:
            raise BadValue(f"{text}: the published model's inner level is a node of {node} devices, and the plan says {degrees[0]}. Say {node}.")
    if math.prod(degrees) != devices:
        raise BadValue(f"{text} spreads over {math.prod(degrees)} of {devices} devices. Let the degrees multiply to {devices}.")
    return tuple((level.strategy, degree) for level, degree in zip(said, degrees, strict=True))


def every_strategy(layers: Layers, system: System, *, apart: bool = False, pipeline: bool = False) -> tuple[Plan, ...]:
    """Every plan that the published rules allow for `layers` on `system`: seven strategies of the dense classes times four of the tables on many nodes,
    three times two on one.

    apart: each class takes its own strategy (else all but the tables take the same); pipeline: with `pp`, which only cuts memory
    """
    rates, reading = published_system(system), read(layers)
    words = DENSE if pipeline else DENSE[:3]
    dense, tables = tuple(_ways(words, rates)), tuple(_ways(TABLES, rates))
    odd: set[str] = {run.sublayers[0].layer_class for run in reading.runs if run.role in PERCEPTRONS and reading.layers_in(run.role) % 2}
    classes: list[str] = [name for name in layers.classes if name != "embedding"]
    chosen: Iterable[tuple[Levels, ...]] = itertools.product(dense, repeat=len(classes)) if apart else ((way,) * len(classes) for way in dense)
    plans = []
    for ways in chosen:
        said = dict(zip(classes, ways, strict=True))
        if any(level.strategy == "tp" for name in odd for level in said[name]):
            continue
        plans += [Plan(levels={"embedding": way, **said} if "embedding" in layers.classes else said) for way in tables]
    return tuple(plans)


def _ways(words: Iterable[str], rates: PublishedRates) -> Iterable[Levels]:
    """One level over all devices, and on many nodes two different ones, `fsdp` innermost."""
    words = tuple(words)
    if rates.devices == 1:
        yield (Level(words[0]),)  # type: ignore[arg-type]
        return
    for word in words:
        yield (Level(word, rates.devices),)  # type: ignore[arg-type]
    if rates.nodes > 1:
        for inner, outer in itertools.permutations(words, 2):
            if outer != "fsdp":
                yield (Level(inner, rates.node_devices), Level(outer, rates.nodes))  # type: ignore[arg-type]


def task_trains(task: Task, run_role: str, layer_class: str, index: int) -> bool:
    """Whether the weights of layer `index` of a role are trained. As published, a language model trains its first layers, not its last."""
    if task.kind == "pretrain":
        return True
    if run_role in task.frozen or layer_class in task.frozen:
        return False
    return not (run_role == "body" and 0 <= task.trained_layers <= index)
