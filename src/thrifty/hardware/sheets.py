"""Reads one data sheet (TOML) into a Device, a System or a Site. Every number must bring its unit, its source and the day it was read.

    [memory.hbm.bandwidth]
    value   = 3.35
    unit    = "TB/s"
    source  = "nvidia-h100-datasheet"       # a key of catalogue/sources.toml, or of [sources] in the same file
    where   = "row GPU Memory Bandwidth"
    read_on = 2026-11-24
    note, disagrees_with                    # optional: what the reader must know; who says otherwise

A sheet that breaks a rule is refused with one line that names file, key, rule and fix. Nothing is guessed and nothing unknown is skipped.
"""

from __future__ import annotations

import datetime
import difflib
import math
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args

from thrifty.errors import BadFile, BadSheet, BadValue, UnknownName
from thrifty.formats import get_format
from thrifty.hardware.device import Cache, Device, DeviceKind, Fact, Link, MemoryTier, Site, System, Tier
from thrifty.hardware.sources import catalogue_sources, parse_sources
from thrifty.hardware.units import convert

_VALUE_KEYS: Final = ("value", "unit", "source", "where", "read_on", "note", "disagrees_with")
_EXAMPLE_UNIT: Final = {
    "compute": "TFLOP/s", "bandwidth": "TB/s", "capacity": "GB", "power": "W", "time": "us", "area": "mm**2", "node": "nm", "price": "USD",
    "price_per_time": "USD/hour", "price_per_energy": "USD/kWh", "carbon_per_energy": "gCO2e/kWh", "ratio": "dimensionless", "energy": "TWh",
    "count": "dimensionless",
}  # fmt: skip
_MIX_TOLERANCE: Final = 0.01
"""The fuels of a mix must add up to the total that the source states, but for what its own rounding loses."""


