"""One iteration as tasks on streams, for a trace and as the oracle of the compiled loop: the same durations, scheduled by `thrifty.timeline`.

Without a pipeline the makespan is the loop's iteration (to 1e-9). With one, forward and backward passes of every stage and micro-batch are tasks, in the
order of 1F1B, GPipe, interleaved or zero-bubble; the formula of `pipelines` leaves out that sends delay each other, and that a stage's peers wait
for it more than once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from thrifty.cost.plans.configurations import Configurations, Floats
from thrifty.cost.plans.models.layers import Layers
from thrifty.cost.plans.physical import columns as c
from thrifty.cost.plans.physical import layerwise, pipelines, work
from thrifty.cost.plans.physical.constants import Sustained
from thrifty.cost.plans.physical.encoding import encode
from thrifty.cost.plans.plan import Plan
from thrifty.cost.plans.tasks import Task as Job
from thrifty.errors import BadValue
from thrifty.hardware.device import System
from thrifty.timeline import Task

ROLE_NAMES = {c.EMBEDDING: "embedding", c.BOTTOM: "bottom", c.UPPER: "top", c.BODY: "layer", c.HEAD: "head"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """What one layer of every run takes: sums (U, 7) by `layerwise.R_*`, repeat (U,), and seconds on every stream (U, streams).

    outlasts_s, optimizer_s, regather_s: what follows the last backward pass of every stage
    """

    laid: Floats
    runs: Floats
    sums: Floats
    repeat: Floats
    gather: Floats
    leave: Floats
    scatter: Floats
    reduce: Floats
    roles: tuple[int, ...]
    exchange: float
    exchanges_back: bool
    exchange_on: int
    send_s: float
    outlasts_s: tuple[float, ...]
    optimizer_s: tuple[float, ...]
    regather_s: tuple[float, ...]
    micro_batches: int
    streams: tuple[str, ...]


def price_runs(layers: Layers, system: System, plan: Plan, *, batch: int, task: Job | None = None, sustained: Sustained | None = None) -> Priced:
    """Durations of one configuration, by the plain functions that the loop is compiled from. Raises BadValue for a plan that breaks a rule."""
    encoded = encode(Configurations.of([(layers, system, plan, batch)], task))
    if encoded.reasons[0]:
        raise BadValue(encoded.reasons[0])
    laids, runs, run_items, items, blocks, products, levels, reaches = encoded.tables
    links, row, training = (array[0] for array in encoded.rates(sustained))
    laid, at = laids[0], c.LAID
    share = batch / laid[at["replicas"]]
    stages = int(laid[at["stages"]])
    micro = laid[at["micro"]] or (1.0 if stages > 1 else share)
    if share % 1 or share % micro:
        raise BadValue(f"batch={batch} does not spread evenly over {laid[at['replicas']]:.0f} replicas in micro-batches of {micro:.0f}. Choose a multiple.")
    records, room, one = np.zeros((len(items), len(c.RECORD), 1)), np.zeros((work.ROOM, 1)), np.array([micro])
    for item, record in zip(items, records, strict=True):
        block, level = blocks[int(item[0])], levels[int(item[1])]
        work.item_seconds(
            block, level, products, reaches, links, row, training, one, 1, item[2], item[3], laid[at["sequence"]], laid[at["fused"]], laid[at["lora"]], record,
            room,
        )  # fmt: skip
        known = np.zeros(len(c.RECORD))
        work.sharded_seconds(block, level, reaches, links, training, item[2], laid[at["trains"]], laid[at["lora"]], laid[at["state_bytes"]], known)
        record[known != 0, 0] = known[known != 0]
    kept, count = len(links) + 1, len(runs)
    sums, repeat = np.zeros((count, layerwise.SUMS, 1)), np.zeros(count)
    gather, scatter, leave, reduce = np.zeros((count, kept)), np.zeros((count, kept)), np.zeros((count, kept, 1)), np.zeros((count, kept, 1))
    layerwise.fill_runs(laid, runs, run_items, records, training, 1, sums, repeat, gather, leave, scatter, reduce, room)
    exchanging = records[records[:, work.EXCHANGE, 0] > 0, :, 0]
    send = pipelines.send_seconds(laid, runs, run_items, items, blocks, levels, micro, reaches, links) if stages > 1 else 0.0
    after = [pipelines.after_last(laid, runs, sums, reduce, stage) for stage in range(stages)]
    byte_s = training[c.TRAINING["host_byte_s" if laid[at["offload_optimizer"]] and stages == 1 else "stream_byte_s"]]
    return Priced(
        laid=laid, runs=runs, sums=sums[:, :, 0], repeat=repeat, gather=gather, leave=leave[:, :, 0], scatter=scatter, reduce=reduce[:, :, 0],
        roles=tuple(int(run[3]) for run in runs),
        exchange=float(exchanging[0, work.EXCHANGE]) if len(exchanging) else 0.0,
        exchanges_back=bool(any(item[2] > 0 for item, record in zip(items, records, strict=True) if record[work.EXCHANGE, 0] > 0)),
        exchange_on=int(exchanging[0, work.EXCHANGE_ON]) if len(exchanging) else 0, send_s=float(send),
        outlasts_s=tuple(float(a[1]) for a in after), optimizer_s=tuple(float(a[2] * byte_s) for a in after), regather_s=tuple(float(a[3]) for a in after),
        micro_batches=int(share // micro), streams=(*(tier.name for tier in system.tiers), "copy"),
    )  # fmt: skip


def iteration_tasks(layers: Layers, system: System, plan: Plan, *, batch: int, task: Job | None = None, sustained: Sustained | None = None) -> list[Task]:
    """Tasks of one iteration, in the order of issue, for `thrifty.timeline.schedule`."""
    priced = price_runs(layers, system, plan, batch=batch, task=task, sustained=sustained)
    return list(_pipeline(priced) if priced.laid[c.LAID["stages"]] > 1 else _passes(priced))


def _layers(p: Priced) -> list[int]:
    return [run for run in range(len(p.roles)) for _ in range(int(p.repeat[run]))]


def _passes(p: Priced) -> Iterator[Task]:
    order = _layers(p)
    trains = p.laid[c.LAID["trains"]] > 0
    first_upper = next((at for at, run in enumerate(order) if p.roles[run] == c.UPPER), 1) if p.exchange else -1
    last_end: tuple[str, ...] = ()
    everything: list[str] = []

    def made(name: str, stream: str, seconds: Any, after: list[str] | tuple[str, ...], kind: str) -> Task:
        everything.append(name)
        return Task(id=name, stream=stream, duration_s=float(seconds), after=tuple(after), kind=kind)

    for m in range(p.micro_batches):
        ends: list[tuple[str, ...]] = [last_end, last_end]  # of layers i-2 and i-1
        for i, run in enumerate(order):
            gathers = []
            for s in np.flatnonzero(p.gather[run]):
                yield made(f"g{m}.{i}.{s}", p.streams[s], p.gather[run, s], ends[0] if i else last_end, "all_gather")
                gathers.append(f"g{m}.{i}.{s}")
            waits = [f"x{m}"] if i == first_upper else []
            yield made(f"f{m}.{i}", "compute", p.sums[run, layerwise.R_FORWARD], [*gathers, *waits], f"{ROLE_NAMES[p.roles[run]]} forward")
            ends = [ends[1], (f"f{m}.{i}",)]
            for s in np.flatnonzero(p.leave[run]):
                yield made(f"l{m}.{i}.{s}", p.streams[s], p.leave[run, s], ends[1], "offload")
            if p.exchange and i == 0:
                yield made(f"x{m}", p.streams[p.exchange_on], p.exchange, ends[1], "all_to_all")
        last_end = ends[1]
        if not trains:
            continue
        last = m + 1 == p.micro_batches
        compute = p.sums[:, layerwise.R_LAST_BACKWARD if last else layerwise.R_BACKWARD]
        down = order[::-1]
        ready: dict[int, list[str]] = {}

        def gathered(j: int, after: tuple[str, ...], m: int = m, down: list[int] = down, ready: dict[int, list[str]] = ready) -> Iterator[Task]:
            ready[j] = []
            for s in np.flatnonzero(p.gather[down[j]]):
                yield made(f"h{m}.{j}.{s}", p.streams[s], p.gather[down[j], s], after, "all_gather")
                ready[j].append(f"h{m}.{j}.{s}")

        yield from gathered(0, last_end)
        exchange_at = len(order) - first_upper if p.exchange else -1
        for j, run in enumerate(down):
            if j == exchange_at and p.exchanges_back:
                yield made(f"y{m}", p.streams[p.exchange_on], p.exchange, last_end, "all_to_all")
            if j + 1 < len(down):
                yield from gathered(j + 1, last_end)
            waits = [*ready[j], *([f"y{m}"] if p.exchange and p.exchanges_back and j + 1 == len(down) else [])]
            yield made(f"b{m}.{j}", "compute", compute[run], waits, f"{ROLE_NAMES[p.roles[run]]} backward")
            last_end = (f"b{m}.{j}",)
            scatters = []
            for s in np.flatnonzero(p.scatter[run]):
                yield made(f"s{m}.{j}.{s}", p.streams[s], p.scatter[run, s], last_end, "reduce_scatter")
                scatters.append(f"s{m}.{j}.{s}")
            for s in np.flatnonzero(p.reduce[run]) if last else ():
                yield made(f"r{m}.{j}.{s}", p.streams[s], p.reduce[run, s], [*last_end, *scatters], "all_reduce")
    if trains:
        yield made("optimizer", "compute", p.optimizer_s[0], tuple(everything), "optimizer")
        yield made("regather", p.streams[0], p.regather_s[0], ["optimizer"], "all_gather")


def _pipeline(p: Priced) -> Iterator[Task]:
    """Every stage with every micro-batch of every chunk, in the order of the schedule. Zero-bubble runs products for weights apart, behind those for inputs."""
    stages, trains = int(p.laid[c.LAID["stages"]]), p.laid[c.LAID["trains"]] > 0
    chunks, apart = max(1, int(p.laid[c.LAID["interleave"]])), trains and p.laid[c.LAID["schedule"]] == c.ZERO_BUBBLE
    gpipe = p.laid[c.LAID["schedule"]] == c.GPIPE
    forward = [_stage_seconds(p, d, layerwise.R_FORWARD, p.gather) / chunks for d in range(stages)]
    backward = [_stage_seconds(p, d, layerwise.R_BACKWARD, p.gather + p.scatter) / chunks if trains else 0.0 for d in range(stages)]
    weights = [
        sum(pipelines.stage_layers(p.laid, p.runs, u, d) * p.sums[u, layerwise.R_WGRAD] for u in range(len(p.roles))) if apart else 0.0 for d in range(stages)
    ]
    orders = [_order(stages, d, p.micro_batches, chunks, trains=trains, gpipe=gpipe, apart=apart) for d in range(stages)]
    for d, order in enumerate(orders):
        for kind, m, chunk in order:
            name = f"{d}.{m}" + (f".{chunk}" if chunks > 1 else "")
            if kind == "f":
                first = d == 0 and chunk == 0
                yield Task(id=f"f{name}", stream=f"stage {d}", duration_s=forward[d], after=() if first else (f"u{name}",), kind="forward")
            elif kind == "b":
                last = d + 1 == stages and chunk + 1 == chunks
                yield Task(id=f"b{name}", stream=f"stage {d}", duration_s=backward[d] - weights[d], after=() if last else (f"d{name}",), kind="backward")
            else:
                yield Task(id=f"g{name}", stream=f"stage {d}", duration_s=weights[d], after=(f"b{name}",), kind="weight gradients")
        if trains:
            for name, seconds in (("r", p.outlasts_s[d]), ("o", p.optimizer_s[d]), ("w", p.regather_s[d])):
                kind = {"r": "all_reduce", "o": "optimizer", "w": "all_gather"}[name]
                yield Task(id=f"{name}{d}", stream=f"stage {d}", duration_s=seconds, kind=kind)
    for d, order in enumerate(orders):
        for kind, m, chunk in order:
            up = kind == "f"
            if kind == "g" or (up and d == 0 and chunk == 0) or (not up and d + 1 == stages and chunk + 1 == chunks):
                continue
            there, part = ((d - 1) % stages, chunk - (d == 0)) if up else ((d + 1) % stages, chunk + (d + 1 == stages))
            tail, source = (f".{chunk}", f".{part}") if chunks > 1 else ("", "")
            stream = f"send to {d}" if up else f"send back to {d}"
            yield Task(id=f"{'u' if up else 'd'}{d}.{m}{tail}", stream=stream, duration_s=p.send_s, after=(f"{kind}{there}.{m}{source}",), kind="send")


def _order(stages: int, stage: int, micro_batches: int, chunks: int, *, trains: bool, gpipe: bool, apart: bool) -> list[tuple[str, int, int]]:
    """What a stage runs in turn: (f forward, b backward, g weight gradients; micro-batch; chunk).

    1F1B, or GPipe (all forward first); interleaved as Megatron-LM has it (Narayanan et al. 2021, Figure 4): groups of `stages` micro-batches go through
    chunk after chunk. apart (zero-bubble, ZB-H1): weight gradients wait until as many input gradients as there are stages before this one are out.
    """

    def at(k: int, chunk: int) -> tuple[int, int]:
        return k // (stages * chunks) * stages + k % stages, chunk

    if chunks > 1:
        total = micro_batches * chunks
        place = [k % (stages * chunks) // stages for k in range(total)]
        forward = [("f", *at(k, place[k])) for k in range(total)]
        backward = [("b", *at(k, chunks - 1 - place[k])) for k in range(total)] if trains else []
        warm = min(total, 2 * (stages - stage - 1) + (chunks - 1) * stages + 1)
    else:
        forward = [("f", m, 0) for m in range(micro_batches)]
        backward = [("b", m, 0) for m in range(micro_batches)] if trains else []
        warm = min(micro_batches, stages - stage)
    if gpipe or not trains:
        warm = len(forward)
    order = forward[:warm]
    for k, step in enumerate(backward):
        order.append(step)
        if apart and k >= stage:
            order.append(("g", *backward[k - stage][1:]))
        if warm + k < len(forward):
            order.append(forward[warm + k])
    return order + [("g", *step[1:]) for step in (backward[max(0, len(backward) - stage) :] if apart else [])]


def _stage_seconds(p: Priced, stage: int, name: int, moving: Floats) -> float:
    return float(sum(pipelines.stage_layers(p.laid, p.runs, u, stage) * max(p.sums[u, name], moving[u].max()) for u in range(len(p.roles))))
