"""Writes a fleet's rows: running by the hour at the grid of the place, the period's part of making, carrying and disposing, and what is burnt here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.cost.carbon.series import Intensity, Series, intensity_of_grid, region_of
from thrifty.errors import BadValue
from thrifty.footprint import Interval
from thrifty.hardware import load_site
from thrifty.lenses.carbon.ledger.depreciation import life_share
from thrifty.lenses.carbon.ledger.fleets.description import Asset, Fleet
from thrifty.lenses.carbon.ledger.fleets.making import life_s_of, making_of
from thrifty.lenses.carbon.ledger.fleets.sharing import Shares, making_shares, reserved_shares, running_shares
from thrifty.lenses.carbon.ledger.moving import divide
from thrifty.lenses.carbon.ledger.table import Ledger, conserved
from thrifty.quantities import HOUR_S

Floats = npt.NDArray[np.float64]
MOST_HOURS = 1_000_000
"""More than a century."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Booked:
    """A fleet's ledger over a period. making_g: by asset, the period's part of making with what public models span; energy_kwh: by asset, at the meter."""

    fleet: Fleet
    ledger: Ledger
    start: datetime
    end: datetime
    making_g: Mapping[str, Interval] = field(default_factory=dict)
    energy_kwh: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def book(fleet: Fleet, start: datetime | None = None, end: datetime | None = None, *, boundary: str = "") -> Booked:
    """The billing ledger of a period (default: the fleet's). boundary: life-cycle or direct; default life-cycle where known, else what the site states.

    Raises BadValue for no period or one that is no whole hours, a load that does not cover it, or an asset without power.
    """
    first, last = start or fleet.start, end or fleet.end
    if first is None or last is None:
        raise BadValue(f"fleet '{fleet.name}' names no period. Give start and end in [fleet], or --from and --to.")
    hours = (last - first).total_seconds() / HOUR_S
    if hours < 1 or hours != int(hours) or first.astimezone(UTC).minute or first.second:
        raise BadValue(f"the period from {first} to {last} is not one or more whole hours. Give bounds on the hour, the end after the start.")
    if hours > MOST_HOURS:
        raise BadValue(f"the period from {first} to {last} has {hours:,.0f} hours, more than {MOST_HOURS:,}. Give a shorter one.")
    hour_T = np.datetime64(first.astimezone(UTC).replace(tzinfo=None), "h") + np.arange(int(hours))
    pieces: list[Ledger] = []
    making_g, energy_kwh = {}, {}
    notes: list[str] = []
    markets = any(asset.market_g_per_kwh is not None for asset in fleet.assets)
    for asset in fleet.assets:
        if asset.bought is not None and asset.bought >= last:
            notes.append(f"'{asset.name}' is bought at {asset.bought.isoformat()}, after the period: nothing is counted but a load that is stated")
        grid = intensity_of_grid(asset.site, boundary=_boundary(asset.site, boundary))
        reserved = reserved_shares(asset, len(hour_T))
        made, spans, said = _making(asset, fleet, hour_T)
        making_g[asset.name] = spans
        pieces += [_shared(piece, None if reserved is None else making_shares(asset, reserved, fleet.rule)) for piece in made]
        run, kwh = _running(asset, grid, hour_T, first, last, reserved, markets, notes)
        energy_kwh[asset.name] = kwh
        pieces += run
        notes += [*said, *grid.notes]
    ledger = Ledger.joined([piece for piece in pieces if len(piece)])
    if any("life-cycle" in each for each in ledger.names("source")):
        notes.append("life-cycle intensity counts building power plants and their fuel supply, which the GHG Protocol puts into scope 3: --boundary direct")
    return Booked(
        fleet=fleet, ledger=ledger, start=first, end=last, making_g=making_g, energy_kwh=energy_kwh, notes=tuple(dict.fromkeys(notes))
    )  # fmt: skip


def _hour(moment: datetime) -> Any:
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "h")


def _boundary(site: str, wanted: str) -> Any:
    return wanted or ("life-cycle" if region_of(site) is not None else None)


def _making(asset: Asset, fleet: Fleet, hour_T: Any) -> tuple[list[Ledger], Interval, list[str]]:
    made = making_of(asset)
    life_s, said = life_s_of(asset)
    bought = hour_T[0] if asset.bought is None else _hour(asset.bought)
    age_T = (hour_T - bought).astype(np.float64)
    share_T = life_share(age_T, age_T + 1, life_s / HOUR_S, fleet.depreciation)
    notes = [*made.notes, *([said] if said and (made.gco2e.mid or asset.transport_g or asset.end_of_life_g) else [])]
    if not share_T.any() and (age_T[-1] > 0):
        notes.append(f"'{asset.name}' has outlived its {life_s / 31_557_600:.3g} years: its making is paid off and charged to nobody")
    pieces = []
    for phase, grams, truth, source in (
        ("manufacture", made.gco2e.mid, made.truth, made.source), ("transport", asset.transport_g, "given", "description of the fleet"),
        ("end of life", asset.end_of_life_g, "given", "description of the fleet"),
    ):  # fmt: skip
        if grams > 0:
            pieces.append(Ledger.of_columns(
                asset=asset.name, phase=phase, scope=3, hour=hour_T, carbon_gco2e=grams * asset.count * share_T, truth=truth, source=source, line=asset.line,
            ))  # fmt: skip
    return pieces, made.gco2e * (asset.count * float(share_T.sum())), notes