class Sheet:
    """A parsed file that hands out checked values, remembers each as a Fact, and knows which of its keys were asked for."""

    def __init__(self, path: Path) -> None:
        self.file = path.name
        self.content = _parse(path)
        self.facts: dict[str, Fact] = {}
        self.sources = {**catalogue_sources(), **parse_sources(self.table("sources"), self.file, "sources.")}

    def only(self, table: Mapping[str, Any], allowed: Iterable[str], where: str = "") -> None:
        """Refuse a key of `table` that nobody would read."""
        names = tuple(allowed)
        for key in table:
            if key not in names:
                near = difflib.get_close_matches(key, names, n=1)
                hint = f" Did you mean '{near[0]}'?" if near else ""
                raise BadSheet(f"{self.file}: unknown key '{_join(where, key)}'.{hint} Allowed here: {', '.join(names)}.")

    def table(self, path: str) -> dict[str, Any]:
        """The table at a dotted path, empty when it is absent."""
        found: Any = self.content
        for part in path.split("."):
            found = found.get(part, {})
            if not isinstance(found, dict):
                raise BadSheet(f"{self.file}: {path} is no table. Write [{path}] and its keys below.")
        return cast(dict[str, Any], found)

    def text(self, key: str, *, optional: bool = False) -> str:
        """A non-empty string at the top of the file."""
        value = self.content.get(key, "")
        if not isinstance(value, str) or (not value.strip() and not optional):
            raise BadSheet(f'{self.file}: {key} is missing or no text. Write e.g. {key} = "...".')
        return value

    def whole(self, table: Mapping[str, Any], key: str, where: str = "") -> int:
        """A whole number above zero."""
        value = table.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise BadSheet(f"{self.file}: {_join(where, key)} is {value!r}. Write a whole number above zero.")
        return value

    def notes(self) -> tuple[str, ...]:
        """The list of sentences at the top of the file."""
        notes = self.content.get("notes", [])
        if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
            raise BadSheet(f'{self.file}: notes is no list of texts. Write notes = ["..."].')
        return tuple(notes)

    def value(self, path: str, dimension: str) -> float | None:
        """The value at a dotted path in SI, None when the sheet does not state it. Raises BadSheet when it states it badly."""
        table = self.table(path)
        return self._checked(path, table, dimension) if table else None

    def must(self, path: str, dimension: str) -> float:
        """The value at a dotted path in SI. Raises BadSheet when the sheet does not state it."""
        found = self.value(path, dimension)
        if found is None:
            raise BadSheet(f"{self.file}: [{path}] is missing. Write it with value, unit, source, where and read_on.")
        return found

    def _checked(self, path: str, table: Mapping[str, Any], dimension: str) -> float:
        self.only(table, _VALUE_KEYS, path)
        number = self._number(path, table)
        unit = self.unit(path, table, dimension)
        if not (math.isfinite(number) and number > 0):
            raise BadSheet(f"{self.file}: {path} is {number:g} {unit}. Write a finite number above zero.")
        self.facts[path] = self.ground(path, table, number, unit)
        return convert(number, unit, dimension)

    def _number(self, path: str, table: Mapping[str, Any]) -> float:
        number = table.get("value")
        if isinstance(number, bool) or not isinstance(number, int | float):
            said = "no value" if number is None else f"value {number!r}, which is no number"
            raise BadSheet(f"{self.file}: {path} has {said}. Write e.g. value = 1.5.")
        return float(number)

    def unit(self, path: str, table: Mapping[str, Any], dimension: str) -> str:
        """The unit of a table, checked to be one of `dimension`."""
        fix = f'Write e.g. unit = "{_EXAMPLE_UNIT[dimension]}".'
        unit = table.get("unit", "")
        if not isinstance(unit, str) or not unit.strip():
            raise BadSheet(f"{self.file}: {path} has no unit. {fix}")
        try:
            convert(1.0, unit, dimension)
        except BadValue as error:
            wrong = "is not a unit" if "not a unit" in str(error) else f"is no unit of {dimension.replace('_', ' ')}"
            raise BadSheet(f"{self.file}: {path} has unit '{unit}', which {wrong}. {fix}") from None
        return unit

    def ground(self, path: str, table: Mapping[str, Any], number: float, unit: str) -> Fact:
        """Where a number comes from: known source, place in it, day of reading."""
        texts = {}
        for key, example in (("source", "nvidia-h100-datasheet"), ("where", "table 1, row FP32")):
            texts[key] = table.get(key, "")
            if not isinstance(texts[key], str) or not texts[key].strip():
                raise BadSheet(f'{self.file}: {path} has no {key}. Write e.g. {key} = "{example}".')
        if texts["source"] not in self.sources:
            named = texts["source"]
            near = difflib.get_close_matches(named, self.sources, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise BadSheet(f"{self.file}: {path} names source '{named}', which nobody lists.{hint} Describe it under [sources.{named}] in this file.")
        read_on = table.get("read_on")
        if isinstance(read_on, datetime.datetime) or not isinstance(read_on, datetime.date):
            said = "no read_on" if read_on is None else f"read_on {read_on!r}, which is no date"
            raise BadSheet(f"{self.file}: {path} has {said}. Write e.g. read_on = 2026-11-24.")
        return Fact(
            value=number, unit=unit, source=texts["source"], where=texts["where"], read_on=read_on.isoformat(),
            note=str(table.get("note", "")), disagrees_with=str(table.get("disagrees_with", "")),
        )  # fmt: skip


def read_device(path: Path) -> Device:
    """Read a device's sheet. Raises BadFile when there is no such TOML file, BadSheet when it breaks a rule."""
    sheet = Sheet(path)
    sheet.only(sheet.content, _DEVICE_KEYS)
    kind = sheet.text("kind")
    if kind not in get_args(DeviceKind):
        raise BadSheet(f"{sheet.file}: kind is '{kind}'. Choose from: {', '.join(get_args(DeviceKind))}.")
    for table, allowed in (("power", ("tdp", "idle")), ("die", ("area", "node"))):
        sheet.only(sheet.table(table), allowed, table)
    return Device(
        name=sheet.text("name"), title=sheet.text("title"), vendor=sheet.text("vendor"), kind=cast(DeviceKind, kind),
        chip=sheet.text("chip", optional=True), year=sheet.whole(sheet.content, "year"), memory_technology=sheet.text("memory_technology"),
        peak_flops=_peaks(sheet), vector_flops=sheet.must("vector", "compute"), memory=_memory(sheet), caches=_caches(sheet),
        links=_links(sheet),
        tdp_w=sheet.must("power.tdp", "power"), idle_w=sheet.value("power.idle", "power"),
        die_area_mm2=sheet.value("die.area", "area"), process_node_nm=sheet.value("die.node", "node"),
        price_usd=sheet.value("price", "price"), price_usd_per_hour=sheet.value("price_per_hour", "price_per_time"),
        notes=sheet.notes(), facts=sheet.facts,
    )  # fmt: skip


def read_system(path: Path, device: Callable[[str], Device]) -> System:
    """Read a system's sheet; `device` loads the device that it names. Raises like `read_device`."""
    sheet = Sheet(path)
    sheet.only(sheet.content, _SYSTEM_KEYS)
    sheet.only(sheet.table("power"), ("host",), "power")
    tiers = []
    for name, table in sheet.table("tiers").items():
        where = f"tiers.{name}"
        sheet.only(sheet.table(where), ("count", "bandwidth", "latency"), where)
        tiers.append(Tier(
            name=name, count=sheet.whole(table, "count", where), bandwidth_bytes_per_s=sheet.must(f"{where}.bandwidth", "bandwidth"),
            latency_s=sheet.value(f"{where}.latency", "time"),
        ))  # fmt: skip
    if not tiers:
        raise BadSheet(f"{sheet.file}: [tiers] is missing. Write [tiers.NAME] with count and bandwidth, innermost first.")
    return System(
        name=sheet.text("name"), title=sheet.text("title"), device=device(sheet.text("device")), tiers=tuple(tiers),
        host_power_w=sheet.value("power.host", "power"), price_usd=sheet.value("price", "price"),
        price_usd_per_hour=sheet.value("price_per_hour", "price_per_time"), year=sheet.whole(sheet.content, "year"),
        notes=sheet.notes(), facts=sheet.facts,
    )  # fmt: skip


def read_site(path: Path) -> Site:
    """Read a site's sheet: its grid, its building, its prices. Raises like `read_device`."""
    sheet = Sheet(path)
    sheet.only(sheet.content, _SITE_KEYS)
    scope = sheet.text("intensity_scope")
    if scope not in ("direct", "life-cycle"):
        raise BadSheet(f"{sheet.file}: intensity_scope is '{scope}'. Choose from: direct, life-cycle.")
    pue = sheet.must("pue", "ratio")
    if pue < 1:
        raise BadSheet(f"{sheet.file}: pue is {pue:g}, but a building cannot draw less than its machines. Write 1 or more.")
    return Site(
        name=sheet.text("name"), title=sheet.text("title"), country=sheet.text("country"), year=sheet.whole(sheet.content, "year"),
        intensity_gco2e_per_kwh=sheet.must("intensity", "carbon_per_energy"), intensity_scope=cast(Literal["direct", "life-cycle"], scope), pue=pue,
        electricity_usd_per_kwh=sheet.value("electricity", "price_per_energy"), mix=_mix(sheet), notes=sheet.notes(), facts=sheet.facts,
    )  # fmt: skip


_DEVICE_KEYS: Final = (
    "name", "title", "vendor", "kind", "chip", "year", "memory_technology", "notes", "sources", "peak", "vector", "memory", "cache", "links", "power", "die",
    "price", "price_per_hour",
)  # fmt: skip
_SYSTEM_KEYS: Final = ("name", "title", "device", "year", "notes", "sources", "tiers", "power", "price", "price_per_hour")
_SITE_KEYS: Final = ("name", "title", "country", "year", "intensity_scope", "notes", "sources", "intensity", "mix", "pue", "electricity")
_MIX_KEYS: Final = ("unit", "source", "where", "read_on", "note", "disagrees_with", "total", "generation")


def _peaks(sheet: Sheet) -> dict[str, float]:
    peaks = {}
    for name in sheet.table("peak"):
        try:
            known = get_format(name).arithmetic == name
        except UnknownName as error:
            raise BadSheet(f"{sheet.file}: peak.{name} is no number format. {error}") from None
        if not known:
            raise BadSheet(f"{sheet.file}: peak.{name} is not a format that devices multiply in. Write peak.{get_format(name).arithmetic}.")
        peaks[name] = sheet.must(f"peak.{name}", "compute")
    if not peaks:
        raise BadSheet(f"{sheet.file}: [peak] is missing. Write [peak.FORMAT] with value, unit, source, where and read_on.")
    return peaks


def _memory(sheet: Sheet) -> tuple[MemoryTier, ...]:
    tiers: list[MemoryTier] = []
    for name in sheet.table("memory"):
        where = f"memory.{name}"
        sheet.only(sheet.table(where), ("capacity", "bandwidth"), where)
        tier = MemoryTier(
            name=name, capacity_bytes=sheet.must(f"{where}.capacity", "capacity"), bandwidth_bytes_per_s=sheet.must(f"{where}.bandwidth", "bandwidth")
        )
        if tiers and tier.capacity_bytes >= tiers[-1].capacity_bytes:
            before = f"memory.{tiers[-1].name}"
            raise BadSheet(f"{sheet.file}: {where} is not smaller than {before} before it. Order tiers from the largest to the smallest.")
        tiers.append(tier)
    if not tiers:
        raise BadSheet(f"{sheet.file}: [memory] is missing. Write [memory.NAME.capacity] and [memory.NAME.bandwidth].")
    return tuple(tiers)


def _caches(sheet: Sheet) -> tuple[Cache, ...]:
    """Every [cache.NAME], from the one nearest to the arithmetic outwards. Numbers of one instance; capacity may stand in [memory.NAME] instead."""
    caches: list[Cache] = []
    for name, table in sheet.table("cache").items():
        where = f"cache.{name}"
        sheet.only(table, ("write", "capacity", "line", "sector", "ways", "sets", "instances", "scratchpad"), where)
        write = table.get("write", "back")
        if write not in ("back", "through"):
            raise BadSheet(f"{sheet.file}: {where}.write is {write!r}. Choose from: back, through.")
        capacity = sheet.value(f"{where}.capacity", "capacity") or sheet.value(f"memory.{name}.capacity", "capacity")
        if capacity is None:
            raise BadSheet(f"{sheet.file}: [{where}.capacity] is missing. Write it with value, unit, source, where and read_on.")
        line = sheet.must(f"{where}.line", "capacity")
        ways, sets = sheet.value(f"{where}.ways", "count"), sheet.value(f"{where}.sets", "count")
        if (ways is None) == (sets is None):
            raise BadSheet(f"{sheet.file}: {where} needs one of ways and sets. Write [{where}.ways] or [{where}.sets]; the other follows from capacity.")
        if ways is None:
            ways = capacity / line / float(sets or 1)
        if ways != int(ways) or capacity % (line * ways):
            raise BadSheet(f"{sheet.file}: {where} does not hold whole sets: {capacity:g} bytes, lines of {line:g}, {ways:g} ways. Mend one of them.")
        caches.append(Cache(
            name=name, capacity_bytes=int(capacity), line_bytes=int(line), sector_bytes=int(sheet.value(f"{where}.sector", "capacity") or line), ways=int(ways),
            instances=int(sheet.value(f"{where}.instances", "count") or 1), write_through=write == "through",
            scratchpad_bytes=int(sheet.value(f"{where}.scratchpad", "capacity") or 0),
        ))  # fmt: skip
    return tuple(caches)


def _links(sheet: Sheet) -> tuple[Link, ...]:
    links = []
    for name in sheet.table("links"):
        where = f"links.{name}"
        sheet.only(sheet.table(where), ("bandwidth",), where)
        links.append(Link(name=name, bandwidth_bytes_per_s=sheet.must(f"{where}.bandwidth", "bandwidth")))
    return tuple(links)


def _mix(sheet: Sheet) -> dict[str, float]:
    """Shares of each fuel from generated energy; one source for the whole table, one fact a fuel."""
    table = sheet.table("mix")
    if not table:
        return {}
    sheet.only(table, _MIX_KEYS, "mix")
    unit = sheet.unit("mix", table, "energy")
    generated = {fuel: _energy(sheet, f"mix.generation.{fuel}", value) for fuel, value in sheet.table("mix.generation").items()}
    total = _energy(sheet, "mix.total", table.get("total"))
    summed = sum(generated.values())
    if total <= 0 or abs(summed - total) > _MIX_TOLERANCE * total:
        raise BadSheet(f"{sheet.file}: the fuels of mix.generation add up to {summed:g} {unit}, but mix.total is {total:g} {unit}. Mend one of them.")
    for fuel, amount in generated.items():
        sheet.facts[f"mix.{fuel}"] = sheet.ground("mix", table, amount, unit)
    return {fuel: amount / summed for fuel, amount in generated.items()}


def _energy(sheet: Sheet, path: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and value >= 0):
        raise BadSheet(f"{sheet.file}: {path} is {value!r}. Write a finite number, 0 or more.")
    return float(value)


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadFile(f"{path}: cannot be read ({error.strerror}). Give the path of a TOML data sheet.") from None
    except UnicodeDecodeError:
        raise BadSheet(f"{path.name}: is not UTF-8 text. Save it as a TOML text file.") from None
    except tomllib.TOMLDecodeError as error:
        raise BadSheet(f"{path.name}: is not TOML: {str(error).rstrip('.')}. Mend that line.") from None
