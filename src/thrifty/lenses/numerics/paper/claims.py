"""Published figures and the bands in which ours are expected, read from claims.toml."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from thrifty.files import strict_toml


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """Where a claim was read."""

    title: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One figure.

    published : as the paper gives it, "" where it gives none; low, high: band in which ours is expected, both ends included
    where     : place in the paper; note: set-up of ours
    every     : each seed's figure must lie in the band, not their middle alone
    """

    key: str
    text: str
    source: str
    where: str
    published: str
    low: float
    high: float
    unit: str
    note: str
    every: bool = False

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


@functools.cache
def _read() -> Mapping[str, Any]:
    return strict_toml(files("thrifty.lenses.numerics.paper").joinpath("claims.toml").read_text(encoding="utf-8"))


@functools.cache
def papers() -> Mapping[str, Paper]:
    """Sources by key."""
    return {key: Paper(**said) for key, said in _read()["sources"].items()}


@functools.cache
def all_claims() -> tuple[Claim, ...]:
    """In the order in which they should be read."""
    return tuple(Claim(**said) for said in _read()["claims"])
