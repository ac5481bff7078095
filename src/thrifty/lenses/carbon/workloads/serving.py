"""Serving as a job: requests in batches, through the operator table on one device, through a plan on many."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from thrifty.cost import Case, Job
from thrifty.cost.plans import Plan, Task, evaluate, footprint_of, layers_named
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

    batch : requests at once over all devices; 0: the largest power of two up to 64 that fits
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


def default_plan(machine: Machine) -> str:
    """Tensor parallelism inside a node, whole models beside each other across nodes."""
    node = machine.system.tiers[0].count
    return "dense=tp" if machine.devices <= node else f"dense=tp:{node},ddp"


def _by_plan(
    workload: str, machine: Machine, place: Place, read: int, written: int, batch: int, format: str | None, plan: str, *, writes: bool
) -> Runs:  # fmt: skip
    system, words = machine.system, Plan.parse(plan or default_plan(machine))
    parts = [(Task(kind="inference"), read if writes else 0, 1)]
    if writes and written > 1:
        parts.append((Task(kind="inference", phase="decode", context=read + (written - 2) // 2), 0, written - 1))
    found: Runs | None = None
    words_said = f"{read} tokens read and {written} written each" if writes else "one sample each"
    for size in [batch] if batch else [each * max(1, machine.devices // system.tiers[0].count) for each in _sizes()]:
        found = _plan_runs(workload, machine, place, words, parts, size, format, written if writes else 1, "token" if writes else "sample")
        if found.fits:
            break
    if found is None:
        raise BadValue(f"batch={batch} is below 1. Give the requests at once.")
    return replace(found, tokens_read=float(found.requests * read) if writes else 0.0, how=f"{found.how}, {words_said}")


def _plan_runs(
    workload: str, machine: Machine, place: Place, words: Plan, parts: list[tuple[Task, int, int]], size: int, format: str | None, units: int, unit: str
) -> Runs:  # fmt: skip
    system = machine.system
    time_s = energy_j = flops = memory = 0.0
    cost: float | None = 0.0
    fits = True
    for task, seq, times in parts:
        layers = layers_named(workload, task=task, seq=seq, format=format)
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
