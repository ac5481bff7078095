"""Serving as a job: requests in batches, through the operator table on one device, through a plan on many."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from thrifty.cost import Case, Job
from thrifty.cost.plans import Layers, Plan, Task, evaluate, footprint_of, layers_named
from thrifty.cost.plans import place as place_plan
from thrifty.cost.plans.pricing import work_flops
from thrifty.errors import BadValue
from thrifty.lenses.carbon.workloads.jobs import JobCarbon, Runs
from thrifty.lenses.carbon.workloads.machines import Machine
from thrifty.lenses.carbon.workloads.places import Place
from thrifty.workload import Workload
from thrifty.workload import load as load_workload

PROMPT: Final = 512
NEW_TOKENS: Final = 256
MOST: Final = 64
"""Requests at once where nobody says: the largest power of two up to this that fits (the batch of the reference predictor)."""


def carbon_of_serving(
    workload: str, machine: Machine, place: Place, *, requests: float, prompt: int = 0, new_tokens: int = 0, batch: int = 0, format: str | None = None,
    plan: str = "", busy: float = 1.0,
) -> JobCarbon:  # fmt: skip
    """Answering so many requests of `prompt` tokens with `new_tokens` each (a sample each, where nothing is read token by token).

    batch : requests at once over all devices; 0: the largest power of two up to 64 a copy of the model that fits
    plan  : of many devices; "": that of a few usual ones (copies, tensor parallelism in a node) that takes least energy a request
    Raises what loading raises; BadValue for no requests, or sizes that the model does not have.
    """
    if not (math.isfinite(requests) and requests > 0):
        raise BadValue(f"requests={requests} is not above 0. Give how many are answered, e.g. --requests 1e6.")
    for name, value in (("prompt", prompt), ("new_tokens", new_tokens), ("batch", batch)):
        if value < 0:
            raise BadValue(f"{name}={value} is below 1. Give a whole number above 0, or leave it out.")
    named = load_workload(workload)
    writes = named.phase == "prefill"
    if not writes and (new_tokens or prompt):
        raise BadValue(f"'{workload}' does not write token by token, so it has no prompt and no new tokens. Leave them out: a request is a sample.")
    high = next((s.high for s in named.symbols if s.name == "seq"), None)
    read = prompt or (min(PROMPT, high // 2) if high else PROMPT)
    written = new_tokens or (min(NEW_TOKENS, high - read) if high else NEW_TOKENS)
    if machine.single:
        if plan:
            raise BadValue(f"plan={plan} spreads a job over devices, and '{machine.system.name}' is one. Leave it out, or name a system.")
        runs = _by_operators(named, machine, place, read, written, batch, format)
    else:
        runs = _by_plan(workload, machine, place, read, written, batch, format, plan, writes=writes)
    return JobCarbon.of(named.name, "serve", format or named.format, machine, place, replace(runs, count=requests / runs.requests), busy)


def _by_operators(plain: Workload, machine: Machine, place: Place, read: int, written: int, batch: int, format: str | None) -> Runs:
    def case(size: int) -> Case:
        made = plain.at({"batch": size, **({"seq": read} if plain.phase == "prefill" else {})}, format=format)
        job = Job.of(made, new_tokens=written)
        return Case(job=job, device=machine.device, site=place.site)

    chosen = case(batch) if batch else next(found for size in _sizes() if (found := case(size)).fits or size == 1)
    foot, size = chosen.footprint, chosen.job.point.get("batch", 1)
    flops = sum(float(part.workload.table.totals()["flops_matrix"]) * part.times for part in chosen.job.parts)
    words = f"{read} tokens read and {written} written" if chosen.job.unit == "token" else "one sample"
    return Runs(
        count=1.0, time_s=foot.time_s, energy_j=foot.energy_j + machine.host_w * foot.time_s, memory_bytes=foot.memory_bytes, cost_usd=foot.cost_usd,
        flops=flops, unit=chosen.job.unit, units=float(chosen.job.units), requests=float(size),
        tokens_read=float(size * read) if chosen.job.unit == "token" else 0.0, fits=chosen.fits,
        how=f"operator table, {size} requests at once, {words} each",
    )  # fmt: skip


def _sizes() -> list[int]:
    return [2**k for k in range(MOST.bit_length() - 1, -1, -1)]


def _candidates(machine: Machine) -> list[str]:
    """Whole models beside each other, or each over more and more devices of a node."""
    node, found, degree = machine.system.tiers[0].count, ["dense=ddp"], 2
    while degree <= node and machine.devices % degree == 0:
        found.append("dense=tp" if degree == machine.devices else f"dense=tp:{degree},ddp")
        degree *= 2
    return found


def _by_plan(
    workload: str, machine: Machine, place: Place, read: int, written: int, batch: int, format: str | None, plan: str, *, writes: bool
) -> Runs:  # fmt: skip
    """By the plan given, or by that of a few usual ones that takes least energy a request; a batch that nobody gave is the largest that fits."""
    asked: list[tuple[Task, int, int]] = [(Task(kind="inference"), read if writes else 0, 1)]
    if writes and written > 1:
        asked.append((Task(kind="inference", phase="decode", context=read + (written - 2) // 2), 0, written - 1))
    parts = [(task, layers_named(workload, task=task, seq=seq, format=format), times) for task, seq, times in asked]
    best: Runs | None = None
    refused: BadValue | None = None
    for words in [plan] if plan else _candidates(machine):
        try:
            found = _largest(machine, place, Plan.parse(words), parts, batch, units=written if writes else 1, unit="token" if writes else "sample")
        except BadValue as error:
            refused = error
            continue
        if best is None or (not found.fits, found.energy_j / found.requests) < (not best.fits, best.energy_j / best.requests):
            best = found
    if best is None:
        raise refused or BadValue(f"no usual plan serves '{workload}' on '{machine.system.name}'. Name one with --plan.")
    said = f"{read} tokens read and {written} written each" if writes else "one sample each"
    return replace(best, tokens_read=float(best.requests * read) if writes else 0.0, how=f"{best.how}, {said}")


def _largest(
    machine: Machine, place: Place, words: Plan, parts: list[tuple[Task, Layers, int]], batch: int, *, units: int, unit: str
) -> Runs:  # fmt: skip
    """One plan at the batch given, or at the largest that fits, up to 64 requests a copy of the model."""
    if batch:
        return _plan_runs(machine, place, words, parts, batch, units, unit)
    copies = place_plan(words, parts[0][1], machine.system, batch=machine.devices, task=parts[0][0]).replicas
    found = [_plan_runs(machine, place, words, parts, _sizes()[-1] * copies, units, unit)]
    for size in _sizes()[:-1] if found[0].fits else ():
        found.append(_plan_runs(machine, place, words, parts, size * copies, units, unit))
        if found[-1].fits:
            break
    return next(each for each in reversed(found) if each.fits or each is found[0])


def _plan_runs(machine: Machine, place: Place, words: Plan, parts: list[tuple[Task, Layers, int]], size: int, units: int, unit: str) -> Runs:
    system = machine.system
    time_s = energy_j = flops = memory = 0.0
    cost: float | None = 0.0
    fits = True
    for task, layers, times in parts:
        each = evaluate(layers, system, words, batch=size, task=task)
        foot = footprint_of(each, layers, system, words, place.site, task=task)
        time_s, energy_j = time_s + foot.time_s * times, energy_j + foot.energy_j * times
        flops += work_flops(layers, words, task) * size * times
        memory, fits = max(memory, foot.memory_bytes), fits and each.fits
        cost = None if cost is None or foot.cost_usd is None else cost + foot.cost_usd * times
    stated = (system.host_power_w or 0.0) * system.nodes
    return Runs(
        count=1.0, time_s=time_s, energy_j=energy_j + (machine.host_w - stated) * time_s, memory_bytes=memory, cost_usd=cost, flops=flops, unit=unit,
        units=float(size * units), requests=float(size), fits=fits, how=f"plan {words}, {size} requests at once",
    )  # fmt: skip
