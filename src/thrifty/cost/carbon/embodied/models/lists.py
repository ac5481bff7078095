"""Lists of parts that somebody weighed once: GreenSKU's from vendors' assessments, Fair-CO2's node table, and single sheets of vendors.

They hold for a part like theirs. Where a list states one size only, it is scaled per byte; a processor's or a board's value is taken as it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from thrifty.cost.carbon.embodied.models.tables import Number, Values, fact, one_of, pick, rows

_MODULES: Final = frozenset({"ddr"})
_HBM: Final = frozenset({"hbm"})
_CPU: Final = frozenset({"cpu"})
_Table = Mapping[str, Callable[[Values], Number]]


def _constant(path: str) -> Callable[[Values], Number]:
    return lambda v: fact(path, "carbon")


def _per_gb(path: str, only: frozenset[str] | None = None) -> Callable[[Values], Number]:
    def grams(v: Values) -> Number:
        whole: Any = fact(path, "carbon_per_capacity") * 1e9 * v["gb"]
        return whole if only is None else np.where(one_of(v["family"], only), whole, np.nan)

    return grams


def _socket(path: str) -> Callable[[Values], Number]:
    def grams(v: Values) -> Number:
        return np.where(one_of(v["use"], _CPU), fact(path, "carbon"), np.nan) + 0.0 * v["area_mm2"]

    return grams


def _by_height(one: str, two: str) -> Callable[[Values], Number]:
    def grams(v: Values) -> Number:
        return np.where(v["u"] == 1, fact(one, "carbon"), fact(two, "carbon"))

    return grams


def _building(v: Values) -> Number:
    return fact("machines:hall.building", "carbon") * (v["mw"] * 1e6 / fact("machines:hall.building_power", "power"))


def _fair_base(v: Values) -> Number:
    paths = ("cooling.server", "mainboard.fair-co2", "case.fair-co2", "base.fair-co2_peripherals", "supply.fair-co2")
    return sum(fact(f"machines:{path}", "carbon") for path in paths) + 0.0 * v["u"]


def _wd(v: Values) -> Number:
    table = rows("memory:ssd.wd", "carbon_per_capacity")
    newest = table["wd-2019"]  # a drive of another maker or age is held against the newest report
    stated: Any = pick(table, v["type"])
    return np.where(np.isnan(stated), newest, stated) * 1e9 * v["gb"] / v["yield"]


def _explorer_battery(v: Values) -> Number:
    return fact("supply:embodied.battery.mid", "carbon_per_energy") * v["kwh"]


def _nvidia_board(v: Values) -> Number:
    return fact("machines:gpu.nvidia", "carbon") + 0.0 * v["kg"]


GREENSKU: Final[_Table] = {
    "logic": _socket("logic:socket.greensku.cpu"), "dram": _per_gb("memory:dram.greensku.any", _MODULES), "ssd": _per_gb("memory:ssd.greensku"),
    "fan": _by_height("machines:cooling.fans_1u", "machines:cooling.fans_2u"),
    "base": _by_height("machines:base.greensku_1u", "machines:base.greensku_2u"),
    "nic": _constant("machines:card.nic_100g"), "cxl": _constant("machines:card.cxl"), "rack": _constant("machines:hall.rack"), "building": _building,
}  # fmt: skip

FAIR_CO2: Final[_Table] = {
    "logic": _socket("logic:socket.fair-co2.cpu"), "dram": _per_gb("memory:dram.fair-co2.any"), "ssd": _per_gb("memory:ssd.fair-co2"),
    "mainboard": _constant("machines:mainboard.fair-co2"), "psu": lambda v: fact("machines:supply.fair-co2", "carbon") + 0.0 * v["kg"],
    "cooling": _constant("machines:cooling.server"), "case": _constant("machines:case.fair-co2"),
    "nic": _constant("machines:base.fair-co2_peripherals"), "base": _fair_base,
}  # fmt: skip

VENDORS: Final[Mapping[str, tuple[_Table, tuple[str, ...]]]] = {
    "wd": ({"ssd": _wd}, ("wd-reports",)),
    "nvidia-pcf": ({"dram": _per_gb("memory:dram.nvidia.hbm", _HBM), "gpu-board": _nvidia_board}, ("nvidia-pcf-hgx-h100",)),
    "carbon-explorer": ({"battery": _explorer_battery}, ("carbon-explorer-2023",)),
}
"""Single sheets: model -> its parts, and its sources."""
