"""What a lever promises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from thrifty.cost import Case
from thrifty.footprint import Footprint


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a lever would do for a case, by a model.

    before, after : footprint of one unit of the job (a token, a sample)
    command       : what to type to see the changed case in full
    caveat        : what the model does not know of the change, "" when nothing
    """

    lever: str
    change: str
    before: Footprint
    after: Footprint
    unit: str
    command: str
    caveat: str = ""

    def factor(self, what: str) -> float | None:
        """How many times less of "time", "energy", "carbon" or "money" a unit takes; None where a side is unknown or zero."""
        values = {
            "time": (self.before.time_s, self.after.time_s), "energy": (self.before.energy_j, self.after.energy_j),
            "carbon": (self.before.carbon_gco2e.mid, self.after.carbon_gco2e.mid), "money": (self.before.cost_usd, self.after.cost_usd),
        }  # fmt: skip
        before, after = values[what]
        return before / after if before is not None and after else None

    def to_dict(self) -> dict[str, Any]:
        return {
            "lever": self.lever, "change": self.change, "unit": self.unit, "before": self.before.to_dict(), "after": self.after.to_dict(),
            "factors": {what: self.factor(what) for what in ("time", "energy", "carbon", "money")}, "command": self.command, "caveat": self.caveat,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a lever has nothing to offer for a case."""

    lever: str
    reason: str

    def to_dict(self) -> dict[str, str]:
        return {"lever": self.lever, "reason": self.reason}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a lever really did: before and after seen the same way, the quality of both, where the result lies, and how to repeat it."""

    before: Footprint
    after: Footprint
    artefact: str
    command: str
    quality: Mapping[str, Any] = field(default_factory=dict)


class Lever(Protocol):
    """One way of changing a case."""

    @property
    def name(self) -> str: ...

    def estimate(self, case: Case) -> Sequence[Estimate] | Refusal:
        """What it would bring, best first, in milliseconds and without running anything; or why it has nothing to offer."""
        ...
