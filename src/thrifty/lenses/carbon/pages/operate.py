"""A load's electricity as a page: accounts side by side, months by source, and hours as heat maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from thrifty.cost.carbon.citing import cited
from thrifty.report import Block, Bullets, Cell, Chart, Column, Facts, Number, Page, Section, Source, Text, calendar_chart, number_text

if TYPE_CHECKING:
    from thrifty.cost.carbon.operational import Accounts, Supply

CARBON: Final = Column(key="carbon_gco2e", title="Carbon", unit="gCO2e", truth="modelled")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def modelled(value: float, unit: str = "", style: str = "auto") -> Number:
    return Number(value=value, unit=unit, truth="modelled", style=style)  # type: ignore[arg-type]


def operate_page(found: Accounts, *, where: str, pue: float, supply: Supply | None, command: str, generated: str) -> Page:
    """Everything about one load on one grid."""
    load = found.hours.load
    gap = found.hourly_t - found.annual_matched_t
    summary = f"{found.energy_mwh:,.0f} MWh on {where} emit {found.location_t:,.0f} t of CO2e by location."
    if supply is not None:
        summary += f" Own supply covers {found.coverage:.2%} of it hour by hour, which leaves {found.hourly_t:,.0f} t; matched by the year it claims "
        summary += f"{found.annual_matched_t:,.0f} t, {gap:,.0f} t less."
    sections = [Section("Accounts side by side", accounts_blocks(found, supply), id="accounts"), Section("Energy", energy_blocks(found), id="energy")]
    if supply is not None:
        sections.append(Section("Month by month", month_blocks(found), id="months"))
    sections.append(Section("Hour by hour", hour_blocks(found), id="hours"))
    if found.notes:
        sections.append(Section("Assumptions", [Bullets(found.notes)], id="assumptions"))
    return Page(
        title=f"Carbon of electricity on {where}", summary=summary, sections=sections,
        headline={
            "by location": modelled(found.location_t * 1e6, "gCO2e"),
            **({
                "matched by the hour": modelled(found.hourly_t * 1e6, "gCO2e"), "covered hour by hour": modelled(found.coverage, style="percent"),
            } if supply is not None else {"a kWh, in the mean": modelled(found.mean_gco2e_per_kwh, "gCO2e/kWh")}),
            **({"24/7 score": modelled(found.cfe_score, style="percent")} if found.cfe_score is not None else {}),
        },
        inputs={
            "from": f"{load.start:%Y-%m-%d %H:%MZ}", "to": f"{load.end:%Y-%m-%d %H:%MZ}", "step": Number(value=load.step_s, unit="s", truth="given"),
            "PUE": Number(value=pue, truth="given"), "counts": found.boundary,
            **({
                "solar": Number(value=supply.solar_mw * 1e6, unit="W", truth="given"), "wind": Number(value=supply.wind_mw * 1e6, unit="W", truth="given"),
                "battery": Number(value=supply.battery.capacity_mwh * 1e6, unit="Wh", truth="given"),
            } if supply is not None else {}),
        },
        sources=_sources(found), command=command, generated=generated,
    )  # fmt: skip


def accounts_blocks(found: Accounts, supply: Supply | None) -> list[Block]:
    """The accounts as bars, and what each counts."""
    rows: list[list[Cell]] = [
        ["location, by the hour", found.location_t * 1e6, "what the grid emitted for the load, hour by hour"],
        ["location, yearly average", found.location_annual_t * 1e6, "the same with one average, as yearly reports have it"],
        ["market, by the year", found.market_t * 1e6, "what own supply leaves open in the year's sum, at the residual mix"],
        ["annual matching", found.annual_matched_t * 1e6, "the same at the grid's average: the claim of a year's certificates"],
        ["matched by the hour", found.hourly_t * 1e6, "own supply counts in the hour in which it flows"],
    ]
    if supply is None:  # without own supply four accounts say the same
        rows = rows[: 3 if found.market_t != found.location_annual_t else 2]
    if found.marginal_t is not None:
        rows.append(["marginal, estimated", found.marginal_t * 1e6, "what one more load like this would make the grid emit; for decisions, no inventory"])
    blocks: list[Block] = [
        Chart(
            kind="bars", title="Carbon of the same hours in each account",
            columns=(Column(key="account", title="Account"), CARBON), rows=[row[:2] for row in rows],
            x="carbon_gco2e", y="account",
            alt="Bars of the tonnes of CO2e that each way of accounting gives for the same load and the same hours.",
        ),
        Bullets([f"**{account}**: {counts}" for account, _, counts in rows]),
    ]  # fmt: skip
    if supply is not None:
        span = found.supply_t
        blocks += [
            Facts({"making own supply, this period's share": Number(
                value=span.mid * 1e6, low=span.low * 1e6, high=span.high * 1e6, unit="gCO2e", truth="modelled")}),
            Text("Making panels, turbines and batteries stands apart from every account above: it is scope 3 of who builds them."),
        ]  # fmt: skip
    return blocks


def energy_blocks(found: Accounts) -> list[Block]:
    facts = {
        "drawn": modelled(found.energy_mwh * 1e6, "Wh"), "left to the grid": modelled(found.unmet_mwh * 1e6, "Wh"),
        "spilled": modelled(found.spilled_mwh * 1e6, "Wh"), "moved within days": modelled(found.moved_mwh * 1e6, "Wh"),
        "out of the battery's cells": modelled(found.discharged_mwh * 1e6, "Wh"),
        "share that a year's matching claims": modelled(found.annual_matching, style="percent"),
    }  # fmt: skip
    nothing = ("spilled", "moved within days", "out of the battery's cells")
    facts = {name: fact for name, fact in facts.items() if fact.value or name not in nothing}
    if found.water_m3 is not None:
        facts["water"] = modelled(found.water_m3 * 1e3, "L")
    return [Facts(facts)]


def month_blocks(found: Accounts) -> list[Block]:
    """Where each month's energy came from."""
    hours = found.hours
    month, step_h = _local(found)[0], hours.load.step_s / 3600
    load, generated = hours.shifted_mw_T * step_h, (hours.solar_mw_T + hours.wind_mw_T) * step_h
    direct = np.minimum(load, generated)
    sun = direct * np.divide(hours.solar_mw_T * step_h, generated, out=np.zeros_like(load), where=generated > 0)
    parts = {"sun": sun, "wind": direct - sun, "battery": np.maximum(load - direct - hours.unmet_mwh_T, 0.0), "grid": hours.unmet_mwh_T}
    rows: list[list[Cell]] = []
    for key in dict.fromkeys(month.tolist()):
        rows += [[_month(key), name, float(part[month == key].sum()) * 1e6] for name, part in parts.items() if part.any()]
    columns = (
        Column(key="month", title="Month"),
        Column(key="source", title="From"),
        Column(key="energy_wh", title="Energy", unit="Wh", truth="modelled"),
    )
    return [Chart(
        kind="stacked bars", title="What each month's load ran on", columns=columns, rows=rows, x="energy_wh", y="month", series="source",
        alt="Stacked bars of each month's energy by where it came from: own sun, own wind, the battery, the grid.",
    )]  # fmt: skip


