"""Reads the pack: the sheets of `cost/carbon/pack`, every number with its ground.

    [act.epa.n7]                 # path of the factor below its sheet: "logic:act.epa.n7"
    value  = 2.15
    unit   = "kWh/cm**2"
    source = "act-2022"          # a key of [sources] in the same sheet, or of cost/catalogue/sources.toml
    where  = "model data, energy per area by node"
    read_on = 2026-11-27
    spread = { kind = "triangular", low = 1.8, mode = 2.15, high = 2.6 }   # optional, same unit; exact when left out
    region = "TWN"; valid_from = 2020-01-01; valid_to = 2022-12-31; note = "..."   # optional

Tables named `shared` state what facts beside and below them have in common, as in `cost/catalogue`.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Final

from thrifty.cost.carbon.factors.distribution import KINDS, PARAMETERS, Distribution
from thrifty.cost.carbon.factors.factor import Factor
from thrifty.cost.facts import load_sources, stated
from thrifty.errors import BadSheet, BadValue, unknown_name
from thrifty.hardware.sources import Source, parse_sources

PACK_VERSION: Final = "2026.11"
_NEEDED: Final = ("unit", "source", "where", "read_on")
_KNOWN: Final = ("value", *_NEEDED, "spread", "region", "valid_from", "valid_to", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """All factors by path ("sheet:dotted.path"), and the sources that they name."""

    version: str
    factors: Mapping[str, Factor] = field(repr=False)
    sources: Mapping[str, Source] = field(repr=False)

    @property
    def sha256(self) -> str:
        """Hash over every factor's hash: two packs with the same one state the same numbers on the same ground."""
        return hashlib.sha256("".join(sorted(factor.sha256 for factor in self.factors.values())).encode()).hexdigest()

    def factor(self, path: str) -> Factor:
        """Raises UnknownName for a path that no sheet has."""
        found = self.factors.get(path)
        if found is None:
            raise unknown_name("factor", path, self.factors, "thrifty carbon factors")
        return found

    def get(self, path: str, dimension: str) -> float:
        """The value at `path` in the unit in which `dimension` is kept. Raises BadSheet for another dimension."""
        try:
            return self.factor(path).in_unit_of(dimension)
        except BadValue as error:
            raise BadSheet(f"pack factor '{path}': {error}") from error

    def under(self, prefix: str) -> tuple[str, ...]:
        """Names of the factors directly below `prefix`, e.g. of "logic:act.epa": ("n28", "n20", ...)."""
        start = prefix + "."
        return tuple(path[len(start) :] for path in self.factors if path.startswith(start) and "." not in path[len(start) :])


def read_sheet(name: str, text: str, known_sources: Mapping[str, Source]) -> tuple[dict[str, Factor], dict[str, Source]]:
    """Factors and own sources of one sheet. Raises BadSheet (rule, value, fix)."""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadSheet(f"{name}.toml is not TOML: {error}. Mend the file.") from error
    own = parse_sources(tree.pop("sources", {}), f"{name}.toml", "sources.")
    sources = {**known_sources, **own}
    factors: dict[str, Factor] = {}
    for path, node in stated(tree):
        if isinstance(node, dict):
            factors[f"{name}:{path}"] = _factor(name, path, node, sources)
    return factors, own


def _factor(sheet: str, path: str, node: Mapping[str, Any], sources: Mapping[str, Source]) -> Factor:
    where = f"{sheet}.toml, '{path}'"
    for key in node:
        if key not in _KNOWN:
            raise BadSheet(f"{where} has unknown key '{key}'. Allowed here: {', '.join(_KNOWN)}.")
    for key in _NEEDED:
        if not node.get(key):
            raise BadSheet(f"{where} has no {key}. Add {key}.")
    value = node["value"]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise BadSheet(f"{where}: value {value!r} is not a finite number of at least 0. Mend it.")
    if node["source"] not in sources:
        raise BadSheet(f"{where} names source '{node['source']}', which neither the sheet nor sources.toml has. Add it.")
    spread = _spread(where, node["spread"]) if "spread" in node else Distribution.exact(value)
    dates = {key: node.get(key) for key in ("valid_from", "valid_to")}
    for key, date in dates.items():
        if date is not None and not isinstance(date, datetime.date):
            raise BadSheet(f"{where}: {key} {date!r} is no date. Write e.g. {key} = 2020-01-01.")
    content = {
        "path": f"{sheet}:{path}", "value": float(value), "unit": str(node["unit"]), "distribution": spread.to_dict(), "region": str(node.get("region", "")),
        **{key: None if date is None else date.isoformat() for key, date in dates.items()}, "source": str(node["source"]),
        "licence": sources[node["source"]].licence, "where": str(node["where"]), "read_on": str(node["read_on"]), "note": str(node.get("note", "")),
    }  # fmt: skip
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    known: dict[str, Any] = {**content, **dates, "distribution": spread}
    return Factor(**known, sha256=digest)


def _spread(where: str, raw: Any) -> Distribution:
    kind: Any = raw.get("kind") if isinstance(raw, dict) else None
    if kind not in KINDS:
        raise BadSheet(f"{where}: spread {raw!r} has no known kind. Choose from: {', '.join(KINDS)}.")
    names = PARAMETERS[kind]
    if set(raw) != {"kind", *names}:
        raise BadSheet(f"{where}: spread of kind {kind} needs exactly {', '.join(names)}. Mend it.")
    try:
        return Distribution(kind, tuple(float(x) for x in (raw["values"] if kind == "empirical" else [raw[name] for name in names])))
    except (BadValue, TypeError, ValueError) as error:
        raise BadSheet(f"{where}: {error}") from error


@functools.cache
def load_pack() -> Pack:
    """The pack that ships with thrifty, read once."""
    known = load_sources()
    factors: dict[str, Factor] = {}
    sources = dict(known)
    for file in sorted((files("thrifty.cost.carbon") / "pack").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".toml"):
            found, own = read_sheet(file.name.removesuffix(".toml"), file.read_text(encoding="utf-8"), known)
            factors.update(found)
            sources.update(own)
    return Pack(version=PACK_VERSION, factors=factors, sources=sources)
