"""Kinds of parts and what can be said of each: keys with their ranges, defaults, and texts to choose from."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from thrifty.cost.carbon.embodied.models.tables import fact, rows
from thrifty.cost.carbon.factors.factor import MOST_G_PER_KWH

NOT_SAID: Final = math.nan
"""Value of a key that may be left out, where it was."""

USES: Final = ("any", "cpu", "gpu", "tpu", "npu", "soc")
DRAM_TYPES: Final = (
    "ddr", "ddr3", "ddr4", "ddr5", "lpddr", "lpddr2", "lpddr3", "lpddr4", "lpddr4x", "lpddr5", "lpddr5x", "hbm", "hbm2", "hbm2e", "hbm3", "hbm3e", "gddr",
    "gddr5", "gddr5x", "gddr6", "gddr6x", "gddr7",
)  # fmt: skip
SIZES: Final[Mapping[str, float]] = {"gb": 1.0, "gib": 2**30 / 1e9, "tb": 1e3, "tib": 2**40 / 1e9}
"""Ways to say a size of memory, in GB of 10⁹ bytes."""


MOST: Final = 1e12
"""Of any size, in its key's unit: what is above is a slip, and products of such slips are no numbers any more."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a kind.

    what     : "number", "whole" or "text"; example: for messages
    default  : what it is where it is left out; None where it must be said
    above, least, most : range of a number; above is exclusive
    choices  : texts that it may be
    """

    what: Literal["number", "whole", "text"]
    example: str
    default: float | str | Callable[[], float] | None = None
    above: float | None = None
    least: float | None = None
    most: float | None = None
    choices: Callable[[], tuple[str, ...]] | None = None

    def default_value(self) -> float | str | None:
        return self.default() if callable(self.default) else self.default


def _size(example: str, default: float | Callable[[], float] | None = None) -> Key:
    return Key("number", example, default, above=0.0, most=MOST)


def _choice(example: str, choices: Callable[[], tuple[str, ...]], default: str | None = None) -> Key:
    return Key("text", example, default, choices=choices)


def _said(path: str, dimension: str, scale: float = 1.0) -> Callable[[], float]:
    return lambda: fact(path, dimension) * scale


def _names(*prefixes: str, dimension: str) -> Callable[[], tuple[str, ...]]:
    return lambda: tuple(name for prefix in prefixes for name in rows(prefix, dimension))


PLACES: Final = _names("fabs:places", "fabs:fuels", dimension="carbon_per_energy")
_YIELD: Final = Key("number", "0.875", NOT_SAID, above=0.0, most=1.0)
_FAB: Final[Mapping[str, Key]] = {
    "fab": _choice("taiwan", PLACES, "taiwan"), "fab_ci": Key("number", "583", NOT_SAID, least=0.0, most=MOST_G_PER_KWH),
    "year": Key("whole", "2023", NOT_SAID, least=1990.0, most=2100.0),
}  # fmt: skip
_ONE_OR_TWO: Final = Key("whole", "1", 1.0, least=1.0, most=2.0)
_SUPPLY: Final = _size("2.99", _said("machines:supply.mass", "mass"))

KINDS: Final[Mapping[str, Mapping[str, Key]]] = {
    "logic": {
        "area_mm2": _size("814"), "node_nm": _size("7"), "yield": _YIELD, **_FAB, "abatement": Key("number", "97", 97.0, least=95.0, most=99.0),
        "packages": Key("whole", "1", 1.0, least=0.0, most=MOST), "dies": Key("whole", "1", NOT_SAID, least=1.0, most=MOST),
        "use": _choice("gpu", lambda: USES, "any"),
        "design_kwh": Key("number", "1e6", 0.0, least=0.0, most=MOST),
        "design_ci": Key("number", "380", _said("embodied:design.intensity", "carbon_per_energy"), least=0.0, most=MOST_G_PER_KWH),
        "volume": Key("whole", "100000", 1.0, least=1.0), "products": Key("whole", "2", 1.0, least=1.0),
    },
    "packaging": {"area_mm2": _size("814"), **_FAB, "packages": Key("whole", "1", 1.0, least=1.0, most=MOST)},
    "dram": {
        "gb": _size("384"), "type": _choice("ddr4", lambda: DRAM_TYPES, "ddr4"), "node_nm": _size("18", NOT_SAID), "yield": _YIELD,
        "modules": Key("whole", "12", NOT_SAID, least=0.0, most=MOST), "density": _size("1.79", NOT_SAID),
        "stacks": Key("whole", "6", _said("memory:dram.boavizta.vram_stacks", "count"), least=1.0),
    },
    "ssd": {
        "gb": _size("1000"), "type": _choice("tlc-v3", _names("memory:ssd.act", "memory:ssd.wd", dimension="carbon_per_capacity"), "tlc-v3"), "yield": _YIELD,
        "density": _size("48.5", NOT_SAID),
    },
    "hdd": {"gb": _size("16000"), "type": _choice("exos-x16", _names("memory:hdd.act", dimension="carbon_per_capacity"), "exos-x16")},
    "board": {"area_cm2": _size("1000"), "layers": Key("whole", "8", 8.0, least=1.0, most=64.0)},
    "mainboard": {},
    "psu": {"kg": _SUPPLY},
    "heatsink": {"kg": _size("0.6")},
    "fan": {"u": _ONE_OR_TWO},
    "cooling": {},
    "case": {"type": _choice("rack", lambda: ("rack", "blade"), "rack"), "kg": _size("12", NOT_SAID)},
    "assembly": {},
    "base": {"u": _ONE_OR_TWO, "psu_kg": _SUPPLY, "psus": Key("whole", "2", 2.0, least=1.0)},
    "gpu-board": {
        "kg": _size("1.69", _said("machines:gpu.mass", "mass")), "heatsink_kg": _size("0.9", _said("machines:gpu.heatsink_mass", "mass")),
        "casing_kg": _size("0.79", _said("machines:gpu.casing_mass", "mass")), "board_cm2": _size("296", _said("machines:gpu.board_area", "area", 0.01)),
    },
    "nic": {},
    "cxl": {},
    "rack": {},
    "building": {"mw": _size("50", _said("servers:building.limit", "power", 1e-6))},
    "battery": {"kwh": _size("100"), "type": _choice("nmc", _names("machines:battery", dimension="carbon_per_energy"), "nmc")},
    "metal": {"kg": _size("10"), "type": _choice("steel", _names("machines:metal", dimension="carbon_per_mass"))},
    "passive": {"kg": _size("0.01"), "type": _choice("mlcc", _names("machines:passive", dimension="energy_per_mass")), **_FAB},
}  # fmt: skip
"""Kind -> its keys. `package` (dies joined in 2.5D or 3D) and `device` (a name) are read elsewhere, for they are trees."""

TREES: Final = ("package", "device")


@functools.cache
def spread_of(kind: str) -> float:
    """How many times the largest public model of such a part is the smallest."""
    stated = rows("embodied:spread", "ratio")
    return stated.get({"gpu-board": "case", "mainboard": "case", "base": "case"}.get(kind, kind), stated["other"])
