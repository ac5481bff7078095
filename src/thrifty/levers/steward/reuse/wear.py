"""From a part's history to what is left of it, and to how many of a batch are worth using again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from thrifty.cost.carbon.embodied.servers import ServerPart, load_part
from thrifty.cost.carbon.factors import load_pack
from thrifty.errors import BadValue
from thrifty.levers.steward.reuse.odometer import Reading
from thrifty.quantities import HOURS_PER_YEAR, YEAR_S

LIMITED: Final = {"written_bytes": "writes", "erase_cycles": "erases", "thermal_cycles": "heat cycles"}


def survival(age_years: float, more_years: float, scale_years: float, shape: float = 1.0) -> float:
    """Share of parts alive at `age_years` that live `more_years` longer, by a Weibull law: exp((a/s)^k − ((a+m)/s)^k). Raises BadValue."""
    for name, value, least in (("age_years", age_years, 0.0), ("more_years", more_years, 0.0)):
        if not (math.isfinite(value) and value >= least):
            raise BadValue(f"{name}={value} is below 0 or not finite. Give years.")
    for name, value in (("scale_years", scale_years), ("shape", shape)):
        if not (math.isfinite(value) and value > 0):
            raise BadValue(f"{name}={value} of a Weibull law is not above 0. Give e.g. {'500' if name == 'scale_years' else '1'}.")
    return math.exp((age_years / scale_years) ** shape - ((age_years + more_years) / scale_years) ** shape)


def failure_law(part: ServerPart) -> tuple[float, float]:
    """Scale in years and shape of a memory's or a drive's Weibull law, from rates in the field."""
    if part.kind not in ("memory", "storage"):
        raise BadValue(f"no failure data for '{part.name}', which is neither memory nor storage. Give scale and shape yourself.")
    year_s = YEAR_S
    pack = load_pack()
    return 1 / (pack.get(f"reuse:failing.{part.kind}_rate", "frequency") * year_s), pack.get("reuse:failing.shape", "ratio")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remaining:
    """What is left of one part.

    years  : until the first of its rated limits, at the pace so far; infinite where it has none or was never used
    by     : which limit that is
    chance : that it lives as long as is wanted, by its law of failures
    """

    serial: str
    age_years: float
    years: float
    by: str
    chance: float

    def to_dict(self) -> dict[str, Any]:
        return {"serial": self.serial, "age_years": self.age_years, "years": None if math.isinf(self.years) else self.years, "by": self.by,
                "chance": self.chance}  # fmt: skip


def rated_limits(part: ServerPart) -> dict[str, float]:
    """What a part is made for, by counter; empty for memory."""
    if part.kind != "storage":
        return {}
    pack = load_pack()
    writes = pack.get("reuse:rated.drive_writes", "ratio") * part.storage_bytes
    return {"written_bytes": writes, "erase_cycles": pack.get("reuse:rated.erase_cycles", "ratio")}


def remaining_life(
    history: Sequence[Reading], wanted_years: float, *, limits: Mapping[str, float] | None = None, law: tuple[float, float] | None = None
) -> Remaining:  # fmt: skip
    """What is left of the part of `history` (its readings in order). `limits` and `law` default to those of its kind. Raises BadValue, UnknownName."""
    if not history:
        raise BadValue("a part without a reading has an unknown past. Read its counters first.")
    last = history[-1]
    known = load_part(last.part) if limits is None or law is None else None
    limits = rated_limits(known) if limits is None and known else limits or {}
    scale, shape = failure_law(known) if law is None and known else law or (math.inf, 1.0)
    age = last.power_on_hours / HOURS_PER_YEAR
    years, by = math.inf, "no limit"
    for counter, limit in limits.items():
        if counter not in LIMITED:
            raise BadValue(f"'{counter}' is no counter that wears out. Choose from: {', '.join(LIMITED)}.")
        used = getattr(last, counter)
        left = max(0.0, limit - used)
        pace = used / age if age else math.inf if used else 0.0
        until = left / pace if pace else math.inf
        if until < years or (left == 0 and years > 0):
            years, by = (0.0 if left == 0 else until), LIMITED[counter]
    return Remaining(serial=last.serial, age_years=age, years=years, by=by, chance=survival(age, wanted_years, scale, shape))


def worth_reusing(histories: Mapping[str, Sequence[Reading]], wanted_years: float) -> Mapping[str, dict[str, float]]:
    """By kind of part: how many there are, how many last as long as wanted by their limits (`usable`), how many of those live to see it (`expected`),
    and their share of all (`reuse_yield`)."""
    found: dict[str, dict[str, float]] = {}
    for history in histories.values():
        left = remaining_life(history, wanted_years)
        row = found.setdefault(history[-1].part, {"parts": 0.0, "usable": 0.0, "expected": 0.0, "reuse_yield": 0.0})
        row["parts"] += 1
        if left.years >= wanted_years:
            row["usable"] += 1
            row["expected"] += left.chance
    for row in found.values():
        row["reuse_yield"] = row["expected"] / row["parts"]
    return found