def _running(
    asset: Asset, grid: Intensity, hour_T: Any, first: datetime, last: datetime, reserved: Shares | None, markets: bool, notes: list[str]
) -> tuple[list[Ledger], float]:
    site = load_site(asset.site) if region_of(asset.site) != asset.site else None
    if asset.pue is None and site is None:
        raise BadValue(f"asset '{asset.name}' stands on grid '{asset.site}', which has no building. Give its pue.")
    pue = asset.pue if asset.pue is not None else site.pue if site is not None else 1.0
    power_w_T, rest_w_T = _power(asset, first, last, len(hour_T), reserved)
    here_T = np.ones(len(hour_T)) if asset.bought is None else (hour_T >= _hour(asset.bought)).astype(np.float64)
    if asset.load is None:  # a load is what was measured; a power holds from the hour in which the machine was bought
        power_w_T, rest_w_T = power_w_T * here_T, rest_w_T * here_T
    kwh_T = power_w_T / 1e3 * pue
    grid_T = grid.over(first, last, HOUR_S).values_T
    share = None
    if reserved is not None:
        share = running_shares(reserved, np.divide(rest_w_T, power_w_T, out=np.ones_like(power_w_T), where=power_w_T > 0))
    rows = {"asset": asset.name, "phase": "use", "hour": hour_T, "line": asset.line}
    said = f"{grid.source or 'description of the fleet'}, {grid.boundary} {'yearly average' if grid.flat else 'by the hour'}"
    pieces = [Ledger.of_columns(**rows, scope=2, method="location", carbon_gco2e=kwh_T * grid_T, source=said)]
    if markets:
        contract = asset.market_g_per_kwh
        if contract is None:
            notes.append(f"'{asset.name}' has no contract: its market account takes the grid's average, as no residual mix is known")
        pieces.append(Ledger.of_columns(
            **rows, scope=2, method="market", carbon_gco2e=kwh_T * (grid_T if contract is None else contract),
            source=said if contract is None else "contract, description of the fleet", truth="modelled",
        ))  # fmt: skip
    if asset.fuel_g_per_s > 0:
        burnt = asset.fuel_g_per_s * HOUR_S * asset.count * here_T
        pieces.append(Ledger.of_columns(**rows, scope=1, carbon_gco2e=burnt, truth="given", source="description of the fleet"))
    return [_shared(piece, share) for piece in pieces], float(kwh_T.sum())


def _power(asset: Asset, first: datetime, last: datetime, hours: int, reserved: Shares | None) -> tuple[Floats, Floats]:
    """(W of all machines by the hour, of which at rest)."""
    rest = None if asset.idle_w is None else np.full(hours, asset.idle_w * asset.count)
    if asset.load is not None:
        load = _hourly(asset.load, first, last)
        return load, load if rest is None else np.minimum(rest, load)
    if asset.power_w is not None:
        power = np.full(hours, asset.power_w * asset.count)
        return power, power if rest is None else np.minimum(rest, power)
    if rest is None:
        raise BadValue(f"asset '{asset.name}' draws nothing that is stated. Give power = '300 W', a load file, or idle and busy.")
    if asset.busy_w is None:
        return rest, rest
    if reserved is None:
        raise BadValue(f"asset '{asset.name}' has idle and busy power, and nothing says how busy it is. Give tenants with use, or power.")
    used = sum(reserved.used_by.values(), np.zeros(hours))
    return rest + (asset.busy_w - (asset.idle_w or 0.0)) * asset.count * used, rest


def _hourly(load: Series, first: datetime, last: datetime) -> Floats:
    cut = load.within(first, last).whole().stepped(HOUR_S)
    if cut.values_T.min() < 0:
        raise BadValue(f"{load.name} falls to {cut.values_T.min():g} MW. A load is at least 0.")
    return cut.values_T * 1e6


def _shared(piece: Ledger, shares: Shares | None) -> Ledger:
    if shares is None or piece.names("line") == ("overhead",):
        return _present(piece)
    divided = divide(piece, shares.by_tenant, rest=shares.lines)
    conserved(float(piece.carbon_gco2e_R.sum()), float(divided.carbon_gco2e_R.sum()))
    return _present(divided)


def _present(piece: Ledger) -> Ledger:
    """Without rows of nothing: the table is sparse."""
    return piece.taken(piece.carbon_gco2e_R > 0)
