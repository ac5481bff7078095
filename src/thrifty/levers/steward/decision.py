"""What every command of this lever returns: a change, the plan behind it, and a certificate of how far from the best it can be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from thrifty.errors import BadValue
from thrifty.levers.contract import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """How good the plan's objective could be at most.

    value : the plan's objective; bound: no feasible plan is below it; unit: of both
    by    : how the bound was proved, e.g. "LP dual", "exchange argument", "enumeration"
    """

    value: float
    bound: float
    unit: str
    by: str

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and math.isfinite(self.bound)):
            raise BadValue(f"a certificate of value {self.value} and bound {self.bound} proves nothing. Both must be finite.")
        if self.bound > self.value + 1e-6 * max(1.0, abs(self.value)):
            raise BadValue(f"a bound of {self.bound:g} {self.unit} above the plan's {self.value:g} is no bound. Report this as a defect.")

    @property
    def gap(self) -> float:
        """Share of the value that a better plan could still save, 0 for a proved optimum."""
        return max(0.0, self.value - self.bound) / abs(self.value) if self.value else 0.0

    def to_dict(self) -> dict[str, Any]:
        return {"value": self.value, "bound": self.bound, "gap": self.gap, "unit": self.unit, "by": self.by}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A change with its plan (plain values for JSON) and certificate; `certificate` is None where nothing was optimised.

    notes: what the model does not know; sources: keys of what its numbers stand on
    """

    change: Change
    plan: Mapping[str, Any]
    certificate: Certificate | None
    notes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "before": self.change.before.to_dict(), "after": self.change.after.to_dict(), "plan": dict(self.plan),
            "certificate": None if self.certificate is None else self.certificate.to_dict(), "quality": dict(self.change.quality),
            "artefact": self.change.artefact, "command": self.change.command, "notes": list(self.notes), "sources": list(self.sources),
        }  # fmt: skip
