"""`thrifty carbon operate`: a load on a grid through a period, in all accounts side by side."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thrifty.errors import BadValue
from thrifty.lenses.carbon.commands.asking import moment, named_shares, quantity
from thrifty.printing import command_line, make_table, print_json, print_parts

if TYPE_CHECKING:
    from thrifty.cost.carbon.operational import Supply
    from thrifty.cost.carbon.series import Intensity, Series


def operate(
    load: Annotated[Path | None, typer.Option(metavar="FILE", help="IT load by step: CSV, JSON, Parquet; time and one column with its unit.")] = None,
    power: Annotated[str, typer.Option(metavar="POWER", help="Instead: a constant IT load, e.g. 20MW.")] = "",
    site: Annotated[str, typer.Option(metavar="NAME", help="A region with hourly generation (eia-cal, ...) or a site of the catalogue.")] = "",
    mix: Annotated[Path | None, typer.Option(metavar="FILE", help="Instead: intensity by step, or generation by fuel.")] = None,
    start: Annotated[str, typer.Option("--from", metavar="TIME", help="Begin, local: 2020-01-01 or 2020-01-01T07:00Z. [default: all there is]")] = "",
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="End, itself not included.")] = "",
    pue: Annotated[float | None, typer.Option(metavar="X", help="Building over IT power. [default: the site's sheet; 1 without]")] = None,
    battery: Annotated[str, typer.Option(metavar="MWH", help="Capacity of a battery, e.g. 100MWh.")] = "0 MWh",
    solar: Annotated[str, typer.Option(metavar="MW", help="Rated solar power of one's own.")] = "0 MW",
    wind: Annotated[str, typer.Option(metavar="MW", help="Rated wind power of one's own.")] = "0 MW",
    weather: Annotated[str, typer.Option(metavar="PLACE", help="Typical year for own sun and wind. [default: the region's generation]")] = "",
    flexible: Annotated[float, typer.Option(metavar="SHARE", help="Share of the load that may move within its day.")] = 0.0,
    capacity: Annotated[str, typer.Option(metavar="MW", help="Most load that there are machines for, of the building.")] = "",
    battery_start: Annotated[float, typer.Option(metavar="SHARE", help="Charge at the start.")] = 1.0,
    signal: Annotated[str, typer.Option(help="What moving load follows: average or marginal.")] = "average",
    boundary: Annotated[str, typer.Option(show_default=False, help="direct or life-cycle. [default: life-cycle; a site's own where it has one average]")] = "",
    claimed: Annotated[list[str] | None, typer.Option(metavar="FUEL=SHARE", help="Share of a fuel that others' contracts claim (residual mix).")] = None,
    fill: Annotated[str, typer.Option(show_default=False, help="Fill holes: linear or day. [default: refuse them]")] = "",
    zone: Annotated[str, typer.Option(metavar="ZONE", help="Time zone of stamps and days without one, e.g. America/Los_Angeles.")] = "",
    unit: Annotated[str, typer.Option(metavar="UNIT", help="Unit of the load's column where its head has none.")] = "",
    mix_unit: Annotated[str, typer.Option(metavar="UNIT", help="The same of the mix.")] = "",
    wue: Annotated[float, typer.Option(metavar="L/KWH", show_default=False, help="Water of the building, a kWh of IT energy.")] = 0.0,
    grid_wue: Annotated[float, typer.Option(metavar="L/KWH", show_default=False, help="Water of the grid, a kWh of electricity.")] = 0.0,
    list_all: Annotated[bool, typer.Option("--list", help="Show grids and weather that ship.")] = False,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.html", help="Write everything as one page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Carbon of a load's electricity: location, market, matched by the year and by the hour, 24/7; own sun, wind, battery and load that can wait."""
    if list_all:
        _list(as_json)
        return
    import numpy as np

    from thrifty.cost.carbon.operational import account
    from thrifty.cost.carbon.series import carbon_free_share, intensity_of_grid, load_generation, region_of, residual_of
    from thrifty.lenses.carbon.pages.operate import operate_page
    from thrifty.report import give, made_now

    if bool(load) == bool(power):
        raise BadValue("a load is needed, once. Give --load FILE or --power 20MW.")
    if bool(site) == bool(mix):
        raise BadValue("a grid is needed, once. Give --site NAME or --mix FILE; list with: thrifty carbon operate --list")
    if signal not in ("average", "marginal"):
        raise BadValue(f"signal='{signal}' is unknown. Choose average or marginal.")
    way: Any = fill or None
    for word, given, owner, there in (("unit", unit, "load", load), ("mix-unit", mix_unit, "mix", mix)):
        if given and not there:
            raise BadValue(f"{word}={given} says how to read --{owner}, and there is none. Leave it out.")
    if not 0 <= battery_start <= 1:
        raise BadValue(f"battery_start={battery_start} is not between 0 and 1. Give the share of its capacity that the battery holds at the start.")
    grid, used_pue, region = _grid(site, mix, boundary, mix_unit, zone, way, pue)
    asked, filled_in = _load(load, power, unit, zone, way, grid, start, end)
    supply = _supply(
        asked, region, weather, solar=quantity("solar", solar, "power", plain="MW") / 1e6, wind=quantity("wind", wind, "power", plain="MW") / 1e6,
        battery=quantity("battery", battery, "energy", plain="MWh") / 3.6e9, start_share=battery_start,
    )  # fmt: skip
    margin = residual = clean = None
    if region is not None:
        margin = intensity_of_grid(region, grid.boundary, "marginal", fill=way)
        clean = carbon_free_share(region, fill=way)
    if shares := named_shares("claimed", claimed):
        if region is None:
            raise BadValue("claimed shares need generation by fuel. Choose a region: thrifty carbon operate --list")
        generation = load_generation(region)
        taken = {fuel: share * np.maximum(np.nan_to_num(generation.of(fuel).values_T), 0.0) for fuel, share in shares.items()}
        residual = residual_of(region, taken, grid.boundary, fill=way)
    if signal == "marginal" and margin is None:
        raise BadValue(f"no marginal intensity is known of '{site or mix}'. Use --signal average, or a region: thrifty carbon operate --list")
    cap_mw = quantity("capacity", capacity, "power", plain="MW") / 1e6 if capacity else None
    found = account(
        asked, grid, pue=used_pue, supply=supply, flexible_share=flexible, cap_mw=cap_mw, marginal=margin, residual=residual, clean_share=clean,
        follow_marginal=signal == "marginal", water={"site": wue, "grid": grid_wue} if wue or grid_wue else None,
    )  # fmt: skip
    notes = [*filled_in, *found.notes]
    if supply is not None and supply.battery.capacity_mwh and battery_start:
        notes.append(f"the battery starts {battery_start:.0%} full, and what charged it before is not counted: --battery-start 0 starts empty")
    found = replace(found, notes=tuple(notes))
    command = command_line(
        "thrifty", "carbon", "operate", load=load, power=power, site=site, mix=mix, **{"from": start, "to": end}, pue=pue,
        battery=battery if battery != "0 MWh" else "", solar=solar if solar != "0 MW" else "", wind=wind if wind != "0 MW" else "", weather=weather,
        flexible=flexible, capacity=capacity, battery_start=str(battery_start) if battery_start != 1 else "", signal=signal if signal != "average" else "",
        boundary=boundary, fill=fill, zone=zone, unit=unit, mix_unit=mix_unit, wue=wue, grid_wue=grid_wue, claimed=claimed,
    )  # fmt: skip
    where = site or (mix.name if mix else "")
    about = {
        "site": where, "from": asked.start.isoformat(), "to": asked.end.isoformat(), "step_s": asked.step_s, "zone": asked.zone, "pue": used_pue,
        "signal": grid.signal, "region": region_of(site) if site else None,
    }  # fmt: skip
    give(
        lambda: operate_page(found, where=where, pue=used_pue, supply=supply, command=command, generated=made_now()),
        lambda: {**about, **found.to_dict(), "command": command}, out, as_json, drawn=("hours", "months"),
    )  # fmt: skip


