"""Series that a scheduler reads: the grid's intensity by name, or the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from thrifty.cost.carbon.series import Intensity, Series, read_mix, read_series
from thrifty.cost.carbon.series.filling import Fill
from thrifty.cost.carbon.series.grids import intensity_of_grid
from thrifty.cost.carbon.series.intensities import Boundary
from thrifty.errors import BadValue


def grid_intensity(name: str, boundary: Boundary | None = None, fill: Fill | None = None) -> Intensity:
    """Intensity of what is generated there: hourly where it ships, else the yearly average. Raises UnknownName, BadValue.

    boundary: None takes life-cycle for hourly regions, and what the sheet states for other sites; fill: how holes are filled
    """
    return intensity_of_grid(name, boundary=boundary, fill=fill)


def own_intensity(path: Path, boundary: Boundary | None = None, fill: Fill | None = None, zone: str | None = None) -> Intensity:
    """The user's own intensity or mix; without a boundary it is taken as life-cycle. Raises BadFile, BadValue where its head states no unit."""
    return read_mix(path, boundary or "life-cycle", zone=zone, fill=fill, option="")


def own_prices(path: Path, fill: Fill | None = None, zone: str | None = None) -> Series:
    """The user's own prices of electricity. Raises BadFile, BadValue where the head states no unit."""
    return read_series(path, "price", zone=zone, fill=fill, option="")[0]


def must_be_alike(intensities: Sequence[Intensity]) -> None:
    """Raises BadValue unless all count the same thing."""
    for other in intensities[1:]:
        if type(other) is not type(intensities[0]):
            raise BadValue(
                f"{intensities[0].series.name} is {intensities[0].boundary}, {other.series.name} is {other.boundary}: they count different things. "
                "Choose places of one boundary, or give --boundary direct."
            )
