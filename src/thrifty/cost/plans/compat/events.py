"""One iteration of the published model as tasks on two streams (brief of MAD-Max, 2.5, 2.6, 2.10), and its schedule.

In the order of issue. Forward: look-ups, their exchange, bottom perceptron, interaction or transformer, top perceptron. Backward: top, interaction or
transformer, exchange of the tables' gradients, bottom, tables. What the text leaves open is read so that its numbers come out:

- a gather may start after the computation two sublayers back, across perceptrons and interaction forward; backward each role begins afresh (quirk 2)
- "the shard factor is divided as levels are passed": only by the degrees of levels that cut weights. Under (tp, ddp) gradients are so summed whole
- post-optimised: the next gather waits for nothing, and is issued before the present sublayer's collectives; the uppermost feed-forward network is
  gathered whatever its strategy (quirk 5)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from thrifty.cost.plans.compat.rates import PublishedRates
from thrifty.cost.plans.compat.rules import Laid, task_trains
from thrifty.cost.plans.compat.sublayers import PERCEPTRONS, Reading, Run, Sublayer
from thrifty.cost.plans.models.layers import LayerClass
from thrifty.cost.plans.tasks import Task

Variant = Literal["pre", "post"]
COMPUTE: Final = "compute"
COMMUNICATION: Final = "communication"
COMPUTE_KINDS: Final = ("gemm", "embedding")
COMMUNICATION_KINDS: Final = ("all_to_all", "all_reduce", "all_gather", "reduce_scatter")


@dataclass(frozen=True, slots=True)
class CompatTask:
    """One event: what it occupies, how long, and which tasks must have ended. kind: of COMPUTE_KINDS or COMMUNICATION_KINDS."""

    id: str
    stream: str
    duration_s: float
    after: tuple[str, ...]
    kind: str


@dataclass(slots=True)
class Builder:
    """Issues tasks of one pass after another; `barrier` holds what the pass before ended with."""

    reading: Reading
    laid: Mapping[LayerClass, Laid]
    rates: PublishedRates
    batch: int
    task: Task
    variant: Variant
    tasks: list[CompatTask] = field(default_factory=list)
    last: dict[str, str] = field(default_factory=dict)
    barrier: tuple[str, ...] = ()
    waiting: set[str] = field(default_factory=set)

    def issue(self, name: str, kind: str, seconds: float, *after: str | None) -> str:
        stream = COMPUTE if kind in COMPUTE_KINDS else COMMUNICATION
        waits = [each for each in after if each]
        if stream in self.waiting:  # the first of its stream in this pass starts when all of the pass before has ended
            waits += self.barrier
            self.waiting.discard(stream)
        self.tasks.append(CompatTask(name, stream, seconds, tuple(dict.fromkeys(waits)), kind))
        self.last[stream] = name
        return name

    def next_pass(self) -> None:
        self.barrier = tuple(self.last.values())
        self.waiting = {COMPUTE, COMMUNICATION}

    def rate(self, rates: Sequence[float], levels: int, level: int) -> float:
        return rates[len(rates) - levels + level]

    # -- tables --

    def tables(self) -> tuple[Laid, float, float]:
        """(strategy, bytes looked up by one device, seconds that takes)."""
        laid = self.laid["embedding"]
        size = self.reading.lookup_bytes * (self.batch / laid.replicas) / laid.shards
        return laid, size, size / self.rates.memory

    def exchange(self, name: str, *after: str | None) -> list[str]:
        """All-to-all of every level that spreads tables."""
        laid, size, _ = self.tables()
        return [
            self.issue(f"{name}.{level}", "all_to_all", 2 * size / degree / self.rate(self.rates.all_to_all, len(laid.levels), level), *after)
            for level, (strategy, degree) in enumerate(laid.levels)
            if strategy == "mp"
        ]

    def table_gradients(self, *after: str | None) -> list[str]:
        laid, size, _ = self.tables()
        issued: list[str] = []
        if not laid.levels:
            return issued
        if laid.levels[0][0] == "mp":  # quirk 1: a second level that replicates is not charged
            return self.exchange("tables.exchange.backward", *after)
        for level, (strategy, degree) in enumerate(laid.levels):
            if strategy == "mp":
                seconds = 2 * size / degree / self.rate(self.rates.all_to_all, len(laid.levels), level)
                issued.append(self.issue(f"tables.exchange.backward.{level}", "all_to_all", seconds, *after))
            else:
                seconds = size / self.rate(self.rates.all_reduce, len(laid.levels), level)
                issued.append(self.issue(f"tables.gradients.{level}", "all_reduce", seconds, *after))
        return issued

    # -- sublayers --

    def compute_s(self, one: Sublayer) -> float:
        laid = self.laid[one.layer_class]
        return one.flops * (self.batch / laid.replicas) / laid.tensor / self.rates.flops_of(self.reading.number_bytes)

    def activation_bytes(self, one: Sublayer) -> float:
        return self.batch / self.laid[one.layer_class].replicas * one.width * self.reading.number_bytes

    def weight_bytes(self, one: Sublayer) -> float:
        return one.weights * self.reading.number_bytes

    def gather(self, name: str, one: Sublayer, *after: str | None, always: bool = False) -> str | None:
        """All-gather of a sublayer's weights under fsdp, its innermost level. always: quirk 5."""
        laid = self.laid[one.layer_class]
        inside = laid.degree("fsdp")
        if not laid.levels or (inside == 1 and not always):
            return None
        seconds = self.weight_bytes(one) / (laid.shards / inside) / self.rate(self.rates.all_gather, len(laid.levels), 0)
        return self.issue(f"{name}.gather", "all_gather", seconds, *after)

    def to_experts(self, name: str, one: Sublayer, *after: str | None) -> str | None:
        """All-to-all before experts that tensor parallelism cuts."""
        laid, issued = self.laid[one.layer_class], None
        for level, (strategy, _) in enumerate(laid.levels):
            if strategy == "tp" and one.experts:
                seconds = self.activation_bytes(one) / one.experts / self.rate(self.rates.all_to_all, len(laid.levels), level)
                issued = self.issue(f"{name}.to_experts", "all_to_all", seconds, *after)
        return issued

    def collectives(self, name: str, one: Sublayer, computed: str, *, sums: bool, gradients: bool) -> str | None:
        """What follows a sublayer's computation, level by level (quirk 3); the id of what the next sublayer must wait for."""
        laid, blocking = self.laid[one.layer_class], None
        shards, count, size = float(laid.shards), len(laid.levels), self.weight_bytes(one)
        for level, (strategy, degree) in enumerate(laid.levels):
            if strategy == "fsdp" and gradients:
                seconds = size / (shards / degree) / self.rate(self.rates.all_gather, count, level)
                self.issue(f"{name}.scatter", "reduce_scatter", seconds, computed)
            elif strategy == "ddp" and gradients:
                self.issue(f"{name}.gradients", "all_reduce", size / shards / self.rate(self.rates.all_reduce, count, level), computed)
            elif strategy == "tp":
                if sums:
                    seconds = self.activation_bytes(one) / self.rate(self.rates.all_reduce, count, level)
                    blocking = self.issue(f"{name}.sum", "all_reduce", seconds, computed)
                if one.experts:  # quirk 4: after the sum
                    seconds = self.activation_bytes(one) / one.experts / self.rate(self.rates.all_to_all, count, level)
                    blocking = self.issue(f"{name}.from_experts", "all_to_all", seconds, blocking or computed)
            if strategy in ("fsdp", "tp", "pp"):
                shards /= degree
        return blocking

    def sums(self, run: Run, layer: int, *, backward: bool) -> bool:
        """Whether tensor parallelism sums after this layer: perceptrons after odd ones forward and even ones backward, transformers always."""
        return run.role not in PERCEPTRONS or layer % 2 == (0 if backward else 1)


