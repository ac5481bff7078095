"""The series that ship with thrifty, read from npz by name; `data.toml` says what each is, whose, under which terms, and its hash.

They are made again by `tools/carbon_series.py` from public data. Files are read without pickle and checked against their hash.
"""

from __future__ import annotations

import functools
import hashlib
import io
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Final

import numpy as np

from thrifty.cost.carbon.series.series import Floats, Series
from thrifty.errors import BadFile, unknown_name
from thrifty.hardware.sources import Source, parse_sources
from thrifty.quantities import HOUR_S

_MISSING: Final = np.iinfo(np.int32).min


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Generation:
    """Hourly electricity of one region by fuel, in MW (MWh of each hour): `by_fuel_FT[f]` is of `fuels[f]`; NaN where the source has a hole.
    `sites` are the catalogue's sites in the region.

    Small negative values (plants at rest that draw power) stay as the source states them.
    """

    name: str
    title: str
    zone: str
    fuels: tuple[str, ...]
    start: datetime
    by_fuel_FT: Floats = field(repr=False)
    source: str
    notes: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()

    def of(self, *fuels: str) -> Series:
        """The sum of some fuels. Raises UnknownName for a fuel that the region does not state."""
        for fuel in fuels:
            if fuel not in self.fuels:
                raise unknown_name("fuel", fuel, self.fuels, f"thrifty carbon operate --list ({self.name}: {', '.join(self.fuels)})")
        rows = [self.fuels.index(fuel) for fuel in fuels]
        total_T = self.by_fuel_FT[rows].sum(axis=0)
        return Series(start=self.start, step_s=HOUR_S, values_T=total_T, unit="MW", zone=self.zone, name=f"{'+'.join(fuels)} of {self.name}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weather:
    """A typical year of one place, 8760 hours from 1 January 00:00 of standard time; it belongs to no calendar year.

    solar_share_T, wind_share_T : share of rated power of a fixed array tilted to its latitude, and of a generic turbine with its hub at 100 m
    """

    name: str
    title: str
    zone_h: float
    solar_share_T: Floats = field(repr=False)
    wind_share_T: Floats = field(repr=False)
    ghi_w_per_m2_T: Floats = field(repr=False)
    wind_m_per_s_T: Floats = field(repr=False)
    air_c_T: Floats = field(repr=False)
    source: str


@functools.cache
def _entries() -> Mapping[str, Any]:
    return tomllib.loads((files("thrifty.cost.carbon") / "series" / "data.toml").read_text(encoding="utf-8"))


@functools.cache
def _arrays(file: str) -> Mapping[str, Any]:
    content = (files("thrifty.cost.carbon") / "series" / "data" / file).read_bytes()
    if hashlib.sha256(content).hexdigest() != _entries()["files"][file]["sha256"]:
        raise BadFile(f"{file} of the package is not the file that its data sheet vouches for. Install thrifty again.")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(arrays)


def series_sources() -> Mapping[str, Source]:
    """The sources that the shipped series name."""
    return parse_sources(_entries()["sources"], "series/data.toml", "sources.")


def generation_names() -> tuple[str, ...]:
    """Regions with hourly generation."""
    return tuple(_entries()["generation"])


def region_of(name: str) -> str | None:
    """The region with hourly generation that `name`, a region or a site of the catalogue, stands for; None where there is none."""
    return next((region for region, entry in _entries()["generation"].items() if name == region or name in entry["sites"]), None)


def weather_names() -> tuple[str, ...]:
    """Places with a typical weather year."""
    return tuple(_entries()["weather"])


def load_generation(name: str) -> Generation:
    """Hourly generation by fuel of one region. Raises UnknownName."""
    entry = _entries()["generation"].get(name)
    if entry is None:
        raise unknown_name("region with hourly generation", name, generation_names(), "thrifty carbon operate --list")
    arrays = _arrays(entry["file"])
    table = arrays[f"{name}.mwh"].astype(np.float64)
    table[arrays[f"{name}.mwh"] == _MISSING] = np.nan
    start = datetime.fromtimestamp(int(arrays[f"{name}.start"].astype("datetime64[s]").astype(np.int64)), tz=UTC)
    return Generation(
        name=name, title=entry["title"], zone=entry["zone"], fuels=tuple(str(fuel) for fuel in arrays["fuels"]), start=start,
        by_fuel_FT=np.ascontiguousarray(table.T), source=entry["source"], notes=tuple(entry.get("notes", ())), sites=tuple(entry["sites"]),
    )  # fmt: skip


def load_weather(name: str) -> Weather:
    """The typical weather year of one place. Raises UnknownName."""
    entry = _entries()["weather"].get(name)
    if entry is None:
        raise unknown_name("weather year", name, weather_names(), "thrifty carbon operate --list")
    arrays = _arrays(entry["file"])
    read = {key: arrays[f"{name}.{key}"].astype(np.float64) for key in ("solar_share", "wind_share", "ghi_w_per_m2", "wind_m_per_s", "air_c")}
    return Weather(
        name=name, title=entry["title"], zone_h=float(arrays[f"{name}.zone_h"]), solar_share_T=read["solar_share"], wind_share_T=read["wind_share"],
        ghi_w_per_m2_T=read["ghi_w_per_m2"], wind_m_per_s_T=read["wind_m_per_s"], air_c_T=read["air_c"], source=entry["source"],
    )  # fmt: skip
