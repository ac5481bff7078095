"""Where jobs may run: a site of the catalogue or a region with hourly generation, or the user's own series; its cap and its machines.

Two places may be the same site with different machines: `power_scale` is what a job draws there over what its row states, `embodied_g_per_h` the share
of making the machine that an hour of one job takes. The latter never enters a decision between machines that exist (Sunk Carbon Fallacy, 2024): it is
spent whatever is decided. It is counted only where the question asks for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from thrifty.cost.carbon.series import Intensity, Series, generation_names
from thrifty.cost.carbon.series.filling import Fill
from thrifty.cost.carbon.series.intensities import Boundary
from thrifty.errors import BadValue, UnknownName
from thrifty.hardware import load_site
from thrifty.levers.steward.schedule.asking.reading import read_rows
from thrifty.levers.steward.schedule.asking.signals import grid_intensity, own_intensity, own_prices
from thrifty.quantities import stated

KEYS = ("name", "site", "mix", "prices", "cap", "power_scale", "embodied_g_per_h", "pue")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Place:
    """One place.

    intensity        : of its grid, gCO2e/kWh; zone: IANA name, in which local times are read
    pue              : what its building draws over what its machines draw
    usd_per_kwh      : of electricity, None where nobody says; usd_T: the same over time where the user gave a series (unit USD/kWh)
    cap_w            : most that all jobs may draw there at once, infinite for none
    """

    name: str
    intensity: Intensity
    pue: float = 1.0
    usd_per_kwh: float | None = None
    prices: Series | None = None
    cap_w: float = math.inf
    power_scale: float = 1.0
    embodied_g_per_h: float = 0.0
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for what, value, least in (("pue", self.pue, 1.0), ("power_scale", self.power_scale, 0.0), ("embodied_g_per_h", self.embodied_g_per_h, 0.0)):
            if not (math.isfinite(value) and value >= least) or (what == "power_scale" and value == 0):
                rule = "above 0" if what == "power_scale" else f"of at least {least:g}"
                raise BadValue(f"place '{self.name}': {what}={value:g} cannot be. Give a finite number {rule}.")
        if math.isnan(self.cap_w) or self.cap_w <= 0:
            raise BadValue(f"place '{self.name}': a cap of {self.cap_w:g} W lets nothing run. Give a cap above 0.")
        if self.prices is not None and self.prices.unit != "USD/kWh":
            raise BadValue(f"place '{self.name}': prices are in {self.prices.unit}. Give USD/kWh.")

    @property
    def zone(self) -> str:
        return self.intensity.series.zone


def place_of(
    name: str, *, site: str = "", mix: Path | None = None, prices: Path | None = None, boundary: Boundary | None = None, fill: Fill | None = None, **given: Any
) -> Place:  # fmt: skip
    """A place by the name of a site or region; `mix` is the user's own series of gCO2e/kWh. Raises UnknownName, BadFile, BadValue."""
    where = site or name
    try:
        known = load_site(where)
    except UnknownName:
        known = None
        if mix is None and where not in generation_names():
            raise
    intensity = own_intensity(mix, boundary, fill) if mix is not None else grid_intensity(where, boundary, fill)
    notes = list(getattr(intensity, "notes", ()))
    if known is None:
        notes.append(f"'{where}' is no site of the catalogue: PUE 1 taken unless given, price of electricity unknown")
    made = Place(
        name=name, intensity=intensity, pue=known.pue if known else 1.0, usd_per_kwh=known.electricity_usd_per_kwh if known else None,
        prices=own_prices(prices, fill) if prices is not None else None, notes=tuple(notes),
    )  # fmt: skip
    return replace(made, **given)


def read_places(path: Path, boundary: Boundary | None = None, fill: Fill | None = None) -> tuple[Place, ...]:
    """The `[[places]]` of a TOML or JSON file of jobs; none where it has none. Paths in it are relative to the file."""
    if path.suffix.lower() == ".csv":
        return ()
    return tuple(_from_row(row, path.parent, boundary, fill) for row in read_rows(path, "places") if "power" not in row)


def _from_row(row: Mapping[str, Any], folder: Path, boundary: Boundary | None, fill: Fill | None) -> Place:
    name = str(row.get("name", row.get("site", "")))
    for key in row:
        if key not in KEYS:
            raise BadValue(f"place '{name}' has unknown key '{key}'. Allowed: {', '.join(KEYS)}.")
    given: dict[str, Any] = {}
    for key in ("power_scale", "embodied_g_per_h", "pue"):
        if key in row:
            try:
                given[key] = float(row[key])
            except (TypeError, ValueError):
                raise BadValue(f"place '{name}': {key}='{row[key]}' is not a number. Give one.") from None
    if "cap" in row:
        given["cap_w"] = stated(f"place '{name}': cap", row["cap"], "power", example="2 MW")
    files = {key: folder / str(row[key]) for key in ("mix", "prices") if key in row}
    return place_of(name, site=str(row.get("site", "")), boundary=boundary, fill=fill, **files, **given)


def rates(place: Place, start: Any, end: Any, step_s: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(T,) grams of CO2e a kWh at the machine, PUE included. Raises BadValue where the grid's series has holes or does not reach."""
    return np.asarray(place.intensity.over(start, end, step_s).values_T * place.pue, dtype=np.float64)


def usd(place: Place, start: Any, end: Any, step_s: float) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """(T,) USD a kWh at the machine, PUE included; None where nobody states a price."""
    if place.prices is not None:
        return np.asarray(place.prices.within(start, end).whole().stepped(step_s).values_T * place.pue, dtype=np.float64)
    if place.usd_per_kwh is None:
        return None
    return np.full(round((end - start).total_seconds() / step_s), place.usd_per_kwh * place.pue)