@dataclass(slots=True)
class Chain:
    """What the next sublayer looks back at: the two computations before it, and what blocks it."""

    before: list[str | None] = field(default_factory=lambda: [None, None])
    blocking: str | None = None
    exchanged: str | None = None
    exchange: tuple[str, ...] = ()


def build(reading: Reading, laid: Mapping[LayerClass, Laid], rates: PublishedRates, batch: int, task: Task, variant: Variant) -> list[CompatTask]:
    """The tasks of one iteration in the order of issue."""
    builder = Builder(reading=reading, laid=laid, rates=rates, batch=batch, task=task, variant=variant)
    _forward(builder)
    if task.kind != "inference":
        builder.next_pass()
        _backward(builder)
    return builder.tasks


def _forward(b: Builder) -> None:
    chain, exchanged = Chain(), []
    if b.reading.lookup_bytes:
        looked_up = b.issue("tables", "embedding", b.tables()[2])
        exchanged = b.exchange("tables.exchange", looked_up)
    for number, run in enumerate(b.reading.runs):
        for layer, index, one in _sublayers(run):
            name = f"{run.role}.{number}.{layer}.{index}"
            gathered = b.gather(name, one, chain.before[-2])
            # A recommender's bottom perceptron runs beside the exchange of its tables; whatever comes after it waits.
            blocked = exchanged if run.role != "bottom" else []
            to_experts = b.to_experts(name, one, chain.exchanged if run.role in PERCEPTRONS else chain.blocking)
            computed = b.issue(name, "gemm", b.compute_s(one), gathered, chain.blocking, to_experts, *blocked)
            exchanged = [] if blocked else exchanged
            chain.before = [chain.before[-1], computed]
            chain.blocking = b.collectives(name, one, computed, sums=b.sums(run, layer, backward=False), gradients=False)
            chain.exchanged = chain.blocking if one.experts else None


