"""A ledger as it is asked for: booked from a fleet or read from a file, as a bill or for a decision, in plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thrifty.errors import BadFile, BadValue
from thrifty.files import writing
from thrifty.footprint import Interval
from thrifty.lenses.carbon.ledger import DecisionLedger, Ledger, charge, read_ledger, seal
from thrifty.lenses.carbon.ledger.fleets import book, read_fleet
from thrifty.lenses.carbon.ledger.fleets.reading import read_moment


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Account:
    """A ledger and what is to be said with it. kind: billing or decision; making_g: the period's part of making with its span, by asset, where known."""

    name: str
    kind: str
    period: str
    ledger: Ledger
    making_g: Mapping[str, Interval] = field(default_factory=dict)
    energy_kwh: Mapping[str, float] = field(default_factory=dict)
    zone: str = "UTC"
    notes: tuple[str, ...] = ()


def answered(
    path: Path, start: str = "", end: str = "", *, ledger: str = "billing", buy: tuple[str, ...] = (), boundary: str = "", charge_idle: str = ""
) -> Account:
    """Book or read, charge idle capacity if asked, and leave out what is spent for a decision."""
    if ledger not in ("billing", "decision"):
        raise BadValue(f"ledger='{ledger}' is neither. Choose billing, or decision.")
    if _is_ledger(path):
        if start or end or boundary:
            raise BadValue(f"'{path}' is a ledger, whose period and grids are fixed. Leave --from, --to and --boundary out.")
        rows = read_ledger(path)
        if not len(rows):
            raise BadFile(f"'{path}' is a ledger without rows, so there is nothing to account for. Name one with rows.")
        found = Account(name=path.stem, kind=ledger, period=_period(rows), ledger=rows)
    else:
        booked = book(read_fleet(path), read_moment(start or None, "from"), read_moment(end or None, "to"), boundary=boundary)
        found = Account(
            name=booked.fleet.name, kind=ledger, period=f"{booked.start.isoformat()} to {booked.end.isoformat()}", ledger=booked.ledger,
            making_g=booked.making_g, energy_kwh=booked.energy_kwh, notes=booked.notes,
        )  # fmt: skip
    rows = _charged(found.ledger, charge_idle) if charge_idle else found.ledger
    if ledger == "decision":
        rows = DecisionLedger.of(rows, to_buy=buy).ledger
    return Account(
        name=found.name, kind=ledger, period=found.period, ledger=rows, making_g={} if ledger == "decision" else found.making_g,
        energy_kwh=found.energy_kwh, notes=found.notes,
    )  # fmt: skip


def answers(found: Account, counted: Ledger, by: tuple[str, ...], method: str) -> dict[str, Any]:
    """Plain values for JSON."""
    both = {way: found.ledger.total_g(way) / 1e3 for way in ("location", "market") if way in found.ledger.names("method")}
    said: dict[str, Any] = {
        "fleet": found.name, "ledger": found.kind, "period": found.period, "method": method, "truth": "modelled", "rows": len(found.ledger),
        "total_kg": counted.total_g() / 1e3, "total_kg_by_method": both, "energy_kwh": dict(found.energy_kwh),
        "making_kg": {name: {end: value / 1e3 for end, value in span.to_dict().items()} for name, span in found.making_g.items()},
    }  # fmt: skip
    for column in ("phase", "scope", "asset", "tenant", "line"):
        said[f"kg_by_{column}"] = {str(key): grams / 1e3 for key, grams in counted.by(column).items()}
    if by:
        rows = counted.by(*by)
        said["by"] = [
            {**dict(zip(by, key if isinstance(key, tuple) else (key,), strict=True)), "kg": grams / 1e3} for key, grams in rows.items()
        ]  # fmt: skip
    return {**said, "notes": list(found.notes)}


def sealed(ledger: Ledger, path: Path) -> None:
    """Write the chain of hashes."""
    with writing(path) as file:
        file.write((json.dumps(seal(ledger).to_dict(), indent=2) + "\n").encode("utf-8"))


def _charged(ledger: Ledger, rule: str) -> Ledger:
    if rule != "used":
        raise BadValue(f"'{rule}' is no rule for idle capacity. Choose used: in proportion to the carbon of what tenants use.")
    used = ledger.taken(ledger.texts["line"].among(["used"])).counted("location").by("tenant")
    whole = sum(grams for tenant, grams in used.items() if tenant)
    if not whole:
        raise BadValue("no tenant is charged for anything, so nobody can be charged for idle capacity. Describe tenants.")
    shares = {tenant: grams / whole for tenant, grams in used.items() if tenant}
    for line in ("idle", "stranded"):
        ledger = charge(ledger, line, shares)
    return ledger


def _is_ledger(path: Path) -> bool:
    if path.suffix.lower() in (".csv", ".arrow"):
        return True
    if path.suffix.lower() != ".json":
        return False
    try:
        with path.open(encoding="utf-8") as file:
            return '"gCO2e"' in file.read(200)
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(f"cannot read '{path}': {error}. Name the description of a fleet, or a ledger.") from error


def _period(ledger: Ledger) -> str:
    hours = [hour for hour in ledger.by("hour", method="location") if hour]
    return f"{min(hours)}Z to {max(hours)}Z" if hours else "one period"
