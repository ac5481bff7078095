"""Carbon of work on a device at a site, as two coefficients: grams a joule and grams a second.

    carbon = energy · PUE · intensity  +  time / life · embodied

so that a million points cost two multiplications each. The interval carries what public models disagree on in making the device, and the
span of service lives; the grid's yearly average is taken as stated. Idle hours of the device's life are charged to nobody here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from thrifty.cost.carbon.embodied import Embodied
from thrifty.cost.carbon.factors import load_pack
from thrifty.cost.carbon.operational import operational_g_per_j
from thrifty.errors import BadValue
from thrifty.footprint.interval import Interval
from thrifty.hardware.device import Device, Site

MODEL_NAME: Final = "carbon-ensemble-2"


@dataclass(frozen=True, slots=True, kw_only=True)
class CarbonModel:
    """Carbon of running and of making one device at one site.

    g_per_j : grams of CO2e a joule at the machine; g_per_s: share of making the device a second of its use
    models  : names of the public models in the interval; sources: keys of the sheets' sources
    notes   : what the device's or the site's sheet lacks, and what was done about it
    """

    name: str
    g_per_j: Interval
    g_per_s: Interval
    embodied: Embodied
    life_s: Interval
    models: tuple[str, ...]
    sources: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, device: Device, site: Site) -> CarbonModel:
        """The model of `device` at `site`. Raises BadValue for a site with a PUE below 1."""
        pack = load_pack()
        embodied = Embodied.of(device)
        total = embodied.total_gco2e
        life = Interval(*(pack.get(f"embodied:life.{end}", "time") for end in ("low", "mid", "high")))
        notes = list(embodied.notes)
        if site.intensity_scope == "direct":
            notes.append(f"grid of '{site.name}' counts power plants' own emissions only, not their building and fuel supply")
        return cls(
            name=MODEL_NAME,
            g_per_j=Interval.exact(operational_g_per_j(site)),
            g_per_s=Interval(total.low / life.high, total.mid / life.mid, total.high / life.low),
            embodied=embodied, life_s=life,
            models=tuple(sorted({name for part in embodied.models.values() for name in part})),
            sources=tuple(dict.fromkeys((*embodied.sources, *(pack.factor(f"embodied:life.{end}").source for end in ("low", "mid", "high"))))),
            notes=tuple(notes),
        )  # fmt: skip

    def carbon(self, energy_j: float, time_s: float) -> Interval:
        """Grams of CO2e of work that takes `energy_j` and holds the device for `time_s`. Raises BadValue for negative or NaN input."""
        for name, value in (("energy_j", energy_j), ("time_s", time_s)):
            if not value >= 0:
                raise BadValue(f"{name}={value} is below 0 or not a number. Give 0 or more.")
        return self.g_per_j * energy_j + self.g_per_s * time_s

    def coefficients(self) -> npt.NDArray[np.float64]:
        """(3, 2): low, mid, high of (grams a joule, grams a second); carbon of N points is this @ (2, N) of joules and seconds."""
        ends = ("low", "mid", "high")
        return np.array([[getattr(self.g_per_j, end), getattr(self.g_per_s, end)] for end in ends], dtype=np.float64)
