"""How much work a new machine does for an old one's: given, from a workload priced on both, or from their data sheets' peaks."""

from __future__ import annotations

import math
from dataclasses import dataclass

from thrifty.cost import Job, price
from thrifty.errors import BadValue, NoRoom
from thrifty.hardware import Device
from thrifty.workload import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkRatio:
    """Work of a new machine over an old one's; low and high where the ground leaves a range."""

    low: float
    mid: float
    high: float
    ground: str


def given_ratio(text: str) -> float | None:
    """The number that `text` states, None for "auto". Raises BadValue for anything else."""
    if text.strip().lower() == "auto":
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise BadValue(f"ratio={text} is not above 0. Give how many old machines one new one replaces, e.g. 3.2, or auto.")
    return value


def peak_ratio(old: Device, new: Device, format: str = "bf16") -> WorkRatio:
    """Between the ratio of memory bandwidths and that of dense peaks in `format`; the middle is their geometric mean."""
    compute = new.peak(format) / old.peak(format)
    memory = new.bandwidth_bytes_per_s / old.bandwidth_bytes_per_s
    ground = f"data sheets: bandwidth x {memory:.3g}, peak in {old.runs_in(format)} to {new.runs_in(format)} x {compute:.3g}; geometric mean"
    return WorkRatio(low=min(compute, memory), mid=math.sqrt(compute * memory), high=max(compute, memory), ground=ground)


def workload_ratio(old: Device, new: Device, workload: Workload) -> WorkRatio:
    """Time of the workload's usual job on the old machine over the new one's, both by the time model. Raises NoRoom where it does not fit."""
    job = Job.of(workload)
    seconds = []
    for device in (old, new):
        priced = [price(part.workload, device) for part in job.parts]
        if not all(each.fits for each in priced):
            raise NoRoom(f"{workload.name} does not fit into {device.name}'s {device.memory_bytes / 1e9:.0f} GB. Choose a smaller workload or format.")
        seconds.append(sum(each.time_s * part.times for each, part in zip(priced, job.parts, strict=True)))
    old_s, new_s = seconds
    ratio = old_s / new_s
    return WorkRatio(low=ratio, mid=ratio, high=ratio, ground=f"time model on {workload.name}: {old_s:.3g} s against {new_s:.3g} s")
