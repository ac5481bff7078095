"""What servers must offer, within what, and from which stock."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from thrifty.cost.carbon.embodied.servers import Limits, ServerPart, all_parts, load_part
from thrifty.errors import BadValue
from thrifty.levers.steward.reuse.allocation import RULES


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a fleet must offer.

    cores                  : in all; memory and storage per core: at least so much
    limits                 : power and height of a rack
    stock                  : how many of a part there are; a part that is not listed can be had without limit
    parts                  : by name what may be used, all of the sheet when empty
    rule, second_share     : who bears a reused part's first making (see `allocation`); its second life's share of its value, for the rule `value`
    """

    cores: int
    memory_per_core_bytes: float
    storage_per_core_bytes: float
    limits: Limits
    stock: Mapping[str, int] = field(default_factory=dict)
    parts: tuple[str, ...] = ()
    rule: str = "cut-off"
    second_share: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.cores, bool) or self.cores != int(self.cores) or self.cores < 1:
            raise BadValue(f"cores={self.cores} is not a whole number of at least 1. Give how many cores the fleet must have.")
        for name in ("memory_per_core_bytes", "storage_per_core_bytes"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise BadValue(f"{name}={value} is below 0 or not finite. Give bytes, e.g. 8e9.")
        for part, count in self.stock.items():
            load_part(part)
            if isinstance(count, bool) or count != int(count) or count < 0:
                raise BadValue(f"stock {part}={count} is not a whole number of at least 0. Mend it.")
        for part in self.parts:
            load_part(part)
        if self.rule not in RULES:
            raise BadValue(f"allocation='{self.rule}' is unknown. Choose from: {', '.join(RULES)}.")
        if (self.rule == "value") != (self.second_share is not None):
            raise BadValue(f"allocation={self.rule} and second_share={self.second_share} do not go together. Give the share with value, and only there.")
        if self.second_share is not None and not 0 <= self.second_share <= 1:
            raise BadValue(f"second_share={self.second_share} is outside 0 to 1. Give the second life's share of a part's value.")

    def allowed(self) -> list[ServerPart]:
        """The parts that may be used, without those of which there are none."""
        names = self.parts or tuple(all_parts())
        return [load_part(name) for name in names if self.stock.get(name, 1) > 0]
