"""Puts the figures on one page."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from thrifty.hardware import Device
from thrifty.hardware import load as load_device
from thrifty.lenses.operators.paper import figures, video
from thrifty.lenses.operators.paper.abstract import Claim, claims
from thrifty.lenses.operators.paper.published import sources
from thrifty.lenses.operators.paper.suite import SuiteRow, see_suite
from thrifty.report import Number, Page, made_now


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperReport:
    """Everything that was found, and the page."""

    device: Device
    rows: tuple[SuiteRow, ...]
    claims: tuple[Claim, ...]
    page: Page
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        return {
            "on": self.device.name, "truth": "modelled", "claims": [claim.to_dict() for claim in self.claims], "systems": [row.to_dict() for row in self.rows],
            "seconds": self.seconds,
        }  # fmt: skip


def make_report(on: str = "a100-80gb", progress: Callable[[str, float], None] | None = None) -> PaperReport:
    """Look at every system on `on` and draw. Raises UnknownName for a device that no catalogue knows."""
    began = time.perf_counter()
    tell = progress or (lambda what, share: None)
    device = load_device(on)
    rows = see_suite(device, progress=lambda what, share: tell(what, 0.7 * share))
    theirs = [row for row in rows if row.family != "today"]
    tell("claims", 0.7)
    found = claims(theirs, device)
    tell("drawing", 0.8)
    sections = [
        figures.claims_section(found), figures.taxonomy(rows), figures.breakdown_section(theirs), figures.speedups(rows), figures.roofline(rows, device),
        figures.sequence_section(theirs), figures.scaling_section(device), video.time_section(theirs, device), video.cache_section(device),
        video.frames_section(), figures.quality(theirs), figures.fleet(), figures.today(rows),
    ]  # fmt: skip
    held = sum(claim.holds for claim in found)
    summary = (
        f"Of {len(found)} claims of the paper's abstract, {held} come out the same from operator tables under the roofline of {device.title}. Nothing was "
        "fitted to them; efficiencies are those of the catalogue."
    )
    page = Page(
        title="Beyond LLMs: the paper's figures, made afresh", summary=summary, sections=[section for section in sections if section is not None],
        headline={
            "claims that hold": f"{held} of {len(found)}",
            **{f"{row.name}, gain of fused attention": Number(value=row.gain, truth="modelled", style="plain") for row in theirs if row.name == "sd-1.5"},
        },
        inputs={"device": device.name, "format": "fp16", "model": "roofline with the catalogue's efficiencies, kernels launched one by one"},
        sources=sources(),
        generated=made_now(),
        command=f"thrifty operators paper --on {device.name}",
    )  # fmt: skip
    return PaperReport(device=device, rows=rows, claims=found, page=page, seconds=time.perf_counter() - began)