def hour_blocks(found: Accounts) -> list[Block]:
    """Every day by the hour: what the grid emitted for the load, and what own supply left open."""
    load = found.hours.load.values_T
    located = load / load.sum() * found.energy_mwh * found.hours.intensity_T * 1e3 if load.any() else np.zeros_like(load)  # of the building
    blocks: list[Block] = [_heat(found, "Carbon by location", "what the grid emitted for the load", located, "gCO2e", "carbon_gco2e")]
    unmet = np.where(found.hours.unmet_mwh_T > 1e-9, found.hours.unmet_mwh_T, 0.0) * 1e6  # replays leave rounding errors
    if unmet.any() and found.coverage > 0:
        blocks.append(_heat(found, "Energy left to the grid", "what own supply did not cover", unmet, "Wh", "energy_wh"))
    return blocks


def _heat(found: Accounts, title: str, what: str, values: np.ndarray, unit: str, key: str) -> Chart:
    _, day, hour = _local(found)
    days, place = np.unique(day, return_inverse=True)
    names = np.datetime_as_string(days.astype("datetime64[D]"))
    sums = np.bincount(place, weights=values)
    return calendar_chart(
        names[place].tolist(), hour.tolist(), (values / (found.hours.load.step_s / 3600)).tolist(), title=f"{title}, hour by hour",
        column=Column(key=key, title=f"{title}, an hour", unit=unit, truth="modelled"),
        caption=f"It is {what}. The day of most is {names[int(sums.argmax())]}, with {number_text(float(sums.max()), unit)}.",
        alt=f"Heat map of {what}: {len(days)} days by the local hours of the day; dark tiles are hours of most.",
    )  # fmt: skip


def _local(found: Accounts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(T,) months and days since January 1970, and the hour of the day, all local."""
    day, hour = found.hours.load.local()
    month = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return month, day, hour


def _month(number: int) -> str:
    year, month = divmod(int(number), 12)
    return f"{_MONTHS[month]} {1970 + year}"


def _sources(found: Accounts) -> list[Source]:
    keys = [*found.sources, "act-2022", "carbon-explorer-mix" if found.boundary == "life-cycle" else "eia-faq-74"]
    return cited([*keys, "carbon-explorer-2023"] if found.supply_t.high else keys)
