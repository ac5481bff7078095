"""A question from plain values, as a command line, a file or a task of a campaign states it."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np

from thrifty.cost.carbon.operational import regional_shares, weather_shares
from thrifty.cost.carbon.series import Series, load_generation, region_of
from thrifty.cost.carbon.series.filling import filled
from thrifty.cost.carbon.series.grids import carbon_free_share, intensity_of_grid
from thrifty.cost.carbon.series.reading import read_mix, read_series
from thrifty.cost.carbon.series.series import time_zone
from thrifty.errors import BadValue
from thrifty.hardware import load_site, site_names
from thrifty.levers.steward.schedule.asking.deadlines import instant
from thrifty.levers.steward.supply.question import DEPTHS, Most, Question
from thrifty.quantities import HOUR_S

USUAL: Final[dict[str, Any]] = {
    "site": "us-california", "mix": "", "power_mw": 0.0, "load": "", "weather": "", "target": 0.95, "kind": "coverage", "pue": 1.0, "flexible": 0.0,
    "solar_max": math.nan, "wind_max": math.nan, "battery_max": math.nan, "extra_max": math.nan, "boundary": "", "fill": "", "objective": "carbon",
    "depth": "", "price": math.nan, "server_w": math.nan, "chemistry": "li-ion", "from": "", "to": "",
}  # fmt: skip
MEANS: Final = 40.0
"""Default limits: this many times the mean load in megawatts of solar and of wind; hours of the mean load in the battery are `HOURS`."""
HOURS: Final = 100.0


def asked_question(**asked: Any) -> Question:
    """The question that `USUAL`'s keys state; those left out are as usual, NaN and "" mean not given.

    Without a load the period is the year that the grid's hours cover. Raises BadValue, BadFile, UnknownName.
    """
    unknown = set(asked) - set(USUAL)
    if unknown:
        raise BadValue(f"'{min(unknown)}' is no part of a question. Choose from: {', '.join(USUAL)}.")
    said = {**USUAL, **asked}
    if bool(said["load"]) == bool(said["power_mw"]):
        raise BadValue("a load is stated by --power or by --load, one of them. Give e.g. --power 20MW.")
    fill = said["fill"] or None
    notes: list[str] = []
    if said["mix"]:
        grid = read_mix(Path(said["mix"]), said["boundary"] or "life-cycle", fill=fill, option="")
        region, place = None, Path(said["mix"]).stem
    else:
        grid = intensity_of_grid(said["site"], said["boundary"] or None, fill=fill)
        region, place = region_of(said["site"]), said["site"]
    notes += grid.notes
    if grid.boundary == "direct":
        notes.append("the grid counts what power plants emit themselves, own supply is counted with its making: the grid is favoured")
    load, load_notes = _load(said, grid.series, grid.flat, region)
    notes += load_notes
    pue = float(said["pue"])
    if not (math.isfinite(pue) and pue >= 1):
        raise BadValue(f"pue={pue} is below 1. A building draws at least what its machines draw.")
    load = load.with_values(load.values_T * pue)
    intensity = grid.over(load.start, load.end, load.step_s).values_T
    if said["weather"]:
        solar, wind = weather_shares(said["weather"], load)
        notes.append(f"weather: the typical year of {said['weather']}, set on the calendar of the load")
    elif region:
        solar, wind = (_cut(_mended(share, fill), load) for share in regional_shares(region))
        notes.append("sun and wind: a whole region's hours over their greatest, smoother than one farm")
    else:
        raise BadValue(f"no hours of sun and wind are known of '{place}'. Name a place with a typical year: --weather greensboro, sand-point or miami.")
    clean = _cut(carbon_free_share(region, fill), load).values_T if region else None
    price = float(said["price"])
    site = said["site"] if not said["mix"] and said["site"] in site_names() else ""
    if math.isnan(price) and site:
        price = (load_site(site).electricity_usd_per_kwh or math.nan) * 1e3
    mean, peak = float(load.values_T.mean()), float(load.values_T.max())
    limits = {"solar_max": MEANS * mean, "wind_max": MEANS * mean, "battery_max": HOURS * mean, "extra_max": peak if said["flexible"] else 0.0}
    most = {key: usual if math.isnan(said[key]) else float(said[key]) for key, usual in limits.items()}
    sources = [grid.source, "carbon-explorer-2023", *(["nrel-tmy"] if said["weather"] else [])]
    given = {"server_w": float(said["server_w"])} if not math.isnan(said["server_w"]) else {}
    return Question(
        name=place, start=load.start, step_h=load.step_s / HOUR_S, load_mw_T=load.values_T, solar_share_T=solar.values_T, wind_share_T=wind.values_T,
        intensity_T=intensity, days_T=load.local()[0], target=float(said["target"]), kind=said["kind"], clean_T=clean, flexible=float(said["flexible"]),
        most=Most(solar_mw=most["solar_max"], wind_mw=most["wind_max"], battery_mwh=most["battery_max"], extra_mw=most["extra_max"]),
        objective=said["objective"], chemistry=said["chemistry"], depths=_depths(said["depth"]), price_usd_per_mwh=price, notes=tuple(dict.fromkeys(notes)),
        sources=tuple(source for source in dict.fromkeys(sources) if source), zone=load.zone, **given,
    )  # fmt: skip


@functools.lru_cache(maxsize=4)
def question_of_text(text: str) -> Question:
    """The question that JSON of `asked_question`'s keys states; kept for the tasks of a campaign."""
    return asked_question(**json.loads(text))


