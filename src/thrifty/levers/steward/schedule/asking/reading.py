"""Jobs from files: TOML (`[[jobs]]`), JSON (a list, or {"jobs": [...]}) and CSV (one row a job), or from one line of text.

    [[jobs]]
    name = "nightly"           power = "2 kW"              duration = "30 min"       # a number without its unit is refused
    release = 2020-01-01T01:00:00   # local time of the home place, or with an offset
    slack = "8 h"              # done that much later than at once; or deadline = time | "next-workday" | "semi-weekly"
    early = "8 h"              # may begin that much before its release
    interruptible = true       elastic = [1, 0.9, 0.8]     places = ["us-california", "us-oregon"]     moved = "200 GB"
    every = "day"              times = 365                 # the same again, named nightly#1, nightly#2, ...
"""

from __future__ import annotations

import csv
import io
import json
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from thrifty.errors import BadFile, BadValue
from thrifty.levers.steward.schedule.asking.deadlines import RULES, deadline_by, instant, repeated
from thrifty.levers.steward.schedule.asking.jobs import Job, check_jobs
from thrifty.quantities import positive_int, stated

KEYS: Final = (
    "name", "power", "duration", "release", "deadline", "slack", "early", "interruptible", "elastic", "places", "moved", "every", "times",
)  # fmt: skip
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0", "")


def read_jobs(path: Path, zone: ZoneInfo) -> tuple[Job, ...]:
    """The jobs of a file; times without an offset are of `zone`. Raises BadFile, BadValue."""
    return check_jobs(tuple(job for row in read_rows(path, "jobs") for job in jobs_of(row, zone)))


def read_rows(path: Path, key: str) -> list[Mapping[str, Any]]:
    """The rows of a TOML, JSON or CSV file, under `key` where the file has one."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(f"cannot read '{path}': {getattr(error, 'strerror', None) or 'not UTF-8 text'}. Give a TOML, JSON or CSV file of {key}.") from error
    kind = path.suffix.lower()
    try:
        if kind == ".csv":
            rows: Any = [{k: v for k, v in row.items() if v not in ("", None)} for row in csv.DictReader(io.StringIO(text))]
        elif kind == ".json":
            rows = json.loads(text)
        elif kind == ".toml":
            rows = tomllib.loads(text)
        else:
            raise BadFile(f"'{path}' ends in '{kind}'. Give a .toml, .json or .csv file of {key}.")
    except (tomllib.TOMLDecodeError, json.JSONDecodeError, csv.Error) as error:
        raise BadFile(f"'{path}' is not {kind[1:].upper()}: {error}. Mend the file.") from error
    if isinstance(rows, dict):
        rows = rows.get(key, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadFile(f"'{path}' holds no list of {key}. Write [[{key}]] tables, a JSON list of objects, or rows of CSV.")
    return rows


def parse_job(text: str, zone: ZoneInfo) -> tuple[Job, ...]:
    """Jobs of one line: "name=night,power=2 kW,duration=30 min,release=2020-01-01T01:00,slack=8 h,interruptible". Lists are joined by +."""
    row: dict[str, Any] = {"name": "job"}
    for piece in text.split(","):
        key, eq, value = piece.strip().partition("=")
        row[key.strip()] = value.strip() if eq else "true"
    return check_jobs(tuple(jobs_of(row, zone)))


def jobs_of(row: Mapping[str, Any], zone: ZoneInfo) -> list[Job]:
    """The job of one row, or its repeats."""
    name = str(row.get("name", "")).strip()
    what = f"job '{name}'"
    for key in row:
        if key not in KEYS:
            raise BadValue(f"{what} has unknown key '{key}'. Allowed: {', '.join(KEYS)}.")
    for key in ("name", "power", "duration", "release"):
        if row.get(key) in (None, ""):
            raise BadValue(f"{what} has no {key}. Add {key}.")
    release = instant(row["release"], zone, what)
    times = positive_int(f"{what}: times", row.get("times", 1), at_most=100_000)
    if times > 1 and not row.get("every"):
        raise BadValue(f"{what} repeats {times} times and does not say when. Add every = day, workday or week.")
    if not row.get("every"):
        return [_job(row, name, release, zone)]
    moments = repeated(release, str(row["every"]), times, zone, what)
    return [_job(row, f"{name}#{number}", moment, zone) for number, moment in enumerate(moments, start=1)]


def _job(row: Mapping[str, Any], name: str, release: datetime, zone: ZoneInfo) -> Job:
    what = f"job '{name}'"
    duration_s = stated(f"{what}: duration", row["duration"], "time", example="4 h")
    early_s = stated(f"{what}: early", row.get("early", "0 h"), "time", example="8 h")
    slack_s = stated(f"{what}: slack", row.get("slack", "0 h"), "time", example="8 h")
    if early_s < 0 or slack_s < 0:
        raise BadValue(f"{what}: early {early_s / 3600:g} h, slack {slack_s / 3600:g} h. Give times of at least 0.")
    made = Job(
        name=name, power_w=stated(f"{what}: power", row["power"], "power", example="2 kW"), duration_s=duration_s, release=release,
        earliest=release - timedelta(seconds=early_s) if early_s else None, deadline=datetime.max.replace(tzinfo=release.tzinfo),
        interruptible=_flag(row.get("interruptible", False), what), elastic=_numbers(row.get("elastic", ()), what),
        places=_names(row.get("places", ())), moved_bytes=stated(f"{what}: moved", row.get("moved", "0 B"), "capacity", example="200 GB"),
    )  # fmt: skip
    given = row.get("deadline")
    if given not in (None, "") and slack_s:
        raise BadValue(f"{what} has both a deadline and a slack. Give one of them.")
    if given in (None, ""):
        deadline = made.release_end + timedelta(seconds=slack_s)
    elif isinstance(given, str) and given in RULES:
        deadline = deadline_by(given, made.release_end, zone, what)
    else:
        deadline = instant(given, zone, what)
    return replace(made, deadline=deadline)


def _flag(value: Any, what: str) -> bool:
    text = str(value).strip().lower()
    if text not in (*_TRUE, *_FALSE):
        raise BadValue(f"{what}: interruptible '{value}' is neither true nor false. Give one of them.")
    return text in _TRUE


def _numbers(value: Any, what: str) -> tuple[float, ...]:
    try:
        return tuple(float(each) for each in (_pieces(value) if isinstance(value, str) else value))
    except (TypeError, ValueError):
        raise BadValue(f"{what}: elastic '{value}' is no list of numbers. Write the work that each server adds, e.g. [1, 0.9, 0.8].") from None


def _names(value: Any) -> tuple[str, ...]:
    return tuple(_pieces(value)) if isinstance(value, str) else tuple(str(each) for each in value)


def _pieces(text: str) -> list[str]:
    return [piece.strip() for piece in text.replace("+", " ").replace(";", " ").split() if piece.strip()]
