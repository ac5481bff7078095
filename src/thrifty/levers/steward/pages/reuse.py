"""A decision about servers as a page: carbon per core by what it is of, the servers chosen, who bears a reused part's making, what wear leaves."""

from __future__ import annotations

from thrifty.cost.carbon.embodied.servers import (
    SCENARIOS,
    PerCore,
    Use,
    all_parts,
    all_savings,
    load_part,
    load_server,
    per_core,
    published_grid_g_per_kwh,
    published_savings,
)  # fmt: skip
from thrifty.cost.carbon.factors import load_pack
from thrifty.errors import NoRoom
from thrifty.levers.steward.reuse.allocation import RULES, Life, allocate
from thrifty.levers.steward.reuse.deciding import SOURCES, Reusing
from thrifty.report import Block, Bullets, Cell, Chart, Column, Ground, Number, Page, Section, Source, Table, Text

MODEL = "GreenSKU's open data"
PIECES = {"operational_g": "use", "parts_g": "parts", "chassis_g": "chassis and fans", "rack_g": "rack", "building_g": "building"}
CARBON = Column(key="carbon_gco2e", title="Carbon a core", unit="gCO2e", truth="modelled")


def _modelled(value: float, unit: str = "gCO2e", style: str = "auto", model: str = "") -> Number:
    return Number(value=value, unit=unit, truth="modelled", model=model, style=style)  # type: ignore[arg-type]


def reuse_page(found: Reusing, *, command: str, generated: str) -> Page:
    """What to build, and what it rests on."""
    change, fleet, needs, use = found.decision.change, found.fleet, found.needs, found.use
    saved = 1 - found.after_g_per_core / found.before.total_g
    sources = [load_pack().sources[key] for key in SOURCES]
    sections = [
        Section("Carbon per core", [_stacked(found)], id="cores"), Section("What is built", _built(found), id="built"),
        Section("Who bears a reused part's making", _lives(found), id="lives"),
    ]  # fmt: skip
    if found.wear:
        sections.append(Section("What wear leaves", [_worn(found)], id="wear"))
    sections.append(Section("GreenSKU's own configurations, as published and as computed", _published(), id="published"))
    sections.append(Section("Not known here", [Bullets(found.decision.notes)], id="notes"))
    return Page(
        title=f"{needs.cores:,} cores from new and reused parts",
        summary=found.sentence,
        headline={
            "carbon a core, before": _modelled(found.before.total_g, model=MODEL), "carbon a core, after": _modelled(found.after_g_per_core),
            "saved": _modelled(saved, "", "percent"), "saved in all": _modelled(change.before.carbon_gco2e.mid - change.after.carbon_gco2e.mid),
        },
        inputs={
            "baseline": ", ".join(f"{count} x {name}" for name, count in found.baseline.counts().items()),
            "grid": f"{use.intensity_g_per_kwh:g} gCO2e/kWh, PUE {use.pue:g}", "years": f"{use.life_years:g}",
            "memory a core": f"{needs.memory_per_core_bytes / 1e9:g} GB", "storage a core": f"{needs.storage_per_core_bytes / 1e9:g} GB",
            "rack": f"{needs.limits.rack_power_w / 1e3:g} kW, {needs.limits.rack_units} units",
            "stock": ", ".join(f"{count:,} x {name}" for name, count in needs.stock.items()) or "without limit", "allocation": needs.rule,
            "certificate": f"gap {fleet.certificate.gap:.2g}, by {fleet.certificate.by}",
        },
        sections=sections,
        sources=[Source(key=each.key, title=each.title, publisher=each.publisher, date=each.date, url=each.url, licence=each.licence) for each in sources],
        command=command, generated=generated,
    )  # fmt: skip


def _stacked(found: Reusing) -> Chart:
    bars: dict[str, PerCore] = {"before": found.before}
    built = [f"design {number}" for number in range(1, len(found.fleet.designs) + 1)]
    bars |= {name: design.priced for name, (design, _) in zip(built, found.fleet.designs, strict=True)}
    for name in SCENARIOS:
        if name != found.baseline.name:
            try:
                bars[name] = per_core(load_server(name), found.use, limits=found.needs.limits)
            except NoRoom:
                continue
    rows: list[list[Cell]] = [[name, words, getattr(priced, piece)] for name, priced in bars.items() for piece, words in PIECES.items()]
    return Chart(
        kind="stacked bars", title="Carbon per core over the life, by what it is of", x="carbon_gco2e", y="server", series="piece", rows=rows,
        columns=(Column(key="server", title="Server"), Column(key="piece", title="Of"), CARBON), strong=built,
        alt="Stacked bars of carbon per core, use, parts, chassis, rack and building, of today's servers, of those chosen, and of GreenSKU's configurations.",
        caption="Resized, bergamo, cxl and full are GreenSKU's, with memory and storage of their own and reused parts by cut-off.",
    )  # fmt: skip


