"""Checks a point of symbols against their ranges, and makes a workload there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from thrifty.errors import BadValue
from thrifty.formats import get_format
from thrifty.workload.model import PHASES, Symbol, Workload, WorkPhase
from thrifty.workload.table import Role


def check_point(symbols: tuple[Symbol, ...], given: Mapping[str, object], owner: str) -> dict[str, int]:
    """A whole point: `given` sizes checked, the others at their defaults. Raises BadValue for an unknown symbol or a bad size."""
    known = {symbol.name: symbol for symbol in symbols}
    aliases = {symbol.alias[0] for symbol in symbols if symbol.alias is not None}
    for name in given:
        if name not in known and name not in aliases:
            raise BadValue(f"'{owner}' has no symbol '{name}'. Choose from: {', '.join((*known, *sorted(aliases - set(known)))) or 'none'}.")
    return {name: _size(symbol, given) for name, symbol in known.items()}


def overridden(symbols: tuple[Symbol, ...], base: Mapping[str, int], given: Mapping[str, int]) -> dict[str, int]:
    """`base` with the sizes that are `given`: one given by its other name takes the place of what `base` says by its own."""
    replaced = {symbol.name for symbol in symbols if symbol.alias is not None and symbol.alias[0] in given}
    return {**{name: size for name, size in base.items() if name not in replaced}, **given}


def _size(symbol: Symbol, given: Mapping[str, object]) -> int:
    if symbol.alias is not None and symbol.name in given and symbol.alias[0] in given:
        raise BadValue(f"{symbol.name} and {symbol.alias[0]} are two names of one size. Give one of them.")
    if symbol.name in given:
        return symbol.check(given[symbol.name])
    if symbol.alias is not None and symbol.alias[0] in given:
        return symbol.from_alias(given[symbol.alias[0]])
    return symbol.default


def read_sizes(given: Iterable[str]) -> dict[str, str]:
    """`batch=1` and its like, as a command line gives them; what the values must be, the workload's symbols know. Raises BadValue for another text."""
    point = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not (equals and key.strip() and value.strip()):
            raise BadValue(f"'{text}' sets no size. Write it as name=value, e.g. --set batch=1.")
        point[key.strip()] = value.strip()
    return point


def make_workload(like: Workload, phase: WorkPhase, format_name: str, given: Mapping[str, object]) -> Workload:
    """`like` in another phase, format or point, its table made afresh by its source."""
    if like.source is None:
        raise BadValue(f"'{like.name}' has no source to be made afresh from.")
    if phase not in PHASES:
        raise BadValue(f"phase='{phase}' is none of {', '.join(PHASES)}.")
    symbols = like.source.symbols(phase)
    point = check_point(symbols, given, like.name)
    chosen = get_format(format_name).name
    table = like.source.table(phase, chosen, point)
    weight_bytes = int(table.storages["bytes"][table.storages["role"] == Role.WEIGHT].sum())
    return replace(like, phase=phase, format=chosen, point=point, symbols=symbols, table=table, weight_bytes=weight_bytes)
