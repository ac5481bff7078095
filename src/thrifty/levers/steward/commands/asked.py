"""What `schedule` and `policy` share: how a command line states jobs and places, and how it is said again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from thrifty.errors import BadValue
from thrifty.printing import command_line
from thrifty.quantities import stated

if TYPE_CHECKING:
    from datetime import datetime

    from thrifty.levers.steward.schedule.asking.problem import Problem
    from thrifty.levers.steward.schedule.capping import Response


def above_zero(what: str, text: str, dimension: str, plain: str) -> float:
    """ "2 MW", "2MW" or a plain number in the unit `plain`, above 0. Raises BadValue."""
    value = stated(what, text, dimension, plain=plain)
    if value <= 0:
        raise BadValue(f"{what} '{text}' is not above 0. Give a quantity above 0.")
    return value


def asked_problem(
    *, jobs: Path | None, texts: list[str], site: str, sites: str, mix: Path | None, prices: Path | None, cap: str, step: str, start: str, end: str,
    boundary: str, fill: str,
) -> Problem:  # fmt: skip
    """The problem that options state. Raises BadValue, BadFile, UnknownName."""
    from thrifty.cost.carbon.factors import load_pack
    from thrifty.cost.carbon.series.filling import check_fill
    from thrifty.cost.carbon.series.intensities import Boundary
    from thrifty.cost.carbon.series.series import time_zone
    from thrifty.levers.steward.schedule.asking import parse_job, read_jobs
    from thrifty.levers.steward.schedule.asking.deadlines import instant
    from thrifty.levers.steward.schedule.asking.places import place_of, read_places
    from thrifty.levers.steward.schedule.asking.problem import Problem

    if boundary and boundary not in get_args(Boundary):
        raise BadValue(f"boundary='{boundary}' is unknown. Choose from: {', '.join(get_args(Boundary))}.")
    check_fill(fill or None)
    kinds: dict[str, Any] = {"boundary": boundary or None, "fill": fill or None}
    own = read_places(jobs, **kinds) if jobs is not None else ()
    names = [name.strip() for name in sites.split(",") if name.strip()]
    if mix is not None and names:
        raise BadValue("--mix is one place's series and --sites names several. Give places with a mix each in the file of jobs: [[places]].")
    if site and names and site not in names:
        names = [site, *names]
    elif site and names:
        names = [site, *(name for name in names if name != site)]
    elif not names and site:
        names = [site]
    if not (names or own or mix is not None):
        raise BadValue("there is no place to run at. Give --site NAME, --sites A,B, --mix FILE, or [[places]] in the file of jobs.")
    places = list(own)
    places += [place_of(name, mix=mix, prices=prices, **kinds) for name in names if name not in {place.name for place in own}]
    if mix is not None and not names:
        places.append(place_of(mix.stem, mix=mix, prices=prices, **kinds))
    if site:
        places.sort(key=lambda place: place.name != site)
    if cap:
        watts = above_zero("cap", cap, "power", "MW")
        places = [replace(place, cap_w=min(place.cap_w, watts)) for place in places]
    zone = time_zone(places[0].zone)
    found = list(read_jobs(jobs, zone)) if jobs is not None else []
    found += [each for text in texts for each in parse_job(text, zone)]
    return Problem.of(
        found, places, step_s=above_zero("step", step, "time", "min") if step else None, start=instant(start, zone, "--from") if start else None,
        end=instant(end, zone, "--to") if end else None, kwh_per_gb=load_pack().get("policy:network.energy", "energy_per_byte") * 1e9 / 3.6e6,
    )  # fmt: skip


def asked_response(
    *, device: str, devices: int, site: str, mix: Path | None, start: str, end: str, demand: str, trace: Path | None, events: list[str], latency: str,
    throughput: float, idle_w: float | None, exponent: float | None, boundary: str, fill: str,
) -> tuple[Response, datetime]:  # fmt: skip
    """Devices under caps as options state them, and the local time at which the period begins. Raises BadValue, BadFile, UnknownName."""
    import numpy as np

    from thrifty.cost.carbon.series import read_series
    from thrifty.cost.carbon.series.filling import check_fill
    from thrifty.cost.carbon.series.series import time_zone
    from thrifty.hardware import load
    from thrifty.levers.steward.schedule.asking.deadlines import instant
    from thrifty.levers.steward.schedule.asking.places import place_of, rates, usd
    from thrifty.levers.steward.schedule.capping import CappedDevice, respond

    check_fill(fill or None)
    kinds: dict[str, Any] = {"boundary": boundary or None, "fill": fill or None}
    place = place_of(mix.stem, mix=mix, **kinds) if mix is not None else place_of(site, **kinds)
    zone = time_zone(place.zone)
    begin, close = instant(start, zone, "--from"), instant(end, zone, "--to")
    step_s = 3600.0 if place.intensity.flat else place.intensity.series.step_s
    if close <= begin:
        raise BadValue(f"a period from {start} to {end} is empty. Give an end after its start.")
    grams = rates(place, begin, close, step_s)
    step_h = step_s / 3600

    def along(path: Path, kind: Any, unit: str) -> Any:
        series, _ = read_series(path, kind, unit=unit, zone=place.zone, fill=fill or None)  # type: ignore[arg-type]
        return series.within(begin, close).whole().stepped(step_s).values_T

    try:
        work = np.full(len(grams), float(demand))
    except ValueError:
        work = along(Path(demand), "share", "dimensionless")
    chip = CappedDevice.of(load(device), count=devices, idle_w=idle_w, exponent=exponent)
    watts = along(trace, "load", "W") * 1e6 if trace is not None else None
    if events:
        watts = np.full(len(grams), chip.full_w) if watts is None else watts.copy()
        for text in events:
            times, eq, share = text.partition("=")
            first, slash, last = times.partition("/")
            if not (eq and slash):
                raise BadValue(f"event '{text}' is not FROM/TO=SHARE. Write 2020-07-08T17:00/2020-07-08T21:00=60%.")
            try:
                part = float(share.rstrip("%")) / (100 if share.endswith("%") else 1)
            except ValueError:
                raise BadValue(f"event '{text}': '{share}' is no share. Write 60% or 0.6.") from None
            at, to = ((instant(each, zone, f"event '{text}'") - begin).total_seconds() / step_s for each in (first, last))
            if not 0 <= at < to <= len(grams) or at != int(at) or to != int(to):
                raise BadValue(f"event '{text}' does not lie on whole steps of {step_s:g} s within the period. Give such times.")
            watts[int(at) : int(to)] = np.minimum(watts[int(at) : int(to)], part * chip.full_w)
    waits_h = stated("latency", latency, "time", plain="h") / 3600
    if waits_h < 0:
        raise BadValue(f"latency '{latency}' is below 0. Give how long work may wait, 0 or more.")
    command = command_line(
        "thrifty", "steward", "caps", device=device, devices=devices, site="" if mix else site, mix=mix, **{"from": start, "to": end}, demand=demand,
        trace=trace, event=events,
        latency=latency if waits_h else "", throughput=throughput if throughput != 1.0 else 0, idle_w=idle_w, exponent=exponent, boundary=boundary, fill=fill,
    )  # fmt: skip
    response = respond(
        chip, work, grams, step_h=step_h, cap_w_T=watts, usd_T=usd(place, begin, close, step_s), allowed=int(waits_h / step_h + 1e-9), throughput=throughput,
        command=command, notes=(*chip.notes, *place.notes), sources=(place.intensity.source,) if place.intensity.source else (),
    )  # fmt: skip
    return response, begin.astimezone(zone)
