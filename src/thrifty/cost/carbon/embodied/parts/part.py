"""One part as a user says it: ``logic:area_mm2=826,node_nm=7,fab=taiwan``, ``12*dram:gb=32,type=ddr4``, ``a100-80gb``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

from thrifty.cost.carbon.embodied.chiplets.words import split_outside
from thrifty.cost.carbon.embodied.parts.checking import complete
from thrifty.cost.carbon.embodied.parts.kinds import KINDS, TREES
from thrifty.errors import BadValue
from thrifty.quantities import positive_int

State = Literal["new", "reused", "recycled"]
STATES: Final = get_args(State)
MOST: Final = 10**15
"""Parts of one kind; what is above is a slip, and no float counts it exactly."""
_TIMES: Final = re.compile(r"(\d+)\s*\*\s*(.*)", re.DOTALL)
_COMMON: Final = ("count", "state", "life", "name")
"""Keys of a part of any kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """So many equal parts of one kind.

    kind       : a key of `KINDS`, "package" (dies joined; see `chiplets`) or "device" (a name of the catalogue or of an installed one)
    parameters : what was said of it; the rest takes defaults
    state      : reused parts were charged to their first life; recycled ones are priced as new, their credit is never netted
    life_years : how long it serves; None where not said
    """

    kind: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    count: int = 1
    name: str = ""
    state: State = "new"
    life_years: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "count", positive_int("count", self.count, at_most=MOST))
        object.__setattr__(self, "parameters", MappingProxyType(dict(self.parameters)))
        if self.state not in STATES:
            raise BadValue(f"state='{self.state}' is unknown. Choose from: {', '.join(STATES)}.")
        if self.life_years is not None and not (math.isfinite(self.life_years) and self.life_years > 0):
            raise BadValue(f"life={self.life_years} is not above 0. Give years of service, e.g. 5.")
        if self.kind not in TREES:
            complete(self.kind, self.parameters)

    @property
    def label(self) -> str:
        """Its own name, else what it is."""
        return self.name or self.words()

    def words(self) -> str:
        """What `parse_part` reads, without count, state and life."""
        if self.kind == "device":
            return str(self.parameters["name"])
        said = ",".join(f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}" for key, value in self.parameters.items())
        return f"{self.kind}:{said}" if said else self.kind


def parse_part(text: str) -> Part:
    """The part that `text` says: KIND:KEY=VALUE,… with an optional COUNT* before it, or the name of a device.

    Keys of any kind: count, state (new, reused, recycled), life (years), name. Raises UnknownName or BadValue, one line with what is known.
    """
    text = text.strip()
    count = 1
    if match := _TIMES.fullmatch(text):
        count, text = positive_int("count", match[1]), match[2].strip()
    if not text:
        raise BadValue("a part has no text. Write e.g. logic:area_mm2=826,node_nm=7, dram:gb=384,type=ddr4 or a100-80gb.")
    kind, colon, rest = text.partition(":")
    kind = kind.strip().lower()
    if colon or kind in KINDS:
        return part_of(kind, _pairs(kind, rest), times=count)
    return part_of("device", {"name": text}, times=count)


def part_of(kind: str, said: Mapping[str, Any], *, times: int = 1) -> Part:
    """A part from its keys, as a bill of materials has them. Raises like `parse_part`."""
    common: dict[str, Any] = {key: said[key] for key in _COMMON if key in said and not (kind == "device" and key == "name")}
    own = {key: value for key, value in said.items() if key not in common}
    part = Part(
        kind=kind, parameters=own, count=times * positive_int("count", common.get("count", 1)), name=str(common.get("name", "")),
        state=common.get("state", "new"), life_years=_years(common["life"]) if "life" in common else None,
    )  # fmt: skip
    return _checked_tree(part) if kind in TREES else part


def _checked_tree(part: Part) -> Part:
    if part.kind == "package":
        from thrifty.cost.carbon.embodied.chiplets import package_of

        package_of(part.parameters)
        return part
    from thrifty.cost.carbon.embodied.parts.naming import find_named

    if set(part.parameters) != {"name"}:
        raise BadValue(f"device says {', '.join(part.parameters) or 'nothing'}. Give its name and nothing else.")
    return replace(part, parameters={"name": find_named(str(part.parameters["name"])).name})


def _years(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise BadValue(f"life={value} is not a number. Give years of service, e.g. 5.") from None


def _pairs(kind: str, text: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for piece in split_outside(text, ",") if text.strip() else ():
        key, equals, value = piece.partition("=")
        key = key.strip().lower()
        if not (equals and key and value.strip()):
            raise BadValue(f"'{piece.strip()}' in {kind} is no key=value. Write e.g. {kind}:{_example(kind)}.")
        if key in pairs:
            raise BadValue(f"{kind} says {key} twice. Say it once.")
        pairs[key] = value.strip()
    return pairs


def _example(kind: str) -> str:
    keys = KINDS.get(kind, {})
    return ",".join(f"{name}={key.example}" for name, key in keys.items() if key.default is None) or "count=2"
