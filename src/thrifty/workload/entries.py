"""Finds models by name: the sheets of the catalogue, a sheet at a path, and what installed packages bring."""

from __future__ import annotations

import functools
from importlib.resources import files
from pathlib import Path
from typing import Final

from thrifty.errors import BadFile
from thrifty.plugins import load_plugins
from thrifty.workload.entry import Entry
from thrifty.workload.model import Source, Workload
from thrifty.workload.sheets import read_entry

_GROUP: Final = "thrifty.workloads"
PUBLISHED: Final = ":published"
"""Ends the name of a model as the paper that plans with it takes it: of its stand-in's sheet where the paper has one, else of the model's own."""


def find_entry(name: str) -> Entry | None:
    """The catalogue's sheet of `name` (``name@preset``: a smaller copy), that of an installed package, or the sheet at a path that ends in ``.toml``."""
    if name.endswith(".toml"):
        return read_entry(Path(name))
    key = as_published(name).lower()
    if stem_of(key) in entry_names():
        return _catalogue_entry(key)
    found = added().get(name)
    return found if isinstance(found, Entry) else None


def stem_of(name: str) -> str:
    """Of "name@preset", the name."""
    return name.partition("@")[0]


def as_published(name: str) -> str:
    """Of "name:published", the sheet that it means: name-published, or "name" where the paper takes that model as it is. Any other name as it is."""
    stem, at, preset = name.lower().partition("@")
    plain = stem.removesuffix(PUBLISHED)
    if plain == stem:
        return name
    if f"{plain}-published" in entry_names():
        return f"{plain}-published{at}{preset}"
    return f"{plain}{at}{preset}" if plain in entry_names() and _catalogue_entry(plain).is_published else name


@functools.cache
def entry_names() -> tuple[str, ...]:
    """Every model of the catalogue, sorted."""
    paths = (files("thrifty.workload") / "catalogue").iterdir()
    return tuple(sorted(path.name.removesuffix(".toml") for path in paths if path.name.endswith(".toml") and path.name != "sources.toml"))


@functools.cache
def _catalogue_entry(name: str) -> Entry:
    stem, _, preset = name.partition("@")
    entry = read_entry(Path(str(files("thrifty.workload") / "catalogue" / f"{stem}.toml")))
    return entry.at_preset(preset) if preset else entry


@functools.cache
def added() -> dict[str, Entry | Workload | Source]:
    """What installed packages bring, made once. Raises BadFile for an entry point that is none of the three."""
    made: dict[str, Entry | Workload | Source] = {}
    for name, part in load_plugins(_GROUP).items():
        is_ready = isinstance(part, (Entry, Workload)) or _is_source(part)
        found = part if is_ready or not callable(part) else part()
        if not isinstance(found, (Entry, Workload)) and not _is_source(found):
            raise BadFile(f"plug-in '{name}' ({_GROUP}) gives a {type(found).__name__}. Let it give an Entry, a Workload or a Source.")
        made[name] = found
    return made


def _is_source(part: object) -> bool:
    return not isinstance(part, type) and callable(getattr(part, "symbols", None)) and callable(getattr(part, "table", None))
