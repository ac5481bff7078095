"""The physical mode's two doors: many configurations at once, or one with all that can be said of it."""

from __future__ import annotations

from typing import Final

import numpy as np

from thrifty.cost.kernels.parameters import kernel_ground
from thrifty.cost.plans.configurations import Configurations, Evaluations, Floats
from thrifty.cost.plans.evaluation import CriticalPart, Evaluation
from thrifty.cost.plans.models.layers import Layers
from thrifty.cost.plans.physical.columns import ANSWER, KINDS, MOVES
from thrifty.cost.plans.physical.constants import Sustained, ground_of
from thrifty.cost.plans.physical.encoding import Encoded, encode
from thrifty.cost.plans.physical.loops import kernel
from thrifty.cost.plans.physical.memory import account
from thrifty.cost.plans.placing import Placed, place
from thrifty.cost.plans.plan import Plan
from thrifty.cost.plans.tasks import Task
from thrifty.hardware.device import System

WHY: Final = {
    -1: "the batch does not spread evenly over the replicas", -2: "micro does not divide a replica's samples",
    -3: "interleaving needs micro-batches that the stages divide",
}  # fmt: skip


def answers_of(encoded: Encoded, batch_C: Floats, sustained: Sustained | None = None) -> Floats:
    """(C, len(ANSWER)) of encoded configurations, with other constants than the catalogue's where `sustained` is given."""
    answers = np.zeros((len(batch_C), len(ANSWER)))
    kernel()(
        encoded.laid_C, encoded.system_C, np.asarray(batch_C, dtype=np.float64), *encoded.tables, *encoded.rates(sustained), encoded.terms,
        encoded.term_rows, answers, encoded.most_items, encoded.most_runs,
    )  # fmt: skip
    return answers


def evaluate_physical_many(configurations: Configurations) -> Evaluations:
    """Every configuration at once. `extra` has launch_s and bubble_s (C,), and `reasons`: by index of the plan, why it is not valid anywhere."""
    encoded = encode(configurations)
    answers = answers_of(encoded, configurations.batch_C.astype(np.float64))
    verdict = answers[:, ANSWER["valid"]].copy()
    valid = verdict > 0
    wrong = np.flatnonzero(~valid)
    answers[wrong] = np.nan
    column = {name: answers[:, place] for name, place in ANSWER.items()}
    moves = answers @ np.array([float(name in MOVES) for name in ANSWER])
    reasons: dict[int, str] = {}
    for at in wrong[:: max(1, len(wrong) // 1000)]:
        said = encoded.reasons[encoded.laid_C[at]] if verdict[at] == 0 else WHY[int(verdict[at])]
        reasons.setdefault(int(configurations.plan_C[at]), said)
    capacity_S = np.array([system.device.memory_bytes for system in configurations.systems])
    return Evaluations(
        mode="physical", configurations=configurations, valid_C=valid, iteration_s_C=column["iteration"], compute_s={name: column[name] for name in KINDS},
        communication_s={name: column[name] for name in MOVES}, exposed_s_C=column["exposed"], overlapped_s_C=np.maximum(0.0, moves - column["exposed"]),
        memory_bytes_C=column["memory"], capacity_bytes_C=capacity_S[configurations.system_C],
        extra={"launch_s": column["launch"], "bubble_s": column["bubble"], "reasons": reasons},
    )  # fmt: skip


def evaluate_physical(layers: Layers, system: System, plan: Plan, *, batch: int, task: Task | None = None) -> Evaluation:
    """One iteration by the calibrated model. Raises BadValue for a plan or batch that breaks a rule."""
    task = task or Task()
    placed = place(plan, layers, system, batch=batch, task=task)
    encoded = encode(Configurations.of([(layers, system, plan, batch)], task))
    answer = answers_of(encoded, np.array([float(batch)]))[0]
    got = {name: float(answer[place]) for name, place in ANSWER.items()}
    compute = {name: got[name] for name in KINDS}
    moves = {name: got[name] for name in MOVES}
    other = {"launch": got["launch"], "bubble": got["bubble"]}
    return Evaluation(
        mode="physical", workload=layers.name, system=system.name, devices=system.devices, plan=str(plan), task=task.kind, batch=batch,
        iteration_s=got["iteration"], compute_s=compute, communication_s=moves, exposed_s=got["exposed"],
        overlapped_s=max(0.0, sum(moves.values()) - got["exposed"]), units=units_of(layers, task, batch),
        unit="token" if task.kind == "inference" and task.phase == "decode" else layers.unit, memory=account(placed),
        capacity_bytes=system.device.memory_bytes, critical_path=critical_parts(compute, moves, got), other_s=other, notes=notes_of(placed),
    )  # fmt: skip


def units_of(layers: Layers, task: Task, batch: int) -> int:
    """Tokens or samples of an iteration; decoding writes one token a sequence."""
    return batch if not task.trains and task.phase == "decode" else batch * layers.tokens


def critical_parts(compute: dict[str, float], moves: dict[str, float], got: dict[str, float]) -> tuple[CriticalPart, ...]:
    """What the iteration waits for. Communication is exposed in proportion to how long each kind takes, as the pass does not tell them apart."""
    parts = [CriticalPart(name=name, stream="compute", time_s=seconds) for name, seconds in compute.items() if seconds > 0]
    whole = sum(moves.values())
    if whole > 0:
        parts += [CriticalPart(name=name, stream="network", time_s=got["exposed"] * seconds / whole) for name, seconds in moves.items() if seconds > 0]
    parts += [CriticalPart(name=name, stream=stream, time_s=got[name]) for name, stream in (("launch", "host"), ("bubble", "compute")) if got[name] > 0]
    return tuple(sorted(parts, key=lambda part: -part.time_s))


def notes_of(placed: Placed) -> tuple[str, ...]:
    """What was assumed."""
    device, layers = placed.system.device, placed.layers
    arithmetic = "tf32" if layers.format == "fp32" and "tf32" in device.peak_flops else layers.format
    notes = [f"products and attention: {kernel_ground(device, arithmetic).text}", ground_of(device)]
    if arithmetic == "tf32":
        notes.append("FP32 products run in TF32")
    if not placed.task.trains and placed.task.phase == "decode":
        notes.append("launches are replayed from a recorded graph, as serving engines do")
    if layers.stand_in:
        notes.append(f"stand-in: {layers.stand_in}")
    if placed.stages > 1:
        notes.append("the pipeline is a formula; sends hide behind computing but for filling and draining")
    if any(block.experts for segment in layers.segments for block in segment.blocks):
        notes.append("the fullest expert has a tenth more tokens than the mean (assumed)")
    return tuple(notes)