def _grid(site: str, mix: Path | None, boundary: str, unit: str, zone: str, fill: Any, pue: float | None) -> tuple[Intensity, float, str | None]:
    """The intensity, the PUE that counts, and the region with hours that the site lies in."""
    from thrifty.cost.carbon.series import generation_names, intensity_of_grid, read_mix, region_of
    from thrifty.hardware import load_site

    chosen: Any = boundary or None
    if mix is not None:
        read = read_mix(mix, chosen or "life-cycle", unit=unit or None, zone=zone or None, fill=fill, option="--mix-unit")
        return read, 1.0 if pue is None else pue, None
    found = intensity_of_grid(site, chosen, fill=fill)
    own = 1.0 if site in generation_names() else load_site(site).pue
    return found, own if pue is None else pue, region_of(site)


def _load(
    path: Path | None, power: str, unit: str, own_zone: str, fill: Any, grid: Intensity, start: str, end: str
) -> tuple[Series, tuple[str, ...]]:  # fmt: skip
    """The load in the period that is asked for (what there is, where none is), and what was filled. own_zone: as stated, "" for the grid's."""
    import numpy as np

    from thrifty.cost.carbon.series import Series, read_series
    from thrifty.cost.carbon.series.stamps import MOST_STEPS

    zone = own_zone or grid.series.zone
    if path is not None:
        # A yearly average has no zone of its own: stamps without an offset then need --zone.
        series, notes = read_series(path, "load", unit=unit or None, zone=own_zone or (zone if zone != "UTC" else None), fill=fill)
        series = replace(series, zone=zone if series.zone == "UTC" else series.zone)
        begin, stop = moment("from", start, series.zone) if start else series.start, moment("to", end, series.zone) if end else series.end
        return series.within(begin, stop), notes
    whole = _calendar_years(grid)
    begin, stop = moment("from", start, zone) if start else whole[0], moment("to", end, zone) if end else whole[1]
    step = 3600.0 if grid.flat else grid.series.step_s
    count = (stop - begin).total_seconds() / step
    if count <= 0:
        raise BadValue(f"a period from {begin} to {stop} is empty. Give --to after --from.")
    if count > MOST_STEPS:
        raise BadValue(f"from {begin} to {stop} are {count:,.0f} steps of {step:g} s, more than {MOST_STEPS:,}. Give a shorter period.")
    if count != int(count):
        raise BadValue(f"from {begin} to {stop} is no whole number of steps of {step:g} s. Mend --from or --to.")
    values = np.full(int(count), quantity("power", power, "power") / 1e6)
    return Series(start=begin, step_s=step, values_T=values, unit="MW", zone=zone, name="load"), ()


