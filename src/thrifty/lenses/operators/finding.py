"""What the lens sees of one subject: everything that `thrifty operators show` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from thrifty.hardware import Device, Site, load_site
from thrifty.hardware import load as load_device
from thrifty.lenses.operators.subjects import Subject
from thrifty.lenses.operators.views.grouping import Group, breakdown
from thrifty.lenses.operators.views.intensity import Intensity, intensity
from thrifty.lenses.operators.views.likeness import Verdict, verdict
from thrifty.lenses.operators.views.sequences import attention_list, histogram
from thrifty.lenses.operators.views.similarity import Similarity, similarity
from thrifty.report import Block, Section
from thrifty.workload import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFinding:
    """One stage, once: `stage.repeat` says how often it runs. verdict is None without a device."""

    stage: Stage
    name: str
    parameters: int
    flops_matrix: int
    intensity: Intensity
    similarity: Similarity
    group: Group
    verdict: Verdict | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.stage.name, "repeats": self.stage.repeat, "component": self.name, "parameters": self.parameters, "flops_once": self.flops_matrix,
            **self.group.to_dict(), "intensity": self.intensity.to_dict(), "similarity": self.similarity.to_dict(),
            "verdict": self.verdict.to_dict() if self.verdict is not None else None,
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorsFinding:
    """A subject, seen. by: groups of every way to group; gain: end-to-end time with attention spelled out over that with it fused, None without a device."""

    subject: Subject
    by: dict[str, tuple[Group, ...]]
    stages: tuple[StageFinding, ...]
    intensity: Intensity
    peak_memory_bytes: int
    gain: float | None = None
    attention_gain: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The contract of ``thrifty operators show --json``."""
        work = self.subject.workload
        classes = {group.name: group for group in self.by["class"]}
        totals = work.table.totals()
        said: dict[str, Any] = {
            "workload": work.name, "origin": work.origin, "phase": work.phase, "format": work.format, "point": dict(work.point), "notes": list(work.notes),
            "attention_form": self.subject.form, "parameters": work.parameters,
            "flops": {
                "total": totals["flops_matrix"], **{name: classes[name].flops_matrix if name in classes else 0 for name in ("conv", "linear", "attention")},
                "vector": totals["flops_vector"],
            },
            "bytes": {
                "read": totals["bytes_read"], "written": totals["bytes_written"], "moved": totals["bytes_read"] + totals["bytes_written"],
                "weight": totals["bytes_weight"], "staged": totals["bytes_staged"], "peak_memory": self.peak_memory_bytes,
            },
            "by_class": {group.name: group.to_dict() for group in self.by["class"]},
            **{f"by_{way}": {group.name: group.to_dict() for group in groups} for way, groups in self.by.items() if way != "class"},
            "stages": [stage.to_dict() for stage in self.stages], "attention": attention_list(work.table),
            "sequence_histogram": {str(length): count for length, count in histogram(work.table).items()},
            "intensity": self.intensity.to_dict(), "unknown": work.table.unknown(),
        }  # fmt: skip
        priced = self.subject.priced
        if priced is not None:
            said |= {
                "on": priced.device.name, "site": priced.site.name, "model": priced.model, "truth": "modelled", "time_s": priced.time_s,
                "energy_j": priced.footprint.energy_j, "carbon_gco2e": priced.footprint.carbon_gco2e.mid, "bound": priced.bound, "fits": priced.fits,
                "share": {group.name: group.share for group in self.by["class"]}, "fused_gain": self.gain, "fused_gain_of_attention": self.attention_gain,
            }  # fmt: skip
        return said

    def sections(self) -> Sequence[Section]:
        from thrifty.lenses.operators.page import sections_of

        return sections_of(self)

    def brief(self) -> Sequence[Block]:
        from thrifty.lenses.operators.page import brief_of

        return brief_of(self)


def look(
    subject: Subject, *, on: Device | str | None = None, site: Site | str | None = None, attention: str | None = None,
    by: Sequence[str] = ("class", "operator", "module", "stage", "attention"), depth: int = 2, flip: bool = True,
) -> OperatorsFinding:  # fmt: skip
    """Everything about `subject`, on a device where one is named.

    attention : "eager" or "fused": that form instead of the one found; flip: look for the batch at which a stage becomes bound by compute
    """
    device = load_device(on) if isinstance(on, str) else on
    place = load_site(site) if isinstance(site, str) else site
    seen = replace(subject, device=device or subject.device, site=place or subject.site)
    if attention is not None:
        seen = seen.in_form(attention)
    groups = {way: breakdown(seen, way, depth=depth) for way in by}
    by_stage = {group.name: group for group in breakdown(seen, "stage")}
    stages = []
    for stage, work in seen.stages:
        group = by_stage.get(stage.name) or breakdown(replace(seen, workload=work), "stage")[0]
        stages.append(
            StageFinding(
                stage=stage, name=work.name, parameters=work.parameters, flops_matrix=work.table.totals()["flops_matrix"],
                intensity=intensity(work.table, seen.device, work.format), similarity=similarity(work.table, work.format), group=group,
                verdict=verdict(work, seen.device, flip=flip) if seen.device is not None else None,
            )
        )  # fmt: skip
    gain, attention_gain = fused_gain(seen) if seen.device is not None else (None, None)
    return OperatorsFinding(
        subject=seen, by=groups, stages=tuple(stages), intensity=intensity(seen.workload.table, seen.device, seen.workload.format),
        peak_memory_bytes=seen.workload.table.peak()[0], gain=gain, attention_gain=attention_gain,
    )  # fmt: skip


def fused_gain(subject: Subject) -> tuple[float | None, float | None]:
    """(end to end, core attention alone): time with every attention spelled out over time with it fused; None where nothing attends."""
    eager, fused = subject.in_form("eager"), subject.in_form("fused")
    times = []
    for form in (eager, fused):
        groups = {group.name: group for group in breakdown(form)}
        whole = sum(group.time_s or 0.0 for group in groups.values())
        times.append((whole, groups["attention"].time_s if "attention" in groups else None))
    (eager_all, eager_core), (fused_all, fused_core) = times
    return (eager_all / fused_all if fused_all else None), (eager_core / fused_core if eager_core and fused_core else None)
