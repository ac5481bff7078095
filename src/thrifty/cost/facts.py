"""Reads the sheets of `cost/catalogue`: every number with unit and source, in SI after loading.

A fact is a table ``{ value, unit, source, where, read_on }``. Facts that share part of their ground state it once, in the table
``shared`` beside or above them; what a fact says itself wins.
"""

from __future__ import annotations

import functools
import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from thrifty.errors import BadSheet, BadValue
from thrifty.hardware.device import Fact
from thrifty.hardware.sources import Source, parse_sources
from thrifty.hardware.units import convert
from thrifty.quantities import DIMENSIONS

_GROUND: Final = ("unit", "source", "where", "read_on")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The facts of one sheet by their dotted path, e.g. ``cpa.imec.n7``; texts and lists that are no facts stand in `texts`."""

    name: str
    facts: Mapping[str, Fact] = field(repr=False)
    texts: Mapping[str, Any] = field(repr=False)

    def get(self, path: str, dimension: str) -> float:
        """The fact at `path` in the unit that `dimension` is kept in. Raises BadSheet when it is missing or its unit does not fit."""
        fact = self.facts.get(path)
        if fact is None:
            raise BadSheet(f"{self.name}.toml has no fact '{path}'. Add it with value, unit, source, where and read_on.")
        try:
            return convert(fact.value, fact.unit, dimension)
        except BadValue as error:
            raise BadSheet(f"{self.name}.toml, '{path}': {error}") from error

    def under(self, prefix: str) -> tuple[str, ...]:
        """Names of the facts directly below `prefix`, in the order of the sheet."""
        start = prefix + "."
        return tuple(path[len(start) :] for path in self.facts if path.startswith(start) and "." not in path[len(start) :])

    def sources(self, prefix: str = "") -> tuple[str, ...]:
        """Keys of the sources that facts below `prefix` name, each once."""
        return tuple(dict.fromkeys(fact.source for path, fact in self.facts.items() if path.startswith(prefix)))


def read_facts(name: str, text: str, known_sources: Mapping[str, object]) -> Facts:
    """Parse a sheet. Raises BadSheet (rule, value, fix) for a fact without unit, source, place or date, or with a number that is none."""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadSheet(f"{name}.toml is not TOML: {error}. Mend the file.") from error
    facts: dict[str, Fact] = {}
    texts: dict[str, Any] = {}
    for path, node in stated(tree):
        if not isinstance(node, dict):
            texts[path] = node
            continue
        for key in _GROUND:
            if not node.get(key):
                hint = f" Give one like '{DIMENSIONS['energy']}'." if key == "unit" else f" Add {key}."
                raise BadSheet(f"{name}.toml, '{path}' has no {key}.{hint}")
        value = node["value"]
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
            raise BadSheet(f"{name}.toml, '{path}': value {value!r} is not a finite number of at least 0. Mend it.")
        if node["source"] not in known_sources:
            raise BadSheet(f"{name}.toml, '{path}' names source '{node['source']}', which sources.toml does not have. Add it there.")
        facts[path] = Fact(
            value=float(value), unit=node["unit"], source=node["source"], where=node["where"], read_on=str(node["read_on"]), note=node.get("note", "")
        )  # fmt: skip
    return Facts(name=name, facts=facts, texts=texts)


def stated(tree: Mapping[str, Any], prefix: str = "", shared: Mapping[str, Any] = MappingProxyType({})) -> Iterator[tuple[str, Any]]:
    """Every leaf of a parsed sheet with its dotted path: facts with what `shared` tables add, and anything else as it stands."""
    below = {**shared, **tree.get("shared", {})}
    for key, node in tree.items():
        path = f"{prefix}.{key}" if prefix else key
        if key == "shared":
            continue
        if not isinstance(node, dict):
            yield path, node
        elif "value" in node:
            yield path, {**below, **node}
        else:
            yield from stated(node, path, below)


def _text(name: str) -> str:
    return (files("thrifty.cost") / "catalogue" / f"{name}.toml").read_text(encoding="utf-8")


@functools.cache
def load_sources() -> Mapping[str, Source]:
    """Every source that the sheets of this folder name, by its key."""
    return parse_sources(tomllib.loads(_text("sources")), "cost/catalogue/sources.toml")


@functools.cache
def load_facts(name: str) -> Facts:
    """The sheet `name` of `cost/catalogue`, read once."""
    return read_facts(name, _text(name), load_sources())