def _calendar_years(grid: Intensity) -> tuple[datetime, datetime]:
    """The local calendar years that the grid's series covers whole, or all of it where that is none."""
    from thrifty.cost.carbon.series.series import time_zone

    series, zone = grid.series, time_zone(grid.series.zone)
    if grid.flat:
        return series.start, series.start.replace(year=series.start.year + 1)
    first, last = series.start.astimezone(zone), series.end.astimezone(zone)
    begin = datetime(first.year, 1, 1, tzinfo=zone)
    begin = begin if begin >= first else datetime(first.year + 1, 1, 1, tzinfo=zone)
    stop = datetime(last.year, 1, 1, tzinfo=zone)
    return (begin.astimezone(UTC), stop.astimezone(UTC)) if begin < stop else (series.start, series.end)


def _supply(load: Series, region: str | None, weather: str, *, solar: float, wind: float, battery: float, start_share: float) -> Supply | None:
    """Own supply, None where there is none."""
    from thrifty.cost.carbon.operational import Supply, regional_shares, weather_shares
    from thrifty.cost.carbon.series import load_weather
    from thrifty.cost.carbon.supply import Battery

    if weather:
        load_weather(weather)  # an unknown place is refused even where nothing is built there
    if not (solar or wind or battery):
        return None
    if weather:
        shares = weather_shares(weather, load)
    elif region is not None:
        shares = tuple(each.within(load.start, load.end).whole().stepped(load.step_s) for each in regional_shares(region))  # type: ignore[assignment]
    else:
        raise BadValue("own supply needs hours of sun and wind, which this grid does not state. Give --weather PLACE: thrifty carbon operate --list")
    return Supply(solar_mw=solar, wind_mw=wind, solar_share=shares[0], wind_share=shares[1], battery=Battery.of(battery), start_share=start_share)


def _list(as_json: bool) -> None:
    from thrifty.cost.carbon.series import generation_names, load_generation, load_weather, weather_names

    grids, places = [load_generation(name) for name in generation_names()], [load_weather(name) for name in weather_names()]
    if as_json:
        print_json({
            "grids": [{"name": g.name, "title": g.title, "start": g.start.isoformat(), "hours": g.by_fuel_FT.shape[1], "zone": g.zone, "fuels": list(g.fuels),
                       "sites": list(g.sites), "source": g.source, "notes": list(g.notes)} for g in grids],
            "weather": [{"name": w.name, "title": w.title, "hours": len(w.solar_share_T), "solar_share": float(w.solar_share_T.mean()),
                         "wind_share": float(w.wind_share_T.mean()), "source": w.source} for w in places],
        })  # fmt: skip
        return
    print_parts(
        make_table("grid", "what", "hours", "from", "time zone", "sites in it", rows=[
            (g.name, g.title, f"{g.by_fuel_FT.shape[1]:,}", f"{g.start:%Y-%m-%d %H:%MZ}", g.zone, ", ".join(g.sites) or "–") for g in grids
        ]),
        make_table("weather", "place", "hours", "solar share", "wind share", rows=[
            (w.name, w.title, f"{len(w.solar_share_T):,}", f"{w.solar_share_T.mean():.1%}", f"{w.wind_share_T.mean():.1%}") for w in places
        ]),
        "Every other site of the catalogue has one average a year: thrifty hardware sites. Grids and weather: [literature].",
    )  # fmt: skip
