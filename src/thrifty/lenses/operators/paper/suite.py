"""The systems of the paper and of today, seen with attention spelled out and fused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from thrifty.errors import UnknownName
from thrifty.hardware import Device
from thrifty.lenses.operators.subjects import Subject, find_subject
from thrifty.lenses.operators.views.grouping import Group, breakdown
from thrifty.lenses.operators.views.intensity import Intensity, intensity
from thrifty.lenses.operators.views.likeness import Verdict, verdict
from thrifty.lenses.operators.views.sequences import histogram, neighbour_ratio

Family = Literal["language", "diffusion", "transformer", "today"]
SUITE: Final[dict[str, Family]] = {
    "llama2-7b": "language", "imagen": "diffusion", "sd-1.5": "diffusion", "prod-image": "diffusion", "make-a-video": "diffusion", "muse-3b": "transformer",
    "parti-20b": "transformer", "phenaki": "transformer",
}  # fmt: skip
"""The paper's eight systems, and what they are made of: denoising networks of convolutions, or transformers over tokens."""
TODAY: Final[dict[str, Family]] = dict.fromkeys(("sdxl", "sd-2.1", "modelscope", "dit", "pixart", "sd3", "flux", "cogvideox", "wan-2.1"), "today")
"""What came after, end to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteRow:
    """One system on a device, once in each form of attention. wide_s: time with attention's softmax in fp32, as some code bases spell it out; likeness:
    by stage, of the fused form."""

    name: str
    family: Family
    subject: Subject
    eager: tuple[Group, ...]
    fused: tuple[Group, ...]
    wide_s: float
    by_attention: tuple[Group, ...]
    intensity: Intensity
    likeness: dict[str, Verdict]
    histogram: dict[int, int]
    neighbour_ratio: float | None

    @property
    def eager_s(self) -> float:
        return sum(group.time_s or 0.0 for group in self.eager)

    @property
    def fused_s(self) -> float:
        return sum(group.time_s or 0.0 for group in self.fused)

    @property
    def gain(self) -> float:
        """End to end: time with attention spelled out over time with it fused."""
        return self.eager_s / self.fused_s

    @property
    def wide_gain(self) -> float:
        """The same against a softmax in fp32."""
        return self.wide_s / self.fused_s

    @property
    def attention_gain(self) -> float:
        """The same of core attention alone."""
        before, after = (self.seconds(groups, "attention") for groups in (self.eager, self.fused))
        return before / after if after else 1.0

    def seconds(self, groups: Sequence[Group], name: str) -> float:
        """Of the group called `name`; 0 where there is none."""
        return next((group.time_s or 0.0 for group in groups if group.name == name), 0.0)

    def share(self, name: str, *, fused: bool = True) -> float:
        """Of the time, of a class."""
        return self.seconds(self.fused if fused else self.eager, name) / (self.fused_s if fused else self.eager_s)

    def to_dict(self) -> dict[str, Any]:
        work = self.subject.workload
        return {
            "name": self.name, "family": self.family, "parameters": work.parameters, "point": dict(work.point), "format": work.format,
            "flops": sum(group.flops_matrix for group in self.fused), "eager_s": self.eager_s, "fused_s": self.fused_s, "gain": self.gain,
            "gain_over_fp32_softmax": self.wide_gain,
            "attention_gain": self.attention_gain, "energy_j": sum(group.energy_j or 0.0 for group in self.fused),
            "carbon_gco2e": sum(group.carbon_gco2e or 0.0 for group in self.fused), "shares_eager": {g.name: g.share for g in self.eager},
            "shares_fused": {g.name: g.share for g in self.fused}, "attention": {g.name: g.to_dict() for g in self.by_attention},
            "intensity": self.intensity.to_dict(), "stages": {name: found.to_dict() for name, found in self.likeness.items()},
            "histogram": {str(length): count for length, count in self.histogram.items()}, "neighbour_ratio": self.neighbour_ratio,
        }  # fmt: skip


def see(name: str, family: Family, device: Device, format_name: str | None = "fp16") -> SuiteRow:
    """One system. Everything in one 16-bit format, as the paper ran it."""
    subject = find_subject(name, format=format_name).on(device)
    eager, fused = subject.in_form("eager"), subject.in_form("fused")
    table, wide = fused.workload.table, subject.in_form("eager-fp32").priced
    assert wide is not None
    return SuiteRow(
        name=name, family=family, subject=fused, eager=breakdown(eager), fused=breakdown(fused), wide_s=wide.time_s, by_attention=breakdown(fused, "attention"),
        intensity=intensity(table, device, fused.workload.format),
        likeness={stage.name: verdict(work, device, flip=False) for stage, work in subject.stages}, histogram=histogram(table),
        neighbour_ratio=neighbour_ratio(table),
    )  # fmt: skip


def see_suite(device: Device, names: dict[str, Family] | None = None, progress: Callable[[str, float], None] | None = None) -> tuple[SuiteRow, ...]:
    """Every system of `names` (default: the paper's and today's), in that order."""
    chosen = names if names is not None else {**SUITE, **TODAY}
    found = []
    for place, (name, family) in enumerate(chosen.items()):
        if progress is not None:
            progress(f"looking: {name}", place / len(chosen))
        try:
            found.append(see(name, family, device))
        except UnknownName:
            continue
    return tuple(found)
