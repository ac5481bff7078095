"""Runs whose owners published what they took: hours, power, PUE, energy, carbon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from thrifty.cost.carbon.factors import load_pack
from thrifty.errors import unknown_name

_AT: Final = "predictors:published."


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRun:
    """energy_j as its owners state it (`where` says whether with PUE); remembered: fields that no source at hand shows."""

    name: str
    device_hours: float
    power_w: float
    pue: float
    energy_j: float
    intensity_g_per_kwh: float
    carbon_gco2e: float
    tokens: float
    devices: float
    source: str
    where: str
    remembered: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        fields = ("name", "device_hours", "power_w", "pue", "energy_j", "intensity_g_per_kwh", "carbon_gco2e", "tokens", "devices", "source", "where")
        return {**{name: getattr(self, name) for name in fields}, "remembered": list(self.remembered), "truth": "literature"}


def published_runs() -> tuple[str, ...]:
    """Names of all of them."""
    return tuple(dict.fromkeys(path.removeprefix(_AT).partition(".")[0] for path in load_pack().factors if path.startswith(_AT)))


def published_run(name: str) -> PublishedRun:
    """The run of that name. Raises UnknownName."""
    if name not in published_runs():
        raise unknown_name("published run", name, published_runs(), "thrifty carbon predictors")
    pack, at = load_pack(), f"{_AT}{name}."
    carbon = pack.factor(at + "carbon")
    return PublishedRun(
        name=name, device_hours=pack.get(at + "device_hours", "time") / 3600, power_w=pack.get(at + "power", "power"), pue=pack.get(at + "pue", "ratio"),
        energy_j=pack.get(at + "energy", "energy"), intensity_g_per_kwh=pack.get(at + "intensity", "carbon_per_energy"),
        carbon_gco2e=pack.get(at + "carbon", "carbon"), tokens=pack.get(at + "tokens", "count"), devices=pack.get(at + "devices", "count"),
        source=carbon.source, where=carbon.where,
        remembered=tuple(path.rpartition(".")[2] for path in pack.factors if path.startswith(at) and pack.factor(path).where.startswith("remembered")),
    )  # fmt: skip
