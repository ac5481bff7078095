"""Yearly carbon intensity of a country or region as installed packages state it, side by side: they differ in year and in what they count."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast

from thrifty.cost.carbon.factors.adapters.sources import CODECARBON, ECOLOGITS, Adapter
from thrifty.errors import BadFile, UnknownName, unknown_name
from thrifty.quantities import G_PER_KG

Boundary = Literal["direct", "life-cycle"]
G_PER_KWH_PER_LB_PER_MWH: Final = 453.59237 / 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """One package's yearly average of one place.

    place : ISO code, or with a region ("USA:california", "CN-BJ", "SE1"); year: None where the package does not say, which a reader must be told
    boundary : what the package says or implies that it counts
    """

    place: str
    title: str
    g_per_kwh: float
    boundary: Boundary
    year: int | None
    source: str
    licence: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "place": self.place, "title": self.title, "g_per_kwh": self.g_per_kwh, "boundary": self.boundary, "year": self.year, "source": self.source,
            "licence": self.licence,
        }  # fmt: skip


def _load(adapter: Adapter, relative: str) -> Any:
    path: Path | None = adapter.file(relative)
    if path is None:
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadFile(f"{relative} of {adapter.source} is not JSON: {error}. Install the package again.") from error


def _codecarbon() -> Iterator[Mix]:
    ground: dict[str, Any] = {"source": CODECARBON.source, "licence": CODECARBON.licence}
    for code, entry in (_load(CODECARBON, "data/private_infra/global_energy_mix.json") or {}).items():
        yield Mix(
            place=code, title=entry["country_name"], g_per_kwh=float(entry["carbon_intensity"]), boundary="life-cycle", year=int(entry["year"]), **ground
        )  # fmt: skip
    states = _load(CODECARBON, "data/private_infra/2023/usa_emissions.json") or {}
    if str(states.get("_unit", {}).get("emissions", "")).lower() == "lbs/mwh":
        year = states.get("_source", {}).get("year")
        for name, entry in states.items():
            if not name.startswith("_"):
                place, grams = f"USA:{name.replace(' ', '-')}", float(entry["emissions"]) * G_PER_KWH_PER_LB_PER_MWH
                yield Mix(place=place, title=name.title(), g_per_kwh=grams, boundary="direct", year=None if year is None else int(year), **ground)
    for file, boundary in (("2023/china_provincial_emissions.json", "direct"), ("nordic_emissions.json", "life-cycle")):
        for code, entry in (_load(CODECARBON, f"data/private_infra/{file}") or {}).get("data", {}).items():
            if str(entry.get("unit", "")).lower() in ("gco2/kwh", "gco2eq/kwh"):
                yield Mix(
                    place=code, title=entry["description"], g_per_kwh=float(entry["emission_factor"]), boundary=cast(Boundary, boundary),
                    year=int(entry["year"]), **ground,
                )  # fmt: skip


def _ecologits() -> Iterator[Mix]:
    for entry in (_load(ECOLOGITS, "data/electricity_mixes.json") or {}).get("electricity_mixes", ()):
        yield Mix(
            place=str(entry["name"]), title=str(entry["name"]), g_per_kwh=float(entry["gwp"]) * G_PER_KG, boundary="life-cycle", year=None,
            source=ECOLOGITS.source, licence=ECOLOGITS.licence,
        )  # fmt: skip


def find_mixes(place: str) -> tuple[Mix, ...]:
    """What each installed package says of a place (ISO code such as FRA, USA:state, CN-BJ, SE1). Raises UnknownName when none knows it."""
    every = [*_codecarbon(), *_ecologits()]
    found = tuple(mix for mix in every if mix.place.lower() == place.lower())
    if not every:
        raise UnknownName(f"No place named '{place}': no catalogue of mixes is installed. Install one: pip install codecarbon ecologits")
    if not found:
        raise unknown_name("place", place, {mix.place.lower() for mix in every}, "thrifty hardware sites")
    return found
