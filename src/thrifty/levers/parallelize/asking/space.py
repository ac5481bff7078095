"""Every plan worth asking about: for recommenders every strategy of every class over the tiers, for transformers the usual grid.

    tensor x context x pipeline x data ranks, how data ranks share states, micro-batch, interleaving, recomputation, sequence parallelism, offload

The order of levels is that in which they need bandwidth: tensor innermost, then context, then data, pipeline outermost.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from thrifty.cost.plans.models.layers import Layers
from thrifty.cost.plans.plan import SHARDED_TABLES, Level, Levels, Offload, Plan, Recompute, Strategy
from thrifty.cost.plans.tasks import Task
from thrifty.hardware.device import System

DATA: Final[tuple[Strategy, ...]] = ("ddp", "zero1", "zero2", "fsdp")
"""How ranks that see different samples share weights, gradients and optimizer states."""
PUBLISHED: Final[tuple[Strategy, ...]] = ("ddp", "fsdp", "tp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """What is varied; what is not named here stays as it is.

    most_tensor    : largest degree of tensor parallelism; 0: any that divides the heads
    micro_batches  : samples a rank works on at once; empty: every divisor of its share
    context        : degrees of context parallelism
    published      : only what the published model knows: ddp, fsdp, tp over whole tiers, tables mp or ddp
    """

    data: Sequence[Strategy] = DATA
    recompute: Sequence[Recompute] = ("none", "selective", "full")
    sequence: Sequence[bool] = (False, True)
    interleave: bool = True
    offload: Sequence[frozenset[Offload]] = (frozenset(),)
    context: Sequence[int] = (1,)
    micro_batches: Sequence[int] = ()
    most_tensor: int = 0
    published: bool = False

    def plans(self, layers: Layers, system: System, batch: int, task: Task) -> Iterator[Plan]:
        """Every plan of the space for these layers on this system. What breaks another rule is left to whoever evaluates them."""
        if layers.is_recommender or self.published:
            yield from self._by_class(layers, system)
        else:
            yield from self._grid(layers, system, batch, task)

    def _by_class(self, layers: Layers, system: System) -> Iterator[Plan]:
        """Every class its own strategy; tables theirs."""
        strategies = PUBLISHED if self.published else (*PUBLISHED, "zero1")
        choices: list[list[tuple[str, Levels]]] = []
        for name in layers.classes:
            if name == "embedding":
                tables = ("mp", "ddp") if self.published or not layers.is_recommender else (*SHARDED_TABLES[1:], "ddp")
                found = list(_tiered(tables if layers.is_recommender else strategies, system, published=self.published, tables=True))
            else:
                words = strategies if name != "experts" or self.published else (*strategies, "ep")
                found = list(_tiered(words, system, published=self.published))
            choices.append([(name, levels) for levels in found])
        for combination in itertools.product(*choices):
            yield Plan(levels=dict(combination))

    def _grid(self, layers: Layers, system: System, batch: int, task: Task) -> Iterator[Plan]:
        devices = system.devices
        heads = min((block.core.heads for s in layers.segments for block in s.blocks if block.core is not None), default=1)
        experts = max((block.experts for s in layers.segments for block in s.blocks), default=0)
        trains = task.trains
        for tensor in _divisors(heads):
            if devices % tensor or (self.most_tensor and tensor > self.most_tensor):
                continue
            for stages in _divisors(layers.body_layers):
                for context in self.context:
                    if devices % (tensor * stages * context):
                        continue
                    data = devices // (tensor * stages * context)
                    if batch % data:
                        continue
                    for spread in self._data_levels(data, system, trains):
                        outer = tuple(Level(s, d) for s, d in (("tp", tensor), ("cp", context)) if d > 1)  # type: ignore[arg-type]
                        levels = (*outer, *spread, *((Level("pp", stages),) if stages > 1 else ()))
                        for expert in self._expert_levels(levels, experts, data):
                            yield from self._options(levels, expert, batch // data, layers.body_layers // stages, stages, tensor, trains)

    def _data_levels(self, data: int, system: System, trains: bool) -> Iterator[Levels]:
        if data == 1:
            yield ()
            return
        for strategy in self.data if trains else ("ddp",):
            yield (Level(strategy, data),)
        node = system.tiers[0].count
        if trains and "fsdp" in self.data and data > node and data % node == 0:
            yield (Level("fsdp", node), Level("ddp", data // node))

    def _expert_levels(self, levels: Levels, experts: int, data: int) -> Iterator[Levels | None]:
        """Levels of the experts: as the others, or with experts spread over some of the ranks that share data."""
        yield None
        if not experts:
            return
        inner = tuple(level for level in levels if level.strategy in ("tp", "cp"))
        outer = tuple(level for level in levels if level.strategy == "pp")
        strategy: Strategy = next((level.strategy for level in levels if level.strategy in DATA), "ddp")
        for degree in _divisors(experts):
            if degree > 1 and data % degree == 0:
                rest = (Level(strategy, data // degree),) if data > degree else ()
                yield (*inner, Level("ep", degree), *rest, *outer)

    def _options(
        self, levels: Levels, expert: Levels | None, share: int, layers_a_stage: int, stages: int, tensor: int, trains: bool
    ) -> Iterator[Plan]:  # fmt: skip
        by_class: dict[str, Levels] = {"dense": levels} if levels else {"dense": ()}
        if expert is not None:
            by_class["experts"] = expert
        micros = [m for m in (self.micro_batches or _divisors(share)) if share % m == 0]
        for micro, recompute, sequence in itertools.product(micros, self.recompute if trains else ("none",), self.sequence if tensor > 1 else (False,)):
            chunks = _divisors(layers_a_stage) if self.interleave and stages > 1 and (share // micro) % stages == 0 else (1,)
            for interleave, offload in itertools.product(chunks, self.offload):
                yield Plan(
                    levels=by_class, micro_batch=micro, schedule="interleaved" if interleave > 1 else "1f1b", interleave=interleave,
                    recompute=recompute, sequence=sequence, offload=offload,
                )  # fmt: skip


def _tiered(words: Sequence[str], system: System, *, published: bool, tables: bool = False) -> Iterator[Levels]:
    """One strategy over all devices, or one inside and another across: of a node, and of its halves where tensors are cut."""
    devices, node = system.devices, system.tiers[0].count
    if devices == 1:
        yield ()
        return
    for word in words:
        yield (Level(word, devices),)  # type: ignore[arg-type]
    inner = {node} if published or tables else {degree for degree in _divisors(node) if degree > 1}
    for degree in sorted(inner):
        if degree in (1, devices) or devices % degree:
            continue
        for first, second in itertools.permutations(words, 2):
            if second == "fsdp" or (degree != node and first != "tp") or {first, second} <= {*SHARDED_TABLES}:
                continue
            yield (Level(first, degree), Level(second, devices // degree))  # type: ignore[arg-type]


def _divisors(number: int) -> tuple[int, ...]:
    return tuple(d for d in range(1, number + 1) if number % d == 0)
