"""Serving a language model by two pools of devices: one reads prompts, the other writes tokens (disaggregated serving, DistServe and Splitwise).

    rate = min(devices of prefill · its best rate a device,  devices of decode · its best rate a device)

Each pool runs its own tensor-parallel degree and batch, the best of those that fit and keep to the time limits. A finished prompt's keys and values
cross the network once. Beside it stands the same number of devices doing both in turn, which is what it must beat: there a token waits while a batch of
prompts is read between two tokens, so that both steps together must keep to the limit of a token.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from thrifty.cost.plans.answering import evaluate
from thrifty.cost.plans.evaluation import Evaluation
from thrifty.cost.plans.models.layers import Layers
from thrifty.cost.plans.models.naming import layers_named
from thrifty.cost.plans.plan import Level, Plan
from thrifty.cost.plans.tasks import Task
from thrifty.errors import BadValue, NoRoom
from thrifty.hardware.device import System
from thrifty.levers.parallelize.asking.questions import system_named

BATCHES: Final = tuple(2**power for power in range(11))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Instances alike of one phase. rate: requests a second of the whole pool; step_s: of one batch (prefill) or one token (decode)."""

    phase: str
    devices: int
    tensor: int
    batch: int
    step_s: float
    rate_per_s: float
    memory_bytes: float

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("phase", "devices", "tensor", "batch", "step_s", "rate_per_s", "memory_bytes")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """The best split. ttft_s: first token, the prompt's way to the other pool included.

    together_per_s : of the same devices doing both in turn, 0 where nothing keeps to the limits that way
    """

    prefill: Pool
    decode: Pool
    requests_per_s: float
    ttft_s: float
    tpot_s: float
    transfer_s: float
    together_per_s: float

    @property
    def gain(self) -> float | None:
        """Against both in turn; None where that way is closed."""
        return self.requests_per_s / self.together_per_s if self.together_per_s else None

    def to_dict(self) -> dict[str, Any]:
        said = {name: getattr(self, name) for name in ("requests_per_s", "ttft_s", "tpot_s", "transfer_s", "together_per_s", "gain")}
        return {"mode": "physical", "truth": "modelled", "prefill": self.prefill.to_dict(), "decode": self.decode.to_dict(), **said}


@dataclass(frozen=True, slots=True)
class _Way:
    """One instance: requests a second of each of its devices."""

    tensor: int
    batch: int
    step_s: float
    per_device: float
    memory_bytes: float


