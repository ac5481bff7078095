"""Series from files: CSV, JSON, and Parquet or Arrow where pyarrow is installed. Whatever is wrong is refused with its line; nothing is guessed."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from thrifty.cost.carbon.factors import load_pack
from thrifty.cost.carbon.factors.factor import MOST_G_PER_KWH
from thrifty.cost.carbon.series.filling import Fill, check_fill, filled
from thrifty.cost.carbon.series.grids import KINDS, check_boundary, intensity_of_generation
from thrifty.cost.carbon.series.intensities import Boundary, Intensity
from thrifty.cost.carbon.series.library import Generation
from thrifty.cost.carbon.series.series import Floats, Series
from thrifty.cost.carbon.series.stamps import even_steps, instants, read_stamp
from thrifty.errors import BadFile, BadValue, missing_extra
from thrifty.files import strict_json
from thrifty.hardware.units import convert
from thrifty.quantities import HOUR_S

Kind = Literal["load", "intensity", "share", "price"]
_TARGETS: Final[dict[str, tuple[str, str, float]]] = {
    "load": ("power", "MW", 1e-6), "intensity": ("carbon_per_energy", "gCO2e/kWh", 1.0), "share": ("ratio", "dimensionless", 1.0),
    "price": ("price_per_energy", "USD/kWh", 1.0),
}  # fmt: skip
"""Kind -> dimension, unit of the series, and the factor from the dimension's own unit."""
_HEAD: Final = re.compile(r"^\s*(?P<name>[^\[(]*?)\s*[\[(](?P<unit>[^\])]+)[\])]\s*$")
_SUFFIXES: Final = {
    "_mw": "MW", "_kw": "kW", "_w": "W", "_mwh": "MWh", "_kwh": "kWh", "_gco2e_per_kwh": "gCO2e/kWh", "_kgco2e_per_mwh": "kgCO2e/MWh",
    "_kgco2e_per_kwh": "kgCO2e/kWh",
}  # fmt: skip
_TIMES: Final = ("time", "datetime", "timestamp", "date", "start", "hour")
_LOWEST_G_PER_KWH: Final = 1.0
_HIGHEST_MW: Final = 1e8
"""Of a load or of generation; the whole world's is below 1e7."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """A file's raw table. times: stamps as written; columns: by name, with the unit that its head states ("" for none); places: "line 2", ..."""

    times: Sequence[Any]
    columns: dict[str, tuple[str, Sequence[Any]]]
    places: Sequence[str] = field(repr=False)
    zone: str | None = None
    step_s: float | None = None


def read_series(
    path: str | Path, kind: Kind, *, unit: str | None = None, zone: str | None = None, fill: Fill | None = None, column: str | None = None,
    stamps: Literal["start", "end"] = "start", option: str = "--unit",
) -> tuple[Series, tuple[str, ...]]:  # fmt: skip
    """A series of loads (MW), intensities (gCO2e/kWh), shares or prices (USD/kWh) from a file, and sentences on what was filled.

    unit   : of the values where their head does not say, e.g. kW or kgCO2e/MWh; energies (MWh) of a load are those of each step
    zone   : IANA name for stamps without offset; the head of a JSON file may name it too
    column : which one, where there are several; stamps: whether they stand at a step's start or its end; option: what a message calls `unit`

    Raises BadFile, with the line, for what is no time or number, negative, out of order, twice, uneven or missing (without `fill`); BadValue for units.
    """
    table, name = read_columns(path, zone), Path(path).name
    if column is None and len(table.columns) != 1:
        raise BadFile(f"{name} has columns {', '.join(table.columns)} beside the time. Say which one counts, or leave one.")
    chosen = next(iter(table.columns)) if column is None else column
    if chosen not in table.columns:
        raise BadFile(f"{name} has no column '{chosen}'. It has: {', '.join(table.columns)}.")
    return series_of(table, chosen, kind, file=name, unit=unit, zone=zone, fill=fill, stamps=stamps, option=option)


