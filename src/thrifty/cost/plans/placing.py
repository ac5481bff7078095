"""A plan laid on a system: every rule checked, every degree filled in, every level told which tiers of the network it crosses.

Ranks are numbered innermost first: a level over `degree` ranks at `stride` joins ranks stride apart. What lies under one unit of the first tier talks
over it; a level that reaches past the tier uses the next one too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from thrifty.cost.plans.models.layers import LayerClass, Layers
from thrifty.cost.plans.plan import SHARDED_TABLES, Level, Levels, Plan
from thrifty.cost.plans.tasks import Task
from thrifty.errors import BadValue
from thrifty.hardware.device import System

_REPLICATING = ("ddp", "zero1", "zero2", "fsdp")
"""Strategies whose ranks see different samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How a group of ranks lies in the network: ranks under one unit of each tier, innermost first (their product is the group)."""

    ranks: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedLevel:
    """A level with its degree, the distance between neighbours, and how its groups lie in the tiers."""

    strategy: str
    degree: int
    stride: int
    reach: Reach


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A plan on a system for one model, task and batch: nothing is left open.

    levels      : by class that the model has; overrides: by (class, index of the layer within its segment)
    stages      : of the pipeline; replicas: of the batch (ranks that see different samples); micro_batch and micro_batches: of one replica
    """

    plan: Plan
    layers: Layers
    system: System
    task: Task
    batch: int
    levels: Mapping[LayerClass, tuple[PlacedLevel, ...]]
    overrides: Mapping[tuple[LayerClass, int], tuple[PlacedLevel, ...]]
    stages: int
    replicas: int
    micro_batch: int
    micro_batches: int

    @property
    def devices(self) -> int:
        return self.system.devices

    def degree(self, layer_class: LayerClass, *strategies: str) -> int:
        """Product of the degrees of the named strategies in a class; 1 where it has none of them."""
        return math.prod(level.degree for level in self.levels.get(layer_class, ()) if level.strategy in strategies)


def place(plan: Plan, layers: Layers, system: System, *, batch: int, task: Task | None = None) -> Placed:
    """`plan` for `layers` on `system`, `batch` samples a step. Raises BadValue with rule, value and fix for what cannot be."""
    task = task or Task()
    if batch < 1:
        raise BadValue(f"batch={batch} is below 1. Give the samples of one step over all devices.")
    levels = {name: _fill(*_said(plan, name, layers, system), system) for name in layers.classes}
    overrides: dict[tuple[LayerClass, int], tuple[PlacedLevel, ...]] = {}
    for key, said in plan.levels.items():
        word, dot, index = key.partition(".")
        name = next((known for known in levels if known == word), None)
        if name is None:
            if word == "dense":  # the word for all that is not named
                continue
            raise BadValue(f"the plan names {word}, and {layers.name} has no such layers. It has: {', '.join(layers.classes)}.")
        if dot:
            most = max(segment.repeat for segment in layers.segments for block in segment.blocks if block.layer_class == name)
            if int(index) >= most:
                raise BadValue(f"{key} is beyond the last of {most} {name} layers of {layers.name}. Number them from 0.")
            overrides[name, int(index)] = _fill(said, key, system)
            for what, same in (("stages", ("pp",)), ("ranks that see different samples", _apart(name))):
                theirs, own = (math.prod(level.degree for level in some if level.strategy in same) for some in (levels[name], overrides[name, int(index)]))
                if theirs != own and not _holds_tables(levels[name]):
                    raise BadValue(f"{key} has {own} {what}, and the other {name} layers have {theirs}. Give it the same tp, cp and pp.")
    stages = _pipeline_of(levels, layers, plan)
    for name, placed in (*levels.items(), *((name, placed) for (name, _), placed in overrides.items())):
        _check_divides(name, placed, layers, plan)
    replicas = _replicas(levels, layers, batch)
    share = batch // replicas
    micro = plan.micro_batch or (1 if stages > 1 else share)
    if share % micro:
        raise BadValue(f"micro={micro} does not divide the {share} samples of a replica ({batch} over {replicas}). Choose a divisor of {share}.")
    micro_batches = share // micro
    if stages > 1 and plan.interleave > 1 and micro_batches % stages:
        raise BadValue(f"interleaving needs micro-batches ({micro_batches}) that {stages} stages divide. Choose another micro or batch.")
    return Placed(
        plan=plan, layers=layers, system=system, task=task, batch=batch, levels=levels, overrides=overrides, stages=stages, replicas=replicas,
        micro_batch=micro, micro_batches=micro_batches,
    )  # fmt: skip


def _said(plan: Plan, name: str, layers: Layers, system: System) -> tuple[Levels, str]:
    """What the plan says of a class, and under which word; tables of a recommender that it does not name lie whole on devices, wherever there is room."""
    if name == "embedding" and "embedding" not in plan.levels and layers.is_recommender:
        return (Level("mp"),) if system.devices > 1 else (), name
    return plan.of(name), plan.key_of(name)


def _fill(said: Levels, what: str, system: System) -> tuple[PlacedLevel, ...]:
    """Degrees filled in and checked, every level placed."""
    devices, node = system.devices, system.tiers[0].count
    text = f"{what}={','.join(map(str, said))}"
    known = math.prod(level.degree for level in said if level.degree)
    open_ones = [level for level in said if not level.degree]
    if devices % known:
        many = f"{devices} devices. Let the degrees multiply to {devices}" if devices > 1 else "1 device. Leave the degrees out, or use more devices"
        raise BadValue(f"{text} spreads over {known} ranks, which do not divide {many}.")
    if devices == 1:
        return ()
    left = devices // known
    if len(open_ones) == 2:  # hsdp: fsdp inside a node, ddp across
        if devices <= node:
            said, left = tuple(level for level in said if level.strategy != "ddp"), devices
        else:
            said = tuple(Level(level.strategy, node) if level.strategy == "fsdp" else level for level in said)
            left = devices // node
    elif not open_ones and left > 1:
        raise BadValue(f"{text} spreads over {known} of {devices} devices. Let the degrees multiply to {devices}, or leave one out: it takes what is left.")
    placed, stride = [], 1
    for level in said:
        degree = level.degree or left
        if degree > 1:
            placed.append(PlacedLevel(strategy=level.strategy, degree=degree, stride=stride, reach=reach_of(degree, stride, system)))
        stride *= degree
    return tuple(placed)


