"""A refresh decision as a page: cumulative carbon of keeping and of replacing, one upgrade a year, the boundary over grids, bills."""

from __future__ import annotations

import math

from thrifty.cost.carbon.citing import cited
from thrifty.cost.carbon.factors import load_pack
from thrifty.hardware import Site
from thrifty.levers.steward.refresh.billing import RULES, yearly_shares
from thrifty.levers.steward.refresh.deciding import ENDS, Refreshing, fleets_of
from thrifty.levers.steward.refresh.fleets import Fleets
from thrifty.quantities import YEAR_S
from thrifty.report import Block, Bullets, Cell, Chart, Column, Facts, Number, Page, Section, Style, Table, Text

MODEL = "carbon-ensemble-1"


def _modelled(value: float | None, unit: str = "", **more: float) -> Number:
    return Number(value=value if value is None or math.isfinite(value) else None, unit=unit, truth="modelled", model=MODEL, **more)  # type: ignore[arg-type]


def _plain(value: float, unit: str, **more: float) -> Number:
    return Number(value=value, unit=unit, truth="modelled", **more)  # type: ignore[arg-type]


def refresh_page(found: Refreshing, site: Site, *, command: str, generated: str) -> Page:
    """What to do, and what it rests on."""
    swap, future, change = found.swap, found.fleets.future, found.decision.change
    low, mid, high = found.break_even_years
    saved = change.before.carbon_gco2e.mid - change.after.carbon_gco2e.mid
    return Page(
        title=f"{swap.old} or {swap.new} at {site.title}",
        summary=found.sentence,
        headline={
            "pays back after": (
                "never" if not math.isfinite(mid) else
                _modelled(mid * YEAR_S, "s", **({"low": low * YEAR_S, "high": high * YEAR_S} if math.isfinite(high) else {}))
            ),
            "carbon if kept": _plain(change.before.carbon_gco2e.mid, "gCO2e"),
            "carbon of the plan": _plain(
                change.after.carbon_gco2e.mid, "gCO2e", low=change.after.carbon_gco2e.low, high=change.after.carbon_gco2e.high
            ),
            "saved": _plain(saved, "gCO2e"),
        },
        inputs={
            "old machines": f"{swap.old_count:,.0f} x {swap.old}, {swap.old_power_w:,.0f} W",
            "new machines": f"{swap.new_count:,.3g} x {swap.new}, {swap.new_power_w:,.0f} W",
            "work of a new one": f"{swap.ratio:.3g} old ones ({swap.ratio_ground})",
            "site": f"{site.name}: {site.intensity_gco2e_per_kwh:.3g} gCO2e/kWh, PUE {site.pue:g}",
            "years": str(future.years), "gain a year": f"{future.gain:.3g} ({future.gains})", "growth a year": f"{future.growth:.3g}",
            "grid's decline a year": f"{future.grid_decline:.3g}",
        },
        sections=[
            Section("Carbon year by year", [_cumulative(found, site)], id="cumulative"),
            Section("One upgrade, in which year", [_upgrades(found)], id="upgrade"),
            Section("Longer life or new machines", [_boundary(found, site)], id="boundary"),
            Section("How robust", [*_cases(found), Text("Robust means: every combination gives the same answer to whether all is replaced now.")], id="cases"),
            Section("How the making is billed", [_bills(found)], id="bills"),
            Section("What others found", [_published()], id="published"),
            Section("Not known here", [Bullets(found.decision.notes)], id="notes"),
        ],
        sources=cited(("carbon-depreciation", "ceo-dc-2025")),
        command=command, generated=generated,
    )  # fmt: skip


def _published() -> Facts:
    """Numbers of others beside ours; none of them enters an answer."""
    pack = load_pack()

    def found(path: str, style: Style = "percent") -> Number:
        factor = pack.factor(f"refresh:{path}")
        return Number(value=factor.value, truth="literature", source=factor.source, style=style)

    return Facts({
        "front-loaded bills: old machines cheaper by, least": found("billing.less_low"), "and most": found("billing.less_high"),
        "linear bills: new machines too cheap by": found("billing.new_cheaper"),
        "upgrades every 4 years: growth outweighs them in more than": found("upgrades.growth_wins"),
        "they need an incentive in more than": found("upgrades.incentives_needed"),
        "countries of 14 whose carbon price brings none": found("upgrades.prices_too_low", "integer"),
    })  # fmt: skip


def _running(fleets: Fleets, replaced: tuple[int, ...], until: float) -> float:
    """Grams emitted from now until a moment, made machines at the start of their first year, running evenly within a year."""
    whole = math.floor(until)
    starts, ends = (-1, *replaced), (*replaced, fleets.future.years)
    total = 0.0
    for bought, end in zip(starts, ends, strict=True):
        first = max(bought, 0)
        if first > until:
            break
        done = fleets.serving(bought, min(end, whole)) if min(end, whole) > first else None
        total += done.carbon_gco2e if done else 0.0
        if whole < end and until >= first:
            upto = fleets.serving(bought, whole + 1)
            making = upto.making_gco2e - (done.making_gco2e if done else 0.0)
            total += making + (upto.running_gco2e - (done.running_gco2e if done else 0.0)) * (until - whole)
    return total


