"""Power caps as a page: what is avoided, who waits, caps over the grid's hours."""

from __future__ import annotations

from datetime import datetime

from thrifty.cost.carbon.citing import cited
from thrifty.levers.steward.pages.parts import certificate_block
from thrifty.levers.steward.schedule.capping import Response
from thrifty.report import Block, Bullets, Cell, Chart, Column, Number, Page, Section, Table, made_now


def caps_page(found: Response, begin: datetime) -> Page:
    """A response to caps."""
    decision = found.decision
    before, after, plan = decision.change.before, decision.change.after, decision.plan
    rows: list[list[Cell]] = [
        [name, side.carbon_gco2e.mid, side.energy_j, side.cost_usd, served.late, served.mean_delay * found.step_h]
        for name, side, served in (("no caps", before, found.before), ("caps", after, found.after))
    ]
    columns = (
        Column(key="name", title="Devices"), Column(key="carbon", title="Carbon", unit="gCO2e", truth="modelled"),
        Column(key="energy", title="Energy", unit="J", truth="modelled"), Column(key="usd", title="Electricity", unit="USD", truth="modelled"),
        Column(key="late", title="Late", truth="modelled", style="percent"), Column(key="delay", title="Mean delay", unit="h", truth="modelled", style="plain"),
    )  # fmt: skip
    chart = Chart(kind="bars", title="Carbon", columns=columns[:2], rows=[row[:2] for row in rows], x="carbon", y="name",
                  alt="Two bars: grams of CO2e of all devices without caps and with them.")  # fmt: skip
    both = Table(columns=columns, rows=rows, caption="All devices")
    sections = [Section("Before and after", [chart, both], id="both"), Section("Hours", _hours(found, begin), id="hours")]
    if decision.certificate is not None:
        block = certificate_block(decision.certificate, "gCO2e", ours="these caps", bound="none are below")
        sections.append(Section("How good they can be", [block], id="certificate"))
    sections.append(Section("What to know", [Bullets(decision.notes)], id="notes"))
    share = plan["avoided_gco2e"] / before.carbon_gco2e.mid if before.carbon_gco2e.mid else 0.0
    return Page(
        title=f"{found.device.count} x {found.device.name} under power caps",
        summary=f"Caps avoid {share:.1%} of the carbon; {plan['late_share']:.1%} of the work is late and {max(0.0, plan['dropped_share']):.1%} is not taken.",
        sections=sections,
        headline={
            "avoided": Number(value=share, truth="modelled", style="percent"), "late": Number(value=plan["late_share"], truth="modelled", style="percent"),
        },
        inputs={"step": Number(value=found.step_h, unit="h", truth="given", style="plain"), "hours": f"{len(found.grams_T) * found.step_h:g}"},
        sources=cited(decision.sources), command=decision.change.command,
        generated=made_now(),
    )  # fmt: skip


def _hours(found: Response, begin: datetime) -> list[Block]:
    hour = [found.step_h * t for t in range(len(found.grams_T))]
    intensity: list[list[Cell]] = [[h, float(g), "grid"] for h, g in zip(hour, found.grams_T, strict=True)]
    power: list[list[Cell]] = [[h, float(p), what] for what, served in (("no caps", found.before), ("caps", found.after))
                               for h, p in zip(hour, served.power_w_T, strict=True)]  # fmt: skip
    first = Column(key="hour", title=f"Hour from {begin:%Y-%m-%d %H:%M}", unit="h", truth="given")
    what = Column(key="what", title="What")
    return [
        Chart(
            kind="line", title="Intensity at the machine", columns=(first, Column(key="g", title="gCO2e/kWh", truth="modelled"), what), rows=intensity,
            x="hour", y="g", series="what", alt="Line of the grid's carbon intensity with the building's share over the hours of the period.",
        ),
        Chart(
            kind="line", title="Power of one device", columns=(first, Column(key="w", title="Power", unit="W", truth="modelled"), what), rows=power,
            x="hour", y="w", series="what", alt="Two lines of watts over the hours of the period: one device without caps, and under them.",
        ),
    ]  # fmt: skip
