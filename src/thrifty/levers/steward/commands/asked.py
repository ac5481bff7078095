"""What `schedule` and `policy` share: how a command line states jobs and places, and how it is said again."""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from thrifty.errors import BadValue
from thrifty.quantities import parse

if TYPE_CHECKING:
    from thrifty.levers.steward.schedule.asking.problem import Problem


def quantity(text: str, dimension: str, plain: float, what: str) -> float:
    """ "2 MW", "2MW" or a plain number times `plain`. Raises BadValue."""
    match = re.fullmatch(r"\s*([-+0-9.eE]+|nan|inf)\s*(\D.*)?", text)
    if match is None:
        raise BadValue(f"{what} '{text}' is not a quantity. Write a number and a unit.")
    try:
        number = float(match[1])
    except ValueError:
        raise BadValue(f"{what} '{text}' is not a quantity. Write a number and a unit.") from None
    value = parse(f"{match[1]} {match[2].strip()}", dimension) if match[2] else number * plain
    if not (math.isfinite(value) and value > 0):
        raise BadValue(f"{what} '{text}' is not above 0. Give a finite quantity above 0.")
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
    elif not names and (site or (mix is None and not own)):
        names = [site or "us-california"]
    places = list(own)
    places += [place_of(name, mix=mix, prices=prices, **kinds) for name in names if name not in {place.name for place in own}]
    if mix is not None and not names:
        places.append(place_of(mix.stem, mix=mix, prices=prices))
    if site:
        places.sort(key=lambda place: place.name != site)
    if cap:
        watts = quantity(cap, "power", 1e6, "cap")
        places = [replace(place, cap_w=min(place.cap_w, watts)) for place in places]
    zone = time_zone(places[0].zone)
    found = list(read_jobs(jobs, zone)) if jobs is not None else []
    found += [each for text in texts for each in parse_job(text, zone)]
    return Problem.of(
        found, places, step_s=quantity(step, "time", 60.0, "step") if step else None, start=instant(start, zone, "--from") if start else None,
        end=instant(end, zone, "--to") if end else None, kwh_per_gb=load_pack().get("policy:network.energy", "energy_per_byte") * 1e9 / 3.6e6,
    )  # fmt: skip


def repeat_of(command: str, **options: Any) -> str:
    """The command line that gives an answer again."""
    words = ["thrifty steward " + command]
    for key, value in options.items():
        for each in value if isinstance(value, list) else [value]:
            if each in (None, "", 0, 0.0, False):
                continue
            word = f"--{key.replace('_', '-')}"
            words.append(word if each is True else f"{word} {shlex.quote(str(each))}")
    return " ".join(words)
