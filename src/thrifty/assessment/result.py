"""One case answered: what was asked, what was found, and the answer for a program or a terminal."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from thrifty.assessment.side_by_side import ClassError
from thrifty.cost import Case, Sweep
from thrifty.footprint import pareto_front
from thrifty.hardware import Device
from thrifty.hardware.host import fingerprint
from thrifty.lenses import Finding
from thrifty.levers import Estimate, Refusal
from thrifty.measure import Run
from thrifty.quantities import show
from thrifty.version import __version__
from thrifty.workload import Workload

SCHEMA: Final = 1
SEED: Final = 0


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """One case answered.

    cases     : the job on each device asked for; the first is the one that levers change
    run       : what this machine measured; None when it was not asked, or could not (why_not_run)
    elsewhere : the job on every catalogue device that has arithmetic for its format
    swept     : totals of the job's first part over batch and sequence on the first device; estimates: levers' offers, best first
    findings  : what each lens saw of the case, by its question
    """

    workload: Workload
    cases: tuple[Case, ...]
    run: Run | None
    why_not_run: str
    measured: Mapping[str, Any] | None
    modelled: Mapping[str, float | None]
    error: Mapping[str, float | None] | None
    classes: tuple[ClassError, ...]
    elsewhere: tuple[Case, ...]
    swept: Sweep | None
    estimates: tuple[Estimate, ...]
    refusals: tuple[Refusal, ...]
    findings: Mapping[str, Finding]
    made_at: str
    command: str
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def case(self) -> Case:
        return self.cases[0]

    def front(self) -> list[bool]:
        """Which of `elsewhere` nothing beats in both time and carbon a unit."""
        points = [(case.per_unit.time_s, case.per_unit.carbon_gco2e.mid) for case in self.elsewhere if case.fits]
        kept = iter(pareto_front(points).tolist() if points else [])
        return [next(kept) if case.fits else False for case in self.elsewhere]

    def to_dict(self) -> dict[str, Any]:
        case = self.case
        return {
            "schema": SCHEMA, "made_at": self.made_at, "command": self.command, "seed": SEED,
            "versions": {"thrifty": __version__, "python": platform.python_version(), **{k: fingerprint()[k] for k in ("numpy", "torch", "transformers")}},
            "calibration": _calibration(case.device),
            "workload": {
                "name": self.workload.name, "parameters": self.workload.parameters, "origin": self.workload.origin, "point": dict(case.job.point),
                "units": case.job.units, "unit": case.job.unit, "weight_bytes": case.priced[0].workload.weight_bytes,
                "file_bytes": self.workload.file_bytes, "notes": list(self.workload.notes),
            },
            "system": [{"device": c.device.name, "title": c.device.title, "truth": c.device.truth} for c in self.cases],
            "site": case.site.name, "format": case.job.format, "measured": self.measured, "why_not_measured": self.why_not_run or None,
            "modelled": dict(self.modelled), "error": dict(self.error) if self.error is not None else None,
            "by_class": [row.to_dict() for row in self.classes],
            "priced": [{"device": c.device.name, "footprint": c.footprint.to_dict(), "parts": _parts(c)} for c in self.cases],
            "elsewhere": [_elsewhere_dict(c) for c in self.elsewhere], "changes": [e.to_dict() for e in self.estimates],
            "lenses": {question: finding.to_dict() for question, finding in self.findings.items()},
            "refusals": [r.to_dict() for r in self.refusals], "bound_changes": bound_changes(self.swept), "files": dict(self.files),
        }  # fmt: skip

    def lines(self) -> list[str]:
        """The answer for a terminal."""
        case, result = self.case, []
        result.append(f"{self.workload.name} on {case.device.title} at {case.site.title}, {case.job.format}, {_sizes(case.job.point)}")
        names = {
            "prefill_tokens_per_s": ("prefill", "token/s"), "decode_tokens_per_s": ("decode", "token/s"), "time_to_first_token_s": ("first token", "s"),
            "samples_per_s": ("throughput", "sample/s"), "peak_memory_bytes": ("peak memory", "B"),
        }  # fmt: skip
        for key, (title, unit) in names.items():
            model = self.modelled.get(key)
            truth = (self.measured or {}).get(key)
            if model is None and truth is None:
                continue
            parts = [f"  {title:12}"]
            if truth is not None:
                parts.append(f"{show(truth, unit):>14} measured")
            if model is not None:
                parts.append(f"{show(model, unit):>14} modelled")
            error = (self.error or {}).get(key)
            if error is not None:
                parts.append(f"({error:+.0%})")
            result.append("  ".join(parts))
        if self.why_not_run:
            result.append(f"  not measured: {self.why_not_run}")
        foot = case.per_unit
        result.append(f"  one {case.job.unit}: {show(foot.time_s, 's')}, {show(foot.energy_j, 'J')}, {show(foot.carbon_gco2e.mid, 'gCO2e')}"
                      f" ({show(foot.carbon_gco2e.low, 'g')} to {show(foot.carbon_gco2e.high, 'g')}), modelled; bound by {case.bound}")  # fmt: skip
        if self.measured and self.measured.get("text"):
            result.append(f"  it said: {str(self.measured['text']).splitlines()[1]}")
        if not case.fits:
            result.append(f"  it does not fit: it needs {show(case.footprint.memory_bytes, 'B')}, {case.device.name} has {show(case.device.memory_bytes, 'B')}")
        if self.estimates:
            result.append("What would help most, the best of each lever (modelled):")
        best = {estimate.lever: estimate for estimate in reversed(self.estimates)}
        for estimate in (each for each in self.estimates if best[each.lever] is each):
            factors = ", ".join(_times(what, factor) for what in ("time", "energy", "carbon") if (factor := estimate.factor(what)) is not None)
            result.append(f"  {estimate.lever:8} {estimate.change}: {factors}" + (f" ({estimate.caveat})" if estimate.caveat else ""))
        result.extend(f"  {name}: {path}" for name, path in self.files.items())
        return result


def _times(what: str, factor: float) -> str:
    """How many times less, or more, in words that cannot be misread."""
    return f"{what} ÷{factor:.3g}" if factor >= 1 else f"{what} ×{1 / factor:.3g}"


def _parts(case: Case) -> list[dict[str, Any]]:
    pairs = zip(case.priced, case.job.parts, strict=True)
    return [{"phase": part.workload.phase, "times": part.times, "point": dict(part.workload.point), **priced.to_dict()} for priced, part in pairs]


def _calibration(device: Device) -> dict[str, Any] | None:
    """When and how well a measured device was calibrated, and what must stay the same for it to count."""
    if device.calibration is None:
        return None
    return {name: device.calibration.content.get(name) for name in ("made_at", "seconds", "spread", "fingerprint")}


def _elsewhere_dict(case: Case) -> dict[str, Any]:
    foot = case.footprint
    return {
        "device": case.device.name, "time_s": foot.time_s, "energy_j": foot.energy_j, "carbon_gco2e": foot.carbon_gco2e.to_dict(),
        "cost_usd_per_hour": case.device.price_usd_per_hour, "memory_bytes": foot.memory_bytes, "fits": case.fits, "bound": case.bound,
        "format": case.job.format,
    }  # fmt: skip


def _sizes(point: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in point.items())


def bound_changes(swept: Sweep | None) -> list[dict[str, Any]]:
    """Along each swept axis, with the others at their lowest, where the bound becomes another one."""
    from thrifty.cost.roofline import BOUNDS

    if swept is None:
        return []
    found = []
    for axis in swept.points:
        others = [swept.points[name] == swept.points[name].min() for name in swept.points if name != axis]
        chosen = [i for i in range(len(swept.points[axis])) if all(other[i] for other in others)]
        chosen.sort(key=lambda i: int(swept.points[axis][i]))
        for before, after in pairwise(chosen):
            if swept.bound_DP[0, before] != swept.bound_DP[0, after]:
                found.append(
                    {
                        "symbol": axis, "between": [int(swept.points[axis][before]), int(swept.points[axis][after])],
                        "from": BOUNDS[swept.bound_DP[0, before]], "to": BOUNDS[swept.bound_DP[0, after]],
                    }
                )  # fmt: skip
    return found