def _backward(b: Builder) -> None:
    numbered = list(enumerate(b.reading.runs))[::-1]
    frozen = {run.role for run in b.reading.runs if not any(task_trains(b.task, run.role, one.layer_class, 0) for one in run.sublayers)}
    chain = Chain()
    upper = [(number, run) for number, run in numbered if run.role != "bottom"]
    lower = [(number, run) for number, run in numbered if run.role == "bottom" and run.role not in frozen]
    # Recommenders have no post-optimised form.
    (_backward_post if b.variant == "post" and not b.reading.recommender else _backward_pre)(b, upper, chain)
    trains_tables = bool(b.reading.lookup_bytes) and task_trains(b.task, "embedding", "embedding", 0)
    summed = b.table_gradients(chain.blocking, chain.before[-1]) if trains_tables else []
    _backward_pre(b, lower, chain)
    if trains_tables:
        b.issue("tables.backward", "embedding", b.tables()[2], *summed)


def _backward_pre(b: Builder, runs: Sequence[tuple[int, Run]], chain: Chain) -> None:
    role = ""
    for number, run in runs:
        if run.role != role:  # quirk 2: the first two gathers of a role wait for no computation
            chain.before, role = [None, None], run.role
        for layer, index, one in reversed(list(_sublayers(run))):
            name = f"{run.role}.{number}.{layer}.{index}.backward"
            gathered = b.gather(name, one, chain.before[-2])
            to_experts = b.to_experts(name, one, chain.exchanged if run.role in PERCEPTRONS else chain.blocking)
            computed = b.issue(name, "gemm", 2 * b.compute_s(one), gathered, chain.blocking, to_experts)
            chain.before = [chain.before[-1], computed]
            trained = task_trains(b.task, run.role, one.layer_class, layer)
            chain.blocking = b.collectives(name, one, computed, sums=b.sums(run, layer, backward=True), gradients=trained)
            chain.exchanged = chain.blocking if one.experts else None


def _backward_post(b: Builder, runs: Sequence[tuple[int, Run]], chain: Chain) -> None:
    order = [
        (f"{run.role}.{number}.{layer}.{index}.backward", run, layer, one) for number, run in runs for layer, index, one in reversed(list(_sublayers(run)))
    ]  # fmt: skip
    gathered = b.gather(order[0][0], order[0][3], always=True) if order else None
    for place, (name, run, layer, one) in enumerate(order):
        to_experts = b.to_experts(name, one, chain.blocking)
        computed = b.issue(name, "gemm", 2 * b.compute_s(one), gathered, chain.blocking, to_experts)
        gathered = b.gather(order[place + 1][0], order[place + 1][3]) if place + 1 < len(order) else None
        chain.before = [chain.before[-1], computed]
        trained = task_trains(b.task, run.role, one.layer_class, layer)
        chain.blocking = b.collectives(name, one, computed, sums=True, gradients=trained)


def _sublayers(run: Run) -> Iterator[tuple[int, int, Sublayer]]:
    """(layer of its role, place in the layer, sublayer) in the order of running."""
    for repetition in range(run.repeat):
        for index, one in enumerate(run.sublayers):
            yield run.first + repetition, index, one


@dataclass(frozen=True, slots=True)
class Times:
    """Start and end of every task, and the last end."""

    start_s: Mapping[str, float]
    end_s: Mapping[str, float]
    makespan_s: float


def solve(tasks: Sequence[CompatTask]) -> Times:
    """The published scheduler (2.6): streams run first in, first out; a task starts when its stream is free and all that it waits for has ended."""
    tail = dict.fromkeys((COMPUTE, COMMUNICATION), 0.0)
    start: dict[str, float] = {}
    end: dict[str, float] = {}
    for task in tasks:
        start[task.id] = max([tail[task.stream], *(end[name] for name in task.after)])
        tail[task.stream] = end[task.id] = start[task.id] + task.duration_s
    return Times(start_s=start, end_s=end, makespan_s=max(tail.values()))


def critical(tasks: Sequence[CompatTask], times: Times) -> list[CompatTask]:
    """Tasks that the last end waits for, in the order of running: each starts when the one before it ends."""
    by_id = {task.id: task for task in tasks}
    previous: dict[str, str] = {}
    last: dict[str, str] = {}
    for task in tasks:
        if task.stream in last:
            previous[task.id] = last[task.stream]
        last[task.stream] = task.id
    now: str | None = max(times.end_s, key=lambda name: times.end_s[name])
    path: list[CompatTask] = []
    while now is not None:
        task = by_id[now]
        path.append(task)
        before = [*([previous[now]] if now in previous else []), *task.after]
        now = max(before, key=lambda name: times.end_s[name], default=None)
    return path[::-1]
