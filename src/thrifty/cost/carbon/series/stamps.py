"""Time stamps of a file as instants at equal steps: local stamps with their repeats in autumn, gaps, doubles and disorder, each told by its line."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from thrifty.cost.carbon.series.series import Floats, time_zone
from thrifty.errors import BadFile

YEARS: Final = (1900, 2200)
MOST_STEPS: Final = 20_000_000
"""Of one series: 38 years of minutes."""


def read_stamp(text: object, where: str) -> datetime:
    """An ISO stamp such as 2020-01-01T00:00-08:00, 2020-01-01 00:00Z, or one without an offset. Raises BadFile."""
    try:
        read = text if isinstance(text, datetime) else datetime.fromisoformat(str(text).strip())
    except ValueError:
        raise BadFile(f"{where}: '{text}' is no ISO time. Write e.g. 2020-01-01T00:00-08:00.") from None
    if not YEARS[0] <= read.year <= YEARS[1]:
        raise BadFile(f"{where}: '{text}' lies outside the years {YEARS[0]} to {YEARS[1]}. Mend it.")
    return read


def instants(stamps: Sequence[datetime], places: Sequence[str], file: str, zone: str | None) -> list[datetime]:
    """UTC instants of stamps that all have an offset, or all lack one and are local to `zone`.

    A local hour that a fall-back day has twice is the first one the first time and the second one the second time, in the order of the file. Raises
    BadFile for a mixture, for local stamps without a zone or that a spring day skips, and for stamps that repeat or go back.
    """
    aware = [stamp.tzinfo is not None for stamp in stamps]
    if any(aware) and not all(aware):
        odd = aware.index(not aware[0])
        raise BadFile(f"{file}, {places[odd]}: '{stamps[odd]}' {'has an' if aware[odd] else 'lacks the'} offset that the stamps above "
                      f"{'lack' if aware[odd] else 'have'}. Write all with an offset, or none.")  # fmt: skip
    if not aware[0] and zone is None:
        raise BadFile(f"{file}, {places[0]}: '{stamps[0]}' names no time zone. Write offsets (2020-01-01T00:00-08:00), or say --zone America/Los_Angeles.")
    local = time_zone(zone) if not aware[0] and zone is not None else None
    found: list[datetime] = []
    for at, stamp in enumerate(stamps):
        options = [stamp.astimezone(UTC)] if local is None else _readings(stamp, local, f"{file}, {places[at]}")
        later = [moment for moment in options if not found or moment > found[-1]]
        if not later:
            said = "repeats the stamp" if options[-1] == found[-1] else "goes back behind that"
            raise BadFile(f"{file}, {places[at]}: '{stamp}' {said} of {places[at - 1]}. Give each step once, in order of time.")
        found.append(later[0])
    return found


def _readings(stamp: datetime, zone: ZoneInfo, where: str) -> list[datetime]:
    """The instants that a local stamp can mean: one, or two in the hour that autumn repeats."""
    moments = []
    for fold in (0, 1):
        moment = stamp.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        if moment.astimezone(zone).replace(tzinfo=None) == stamp and moment not in moments:
            moments.append(moment)
    if not moments:
        raise BadFile(f"{where}: '{stamp}' does not exist in {zone.key}, whose clocks skip it in spring. Mend the stamp, or write offsets.")
    return moments


def even_steps(moments: Sequence[datetime], values: Floats, places: Sequence[str], file: str, step_s: float | None) -> tuple[float, Floats, str]:
    """The step in seconds, values with NaN in every gap, and a sentence on the first gap ("" for none).

    The step is the most frequent distance between stamps where `step_s` is None. Raises BadFile for one stamp alone and for distances that are no whole
    number of steps.
    """
    if len(moments) < 2 and step_s is None:
        raise BadFile(f"{file} has one stamp, which tells no step. Give two or more.")
    distances = np.array([(b - a).total_seconds() for a, b in itertools.pairwise(moments)])
    step = Counter(distances.tolist()).most_common(1)[0][0] if step_s is None else step_s
    if not (math.isfinite(step) and step > 0):
        raise BadFile(f"{file}: step_s={step} is not above 0. Give seconds.")
    counts = np.rint(distances / step).astype(np.int64)
    uneven = (np.abs(distances - counts * step) > 1e-6) | (counts < 1)
    if uneven.any():
        at = int(uneven.argmax())
        raise BadFile(f"{file}, {places[at + 1]}: {distances[at]:g} s after the stamp above, in a file of {step:g} s steps. Give equal steps.")
    if (counts == 1).all():
        return step, values, ""
    if counts.sum() > MOST_STEPS:
        raise BadFile(f"{file} spans {int(counts.sum()):,} steps of {step:g} s, more than {MOST_STEPS:,}. Mend its stamps, or give longer steps.")
    at = int((counts > 1).argmax())
    lost = int((counts - 1).sum())
    said = f"{lost} step{'s are' if lost > 1 else ' is'} missing, the first after {places[at]} ({moments[at] + timedelta(seconds=step):%Y-%m-%d %H:%MZ})"
    whole = np.full(int(counts.sum()) + 1, np.nan)
    whole[np.concatenate([[0], np.cumsum(counts)])] = values
    return step, whole, said