def disaggregate(
    workload: str, on: str, *, devices: int = 0, seq: int = 2048, new_tokens: int = 256, ttft_s: float | None = None, tpot_s: float | None = None,
    format: str | None = None,
) -> Serving:  # fmt: skip
    """The split of `devices` of the system called `on` into two pools that serves most requests of `seq` tokens in and `new_tokens` out.

    ttft_s, tpot_s : most that the first token, and each later one, may take

    Raises BadValue for sizes that cannot be and limits that nothing keeps to; NoRoom where no instance holds the model.
    """
    if new_tokens < 2 or seq < 1:
        raise BadValue(f"seq={seq}, new_tokens={new_tokens}. Give a prompt of 1 token or more, and 2 or more new ones.")
    for name, limit in (("ttft_s", ttft_s), ("tpot_s", tpot_s)):
        if limit is not None and not (math.isfinite(limit) and limit > 0):
            raise BadValue(f"{name}={limit} is no limit. Give seconds above 0.")
    system = system_named(on, devices)
    if system.devices < 2:
        raise BadValue("two pools need two devices. Give --devices 2 or more.")
    read, write = Task(kind="inference", phase="prefill"), Task(kind="inference", phase="decode", context=seq + new_tokens // 2)
    prompt = layers_named(workload, task=read, seq=seq, format=format)
    token = layers_named(workload, task=write, format=format)
    moved_s = _cache_bytes(prompt) / system.tiers[-1].bandwidth_bytes_per_s
    reading = [w for w in _ways(prompt, system, read, 1.0) if ttft_s is None or w.step_s + moved_s <= ttft_s]
    writing = [w for w in _ways(token, system, write, float(new_tokens - 1)) if tpot_s is None or w.step_s <= tpot_s]
    if not reading or not writing:
        phase, limit = ("first token", ttft_s) if not reading else ("token", tpot_s)
        if limit is None:
            raise NoRoom(f"no instance of up to {system.tiers[0].count} devices holds '{workload}'. Use devices with more memory, or a smaller format.")
        raise BadValue(f"no instance gives a {phase} within {limit:g} s. Loosen the limit, or use another system.")
    best = max(
        ((n * r.per_device, r, w, n) for r in reading for w in writing for n in _split(system.devices, r, w)), default=None,
        key=lambda found: (min(found[0], (system.devices - found[3]) * found[2].per_device), -found[1].tensor, -found[2].tensor),
    )  # fmt: skip
    if best is None:
        raise BadValue(f"{system.devices} devices are too few for two pools of '{workload}'. Use more.")
    rate, r, w, n = best
    rest = system.devices - n
    together = max(
        (
            1.0 / (1.0 / one.per_device + 1.0 / two.per_device)
            for one in reading for two in writing if one.tensor == two.tensor and (tpot_s is None or one.step_s + two.step_s <= tpot_s)
        ), default=0.0,
    )  # fmt: skip
    return Serving(
        prefill=Pool(phase="prefill", devices=n, tensor=r.tensor, batch=r.batch, step_s=r.step_s, rate_per_s=rate, memory_bytes=r.memory_bytes),
        decode=Pool(
            phase="decode", devices=rest, tensor=w.tensor, batch=w.batch, step_s=w.step_s, rate_per_s=rest * w.per_device, memory_bytes=w.memory_bytes
        ),
        requests_per_s=min(rate, rest * w.per_device), ttft_s=r.step_s + moved_s, tpot_s=w.step_s, transfer_s=moved_s,
        together_per_s=system.devices * together,
    )  # fmt: skip


def _ways(layers: Layers, system: System, task: Task, steps: float) -> Iterator[_Way]:
    """Every instance inside a node that fits: tensor-parallel degree and batch."""
    heads = min(block.core.heads for s in layers.segments for block in s.blocks if block.core is not None)
    for tensor in (d for d in range(1, system.tiers[0].count + 1) if system.tiers[0].count % d == 0 and heads % d == 0):
        for batch in BATCHES:
            found = _one(layers, system.sized(tensor), tensor, batch, task)
            if not found.fits:
                break
            yield _Way(tensor, batch, found.iteration_s, batch / (found.iteration_s * steps) / tensor, found.memory_bytes)


def _one(layers: Layers, system: System, tensor: int, batch: int, task: Task) -> Evaluation:
    plan = Plan(levels={"dense": (Level("tp", tensor),) if tensor > 1 else ()})
    return evaluate(layers, system, plan, batch=batch, task=task)


def _split(devices: int, read: _Way, write: _Way) -> Iterator[int]:
    """Devices of the prefill pool, in whole instances of both: the two numbers around the balance."""
    ideal = devices * write.per_device / (read.per_device + write.per_device)
    for n in {int(ideal // read.tensor) * read.tensor, (int(ideal // read.tensor) + 1) * read.tensor}:
        if read.tensor <= n <= devices - write.tensor and (devices - n) % write.tensor == 0:
            yield n


def _cache_bytes(layers: Layers) -> float:
    """Keys and values of one sample, all layers."""
    return sum(
        s.repeat * block.core.keys * block.core.kv_heads * (block.core.head_dim + block.core.value_dim) * max(2.0, layers.bytes_per_weight)
        for s in layers.segments for block in s.blocks if block.core is not None
    )  # fmt: skip
