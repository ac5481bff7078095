"""Parts of servers, and servers as counts of parts."""

from __future__ import annotations

import functools
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from thrifty.cost.carbon.factors import load_pack
from thrifty.errors import BadFile, BadValue, unknown_name

SCENARIOS: Final = ("baseline", "resized", "bergamo", "cxl", "full")
"""Configurations that ship, GreenSKU's."""
Kind = Literal["cpu", "memory", "storage", "controller", "other"]
LISTING: Final = "thrifty carbon factors servers:part"


def number(path: str, dimension: str) -> float:
    """A number of the sheet `servers`."""
    return load_pack().get(f"servers:{path}", dimension)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPart:
    """One part: rated power and what making it emitted (0 for reused ones; `first_carbon_g` is of their first life)."""

    name: str
    power_w: float
    carbon_g: float
    cores: int = 0
    memory_bytes: float = 0.0
    storage_bytes: float = 0.0
    modules: int = 0
    first_carbon_g: float = 0.0
    reused: bool = False

    def __post_init__(self) -> None:
        for name in ("power_w", "carbon_g", "cores", "memory_bytes", "storage_bytes", "modules", "first_carbon_g"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise BadValue(f"part '{self.name}' has {name}={value}, below 0 or not finite. Give 0 or more.")

    @property
    def kind(self) -> Kind:
        return "cpu" if self.cores else "memory" if self.memory_bytes else "storage" if self.storage_bytes else "controller" if self.modules else "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chassis:
    """A case with board and fans: what it takes and emitted itself, and what fits in."""

    units: int
    power_w: float
    carbon_g: float
    fan_power_w: float
    fan_carbon_g: float
    fan_from_w: float
    dimms: int
    drives: int
    controllers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Counts of parts in a chassis."""

    name: str
    chassis: Chassis
    parts: Mapping[ServerPart, int] = field(repr=False)

    def __post_init__(self) -> None:
        for part, count in self.parts.items():
            if isinstance(count, bool) or count != int(count) or count < 0:
                raise BadValue(f"server '{self.name}' has {count} of '{part.name}'. Give a whole number of at least 0.")
        if not self.cores:
            raise BadValue(f"server '{self.name}' has 0 cores. Give it a processor, e.g. genoa-80c = 1.")

    @property
    def cores(self) -> int:
        return sum(part.cores * count for part, count in self.parts.items())

    @property
    def memory_bytes(self) -> float:
        return sum(part.memory_bytes * count for part, count in self.parts.items())

    @property
    def storage_bytes(self) -> float:
        return sum(part.storage_bytes * count for part, count in self.parts.items())

    @property
    def parts_carbon_g(self) -> float:
        return sum(part.carbon_g * count for part, count in self.parts.items())

    def counts(self) -> dict[str, int]:
        """By part's name."""
        return {part.name: int(count) for part, count in self.parts.items() if count}


@functools.cache
def all_parts() -> Mapping[str, ServerPart]:
    """Every part of the sheet by name."""
    names = dict.fromkeys(path.removeprefix("servers:part.").split(".")[0] for path in load_pack().factors if path.startswith("servers:part."))
    return {name: _part(name) for name in names}


def _part(name: str) -> ServerPart:
    here = f"part.{name}"
    known = load_pack().under(f"servers:{here}")

    def read(key: str, dimension: str) -> float:
        return number(f"{here}.{key}", dimension) if key in known else 0.0

    return ServerPart(
        name=name, power_w=number(f"{here}.power", "power"), carbon_g=number(f"{here}.carbon", "carbon"), cores=int(read("cores", "count")),
        memory_bytes=read("memory", "capacity"), storage_bytes=read("storage", "capacity"),
        modules=int(read("channels", "count") * read("dimms_per_channel", "count")), first_carbon_g=read("first_carbon", "carbon"),
        reused="first_carbon" in known,
    )  # fmt: skip


def load_part(name: str) -> ServerPart:
    """Raises UnknownName."""
    found = all_parts().get(name)
    if found is None:
        raise unknown_name("server part", name, all_parts(), LISTING)
    return found


@functools.cache
def load_chassis(units: int) -> Chassis:
    """The case of so many units. Raises BadValue for heights that the sheet has not."""
    known = sorted({int(path.removeprefix("servers:chassis.u").split(".")[0]) for path in load_pack().factors if path.startswith("servers:chassis.u")})
    if units not in known:
        raise BadValue(f"height={units} units is no chassis of the sheet. Choose from: {', '.join(map(str, known))}.")
    here = f"chassis.u{units}"
    return Chassis(
        units=units, power_w=number(f"{here}.power", "power"), carbon_g=number(f"{here}.carbon", "carbon"),
        fan_power_w=number(f"{here}.fan_power", "power"), fan_carbon_g=number(f"{here}.fan_carbon", "carbon"),
        fan_from_w=number(f"{here}.fan_from", "power"), dimms=int(number(f"{here}.dimms", "count")), drives=int(number(f"{here}.drives", "count")),
        controllers=int(number(f"{here}.controllers", "count")),
    )  # fmt: skip


def load_server(name: str) -> Server:
    """A configuration that ships, or your own .toml: ``height = 1`` and a count for each part by name. Raises UnknownName, BadFile, BadValue."""
    if name.endswith(".toml"):
        return _own(Path(name))
    if name not in SCENARIOS:
        raise unknown_name("server", name, SCENARIOS, "thrifty carbon factors servers:scenario (or name your own .toml)")
    keys = load_pack().under(f"servers:scenario.{name}")
    counts = {key: int(number(f"scenario.{name}.{key}", "count")) for key in keys if key != "height"}
    return server_of(name, int(number(f"scenario.{name}.height", "count")), counts)


def server_of(name: str, units: int, counts: Mapping[str, int]) -> Server:
    """A server from counts by part's name. Raises UnknownName for a part, BadValue for a count or a height."""
    return Server(name=name, chassis=load_chassis(units), parts={load_part(part): count for part, count in counts.items()})


def _own(path: Path) -> Server:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror}. Name a server of the sheet ({', '.join(SCENARIOS)}) or a .toml file.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadFile(f"{path} is not TOML: {error}. Write e.g. height = 1, genoa-80c = 1.") from error
    for key, value in content.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise BadFile(f"{path}: {key} = {value!r} is no whole number. Write a count, e.g. {key} = 1.")
    return server_of(path.stem, content.pop("height", 1), content)
