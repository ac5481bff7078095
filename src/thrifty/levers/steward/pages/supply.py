"""A supply as a page: what to build, the front of all that was tried, the hours that stay open, the months."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from thrifty.cost.carbon.citing import cited
from thrifty.cost.carbon.series.series import time_zone
from thrifty.levers.steward.supply.deciding import Supplying
from thrifty.levers.steward.supply.searching import Searched
from thrifty.report import Bullets, Cell, Chart, Column, Note, Number, Page, Section, Table, Text, calendar_chart, number_text

MODEL = "C/L/C battery, replayed by the hour"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SHOWN = 60
"""Supplies of the front that are drawn."""


def _modelled(value: float, unit: str = "", **more: object) -> Number:
    return Number(value=value, unit=unit, truth="modelled", **more)  # type: ignore[arg-type]


def supply_page(found: Supplying, *, command: str, generated: str) -> Page:
    """What to build, and what it rests on."""
    plan, question, certificate = found.decision.plan, found.question, found.decision.certificate
    making = plan["making_t"]
    sections = [
        Section("What it comes to", [_parts(found), _yearly(found)], id="parts"),
        Section("Month by month", [_months(found)], id="months"),
        Section("Hours that stay open", [_open_hours(found)], id="hours"),
    ]
    if found.searched is not None:
        sections.append(Section("All that was tried", [_front(found, found.searched), Text(_checked(found.searched))], id="front"))
    if plan["if_making_is"]:
        sections.append(Section("If making weighs otherwise", [_ends(found)], id="ends"))
    sections.append(Section("Not known here", [Bullets(found.decision.notes)], id="notes"))
    return Page(
        title=f"Supply for {question.load_mwh / len(question.load_mw_T) / question.step_h:.4g} MW at {question.name}", summary=found.sentence,
        headline={
            "reached": _modelled(plan["reached"], style="percent", digits=4, model=MODEL), "carbon in the period": _modelled(plan["total_t"] * 1e6, "gCO2e"),
            "from the grid alone": _modelled(plan["grid_only_t"] * 1e6, "gCO2e"),
            "at most this much better": _modelled(certificate.gap if certificate else 0.0, style="percent"),
        },
        inputs={
            "target": f"{question.kind} {question.target:g}", "objective": question.objective, "from": f"{question.start:%Y-%m-%d %H:%MZ}",
            "steps": f"{len(question.load_mw_T):,} of {question.step_h:g} h", "load": f"{question.load_mwh:,.0f} MWh", "flexible": f"{question.flexible:g}",
            "limits": f"{question.most.solar_mw:g} MW solar, {question.most.wind_mw:g} MW wind, {question.most.battery_mwh:g} MWh",
            "bound": f"{certificate.bound:,.0f} {certificate.unit}: {certificate.by}" if certificate else "none",
            "making": f"{making['low']:,.0f} to {making['high']:,.0f} t",
        },
        sections=sections, sources=cited(found.decision.sources), command=command, generated=generated,
    )  # fmt: skip


def _parts(found: Supplying) -> Table:
    plan, question = found.decision.plan, found.question
    built, rates = found.sized.built, found.question.rates("carbon")
    others = built.solar_mw * rates.solar_per_mw + built.wind_mw * rates.wind_per_mw + built.extra_mw * rates.server_per_mw
    battery_t = max(0.0, plan["making_t"]["mid"] - others / 1e3)
    life = plan["battery_life_years"]
    lasts = f", lasts {life:.3g} years at {plan['cycles_per_year']:.0f} cycles a year" if life else ""
    machines: list[Cell] = ["machines for moved load", f"{built.extra_mw:.3g} MW", built.extra_mw * rates.server_per_mw * 1e3]
    rows: list[list[Cell]] = [
        ["solar", f"{built.solar_mw:.4g} MW", built.solar_mw * rates.solar_per_mw * 1e3],
        ["wind", f"{built.wind_mw:.4g} MW", built.wind_mw * rates.wind_per_mw * 1e3],
        ["battery", f"{built.battery_mwh:.4g} MWh{lasts}", battery_t * 1e6],
        *([machines] if question.flexible or built.extra_mw else []),
        ["grid, hour by hour", f"{(1 - plan['coverage']) * question.load_mwh:,.0f} MWh", plan["hourly_t"] * 1e6],
        ["together", "", plan["total_t"] * 1e6],
    ]
    carbon = Column(key="carbon", title="Carbon of the period", unit="gCO2e", truth="modelled")
    columns = (Column(key="part", title="Part"), Column(key="size", title="Size"), carbon)
    return Table(columns=columns, rows=rows, caption="What is built, its share of the period, and what is still drawn", strong_rows=[len(rows) - 1])


def _yearly(found: Supplying) -> Note:
    annual = found.decision.plan["annual_only"]
    return Note(
        f"Net zero by the year is not 24/7: {annual['mw']:.4g} MW of {annual['fuel']} generate as much in the period as the load takes, and a yearly account "
        f"would say 0 t. By the hour they cover {annual['coverage']:.1%} and leave {annual['hourly_t']:,.0f} t."
    )


def _local(found: Supplying) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """(T,) month from 0 and (T,) hour of the day, local."""
    question, zone = found.question, time_zone(found.question.zone)
    moments = [(question.start + timedelta(hours=question.step_h * k)).astimezone(zone) for k in range(len(question.load_mw_T))]
    return np.array([m.month - 1 for m in moments]), np.array([m.hour for m in moments])


def _months(found: Supplying) -> Chart:
    month, _ = _local(found)
    hours = found.hours
    own = np.minimum(hours.solar_T + hours.wind_T, hours.load_T)
    share = np.divide(hours.solar_T, hours.solar_T + hours.wind_T, out=np.zeros_like(own), where=hours.solar_T + hours.wind_T > 0)
    parts = {"solar": own * share, "wind": own * (1 - share), "battery": hours.battery_T, "grid": hours.grid_T}
    rows: list[list[Cell]] = [
        [MONTHS[m], name, round(float(values[month == m].sum()), 6) * 1e6] for m in dict.fromkeys(month.tolist())
        for name, values in parts.items() if values.any()
    ]  # fmt: skip
    return Chart(
        kind="stacked bars", title="What the load is met with, month by month",
        columns=(Column(key="month", title="Month"), Column(key="part", title="From"), Column(key="energy_wh", title="Energy", unit="Wh", truth="modelled")),
        rows=rows, x="energy_wh", y="month", series="part", alt="Stacked bars of the load's energy in each month: from solar, wind, the battery and the grid.",
    )  # fmt: skip


def _open_hours(found: Supplying) -> Chart:
    question, zone = found.question, time_zone(found.question.zone)
    moments = [(question.start + timedelta(hours=question.step_h * k)).astimezone(zone) for k in range(len(question.load_mw_T))]
    grid = np.where(found.hours.grid_T > 1e-9, found.hours.grid_T, 0.0) * 1e6
    by_day: dict[str, float] = {}
    for moment, value in zip(moments, grid.tolist(), strict=True):
        by_day[f"{moment:%Y-%m-%d}"] = by_day.get(f"{moment:%Y-%m-%d}", 0.0) + value
    worst, share = max(by_day, key=lambda day: by_day[day]), float(np.mean(grid > 0))
    return calendar_chart(
        [f"{moment:%Y-%m-%d}" for moment in moments], [moment.hour for moment in moments], (grid / question.step_h).tolist(),
        title="Energy that is still drawn from the grid, hour by hour",
        column=Column(key="energy_wh", title="From the grid, an hour", unit="Wh", truth="modelled"),
        caption=f"Open are {share:.1%} of the hours; the day that leaves most open is {worst}, with {number_text(by_day[worst], 'Wh')}.",
        alt="Heat map of the energy that is still drawn from the grid, by day of the year and local hour of the day; dark tiles are hours that draw most.",
    )  # fmt: skip


def _front(found: Supplying, searched: Searched) -> Chart:
    unit = "gCO2e" if found.question.objective == "carbon" else "USD"
    scale = 1e3 if unit == "gCO2e" else 1.0
    table = searched.rows_PC
    picked = np.unique(np.append(np.linspace(0, len(table) - 1, min(_SHOWN, len(table))).astype(int), searched.least))
    told = {int(picked[0]), int(picked[-1]), int(searched.least)}
    rows: list[list[Cell]] = [
        [_named(table[k]), _named(table[k]) if k in told else "", float(table[k, 4]) * scale, float(table[k, 5]) * scale, True] for k in picked
    ]
    b, name = found.sized.built, "built"
    mine = float(found.sized.value)
    from thrifty.levers.steward.supply.replayed import outcomes

    own = outcomes(found.question, [b.solar_mw], [b.wind_mw], [b.battery_mwh], [b.extra_mw], depth=b.depth)
    whole = f"built: {mine / 1e3:,.0f} {'t' if unit == 'gCO2e' else 'kUSD'} in all"
    rows.append([whole, name, float(own.making_N[0]) * scale, float(own.grid_N[0]) * scale, False])
    best = _named(table[searched.least])
    return Chart(
        kind="scatter", title="Making against the grid: supplies that nothing beats",
        columns=(
            Column(key="supply", title="Supply"), Column(key="name", title="In the drawing"), Column(key="making", title="Making", unit=unit, truth="modelled"),
            Column(key="grid", title="Grid", unit=unit, truth="modelled"), Column(key="front", title="On the front"),
        ),
        rows=rows, x="making", y="grid", label="name", front="front", strong=(best, name),
        caption=f"{len(picked)} of the front's {len(table)} supplies; {best} has the least total of the grid.",
        alt="Points of the carbon of making against the carbon of the grid, for supplies that no other supply beats in both; the one built stands out.",
    )  # fmt: skip


def _named(row: np.ndarray[tuple[int], np.dtype[np.float64]]) -> str:
    parts = (("MW solar", row[0]), ("MW wind", row[1]), ("MWh", row[2]), ("MW machines", row[3]))
    return " + ".join(f"{value:.3g} {unit}" for unit, value in parts if value) or "nothing"


def _checked(searched: Searched) -> str:
    differ = f"differ by {searched.disagreed_mwh:.1g} MWh of the period at most" if searched.disagreed_mwh > 1e-6 else "agree but for rounding"
    return (
        f"{searched.points:,} supplies replayed in {searched.seconds[0]:.1f} s; the {len(searched.rows_PC):,} kept were checked minute by minute in "
        f"{searched.seconds[1]:.1f} s and {differ}."
    )


def _ends(found: Supplying) -> Table:
    rows: list[list[Cell]] = [
        [end, f"{e['solar_mw']:.4g} MW solar, {e['wind_mw']:.4g} MW wind, {e['battery_mwh']:.4g} MWh", e["total_t"] * 1e6, e["regret"]]
        for end, e in found.decision.plan["if_making_is"].items()
    ]
    columns = (
        Column(key="end", title="Making at its"), Column(key="built", title="Best then"),
        Column(key="carbon", title="Carbon of the period", unit="gCO2e", truth="modelled"),
        Column(key="regret", title="Above is worse by", truth="modelled", style="percent"),
    )  # fmt: skip
    return Table(columns=columns, rows=rows, caption="At the ends of what making may emit")
