"""What others published, with its source and how it was read."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from thrifty.report import Number, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One number. read: "abstract", "quoted" in another text, or "remembered" (not read again: shown for direction only)."""

    value: float
    source: str
    where: str
    read: str
    read_on: str
    details: Mapping[str, Any]

    def number(self, unit: str = "", style: Any = "auto") -> Number:
        """For a page, tagged as literature."""
        return Number(value=self.value, unit=unit, truth="literature", source=self.source, style=style)


@functools.cache
def _sheet() -> Mapping[str, Any]:
    return tomllib.loads((files("thrifty.lenses.operators.paper") / "published.toml").read_text(encoding="utf-8"))


@functools.cache
def published(table: str) -> Mapping[str, Published]:
    """The facts of one table of the sheet, by name."""
    content = _sheet()[table]
    shared = content.get("shared", {})
    found = {}
    for name, fact in content.items():
        if name != "shared":
            said = {**shared, **fact}
            details = {key: value for key, value in said.items() if key not in ("value", "source", "where", "read", "read_on")}
            found[name] = Published(
                value=float(said.get("value", 0.0)), source=said["source"], where=said["where"], read=said["read"], read_on=str(said["read_on"]),
                details=details,
            )  # fmt: skip
    return found


def sources() -> tuple[Source, ...]:
    """Every source of the sheet, for the foot of a page."""
    return tuple(Source(key=key, **{name: str(value) for name, value in entry.items()}) for key, entry in _sheet()["sources"].items())
