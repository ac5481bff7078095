"""Other predictors beside our answer, each fed with the same job, and why it differs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from thrifty.cost.carbon import Embodied
from thrifty.cost.plans import layers_named
from thrifty.errors import ThriftyError
from thrifty.formats import get_format
from thrifty.lenses.carbon.workloads.jobs import JobCarbon
from thrifty.lenses.carbon.workloads.predictors import Prediction, ecologits_request, llmcarbon_work
from thrifty.lenses.carbon.workloads.predictors.llmcarbon import efficiency_of, embodied_per_device_g
from thrifty.workload import load as load_workload

ALIKE: Final = 0.1
"""Within a tenth nothing needs a reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A predictor's answer beside ours. ratio: its operational carbon over ours; reason: what makes most of the difference, in words."""

    prediction: Prediction
    ratio: float
    reason: str

    def to_dict(self) -> dict[str, Any]:
        return {**self.prediction.to_dict(), "ratio": self.ratio, "reason": self.reason}


def active_parameters(workload: str) -> tuple[float, float]:
    """(those that a token visits, all). Of experts only the active ones are visited."""
    layers = layers_named(workload)
    idle = sum(
        segment.repeat * block.expert_weights * (1 - block.active_experts / block.experts)
        for segment in layers.segments for block in segment.blocks if block.experts
    )  # fmt: skip
    total = float(load_workload(workload).parameters)
    return total - idle, total


def references_of(job: JobCarbon) -> tuple[Reference, ...]:
    """LLMCarbon and, where tokens are written, EcoLogits, for the same work at the same site; none where neither can tell.

    Workloads that read no tokens have no predictor among these.
    """
    if job.runs.unit != "token":
        return ()
    active, total = active_parameters(job.workload)
    found = [_llmcarbon(job, active)]
    if job.task == "serve":
        found.append(_ecologits(job, active, total))
    return tuple(each for each in found if each is not None)


def _llmcarbon(job: JobCarbon, active: float) -> Reference | None:
    device, node = job.machine.device, max(1, job.machine.system.tiers[0].count)
    try:
        efficiency = efficiency_of(active, device.memory_bytes, node)
    except ThriftyError:
        return None
    die = Embodied.of(device).models.get("die", {}).get("llmcarbon")
    making = None if die is None else embodied_per_device_g(die)
    tokens = job.units if job.task != "serve" else job.units + job.runs.tokens_read * job.runs.count
    said = llmcarbon_work(
        "inference" if job.task == "serve" else "training", active, tokens, devices=job.machine.devices,
        peak_flops=device.peak(job.format), efficiency=efficiency, power_w=device.tdp_w,
        pue=job.place.site.pue, intensity_g_per_kwh=job.intensity_g_per_kwh, embodied_g_per_device=making,
        power_is="its TDP, for want of a measured one",
    )  # fmt: skip
    return _beside(job, said, "it counts no hosts, no idle time and no attention scores" + ("" if job.task == "train" else _task_reason(job)))


def _task_reason(job: JobCarbon) -> str:
    if job.task == "finetune":
        return "; it knows only training of all weights"
    return "; it takes reading and writing to run at training's efficiency, and writing waits for memory"


def _ecologits(job: JobCarbon, active: float, total: float) -> Reference | None:
    written = job.runs.units / job.runs.requests
    said = ecologits_request(
        active, total, written, pue=job.place.site.pue, intensity_g_per_kwh=job.intensity_g_per_kwh, bits=get_format(job.format).bytes_per_number * 8
    ).times(job.runs.requests * job.runs.count)  # fmt: skip
    return _beside(job, said, f"it knows one machine, H100 in a server of 8, and a batch of 64; ours is {job.machine.device.name}, {job.runs.how}")


def _beside(job: JobCarbon, said: Prediction, bounds: str) -> Reference:
    """The ratio taken apart: device-seconds times power a device."""
    ratio = said.operational_gco2e / job.operational_gco2e
    if abs(ratio - 1) <= ALIKE:
        return Reference(prediction=said, ratio=ratio, reason=f"within {ALIKE:.0%} of ours; {bounds}")
    ours_s = job.footprint.time_s * job.machine.devices
    time, ours_w, its_w = said.device_s / ours_s, job.footprint.energy_j / ours_s, said.energy_j / job.place.site.pue / said.device_s
    return Reference(
        prediction=said, ratio=ratio,
        reason=f"{time:.2g} times our device-seconds, and {its_w:.0f} W a device against {ours_w:.0f} W with hosts; {bounds}",
    )  # fmt: skip
