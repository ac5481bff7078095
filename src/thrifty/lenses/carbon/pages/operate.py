"""A load's electricity as a page: accounts side by side, months by source, and hours as heat maps."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from thrifty.report import Block, Bullets, Cell, Chart, Column, Facts, Number, Page, Section, Source, Table, Text

if TYPE_CHECKING:
    from thrifty.cost.carbon.operational import Accounts, Supply

CARBON: Final = Column(key="carbon_gco2e", title="Carbon", unit="gCO2e", truth="modelled")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS: Final = 14


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
    sections += [Section("Month by month", month_blocks(found), id="months"), Section("Hour by hour", hour_blocks(found), id="hours")]
    if found.notes:
        sections.append(Section("Assumptions", [Bullets(found.notes)], id="assumptions"))
    return Page(
        title=f"Carbon of electricity on {where}", summary=summary, sections=sections,
        headline={
            "by location": modelled(found.location_t * 1e6, "gCO2e"), "matched by the hour": modelled(found.hourly_t * 1e6, "gCO2e"),
            "covered hour by hour": modelled(found.coverage, style="percent"),
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
    """The accounts as bars and as a table with what each counts."""
    rows: list[list[Cell]] = [
        ["location, by the hour", found.location_t * 1e6, "what the grid emitted for the load, hour by hour"],
        ["location, yearly average", found.location_annual_t * 1e6, "the same with one average, as yearly reports have it"],
        ["market, by the year", found.market_t * 1e6, "what own supply leaves open in the year's sum, at the residual mix"],
        ["annual matching", found.annual_matched_t * 1e6, "the same at the grid's average: the claim of a year's certificates"],
        ["matched by the hour", found.hourly_t * 1e6, "own supply counts in the hour in which it flows"],
    ]
    if found.marginal_t is not None:
        rows.append(["marginal, estimated", found.marginal_t * 1e6, "what one more load like this would make the grid emit; for decisions, no inventory"])
    columns = (Column(key="account", title="Account"), CARBON, Column(key="counts", title="Counts"))
    blocks: list[Block] = [
        Chart(
            kind="bars", title="Carbon of the same hours in each account", columns=columns[:2], rows=[row[:2] for row in rows], x="carbon_gco2e", y="account",
            alt="Bars of the tonnes of CO2e that each way of accounting gives for the same load and the same hours.",
        ),
        Table(columns=columns, rows=rows, caption="What each account counts"),
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
    """Month by hour for the whole period, and day by hour for the days that leave most open."""
    month, day, hour = _local(found)
    unmet, carbon = found.hours.unmet_mwh_T * 1e6, found.hours.carbon_t_T * 1e6
    days = np.unique(day)
    blocks: list[Block] = []
    for title, values, unit, key in (("Carbon of the grid's power", carbon, "gCO2e", "carbon_gco2e"), ("Energy left to the grid", unmet, "Wh", "energy_wh")):
        if len(days) > _DAYS:
            blocks.append(_heat(f"{title}, mean day of each month", month, hour, values, unit, key, [_month(m) for m in month], "Month", per_day=day))
        chosen = _worst(day, values, days)
        inside = np.isin(day, chosen)
        names = [_day(found, number) for number in day[inside]]
        which = f"the {len(chosen)} days in a row that emit most" if key == "carbon_gco2e" else f"the {len(chosen)} days in a row that leave most open"
        blocks.append(_heat(f"{title}, {which}", day[inside], hour[inside], values[inside], unit, key, names, "Day"))
    return blocks


def _heat(
    title: str, across: np.ndarray, hour: np.ndarray, values: np.ndarray, unit: str, key: str, names: list[str], axis: str, per_day: np.ndarray | None = None,
) -> Chart:  # fmt: skip
    """Tiles of sums (per_day: of means over the days in each column), hour of the day downwards."""
    by_column = dict(zip(across.tolist(), names, strict=True))
    rows: list[list[Cell]] = []
    for column, name in by_column.items():
        inside = across == column
        count = 1 if per_day is None else len(np.unique(per_day[inside]))
        rows += [[name, f"{h:02d}", float(values[inside & (hour == h)].sum()) / count] for h in range(24) if (inside & (hour == h)).any()]
    columns = (Column(key="when", title=axis), Column(key="hour", title="Local hour"), Column(key=key, title=title, unit=unit, truth="modelled"))
    return Chart(
        kind="heat map", title=title, columns=columns, rows=rows, x="when", y="hour", colour=key,
        alt=f"Heat map of the local hour of the day against the {axis.lower()}; the colour is the {title.lower()}.",
    )  # fmt: skip


def _worst(day: np.ndarray, values: np.ndarray, days: np.ndarray) -> np.ndarray:
    sums = np.array([values[day == each].sum() for each in days])
    if len(days) <= _DAYS:
        return days
    first = int(np.convolve(sums, np.ones(_DAYS), mode="valid").argmax())
    return np.asarray(days[first : first + _DAYS])


def _local(found: Accounts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(T,) months and days since January 1970, and the hour of the day, all local."""
    day, hour = found.hours.load.local()
    month = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return month, day, hour


def _month(number: int) -> str:
    year, month = divmod(int(number), 12)
    return f"{_MONTHS[month]} {1970 + year}"


def _day(found: Accounts, number: int) -> str:
    from datetime import date

    moment = date(1970, 1, 1) + timedelta(days=int(number))
    return f"{moment.day} {_MONTHS[moment.month - 1]}"


def _sources(found: Accounts) -> list[Source]:
    from thrifty.cost.carbon.factors import load_pack
    from thrifty.cost.carbon.series import series_sources

    known = {**load_pack().sources, **series_sources()}
    keys = [*found.sources, "act-2022", "carbon-explorer-mix" if found.boundary == "life-cycle" else "eia-faq-74"]
    if found.supply_t.high:
        keys.append("carbon-explorer-2023")
    return [
        Source(key=key, title=known[key].title, publisher=known[key].publisher, date=known[key].date, url=known[key].url, licence=known[key].licence)
        for key in dict.fromkeys(keys) if key in known
    ]  # fmt: skip
