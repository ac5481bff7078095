"""A ledger as a page: what emits, for whom, and at which hours of which days."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from thrifty.cost.carbon.citing import cited
from thrifty.cost.carbon.embodied.models import MODEL_SOURCES
from thrifty.report import Block, Bullets, Cell, Chart, Column, Number, Page, Section, Table, Text, calendar_chart, made_now

if TYPE_CHECKING:
    from thrifty.lenses.carbon.ledger import Ledger
    from thrifty.lenses.carbon.ledger.fleets.answering import Account

CARBON: Final = Column(key="carbon_gco2e", title="Carbon", unit="gCO2e", truth="modelled")
AN_HOUR: Final = Column(key="carbon_gco2e", title="Carbon an hour", unit="gCO2e", truth="modelled")


def account_page(found: Account, counted: Ledger, *, method: str, command: str) -> Page:
    """Everything about one ledger. counted: with scope 2 by one method."""
    total = counted.total_g()
    lines = counted.by("line")
    free = lines.get("idle", 0.0) + lines.get("stranded", 0.0)
    both = [way for way in ("location", "market") if way in found.ledger.names("method")]
    what = "depends on the decision" if found.kind == "decision" else "is charged to the period"
    summary = f"{total / 1e3:,.4g} kg of CO2e {what}. " + _most(counted, total)
    sections = [Section("What emits, and when in its life", [_stacked(counted, "asset", "phase")], id="assets")]
    if any(counted.by("tenant")):
        sections.append(Section("For whom", _tenants(counted), id="tenants"))
    if (chart := heat(counted)) is not None:
        sections.append(Section("When", [chart], id="hours"))
    sections.append(Section("By scope", [_scopes(found, both)], id="scopes"))
    if any(span.high > 0 for span in found.making_g.values()):
        sections.append(Section("Making, and how far models lie apart", [_making(found)], id="making"))
    limits: list[Block] = [Text("Nothing in this ledger is an offset: those never subtract. The same carbon twice is refused.")]
    if found.notes:
        limits.append(Bullets(found.notes))
    sections.append(Section("Assumptions", limits, id="assumptions"))
    return Page(
        title=f"Carbon of {found.name}", summary=summary, sections=sections,
        headline={
            "Carbon": Number(value=total, unit="gCO2e", truth="modelled"),
            "of it making": Number(value=_share(counted, "phase", "use", total), truth="modelled", style="percent"),
            "idle and stranded": Number(value=free / total if total else None, truth="modelled", style="percent"),
        },
        inputs={
            "period": found.period, "ledger": found.kind, "scope 2": f"by {method}", "rows": Number(value=len(found.ledger), truth="given", style="integer"),
            **({"energy at the meter": Number(value=sum(found.energy_kwh.values()) * 1e3, unit="Wh", truth="modelled")} if found.energy_kwh else {}),
        },
        sources=cited(_grounds(counted)), command=command, generated=made_now(),
    )  # fmt: skip


def _grounds(counted: Ledger) -> list[str]:
    """Keys of sources that the rows' own words of ground name: models of making, grids, and the factors of those grids' fuels."""
    words = sorted({word for text in counted.names("source") for word in re.findall(r"[a-z0-9-]+", text)})
    models = [key for word in words for key in MODEL_SOURCES.get(word, (word,))]
    return [*models, "carbon-explorer-mix" if "life-cycle" in words else "eia-faq-74"] if "eia-930" in words else models


def _most(counted: Ledger, total: float) -> str:
    by = counted.by("asset")
    if not by or not total:
        return "Nothing was emitted."
    name = max(by, key=lambda asset: by[asset])
    return f"'{name}' has most of it, {by[name] / total:.0%}."


def _share(counted: Ledger, column: str, but: str, total: float) -> float | None:
    return sum(grams for name, grams in counted.by(column).items() if name != but) / total if total else None


def _stacked(counted: Ledger, row: str, series: str) -> Chart:
    rows: list[list[Cell]] = [[str(name) or "(nobody)", str(kind), grams] for (name, kind), grams in counted.by(row, series).items()]
    return Chart(
        kind="stacked bars", title=f"Carbon by {row} and {series}", columns=(Column(key="name", title=row.title()), Column(key="kind", title=series), CARBON),
        rows=rows, x="carbon_gco2e", y="name", series="kind",
        alt=f"Stacked bars of grams of CO2e, a bar for each {row}, its pieces by {series}; the numbers stand in the table beneath.",
    )  # fmt: skip


def _tenants(counted: Ledger) -> list[Block]:
    text = Text("Capacity that nobody took is a line of its own: *idle* could have been sold, *stranded* not, since another resource had run out.")
    return [_stacked(counted, "tenant", "line"), text]


def heat(counted: Ledger) -> Chart | None:
    """Grams by hour (UTC) and day. None where no row has an hour."""
    timed = ~np.isnat(counted.hour_R)
    if not timed.any():
        return None
    moments, place_R = np.unique(counted.hour_R[timed], return_inverse=True)
    grams = np.bincount(place_R, weights=counted.carbon_gco2e_R[timed])
    days = moments.astype("datetime64[D]")
    hours = (moments - days).astype("timedelta64[h]").astype(np.int64)
    most = moments[int(np.argmax(grams))]
    return calendar_chart(
        np.datetime_as_string(days).tolist(), hours.tolist(), grams.tolist(), title="Carbon an hour, by day and hour", clock="UTC", column=AN_HOUR,
        caption=f"Rows that have an hour. The hour of most begins at {str(most).replace('T', ' ')}:00 UTC.",
        alt="Heat map of grams of CO2e in every hour of every day of the ledger, hours in UTC; dark tiles are hours that emit most.",
    )  # fmt: skip


def _scopes(found: Account, both: Sequence[str]) -> Table:
    ways = both or ("location",)
    titles = {way: f"Scope 2 by {way}" if both else "Carbon" for way in ways}
    columns = (Column(key="scope", title="Scope"), *(Column(key=way, title=titles[way], unit="gCO2e", truth="modelled") for way in ways))
    sums = {way: found.ledger.by("scope", method=way) for way in ways}
    rows: list[list[Cell]] = [[f"scope {scope}", *(sums[way].get(scope, 0.0) for way in ways)] for scope in (1, 2, 3)]
    rows.append(["together", *(sum(sums[way].values()) for way in ways)])
    return Table(columns=columns, rows=rows, caption="Scopes of the GHG Protocol, as far as this description goes", strong_rows=[3])


def _making(found: Account) -> Table:
    rows: list[list[Cell]] = [
        [name, Number(value=span.mid, low=span.low, high=span.high, unit="gCO2e", truth="modelled")] for name, span in found.making_g.items() if span.high
    ]  # fmt: skip
    columns = (Column(key="asset", title="Asset"), Column(key="making", title="The period's part of making", unit="gCO2e"))
    return Table(columns=columns, rows=rows, caption="The ledger books the middle; the range is what public models span")