def read_mix(
    path: str | Path, boundary: Boundary, *, unit: str | None = None, zone: str | None = None, fill: Fill | None = None,
    stamps: Literal["start", "end"] = "start", option: str = "--unit",
) -> Intensity:  # fmt: skip
    """The intensity of a grid from a file: one column of gCO2e/kWh (or kgCO2e/MWh, ...) that counts by `boundary`, or generation with a column a fuel.

    Raises as `read_series`, and BadFile for a mixture of fuels and other columns.
    """
    check_boundary(boundary)
    table, name = read_columns(path, zone), Path(path).name
    known = load_pack().under("fuels:life_cycle")
    fuels = tuple(column for column in table.columns if column.lower() in known)
    if not fuels:
        series, notes = read_series(path, "intensity", unit=unit, zone=zone, fill=fill, stamps=stamps, option=option)
        return KINDS[boundary](series=series, signal="production", source="", notes=notes)
    if len(fuels) != len(table.columns):
        others = ", ".join(column for column in table.columns if column not in fuels)
        raise BadFile(f"{name} has fuels beside {others}. Give columns of fuels alone ({', '.join(known)}), or one intensity.")
    if twice := next((fuel for fuel in fuels if [each.lower() for each in fuels].count(fuel.lower()) > 1), None):
        raise BadFile(f"{name} has two columns of {twice.lower()}. Give each fuel one.")
    read = [series_of(table, fuel, "load", file=name, unit=unit, zone=zone, fill=fill, stamps=stamps, option=option) for fuel in fuels]
    first = read[0][0]
    if first.step_s != HOUR_S:
        raise BadFile(f"{name} has steps of {first.step_s:g} s, and generation by fuel is read by the hour. Give hours, or an intensity.")
    generation = Generation(
        name=name, title=name, zone=first.zone, fuels=tuple(fuel.lower() for fuel in fuels), start=first.start,
        by_fuel_FT=np.array([series.values_T for series, _ in read]), source="",
    )  # fmt: skip
    if (generation.by_fuel_FT.sum(axis=0) <= 0).any():
        at = int((generation.by_fuel_FT.sum(axis=0) <= 0).argmax())
        raise BadFile(f"{name}, step {at + 1}: no fuel generates anything. Mend it, or leave the hole empty.")
    made = intensity_of_generation(generation, boundary)
    return replace(made, notes=(*made.notes, *(note for _, notes in read for note in notes)))


def series_of(
    table: Columns, column: str, kind: Kind, *, file: str, unit: str | None, zone: str | None, fill: Fill | None, stamps: str = "start",
    option: str = "--unit",
) -> tuple[Series, tuple[str, ...]]:
    """One column of a raw table as a series; see `read_series`."""
    check_fill(fill)
    if stamps not in ("start", "end"):
        raise BadValue(f"stamps='{stamps}' is unknown. Choose start or end.")
    stated, raw = table.columns[column]
    dimension, target, factor = _TARGETS[kind]
    stated = stated or _unit_as_head(column, dimension, factor)
    said = stated or unit
    if stated and unit and stated != unit:
        raise BadValue(f"{file} states {stated} for '{column}', and {option} says {unit}. Leave {option} out.")
    if not said:
        way_out = f", or give {option} {target}" if option else ""
        raise BadValue(f"{file} states no unit for '{column}'. Write it in the head, e.g. '{column} [{target}]'{way_out}.")
    read = [read_stamp(text, f"{file}, {place}") for text, place in zip(table.times, table.places, strict=True)]
    own_zone = zone or table.zone
    moments = instants(read, table.places, file, own_zone)
    values = np.array([_number(value, f"{file}, {place}", column) for value, place in zip(raw, table.places, strict=True)])
    step, values, gap = even_steps(moments, values, table.places, file, table.step_s)
    with np.errstate(over="ignore"):
        values = values * _scale(said, dimension, factor, step)
    if kind == "intensity":
        _likely(values, file, said)
    elif kind == "load" and (most := float(np.nanmax(values, initial=0.0))) > _HIGHEST_MW:
        raise BadValue(f"{file} reaches {most:g} MW read as {said}; the whole world draws less. Check W against MW.")
    start = moments[0] if stamps == "start" else moments[0] - timedelta(seconds=step)
    series = Series(start=start, step_s=step, values_T=values, unit=target, zone=own_zone or "UTC", name=f"{column} of {file}")
    if not series.holes:
        return series, ()
    if fill is None:
        hole = gap or f"{series.holes} of {len(series)} steps have no {column}, the first in {table.places[int(np.isnan(series.values_T).argmax())]}"
        raise BadFile(f"{file}: {hole}. Add what is missing, or say --fill linear or --fill day.")
    mended, sentence = filled(series, fill)
    return mended, (sentence,)


