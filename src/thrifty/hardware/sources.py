"""Who said so: the catalogue's list of sources, one TOML file for all sheets."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from thrifty.errors import BadSheet

FIELDS = ("title", "publisher", "date", "licence", "url", "note")
_REQUIRED = ("title", "publisher", "date", "licence")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A document or a package that sheets take numbers from.

    date    : of the document or version read, as precisely as it says
    licence : under which the *source* stands; single facts taken from it are cited, its data are not copied
    note    : how it was read, where that is not the publisher's own page
    """

    key: str
    title: str
    publisher: str
    date: str
    licence: str
    url: str = ""
    note: str = ""


def parse_sources(content: Mapping[str, Any], file: str, prefix: str = "") -> dict[str, Source]:
    """Sources by key from a parsed TOML table. Raises BadSheet for a missing or an unknown field."""
    found: dict[str, Source] = {}
    for key, fields in content.items():
        where = f"{file}: source '{prefix}{key}'"
        if not isinstance(fields, Mapping):
            raise BadSheet(f"{where} is no table. Write [{prefix}{key}] with {', '.join(_REQUIRED)}.")
        for name in fields:
            if name not in FIELDS:
                raise BadSheet(f"{where} has unknown key '{name}'. Allowed here: {', '.join(FIELDS)}.")
        for name in _REQUIRED:
            if not str(fields.get(name, "")).strip():
                raise BadSheet(f'{where} has no {name}. Write e.g. {name} = "...".')
        found[key] = Source(key=key, **{name: str(value) for name, value in fields.items()})
    return found


@functools.cache
def catalogue_sources() -> Mapping[str, Source]:
    """Every source of the catalogue by its key."""
    text = (files("thrifty.hardware") / "catalogue" / "sources.toml").read_text(encoding="utf-8")
    return parse_sources(tomllib.loads(text), "sources.toml")
