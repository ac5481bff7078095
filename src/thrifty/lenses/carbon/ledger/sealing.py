"""Hashes chained over the rows of a ledger: whoever has the last one sees whether any row was changed, and where."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Final

from thrifty.errors import BadValue
from thrifty.lenses.carbon.ledger.table import Ledger

BLOCK: Final = 1024
"""Rows under one hash."""


@dataclass(frozen=True, slots=True)
class Seal:
    """hashes: SHA-256 of each block of rows and of the hash before it, in hexadecimal; rows: how many rows; before: the hash that the first one follows."""

    rows: int
    hashes: tuple[str, ...]
    before: str = ""

    @property
    def head(self) -> str:
        """The last hash, which vouches for all."""
        return self.hashes[-1] if self.hashes else self.before

    def check(self, ledger: Ledger) -> None:
        """Raises BadValue when `ledger` is not what was sealed, naming the first rows that differ."""
        if len(ledger) != self.rows:
            raise BadValue(f"the ledger has {len(ledger)} rows, and {self.rows} were sealed. Rows were added or taken away: ask for the sealed file.")
        for number, (found, sealed) in enumerate(zip(seal(ledger, self.before).hashes, self.hashes, strict=True)):
            if found != sealed:
                first, last = number * BLOCK, min((number + 1) * BLOCK, len(ledger)) - 1
                raise BadValue(f"rows {first} to {last} of the ledger are not those that were sealed. Ask for the sealed file.")

    def to_dict(self) -> dict[str, object]:
        return {"rows": self.rows, "block": BLOCK, "before": self.before, "head": self.head, "hashes": list(self.hashes)}


def seal(ledger: Ledger, before: str = "") -> Seal:
    """Chain hashes over all rows, after the hash `before` of an earlier part of the same history."""
    hashes, last = [], before
    for first in range(0, len(ledger), BLOCK):
        content = json.dumps(ledger.rows(first, first + BLOCK), separators=(",", ":"), ensure_ascii=True)
        last = hashlib.sha256(f"{last}\n{content}".encode()).hexdigest()
        hashes.append(last)
    return Seal(len(ledger), tuple(hashes), before)
