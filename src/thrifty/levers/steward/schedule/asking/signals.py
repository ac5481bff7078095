"""Series that a scheduler reads: the grid's intensity by name, or the user's own CSV."""

from __future__ import annotations

import csv
import io
import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from thrifty.cost.carbon.series import Intensity, LifeCycleIntensity, Series
from thrifty.cost.carbon.series.filling import Fill
from thrifty.cost.carbon.series.grids import intensity_of_grid
from thrifty.cost.carbon.series.intensities import Boundary
from thrifty.errors import BadFile, BadValue


def hourly_intensity(name: str, boundary: Boundary | None = None, fill: Fill | None = None) -> Intensity:
    """Intensity of what is generated there: hourly where it ships, else the yearly average. Raises UnknownName, BadValue.

    boundary: None takes life-cycle for hourly regions, and what the sheet states for other sites; fill: how holes are filled
    """
    return intensity_of_grid(name, boundary=boundary, fill=fill)


def read_intensity(path: Path) -> Intensity:
    """The user's own life-cycle intensity. Raises BadFile as `read_series`."""
    return LifeCycleIntensity(series=read_series(path, "gCO2e/kWh"), signal="production", source="user")


def read_series(path: Path, unit: str) -> Series:
    """A CSV of two columns, time (ISO with offset, steps' beginnings) and value in `unit`. Raises BadFile for gaps, repeats, text or a lacking offset."""
    try:
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadFile(f"cannot read '{path}': {getattr(error, 'strerror', None) or error}. Give a CSV of time and {unit}.") from error
    rows = [row for row in rows if row and not row[0].lstrip().startswith("#")]
    if rows and not _is_number(rows[0][-1]):
        rows = rows[1:]
    if len(rows) < 2 or any(len(row) < 2 for row in rows):
        raise BadFile(f"'{path}' holds fewer than two rows of time and {unit}. Write one row a step: 2020-01-01T00:00-08:00,310.")
    moments, values = [], []
    for number, row in enumerate(rows, start=1):
        try:
            moment = datetime.fromisoformat(row[0].strip())
            value = float(row[1])
        except ValueError:
            raise BadFile(f"'{path}', row {number}: '{','.join(row)}' is not a time and a number. Write 2020-01-01T00:00-08:00,310.") from None
        if moment.tzinfo is None:
            raise BadFile(f"'{path}', row {number}: time {row[0]} has no offset. Write 2020-01-01T00:00-08:00 or ...Z.")
        if not (math.isfinite(value) and value >= 0):
            raise BadFile(f"'{path}', row {number}: {value:g} {unit} is not a finite number of at least 0. Mend it.")
        moments.append(moment.astimezone(UTC))
        values.append(value)
    steps = np.diff([moment.timestamp() for moment in moments])
    if not (steps > 0).all() or not np.allclose(steps, steps[0]):
        at = int(np.argmax(~np.isclose(steps, steps[0]) | (steps <= 0)))
        said = f"the step to {rows[at + 1][0]} is {steps[at]:g} s and the first is {steps[0]:g} s"
        raise BadFile(f"'{path}', row {at + 2}: {said}. Give equal steps, none twice.")
    return Series(start=moments[0], step_s=float(steps[0]), values_T=np.array(values), unit=unit, name=path.name)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def must_be_alike(intensities: list[Intensity]) -> None:
    """Raises BadValue unless all count the same thing."""
    for other in intensities[1:]:
        if type(other) is not type(intensities[0]):
            raise BadValue(
                f"{intensities[0].series.name} is {intensities[0].boundary}, {other.series.name} is {other.boundary}: they count different things. "
                "Choose places of one boundary, or give --boundary direct."
            )