def _built(found: Reusing) -> list[Block]:
    columns = (
        Column(key="design", title="Design"), CARBON, Column(key="servers", title="Servers", truth="given", style="integer"),
        Column(key="units", title="Units", truth="given", style="integer"), Column(key="rack", title="In a rack", truth="modelled", style="integer"),
        Column(key="memory", title="Memory", unit="B", truth="given"), Column(key="storage", title="Storage", unit="B", truth="given"),
    )  # fmt: skip
    servers = [("before", found.baseline, found.before, -(-found.needs.cores // found.baseline.cores))]
    servers += [(f"design {number}", design.server, design.priced, count) for number, (design, count) in enumerate(found.fleet.designs, 1)]
    rows: list[list[Cell]] = [
        [
            name, priced.total_g, count, server.chassis.units, priced.servers_per_rack, server.memory_bytes / server.cores,
            server.storage_bytes / server.cores,
        ]
        for name, server, priced, count in servers
    ]  # fmt: skip
    counts = {name: server.counts() for name, server, _, _ in servers}
    parts = [part for part in all_parts() if any(part in held for held in counts.values())]
    inside = Table(
        columns=(Column(key="part", title="Part"), *(Column(key=name, title=name.capitalize(), truth="given", style="integer") for name in counts)),
        rows=[[part, *(held.get(part) for held in counts.values())] for part in parts], caption="Parts of one server",
    )  # fmt: skip
    repairs = found.decision.plan["repairs_per_year"]
    return [
        Table(columns=columns, rows=rows, caption="Servers; memory, storage and carbon of a core"), inside,
        Text(f"Repairs a year, failed modules and drives left in place three times of four: {repairs['before']:.3g} before, {repairs['after']:.3g} after."),
    ]  # fmt: skip


def _lives(found: Reusing) -> list[Block]:
    reused = {name: count for name, count in found.fleet.used().items() if load_part(name).reused}
    if not reused:
        return [Text("No reused part is in these servers.")]
    made = sum(load_part(name).first_carbon_g * count for name, count in reused.items())
    share = found.needs.second_share if found.needs.second_share is not None else 0.5
    lives = (Life(years=found.use.life_years, value_share=1 - share), Life(years=found.use.life_years, value_share=share))
    rows: list[list[Cell]] = []
    for rule in RULES:
        divided = allocate(made, lives, rule)
        rows.append(
            [rule + (f" ({share:.0%} to the second)" if rule == "value" else ""), divided.life_g(1), divided.life_g(2), divided.total_g, divided.credit_g]
        )
    columns = (
        Column(key="rule", title="Rule"), *(Column(key=key, title=title, unit="gCO2e", truth="modelled") for key, title in (
            ("first", "First life"), ("second", "This life"), ("total", "Both"), ("credit", "Credit"),
        )),
    )  # fmt: skip
    table = Table(columns=columns, rows=rows, caption="Making of the reused parts, by rule", strong_rows=[RULES.index(found.needs.rule)])
    words = ", ".join(f"{count:,} x {name}" for name, count in reused.items())
    return [Text(f"Reused: {words}. Both lives together bear the same under every rule; a credit stands beside, never taken off."), table]


def _worn(found: Reusing) -> Table:
    columns = (
        Column(key="part", title="Part"), Column(key="parts", title="With a history", truth="given", style="integer"),
        Column(key="usable", title="Within limits", truth="modelled", style="integer"),
        Column(key="expected", title="Expected to last", truth="modelled"), Column(key="reuse_yield", title="Reuse yield", truth="modelled", style="percent"),
    )  # fmt: skip
    rows: list[list[Cell]] = [[name, row["parts"], row["usable"], row["expected"], row["reuse_yield"]] for name, row in found.wear.items()]
    return Table(columns=columns, rows=rows, caption=f"Used parts that last another {found.use.life_years:g} years")


def _published() -> list[Block]:
    """Savings per core over the baseline: ours, and what a program that scales making by PUE and power factor gets, beside both published tables."""
    use, tables = Use.usual(published_grid_g_per_kwh()), published_savings()
    grounds = {
        "thrifty": all_savings(use), "published table V": tables["table_v"], "published program": all_savings(use, accounts="published-program"),
        "published table VIII": tables["table_viii"],
    }  # fmt: skip
    values = {(name, ground): savings[name].to_dict() for name in tables["table_v"] for ground, savings in grounds.items()}
    sides = {"operational": "use", "embodied": "making", "total": "both"}
    bars: list[list[Cell]] = [
        [name, ground, Number(value=each["total"], truth="literature" if "table" in ground else "modelled", style="percent")]
        for (name, ground), each in values.items()
    ]
    said = f"Carbon saved per core, {use.intensity_g_per_kwh:g} gCO2e/kWh, rack included"
    chart = Chart(
        kind="bars", title=said, columns=(Column(key="name", title="Configuration"), Column(key="by", title="By"),
                                          Column(key="saved", title="Saved", truth="modelled", style="percent")),
        rows=bars, x="saved", y="name", series="by", caption="Tables are literature, the others modelled; the program scales making by PUE and power factor.",
        alt="Bars of the share of carbon per core that each of GreenSKU's configurations saves: computed here, by the published program, and as published.",
    )  # fmt: skip
    rows: list[list[Cell]] = []
    for name in tables["table_v"]:
        for side, words in sides.items():
            row = [
                Number(value=values[name, ground][side], truth="literature" if "table" in ground else "modelled", style="percent",
                       source=SOURCES[0] if "table" in ground else "")
                for ground in grounds
            ]  # fmt: skip
            rows.append([f"{name}, {words}", *row])
    truths: dict[str, Ground] = {ground: "literature" if "table" in ground else "modelled" for ground in grounds}
    columns = (Column(key="name", title="Configuration"), *(Column(key=ground, title=ground.capitalize(), truth=truths[ground]) for ground in grounds))
    return [chart, Table(columns=columns, rows=rows, caption=said)]
