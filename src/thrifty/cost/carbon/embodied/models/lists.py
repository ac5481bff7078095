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


def _per_gb(grams_per_gb: Callable[[], float], only: frozenset[str] | None = None) -> Callable[[Values], Number]:
    def grams(v: Values) -> Number:
        whole = grams_per_gb() * v["gb"]
        return whole if only is None else np.where(one_of(v["family"], only), whole, np.nan)

    return grams


def _gram_of_gb(path: str) -> Callable[[], float]:
    return lambda: fact(path, "carbon_per_capacity") * 1e9


def _share(part: str, size: str) -> Callable[[], float]:
    """Grams a GB of a part of the list, from its carbon and its size."""
    return lambda: fact(f"servers:{part}.carbon", "carbon") / fact(f"servers:{part}.{size}", "capacity") * 1e9


def _socket(grams_of_one: Callable[[], float]) -> Callable[[Values], Number]:
    def grams(v: Values) -> Number:
        return np.where(one_of(v["use"], _CPU), grams_of_one(), np.nan) + 0.0 * v["area_mm2"]

    return grams


def _greensku_socket() -> float:
    """The mean of the two processors of the list."""
    return (fact("servers:part.genoa-80c.carbon", "carbon") + fact("servers:part.bergamo-128c.carbon", "carbon")) / 2


def _by_height(what: str) -> Callable[[Values], Number]:
    return lambda v: np.where(v["u"] == 1, fact(f"servers:chassis.u1.{what}", "carbon"), fact(f"servers:chassis.u2.{what}", "carbon"))


def _building(v: Values) -> Number:
    return fact("servers:building.carbon", "carbon") * (v["mw"] * 1e6 / fact("servers:building.limit", "power"))


def _fair(name: str) -> float:
    return fact(f"servers:node.fair-co2.{name}", "carbon")


def _fair_base(v: Values) -> Number:
    return sum(_fair(name) for name in ("cooling", "board", "chassis", "peripheral", "supply")) + 0.0 * v["u"]


def _fair_dram() -> float:
    return _fair("dram") / fact("memory:dram.fair-co2.size", "capacity") * 1e9


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
    "logic": _socket(_greensku_socket), "dram": _per_gb(_share("part.ddr5-64gb", "memory"), _MODULES), "ssd": _per_gb(_share("part.ssd-2tb", "storage")),
    "fan": _by_height("fan_carbon"), "base": _by_height("carbon"), "nic": _constant("servers:part.nic-100g.carbon"),
    "cxl": _constant("servers:part.cxl-controller.carbon"), "rack": _constant("servers:rack.carbon"), "building": _building,
}  # fmt: skip

FAIR_CO2: Final[_Table] = {
    "logic": _socket(lambda: _fair("cpu")), "dram": _per_gb(_fair_dram), "ssd": _per_gb(_gram_of_gb("servers:node.fair-co2.ssd_per_gb")),
    "mainboard": lambda v: _fair("board"), "psu": lambda v: _fair("supply") + 0.0 * v["kg"], "cooling": lambda v: _fair("cooling"),
    "case": lambda v: _fair("chassis"), "nic": lambda v: _fair("peripheral"), "base": _fair_base,
}  # fmt: skip
"""Of its node: the supply's number is not said and taken as one, peripherals are taken for one card."""

VENDORS: Final[Mapping[str, tuple[_Table, tuple[str, ...]]]] = {
    "wd": ({"ssd": _wd}, ("wd-reports",)),
    "nvidia-pcf": ({"dram": _per_gb(_gram_of_gb("memory:dram.nvidia.hbm"), _HBM), "gpu-board": _nvidia_board}, ("nvidia-pcf-hgx-h100",)),
    "carbon-explorer": ({"battery": _explorer_battery}, ("carbon-explorer-2023",)),
}
"""Single sheets: model -> its parts, and its sources."""