def _depths(text: str) -> tuple[float, ...]:
    if not text:
        return DEPTHS
    try:
        return (float(text),)
    except ValueError:
        raise BadValue(f"depth='{text}' is no share. Give one of {', '.join(f'{depth:g}' for depth in DEPTHS)}, or leave it out to try all.") from None


def _load(said: Mapping[str, Any], grid: Series, flat: bool, region: str | None) -> tuple[Series, tuple[str, ...]]:
    zone = time_zone(grid.zone)
    start, end = (instant(said[key], zone, f"--{key}") if said[key] else None for key in ("from", "to"))
    if said["load"]:
        load, notes = read_series(Path(said["load"]), "load", fill=said["fill"] or None, zone=grid.zone, option="")
        load = load.within(start or load.start, end or load.end)
        if load.values_T.min() < 0:
            raise BadValue(f"{load.name} falls to {load.values_T.min():g} MW. A load is at least 0.")
        return load, notes
    power = float(said["power_mw"])
    if not (math.isfinite(power) and power > 0):
        raise BadValue(f"power={power} MW is not above 0. Give the load, e.g. --power 20MW.")
    if start is None or end is None:
        year = load_generation(region).start.astimezone(zone).year + 1 if region else grid.start.astimezone(zone).year
        if not flat:  # the calendar year of the place, where the series covers it; else all of the series
            first, last = (datetime(each, 1, 1, tzinfo=zone).astimezone(UTC) for each in (year, year + 1))
            whole = grid.start <= first and last <= grid.end
            start, end = start or (first if whole else grid.start), end or (last if whole else grid.end)
        else:
            start, end = start or datetime(year, 1, 1, tzinfo=zone).astimezone(UTC), end or datetime(year + 1, 1, 1, tzinfo=zone).astimezone(UTC)
    step_s = HOUR_S if flat else grid.step_s
    count = (end - start) / timedelta(seconds=step_s)
    if count < 1 or count != int(count):
        raise BadValue(f"{start} to {end} is no whole number of steps of {step_s:g} s. Give an end after the start, on a step's bound.")
    return Series(start=start, step_s=step_s, values_T=np.full(int(count), power), unit="MW", zone=grid.zone, name="load"), ()


def _mended(series: Series, fill: Any) -> Series:
    return filled(series, fill)[0] if fill else series


def _cut(series: Series, like: Series) -> Series:
    return series.within(like.start, like.end).whole().stepped(like.step_s)