def read_columns(path: str | Path, zone: str | None = None) -> Columns:
    """The raw table of a file, by its ending: .csv, .json, .parquet, .arrow or .feather. zone: of a start without offset. Raises BadFile, MissingExtra."""
    target = Path(path)
    readers = {".csv": _csv, ".json": lambda target: _json(target, zone), ".parquet": _arrow, ".arrow": _arrow, ".feather": _arrow}
    reader = readers.get(target.suffix.lower())
    if reader is None:
        raise BadFile(f"{target.name} ends in '{target.suffix}'. Give one of: {', '.join(readers)}.")
    try:
        return reader(target)
    except FileNotFoundError:
        raise BadFile(f"there is no file '{path}'. Check the path.") from None
    except csv.Error as error:
        raise BadFile(f"{target.name} is no CSV: {error}. Mend the file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(f"cannot read '{path}': {error}. Give a text file in UTF-8.") from None


def _csv(path: Path) -> Columns:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader("\n" if line.startswith("#") else line for line in stream)
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    if len(rows) < 2:
        raise BadFile(f"{path.name} has no rows. Give a head (time,load [MW]) and one row a step.")
    head = [cell.strip() for cell in rows[0][1]]
    for line, row in rows[1:]:
        if len(row) != len(head):
            raise BadFile(f"{path.name}, line {line}: {len(row)} cells under {len(head)} heads. Give one cell a head.")
    time = _time_column(head, path.name)
    _each_once(head, path.name)
    columns = {head[at]: [row[at] for _, row in rows[1:]] for at in range(len(head)) if at != time}
    return Columns(
        times=[row[time] for _, row in rows[1:]], columns={_bare(name): (_unit(name), cells) for name, cells in columns.items()},
        places=[f"line {line}" for line, _ in rows[1:]],
    )  # fmt: skip


def _json(path: Path, given_zone: str | None) -> Columns:
    try:
        content = strict_json(path.read_text(encoding="utf-8-sig"))
    except BadFile as error:
        raise BadFile(f"{path.name} is not JSON: {error}. Mend the file.") from None
    zone, units, rows, step = None, "", content, None
    if isinstance(content, dict):
        zone, units, rows = content.get("zone"), str(content.get("unit", "")), content.get("values")
        times = content.get("times")
        if times is None and content.get("start") is not None and isinstance(rows, list):
            step = content.get("step_s")
            if isinstance(step, bool) or not isinstance(step, int | float) or not step > 0:
                raise BadFile(f"{path.name}: step_s={step!r} is not above 0. Give seconds.")
            (first,) = instants([read_stamp(content["start"], path.name)], ["start"], path.name, given_zone or zone)
            try:
                times = [first + timedelta(seconds=step * k) for k in range(len(rows))]
            except OverflowError:
                raise BadFile(f"{path.name}: {len(rows)} steps of {step:g} s leave the calendar. Mend step_s.") from None
        if isinstance(times, list) and isinstance(rows, list):
            if len(times) != len(rows):
                raise BadFile(f"{path.name} has {len(times)} times for {len(rows)} values. Give one a value.")
            rows = [{"time": time, "value": value} for time, value in zip(times, rows, strict=True)]
        if rows is None:
            rows = _by_columns(content, path.name)
    if not (isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows)):
        raise BadFile(f'{path.name} holds no series. Write [{{"time": ..., "value": ...}}, ...] or {{"unit": "MW", "times": [...], "values": [...]}}.')
    head = list(rows[0])
    for place, row in enumerate(rows, 1):
        if set(row) != set(head):
            raise BadFile(f"{path.name}, entry {place}: keys {', '.join(row)} differ from {', '.join(head)}. Give all entries the same keys.")
    time = head[_time_column(head, path.name)]
    _each_once(head, path.name)
    columns: dict[str, tuple[str, Sequence[Any]]] = {
        _bare(name): (_unit(name) or units, [row[name] for row in rows]) for name in head if name != time
    }
    return Columns(
        times=[row[time] for row in rows], columns=columns, places=[f"entry {place}" for place in range(1, len(rows) + 1)], zone=zone, step_s=step
    )  # fmt: skip