def _cumulative(found: Refreshing, site: Site) -> Chart:
    years = found.fleets.future.years
    moments = [float(year) for year in range(years)] + [years - 1e-9]
    crossing = found.break_even_years[1]
    flat = not (found.fleets.future.growth or found.fleets.future.grid_decline or found.fleets.future.failures)
    if flat and 0 < crossing < years:
        moments = sorted({*moments, crossing})
    lines: dict[str, tuple[Fleets, tuple[int, ...]]] = {"keep": (found.fleets, ())}
    for end in ENDS:
        lines[f"replace, making {end}"] = (fleets_of(found.swap, site, found.fleets.future, end), (0,))
    rows: list[list[Cell]] = [[name, moment, _running(fleets, plan, moment)] for name, (fleets, plan) in lines.items() for moment in moments]
    said = f"The lines of the middle estimate cross after {crossing:.2g} years." if math.isfinite(crossing) else "The lines never cross."
    return Chart(
        kind="line", title=f"Carbon from now on, added up: keep {found.swap.old}, or replace it now by {found.swap.new}",
        columns=(
            Column(key="plan", title="Plan"), Column(key="years", title="Years from now", unit="yr", truth="given", style="plain"),
            Column(key="carbon", title="Carbon so far", unit="gCO2e", truth="modelled"),
        ),
        rows=rows, x="years", y="carbon", series="plan", caption=said,
        alt=f"Lines of carbon added up over the years: keeping {found.swap.old} starts at nothing, {found.swap.new} starts at its making. {said}",
    )  # fmt: skip


def _upgrades(found: Refreshing) -> Chart:
    rows: list[list[Cell]] = []
    for each in found.upgrades:
        name = "never" if each.year is None else "now" if each.year == 0 else f"year {each.year}"
        rows += [[name, "making", each.sums.making_gco2e], [name, "running", each.sums.running_gco2e]]
    return Chart(
        kind="stacked bars", title="Carbon of the horizon, by the year of one upgrade",
        columns=(Column(key="when", title="Upgrade"), Column(key="part", title="Of"), Column(key="carbon", title="Carbon", unit="gCO2e", truth="modelled")),
        rows=rows, x="carbon", y="when", series="part",
        alt="Stacked bars of the horizon's carbon for an upgrade now, in each later year, and never: making and running.",
    )  # fmt: skip


def _boundary(found: Refreshing, site: Site) -> Chart:
    rows: list[list[Cell]] = []
    for years in (0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10):
        for end, value in zip(ENDS, found.swap.paying_intensity(years, site.pue), strict=True):
            rows.append([f"making {end}", float(years), value if math.isfinite(value) else None])
    return Chart(
        kind="line", title="Grid intensity above which new machines pay within their years",
        columns=(
            Column(key="making", title="Making"), Column(key="years", title="Years of service", unit="yr", truth="given", style="plain"),
            Column(key="intensity", title="Intensity", unit="gCO2e/kWh", truth="modelled", style="plain"),
        ),
        rows=rows, x="years", y="intensity", series="making", y_log=True,
        caption=f"Above a line: replace. Below: keep. Here the grid has {site.intensity_gco2e_per_kwh:.3g} gCO2e/kWh.",
        alt="Lines of the grid intensity above which replacing pays, falling with the years that the new machines serve, for three estimates of their making.",
    )  # fmt: skip


def _cases(found: Refreshing) -> list[Block]:
    """A row for each work of a new machine, a column for each making; a sentence where all say the same."""
    told = {case: "keep" if not plan else ", ".join("now" if year == 0 else f"year {year}" for year in plan) for case, plan in found.by_case.items()}
    pairs = {tuple(case.split(", ", 1)): plan for case, plan in told.items()}
    makings, ratios = (list(dict.fromkeys(pair[side] for pair in pairs)) for side in (0, 1))
    if len(set(told.values())) == 1:
        plan = next(iter(told.values()))
        return [Text(f"**{'Keep' if plan == 'keep' else f'Replace {plan}'}** in all {len(told)} cases: {', '.join(makings)}, each with {', '.join(ratios)}.")]
    rows: list[list[Cell]] = [[ratio, *(pairs.get((making, ratio)) for making in makings)] for ratio in ratios]
    columns = (Column(key="ratio", title="Old ones that a new one replaces"), *(Column(key=making, title=making.capitalize()) for making in makings))
    return [Table(columns=columns, rows=rows, caption="Replace when: the best plan at every end of the ranges")]


def _bills(found: Refreshing) -> Table:
    years = found.fleets.future.years
    making = found.swap.new_gco2e.mid * found.swap.new_count
    by_rule = {rule: yearly_shares(years, rule, decline=min(2.0, years)) for rule in RULES}
    rows: list[list[Cell]] = [[str(year + 1), *(making * by_rule[rule][year] for rule in RULES)] for year in range(years)]
    columns = [Column(key="year", title="Year"), *(Column(key=rule, title=rule, unit="gCO2e", truth="modelled") for rule in RULES)]
    return Table(columns=columns, rows=rows, caption="Making the new machines, billed over the years planned; each column adds up to the same")
