"""A policy decision as a page: bills before and after, every plan that some price makes best, the abatement curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from thrifty.cost.carbon.citing import cited
from thrifty.levers.steward.pages.parts import certificate_facts
from thrifty.levers.steward.policy import Abated, CarbonPrice, Policed
from thrifty.printing import make_table
from thrifty.report import Block, Bullets, Cell, Chart, Column, Facts, Number, Page, Section, Table, Text, made_now, number_text

if TYPE_CHECKING:
    from rich.table import Table as RichTable


def price_lines(known: Sequence[CarbonPrice]) -> RichTable:
    """The scenarios as a table for a terminal."""
    return make_table(
        "scenario", "USD/t", "range", "holds", "source", "note",
        rows=[[p.name, f"{p.usd_per_t:.4g}", f"{p.low:.4g} to {p.high:.4g}", p.dated, p.source, p.note] for p in known],
    )  # fmt: skip


def policy_page(found: Policed) -> Page:
    """Jobs under a carbon price or cap."""
    before, after = found.decision.change.before, found.decision.change.after
    even = found.break_even
    certificate = found.decision.certificate
    plan = found.decision.plan
    sections = [Section("Bills", _bills(found), id="bills"), Section("Which price changes the plan", _curve(found), id="curve")]
    if certificate is not None:
        facts = certificate_facts(certificate, "USD")
        if plan["cap_t"] is not None:
            facts["one more tonne of cap is worth"] = Number(value=found.after.shadow_usd_per_t, unit="USD/t", truth="modelled", style="plain")
        sections.append(Section("How good it can be", [Facts(facts)], id="certificate"))
    if found.rebound is not None:
        r = found.rebound
        line = f"At an elasticity of {r.elasticity:g} demand is {r.demand:.3g} times as large and all carbon {r.carbon:.3g} times."
        sections.append(Section("Rebound", [Text(line + (f" Carbon is as before at {r.break_even:.3g}." if r.break_even is not None else ""))], id="rebound"))
    sections.append(Section("What to know", [Bullets(found.decision.notes)], id="notes"))
    source = found.price.source
    changes = f"It changes at {even:.4g} USD/t." if even else "Any carbon price changes the plan." if even == 0 else "No carbon price changes the plan."
    return Page(
        title=f"{len(found.problem.jobs)} jobs at a carbon price of {found.price.usd_per_t:.4g} USD/t ({found.price.name})",
        summary=f"{number_text(before.carbon_gco2e.mid, 'gCO2e')} without the policy, {number_text(after.carbon_gco2e.mid, 'gCO2e')} with it. {changes}",
        sections=sections,
        headline={
            "carbon before": Number(value=before.carbon_gco2e.mid, unit="gCO2e", truth="modelled"),
            "carbon after": Number(value=after.carbon_gco2e.mid, unit="gCO2e", truth="modelled"),
            "bill before": Number(value=before.cost_usd, unit="USD", truth="modelled"),
            "bill after": Number(value=after.cost_usd, unit="USD", truth="modelled"),
        },
        inputs={"carbon price": Number(value=found.price.usd_per_t, unit="USD/t", truth="literature" if source else "given", source=source, style="plain"),
                "places": ", ".join(place.name for place in found.problem.places)},
        sources=cited([*found.decision.sources, *([source] if source else [])]), command=found.decision.change.command, generated=made_now(),
    )  # fmt: skip


def _bills(found: Policed) -> list[Block]:
    rows: list[list[Cell]] = []
    for name, bill in (("without the policy", found.decision.plan["bill_before"]), ("with it", found.decision.plan["bill_after"])):
        for part, key in (("electricity", "electricity_usd"), ("carbon of electricity", "scope2_usd"), ("carbon of making", "scope3_usd")):
            if bill[key] or key != "scope3_usd":
                rows.append([name, part, bill[key]])
    return [
        Chart(
            kind="stacked bars", title="Bill at the carbon price",
            columns=(Column(key="plan", title="Plan"), Column(key="part", title="Part"), Column(key="usd", title="Bill", unit="USD", truth="modelled")),
            rows=rows, x="usd", y="plan", series="part", alt="Two stacked bars of dollars, without and with the policy: electricity, its carbon, and making.",
        )
    ]  # fmt: skip


def _curve(found: Policed) -> list[Block]:
    rows: list[list[Cell]] = [[step.usd_per_t, step.carbon_g, step.electricity_usd] for step in found.steps]
    columns = (
        Column(key="from", title="From a carbon price of", unit="USD/t", truth="modelled", style="plain"),
        Column(key="carbon", title="Carbon", unit="gCO2e", truth="modelled"), Column(key="usd", title="Electricity", unit="USD", truth="modelled"),
    )  # fmt: skip
    said = [f"{'above ' if k and not step.usd_per_t else ''}{step.usd_per_t:,.4g} USD/t" for k, step in enumerate(found.steps)]
    named: list[list[Cell]] = [[name, step.carbon_g, step.electricity_usd] for name, step in zip(said, found.steps, strict=True)]
    first = Column(key="from", title="From a carbon price of")
    blocks: list[Block] = [Table(columns=(first, *columns[1:]), rows=named, caption="Every plan that is cheapest at some price")]
    if len({step.usd_per_t for step in found.steps}) > 1:
        blocks.insert(0, Chart(
            kind="scatter", title="Carbon of the cheapest plan by carbon price", columns=columns, rows=rows, x="from", y="carbon",
            alt="Points: the carbon price from which a plan is the cheapest, and the grams of CO2e that this plan emits.",
        ))  # fmt: skip
    return blocks


def measures_page(found: Abated) -> Page:
    """Measures under a cap."""
    decision = found.decision
    rows: list[list[Cell]] = [
        [measure.name, measure.usd_per_t, measure.abates_t, share] for measure, share in
        sorted(zip(found.measures, found.taken.shares, strict=True), key=lambda pair: pair[0].usd_per_t)
    ]  # fmt: skip
    columns = (
        Column(key="name", title="Measure"), Column(key="usd", title="Cost", unit="USD/t", truth="given", style="plain"),
        Column(key="t", title="Abates", unit="t", truth="given", style="plain"), Column(key="share", title="Taken", truth="modelled", style="percent"),
    )  # fmt: skip
    chart = Chart(
        kind="bars", title="Marginal abatement cost", columns=columns[:2], rows=[row[:2] for row in rows], x="usd", y="name",
        alt="Bars: dollars a tonne of CO2e that each measure costs, the cheapest first; below zero it saves money.",
    )  # fmt: skip
    taken = found.taken
    return Page(
        title=f"{len(found.measures)} measures",
        sections=[Section("Cost of a tonne", [chart, Table(columns=columns, rows=rows, caption="Measures")], id="curve")],
        summary=f"Abating {taken.abated_t:.4g} t costs {taken.cost_usd:,.4g} USD; one tonne more would cost {taken.shadow_usd_per_t:,.4g} USD.",
        headline={"cost": Number(value=taken.cost_usd, unit="USD", truth="modelled"),
                  "shadow price": Number(value=taken.shadow_usd_per_t, unit="USD/t", truth="modelled", style="plain")},
        command=decision.change.command, generated=made_now(),
    )  # fmt: skip