def _arrow(path: Path) -> Columns:
    try:
        import pyarrow.feather
        import pyarrow.parquet
    except ImportError as error:
        raise missing_extra(f"Reading {path.name}", "pyarrow", "scale") from error
    try:
        table = pyarrow.parquet.read_table(path) if path.suffix.lower() == ".parquet" else pyarrow.feather.read_table(path)
    except pyarrow.ArrowInvalid as error:
        raise BadFile(f"{path.name} is not what its ending says: {str(error).splitlines()[0]}. Write it again.") from None
    head = table.column_names
    time = head[_time_column(head, path.name)]
    _each_once(head, path.name)
    columns = {_bare(name): (_unit(name), table.column(name).to_pylist()) for name in head if name != time}
    return Columns(times=table.column(time).to_pylist(), columns=columns, places=[f"row {row}" for row in range(1, table.num_rows + 1)])


def _time_column(head: Sequence[str], file: str) -> int:
    found = [at for at, name in enumerate(head) if _bare(name).lower() in _TIMES]
    if len(found) != 1:
        raise BadFile(f"{file} has heads {', '.join(head)}, of which {len(found)} are the time. Name one column 'time'.")
    return found[0]


def _each_once(head: Sequence[str], file: str) -> None:
    names = [_bare(name) for name in head]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise BadFile(f"{file} has two columns '{twice}'. Give each a name of its own.")


def _by_columns(content: dict[str, Any], file: str) -> list[dict[str, Any]] | None:
    """Entries of {"time": [...], "load_mw": [...]}; None for another shape."""
    lists = {name: value for name, value in content.items() if isinstance(value, list)}
    if not lists or set(content) - set(lists) - {"zone", "unit"}:
        return None
    sizes = {len(value) for value in lists.values()}
    if len(sizes) > 1:
        raise BadFile(f"{file} has lists of {' and '.join(str(size) for size in sorted(sizes))} entries. Give each list one entry a step.")
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def _bare(head: str) -> str:
    match = _HEAD.match(head)
    return match["name"] if match else head


def _unit(head: str) -> str:
    match = _HEAD.match(head)
    if match:
        return match["unit"].strip()
    return next((unit for suffix, unit in sorted(_SUFFIXES.items(), key=lambda item: -len(item[0])) if head.lower().endswith(suffix)), "")


def _number(value: Any, where: str, column: str) -> float:
    if value is None or (isinstance(value, str) and value.strip().lower() in ("", "na", "nan", "null")):
        return math.nan
    try:
        number = math.inf if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        raise BadFile(f"{where}: '{value}' is no number. Write e.g. 12.5, or leave a hole empty.") from None
    if math.isinf(number):
        raise BadFile(f"{where}: {column} is {value}. Write a finite number, or leave a hole empty.")
    if number < 0:
        raise BadFile(f"{where}: {column} is {number:g}, below 0. Mend it; where small negatives are metering of plants at rest, write 0.")
    return number


def _unit_as_head(column: str, dimension: str, factor: float) -> str:
    """A head that is nothing but a rate's unit, as in "time,gCO2e/kWh", states it; "" for any other."""
    try:
        return column if "/" in column and _scale(column, dimension, factor, HOUR_S) else ""
    except BadValue:
        return ""


def _scale(unit: str, dimension: str, factor: float, step_s: float) -> float:
    """From `unit` to the series' unit. A load in an energy unit is that of each step."""
    written = re.sub(r"CO2[-_ ]?eq?\b|CO2\b", "CO2e", unit)
    try:
        return convert(1.0, written, dimension) * factor
    except BadValue:
        if dimension != "power":
            raise
    try:
        return convert(1.0, written, "energy") / step_s * factor
    except BadValue:
        raise BadValue(f"unit '{unit}' is none of a load. Use one like 'MW' or, for the energy of each step, 'MWh'.") from None


def _likely(values: Floats, file: str, unit: str) -> None:
    """Refuse intensities that only a wrong unit explains: grams for kilograms."""
    most = float(np.nanmax(values, initial=0.0))
    if most > MOST_G_PER_KWH:
        raise BadValue(f"{file} reaches {most:g} gCO2e/kWh read as {unit}; no fuel emits so much. Check grams against kilograms, kWh against MWh.")
    if 0 < most < _LOWEST_G_PER_KWH:
        raise BadValue(f"{file} reaches only {most:g} gCO2e/kWh read as {unit}; no grid is so clean. Check grams against kilograms, kWh against MWh.")


