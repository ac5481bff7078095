"""Times as people state them: local times of a place, windows, and the deadlines of working weeks.

"Let's Wait Awhile" (Wiesner et al., Middleware 2021): a job whose results nobody will read before the next working day may end at 9:00 of that day
(`next-workday`), or of the next Monday or Thursday (`semi-weekly`); one that would end within working hours must not wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from thrifty.errors import BadValue

OPENS, CLOSES = time(9), time(17)
"""Working hours, Monday to Friday, in local time."""
RULES: Final = ("next-workday", "semi-weekly")
REPEATS: Final = ("day", "workday", "week")


def instant(text: str | datetime | date, zone: ZoneInfo, what: str) -> datetime:
    """An instant from ISO text; without an offset it is a local time of `zone`. Raises BadValue for hours that a clock change skips or has twice."""
    if isinstance(text, datetime):
        moment = text
    elif isinstance(text, date):
        moment = datetime.combine(text, time())
    else:
        try:
            moment = datetime.fromisoformat(str(text).strip())
        except ValueError:
            raise BadValue(f"{what}: '{text}' is no time. Write it like 2020-03-02T09:00 or 2020-03-02T09:00-08:00.") from None
    return moment.astimezone(UTC) if moment.tzinfo is not None else localised(moment, zone, what)


def localised(moment: datetime, zone: ZoneInfo, what: str) -> datetime:
    """The instant of a local time. Raises BadValue where clocks skip it or show it twice."""
    first, second = (moment.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() != second.utcoffset():
        if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != moment:
            raise BadValue(f"{what}: {moment:%Y-%m-%d %H:%M} does not exist in {zone.key}, clocks skip it. Give another time.")
        raise BadValue(f"{what}: {moment:%Y-%m-%d %H:%M} comes twice in {zone.key}. Give its offset, e.g. {first.isoformat(timespec='minutes')}.")
    return first.astimezone(UTC)


def deadline_by(rule: str, ends: datetime, zone: ZoneInfo, what: str) -> datetime:
    """The deadline of a job that would end at `ends` if nobody waited. Raises BadValue for an unknown rule."""
    if rule not in RULES:
        raise BadValue(f"{what}: deadline rule '{rule}' is unknown. Give a time, or one of: {', '.join(RULES)}.")
    local = ends.astimezone(zone)
    weekday = local.weekday() < 5
    if rule == "next-workday":
        if weekday and OPENS <= local.time() <= CLOSES:
            return ends
        day = local.date() if weekday and local.time() < OPENS else local.date() + timedelta(days=1)
        while day.weekday() >= 5:
            day += timedelta(days=1)
    else:
        day = local.date() if local.time() <= OPENS else local.date() + timedelta(days=1)
        while day.weekday() not in (0, 3):
            day += timedelta(days=1)
    return localised(datetime.combine(day, OPENS), zone, what)


def repeated(first: datetime, every: str, times: int, zone: ZoneInfo, what: str) -> Iterator[datetime]:
    """The same local time on `times` days, weekdays or weeks from `first` on."""
    if every not in REPEATS:
        raise BadValue(f"{what}: every='{every}' is unknown. Choose one of: {', '.join(REPEATS)}.")
    local = first.astimezone(zone).replace(tzinfo=None)
    given = 0
    while given < times:
        if every != "workday" or local.weekday() < 5:
            yield first if given == 0 else localised(local, zone, what)
            given += 1
        local += timedelta(days=7 if every == "week" else 1)
