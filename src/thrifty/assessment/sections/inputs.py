"""Everything that the page depends on, and every source that its numbers come from."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from typing import Any

from thrifty.assessment.result import SEED, Assessment
from thrifty.assessment.sections.words import given, measured, sizes
from thrifty.cost.carbon import CarbonModel
from thrifty.cost.carbon.factors import load_pack
from thrifty.cost.facts import load_facts
from thrifty.formats import get_format
from thrifty.hardware import catalogue_sources
from thrifty.report import Number, Source
from thrifty.version import __version__


def facts(a: Assessment) -> dict[str, Number | str]:
    case, first = a.case, a.case.priced[0]
    found: dict[str, Number | str] = {
        "Workload": f"{a.workload.name} ({a.workload.origin})" if a.workload.origin else a.workload.name,
        "Parameters": given(float(a.workload.parameters)),
        "Job": f"{case.job.units} {case.job.unit}{'s' if case.job.units != 1 else ''}: " + ", ".join(
            f"{part.times} × {part.workload.phase} at {sizes(part.workload.point)}" for part in case.job.parts),
        "Format": f"{case.job.format} ({get_format(case.job.format).title})",
        "Weights as run": given(float(first.workload.weight_bytes), "B"),
    }  # fmt: skip
    if a.workload.file_bytes is not None:
        found["Weights as stored"] = given(float(a.workload.file_bytes), "B")
    found |= {
        "Devices": ", ".join(each.device.title for each in a.cases), "Time model": first.model, "Site": case.site.title, "Seed": given(float(SEED)),
        "thrifty, Python": f"{__version__}, {platform.python_version()}",
    }  # fmt: skip
    content = next((each.device.calibration.content for each in a.cases if each.device.calibration is not None), None)
    return found | (_calibrated(content) if content is not None else {})


def _calibrated(content: Mapping[str, Any]) -> dict[str, Number | str]:
    """When this machine was calibrated, how well, and what must stay the same for it to count."""
    spread, marks = content.get("spread", {}), content.get("fingerprint", {})
    found: dict[str, Number | str] = {"Calibrated": str(content.get("made_at", "unknown"))}
    if "seconds" in content:
        found["Calibration took"] = measured(float(content["seconds"]), "s")
    if "median" in spread:
        found["Spread of its measurements"] = f"median {float(spread['median']):.1%}, 90th percentile {float(spread.get('p90', 0.0)):.1%}"
    return found | {"Machine": ", ".join(f"{name} {value}" for name, value in marks.items() if name != "schema")}


def sources(a: Assessment) -> list[Source]:
    """Of every device and site on the page, of the carbon and energy models and of the default efficiencies, each once."""
    known = {**load_pack().sources, **catalogue_sources()}
    result = []
    for key in sorted(set(_keys(a))):
        source = known.get(key)
        if source is None:  # a user's own sheet brings its own
            result.append(Source(key=key, title=key))
        else:
            result.append(Source(key=key, title=source.title, publisher=source.publisher, date=source.date, url=source.url, licence=source.licence))
    return result


def _keys(a: Assessment) -> Iterator[str]:
    for case in (*a.cases, *a.elsewhere):
        yield from (fact.source for fact in case.device.facts.values())
    yield from (fact.source for fact in a.case.site.facts.values())
    yield from CarbonModel.of(a.case.device, a.case.site).sources
    for sheet in ("energy", "efficiencies"):
        yield from load_facts(sheet).sources()
