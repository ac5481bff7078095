"""A design as four numbers a unit of work, the setting it is used in, and every metric of it by name.

    carbon of a unit = embodied · delay / (utilisation · life) + (energy + idle power · delay · (1 − u)/u) · PUE · intensity

for a device that works the share `utilisation` of its life and draws idle power for the rest: as many devices as the work needs, each loaded alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from thrifty.cost.carbon.metrics import combined
from thrifty.cost.carbon.metrics.doors import Floats, amounts, positive, shares
from thrifty.errors import BadValue
from thrifty.quantities import J_PER_KWH


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """embodied_gco2e: of making one device; delay_s, energy_j: of one unit of work while it works; idle_w: power while it does not.

    Raises BadValue for what is negative or not finite, and for a delay of 0.
    """

    name: str
    embodied_gco2e: float
    delay_s: float
    energy_j: float
    idle_w: float = 0.0

    def __post_init__(self) -> None:
        amounts(embodied_gco2e=self.embodied_gco2e, energy_j=self.energy_j, idle_w=self.idle_w)
        positive(delay_s=self.delay_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where and how long designs are used. Raises BadValue for a life or utilisation of 0, a share above 1, a PUE below 1."""

    intensity_gco2e_per_kwh: float
    life_s: float
    utilisation: float = 1.0
    pue: float = 1.0

    def __post_init__(self) -> None:
        amounts(intensity_gco2e_per_kwh=self.intensity_gco2e_per_kwh)
        positive(life_s=self.life_s, utilisation=self.utilisation)
        shares(utilisation=self.utilisation)
        if not (np.isfinite(self.pue) and self.pue >= 1):
            raise BadValue(f"pue={self.pue:g} is below 1. A building draws at least what its machines draw.")

    @property
    def exposure(self) -> float:
        """life · PUE · intensity in g·s/J: all that a total needs to know of place and time (see `boundaries`)."""
        return self.life_s * self.pue * self.intensity_gco2e_per_kwh / J_PER_KWH


def lines(designs: Sequence[Design], utilisation: float = 1.0) -> tuple[Floats, Floats]:
    """(D,) intercepts in g·s and (D,) slopes in J: life · carbon of a unit = intercept + slope · exposure. Raises BadValue for no designs."""
    if not designs:
        raise BadValue("no designs to compare. Give at least one.")
    embodied, delay, energy, idle = (np.array([getattr(d, key) for d in designs]) for key in ("embodied_gco2e", "delay_s", "energy_j", "idle_w"))
    return embodied * delay / utilisation, energy + idle * delay * (1 - utilisation) / utilisation


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """name: as a command says it; of: (D,) values of designs in a setting, the least is best; total: whether use and life enter."""

    name: str
    title: str
    unit: str
    source: str
    total: bool
    of: Callable[[Sequence[Design], Setting], Floats]


def _columns(designs: Sequence[Design]) -> tuple[Floats, Floats, Floats]:
    return tuple(np.array([getattr(d, key) for d in designs]) for key in ("embodied_gco2e", "delay_s", "energy_j"))  # type: ignore[return-value]


def carbon_of(designs: Sequence[Design], setting: Setting) -> Floats:
    """(D,) gCO2e of a unit of work, making and running."""
    embodied, used = parts_of(designs, setting)
    return embodied + used


def parts_of(designs: Sequence[Design], setting: Setting) -> tuple[Floats, Floats]:
    """(D,) embodied and (D,) operational gCO2e of a unit of work."""
    intercept, slope = lines(designs, setting.utilisation)
    return intercept / setting.life_s, slope * setting.pue * setting.intensity_gco2e_per_kwh / J_PER_KWH


METRICS: Final[Mapping[str, Metric]] = MappingProxyType({each.name: each for each in (
    Metric(name="carbon", title="carbon of a unit of work", unit="gCO2e", source="act-2022", total=True, of=carbon_of),
    Metric(name="cdp", title="carbon · delay", unit="gCO2e·s", source="act-2022", total=False, of=lambda d, s: combined.cdp(*_columns(d)[:2])),
    Metric(name="cep", title="carbon · energy", unit="gCO2e·J", source="act-2022", total=False, of=lambda d, s: combined.cep(*_columns(d)[::2])),
    Metric(name="c2ep", title="carbon² · energy", unit="gCO2e²·J", source="act-2022", total=False, of=lambda d, s: combined.c2ep(*_columns(d)[::2])),
    Metric(name="ce2p", title="carbon · energy²", unit="gCO2e·J²", source="act-2022", total=False, of=lambda d, s: combined.ce2p(*_columns(d)[::2])),
    Metric(name="tcdp", title="total carbon · delay", unit="gCO2e·s", source="cordoba-2025", total=True,
           of=lambda d, s: combined.tcdp(*parts_of(d, s), _columns(d)[1])),
    Metric(name="tcep", title="total carbon · energy", unit="gCO2e·J", source="cordoba-2025", total=True,
           of=lambda d, s: combined.tcep(*parts_of(d, s), _columns(d)[2])),
)})  # fmt: skip
"""C of the first four is what making the whole device emitted; the totals charge its share of life."""
