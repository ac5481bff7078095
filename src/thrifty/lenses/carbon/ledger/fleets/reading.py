"""A fleet from a file, TOML or JSON:

    [fleet]
    name = "two racks"; site = "us-california"; start = "2020-07-01T00:00-07:00"; end = "2020-07-08T00:00-07:00"

    [[asset]]
    name = "gpus"; count = 8; device = "h100-sxm5"; life = "5 yr"; bought = "2019-01-01T00:00Z"; idle = "80 W"; busy = "600 W"
    capacity = { gpus = 8 }
    tenants = [{ name = "search", reserved = { gpus = 5 }, used = { gpus = 3 } }, { name = "ads", reserved = { gpus = 1 } }]

Other keys of an asset: part, embodied, transport, end_of_life ("1523 kgCO2e"), site, pue, load (a file), power ("300 W"), fuel ("2 kgCO2e/h"),
market ("0 gCO2e/kWh"), line ("overhead"), demand and used (files of hours by tenants). Of the fleet: depreciation, rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from thrifty.cost.carbon.series import Series, read_series
from thrifty.cost.carbon.series.stamps import YEARS
from thrifty.errors import BadFile, BadValue
from thrifty.files import strict_json, strict_toml
from thrifty.lenses.carbon.attribution import read_demand
from thrifty.lenses.carbon.ledger.fleets.description import Asset, Fleet, Tenant
from thrifty.quantities import parse

MOST_COUNT: Final = 10**12
_FLEET: Final = ("name", "site", "start", "end", "depreciation", "rule")
_QUANTITIES: Final = {
    "embodied": ("embodied_g", "carbon"), "transport": ("transport_g", "carbon"), "end_of_life": ("end_of_life_g", "carbon"), "life": ("life_s", "time"),
    "power": ("power_w", "power"), "idle": ("idle_w", "power"), "busy": ("busy_w", "power"), "fuel": ("fuel_g_per_s", "carbon_per_time"),
    "market": ("market_g_per_kwh", "carbon_per_energy"),
}  # fmt: skip
_ASSET: Final = ("name", "count", "device", "part", "bought", "site", "pue", "load", "line", "capacity", "tenants", "demand", "used", *_QUANTITIES)


def read_fleet(path: str | Path) -> Fleet:
    """Read a fleet; files that it names lie beside it. Raises BadFile for what is no such file, BadValue for what no fleet has."""
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8-sig")
        tree = strict_json(text) if file.suffix.lower() == ".json" else strict_toml(text)
    except OSError as error:
        raise BadFile(f"cannot read '{path}': {(error.strerror or str(error)).lower()}. Name the description of a fleet, .toml or .json.") from error
    except (UnicodeDecodeError, BadFile) as error:
        raise BadFile(f"'{path}' is no description of a fleet: {error}. Mend it.") from error
    if not isinstance(tree, dict) or set(tree) - {"fleet", "asset"} or not isinstance(tree.get("asset"), list):
        raise BadFile(f"'{path}' is no description of a fleet. It needs [[asset]] entries, and may have [fleet].")
    head = _mapping(tree.get("fleet", {}), f"'{path}', fleet", _FLEET)
    assets = tuple(_asset(_mapping(entry, f"'{path}', asset {number}", _ASSET), file, head) for number, entry in enumerate(tree["asset"]))
    return Fleet(
        name=str(head.get("name", file.stem)), assets=assets, start=read_moment(head.get("start"), "start"), end=read_moment(head.get("end"), "end"),
        depreciation=str(head.get("depreciation", "linear")), rule=str(head.get("rule", "reserved")),
    )  # fmt: skip


def _asset(entry: Mapping[str, Any], file: Path, head: Mapping[str, Any]) -> Asset:
    name = entry.get("name")
    if not isinstance(name, str) or not name:
        raise BadValue(f"an asset of '{file}' has no name. Name each.")
    said, known = f"asset '{name}'", dict(entry)
    count = known.get("count", 1)
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_COUNT:
        raise BadValue(f"{said} has count {count!r}. Give a whole number from 1 to {MOST_COUNT}.")
    tenants = known.get("tenants", [])
    if not isinstance(tenants, list):
        raise BadValue(f"{said} has tenants {tenants!r}. Write a list: tenants = [{{ name = \"web\", reserved = {{ cores = 4 }} }}].")
    site = known.get("site", head.get("site"))
    if not isinstance(site, str):
        raise BadValue(f"{said} stands nowhere. Give a site, e.g. site = 'us-california', to it or to the fleet.")
    numbers = {field: _quantity(known[key], dimension, f"{said}, {key}") for key, (field, dimension) in _QUANTITIES.items() if key in known}
    pue = known.get("pue")
    if pue is not None and (isinstance(pue, bool) or not isinstance(pue, int | float)):
        raise BadValue(f"{said} has pue {pue!r}. Give a number of at least 1.")
    demand = None
    if "demand" in known:
        used = file.parent / str(known["used"]) if "used" in known else None
        demand = read_demand(file.parent / str(known["demand"]), used)
    elif "used" in known:
        raise BadValue(f"{said} names a file of use and none of demand. Give demand too.")
    return Asset(
        name=name, count=count, device=str(known.get("device", "")), part=str(known.get("part", "")),
        bought=read_moment(known.get("bought"), f"{said}, bought"),
        site=site, pue=pue, load=_load(known.get("load"), file), line=str(known.get("line", "used")),
        capacity=_amounts(known.get("capacity", {}), f"{said}, capacity"), demand=demand,
        tenants=tuple(_tenant(each, said) for each in tenants), **numbers,
    )  # fmt: skip


def _tenant(entry: Any, said: str) -> Tenant:
    known = _mapping(entry, f"{said}, tenant", ("name", "reserved", "used"))
    name = str(known.get("name", ""))
    if "reserved" not in known:
        raise BadValue(f"{said}, tenant '{name}' reserves nothing. Give reserved = {{ cores = 4 }}; 0 of a resource where it only uses it.")
    used = _amounts(known["used"], f"{said}, tenant '{name}'") if "used" in known else None
    return Tenant(name=name, reserved=_amounts(known["reserved"], f"{said}, tenant '{name}'"), used=used)


def _mapping(value: Any, where: str, known: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadFile(f"{where} is no table of keys. Write key = value.")
    for key in value:
        if key not in known:
            raise BadFile(f"{where} has unknown key '{key}'. Allowed here: {', '.join(known)}.")
    return value


def _amounts(value: Any, where: str) -> dict[str, float]:
    if not isinstance(value, dict) or any(isinstance(each, bool) or not isinstance(each, int | float) for each in value.values()):
        raise BadValue(f"{where}: {value!r} is no list of resources. Write e.g. {{ cores = 96, memory_gb = 768 }}.")
    return {str(name): float(each) for name, each in value.items()}


def _quantity(value: Any, dimension: str, where: str) -> float:
    if not isinstance(value, str):
        raise BadValue(f"{where} is {value!r}, which names no unit. Write a number and a unit, e.g. '1523 kgCO2e' or '300 W'.")
    try:
        return parse(value, dimension)
    except BadValue as error:
        raise BadValue(f"{where}: {error}") from None


def read_moment(value: Any, where: str) -> datetime | None:
    """An instant with its time zone, of an ISO text or a date of TOML; None for None. Raises BadValue."""
    if value is None:
        return None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = value.isoformat()
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise BadValue(f"{where}='{value}' is no time. Write an instant such as 2020-07-01T00:00-07:00.") from None
    if not YEARS[0] <= moment.year <= YEARS[1]:
        raise BadValue(f"{where}='{value}' lies outside the years {YEARS[0]} to {YEARS[1]}. Mend it.")
    if moment.tzinfo is None:
        raise BadValue(f"{where}='{value}' names no time zone. Write an instant such as 2020-07-01T00:00-07:00.")
    return moment


def _load(value: Any, file: Path) -> Series | None:
    return None if value is None else read_series(file.parent / str(value), "load", option="")[0]