def reach_of(degree: int, stride: int, system: System) -> Reach:
    """How `degree` ranks that stand `stride` apart lie in the tiers of `system`.

    Raises BadValue where a group would fill a unit of a tier unevenly: a level of 6 over nodes of 8.
    """
    ranks, unit, joined = [], 1, 1
    for tier in system.tiers:
        unit *= tier.count
        under = degree if tier is system.tiers[-1] else min(degree, max(1, unit // stride))
        if under % joined or degree % under or (under > joined and unit % stride):
            raise BadValue(f"{degree} ranks {stride} apart do not fill {tier.name} units of {tier.count} evenly. Choose degrees that divide them.")
        ranks.append(under // joined)
        joined = under
    return Reach(ranks=tuple(ranks))


def _pipeline_of(levels: Mapping[LayerClass, tuple[PlacedLevel, ...]], layers: Layers, plan: Plan) -> int:
    """Stages; the same for every class but tables."""
    degrees = {name: math.prod(level.degree for level in placed if level.strategy == "pp") for name, placed in levels.items() if name != "embedding"}
    if len(set(degrees.values())) > 1:
        said = ", ".join(f"{name}: {degree}" for name, degree in degrees.items())
        raise BadValue(f"classes disagree on pipeline stages ({said}). A stage holds layers of every class: give all the same pp.")
    stages = next(iter(degrees.values()), 1)
    if stages > 1:
        chunks = stages * plan.interleave
        if layers.body_layers % chunks:
            cut = f" with interleave={plan.interleave}" if plan.interleave > 1 else ""
            raise BadValue(f"pp={stages}{cut} does not divide {layers.body_layers} layers. Choose a divisor.")
    elif plan.interleave > 1:
        raise BadValue(f"interleave={plan.interleave} needs a pipeline. Add a pp level, or leave interleave out.")
    elif plan.schedule != "1f1b":
        raise BadValue(f"schedule={plan.schedule} needs a pipeline. Add a pp level, or leave schedule out.")
    if plan.interleave > 1 and plan.schedule in ("gpipe", "zero-bubble"):
        raise BadValue(f"schedule={plan.schedule} has one chunk a stage, and the plan says interleave={plan.interleave}. Say schedule=interleaved.")
    if plan.schedule == "interleaved" and plan.interleave == 1:
        raise BadValue("schedule=interleaved with one chunk a stage is 1f1b. Give interleave=2 or more.")
    return stages


def _check_divides(name: LayerClass, placed: tuple[PlacedLevel, ...], layers: Layers, plan: Plan) -> None:
    """What a level cuts must be there to cut."""
    degree = {level.strategy: level.degree for level in placed}
    tables = [s for s in degree if s in SHARDED_TABLES]
    if tables and name != "embedding":
        raise BadValue(f"{tables[0]} places embedding tables, and {name} has none. Choose ddp, fsdp, tp, pp, ep or cp for it.")
    if "ep" in degree and name != "experts":
        raise BadValue(f"ep spreads experts, and {name} has none. Choose another strategy for it.")
    for segment in layers.segments:
        for block in segment.blocks:
            if block.layer_class != name:
                continue
            if block.core is not None and "tp" in degree and block.core.heads % degree["tp"]:
                raise BadValue(f"tp={degree['tp']} does not divide {block.core.heads} heads of {name}. Choose a divisor.")
            if "ep" in degree and block.experts % degree["ep"]:
                raise BadValue(f"ep={degree['ep']} does not divide {block.experts} experts. Choose a divisor.")
            if "cp" in degree and layers.tokens % degree["cp"]:
                raise BadValue(f"cp={degree['cp']} does not divide sequences of {layers.tokens} tokens. Choose a divisor.")


def _replicas(levels: Mapping[LayerClass, tuple[PlacedLevel, ...]], layers: Layers, batch: int) -> int:
    """Ranks that see different samples: the same for every class but tables, whose ranks exchange samples, and experts, whose ranks exchange tokens."""
    counts = {
        name: math.prod(level.degree for level in placed if level.strategy in _apart(name))
        for name, placed in levels.items()
        if not _holds_tables(placed)
    }  # fmt: skip
    for name, count in counts.items():
        if batch % count:
            raise BadValue(f"batch={batch} does not spread evenly over {count} ranks of {name} that see different samples. Choose a multiple of {count}.")
    if len(set(counts.values())) > 1:
        said = ", ".join(f"{name}: {count}" for name, count in counts.items())
        raise BadValue(f"classes disagree on the ranks that see different samples ({said}). Give all the same tp, cp and pp, or say --mode compat.")
    return max(counts.values(), default=1)


def _apart(name: LayerClass) -> tuple[str, ...]:
    """Strategies whose ranks see different samples (experts: different tokens)."""
    return ("ep", *_REPLICATING) if name == "experts" else _REPLICATING


def _holds_tables(placed: tuple[PlacedLevel, ...]) -> bool:
    return any(level.strategy in SHARDED_TABLES for level in placed)
