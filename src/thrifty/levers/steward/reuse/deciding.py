"""The decision: servers as they are bought today beside the fleet of least carbon."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from thrifty.cost.carbon.embodied.servers import PerCore, Server, Use, per_core, repairs_per_100_server_years
from thrifty.footprint import Footprint, Interval
from thrifty.levers.contract import Change
from thrifty.levers.steward.decision import Decision
from thrifty.levers.steward.reuse.choosing import Fleet, choose
from thrifty.levers.steward.reuse.designs import all_designs
from thrifty.levers.steward.reuse.needs import Needs

SOURCES: Final = ("greensku-data",)
NOTES: Final = (
    "a core counts as a core: whether work runs as fast on another processor, or with memory behind a controller, is not known here",
    "single model: vendors' assessments as GreenSKU's open data state them; other models of the same parts differ by up to 20 times (thrifty carbon embodied)",
    "rack and building are shared by servers of one kind; transport and refurbishing of reused parts count as nothing, for no source states them",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reusing:
    """The decision with what a page shows of it."""

    decision: Decision
    baseline: Server
    before: PerCore
    fleet: Fleet
    needs: Needs
    use: Use
    wear: Mapping[str, Mapping[str, float]]

    @property
    def after_g_per_core(self) -> float:
        return self.fleet.carbon_g / self.fleet.cores

    @property
    def sentence(self) -> str:
        saved = 1 - self.after_g_per_core / self.before.total_g
        design, _ = max(self.fleet.designs, key=lambda pair: pair[1])
        parts = ", ".join(f"{count} x {name}" for name, count in design.server.counts().items())
        word = "less" if saved >= 0 else "more"
        return f"{abs(saved):.1%} {word} carbon per core than '{self.baseline.name}': {parts}, {design.server.chassis.units}U."


def decide_reuse(
    baseline: Server, needs: Needs, use: Use, *, wear: Mapping[str, Mapping[str, float]] | None = None, notes: tuple[str, ...] = (),
    command: str = "",
) -> Reusing:  # fmt: skip
    """The fleet of least carbon for `needs`, and as many cores of `baseline` before it. Raises NoRoom, BadValue."""
    before = per_core(baseline, use, limits=needs.limits)
    fleet = choose(all_designs(needs, use), needs)
    servers = math.ceil(needs.cores / baseline.cores)
    standing = _footprint(before.total_g * baseline.cores * servers, before.energy_j * baseline.cores * servers, baseline.memory_bytes * servers, use)
    energy = math.fsum(design.priced.energy_j * design.server.cores * count for design, count in fleet.designs)
    memory = math.fsum(design.server.memory_bytes * count for design, count in fleet.designs)
    after = _footprint(fleet.carbon_g, energy, memory, use)
    rates = math.fsum(repairs_per_100_server_years(design.server) * count for design, count in fleet.designs) / 100
    plan: dict[str, Any] = {
        "baseline": {"name": baseline.name, "servers": servers, "parts": baseline.counts(), "per_core": before.to_dict()},
        "fleet": fleet.to_dict(), "saved_per_core": 1 - fleet.carbon_g / fleet.cores / before.total_g,
        "allocation": {"rule": needs.rule, "credit_gco2e": fleet.credit_g, "credit": "beside the total, never netted"},
        "repairs_per_year": {"before": repairs_per_100_server_years(baseline) * servers / 100, "after": rates},
        "stock": dict(needs.stock), "wear": {part: dict(row) for part, row in (wear or {}).items()}, "truth": "modelled",
    }  # fmt: skip
    notes = (*NOTES, *notes)
    if any(part.reused and not part.carbon_g for design, _ in fleet.designs for part in design.server.parts) and needs.rule == "cut-off":
        notes = ("reused parts bear nothing of their first making (cut-off); --allocation chooses another rule", *notes)
    decision = Decision(
        change=Change(before=standing, after=after, artefact="", command=command), plan=plan, certificate=fleet.certificate, notes=notes, sources=SOURCES
    )
    return Reusing(decision=decision, baseline=baseline, before=before, fleet=fleet, needs=needs, use=use, wear=wear or {})


def _footprint(carbon_g: float, energy_j: float, memory_bytes: float, use: Use) -> Footprint:
    return Footprint(time_s=use.hours * 3600, memory_bytes=memory_bytes, energy_j=energy_j, carbon_gco2e=Interval.exact(carbon_g))
