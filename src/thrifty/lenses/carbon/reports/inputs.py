"""Reads the input file of a report, TOML or JSON: every key known, every quantity with its unit, every number in its range."""

from __future__ import annotations

import datetime
import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from thrifty.cost.carbon.factors.factor import MOST_G_PER_KWH
from thrifty.errors import BadFile, BadValue
from thrifty.files import strict_json, strict_toml
from thrifty.quantities import DIMENSIONS, parse

Kind = Literal["quantity", "number", "share", "text", "flag", "date", "names", "tables"]
Numbers = Mapping[str, Any]
"""By dotted key: quantities in the unit in which their dimension is kept, the rest as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One key of an input file.

    kind    : quantity: text with a unit of `dimension`; number: a plain one; share: from 0 to 1; names: a list of texts; tables: a list of tables of `inside`
    low     : least that a number or quantity may be, 0 unless said; above: it must be more than `low`
    asked   : the standard asks for it, so that it is listed where it is missing
    """

    key: str
    meaning: str
    kind: Kind = "quantity"
    dimension: str = ""
    low: float = 0.0
    above: bool = False
    asked: bool = True
    inside: Sequence[Field] = ()


def read_numbers(path: str | Path, fields: Sequence[Field]) -> Numbers:
    """The numbers of an input file. Raises BadFile for a file or a key that is none, BadValue for a number that cannot be."""
    name = Path(path).name
    return check_numbers(_tree(Path(path)), fields, name)


def check_numbers(tree: Mapping[str, Any], fields: Sequence[Field], name: str, at: str = "") -> Numbers:
    """The same from a tree that is read already; `name` is what messages call it."""
    known = {field.key: field for field in fields}
    read: dict[str, Any] = {}
    for key, value in _leaves(tree, known):
        if key not in known:
            near = difflib.get_close_matches(key, list(known), n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise BadFile(f"{name}: unknown key '{at}{key}'.{hint} Allowed here: {', '.join(known)}.")
        read[key] = _value(known[key], value, f"{name}: {at}{key}")
    return read


def missing_of(numbers: Numbers, fields: Sequence[Field]) -> list[Field]:
    """What a standard asks for and nobody gave."""
    return [field for field in fields if field.asked and field.key not in numbers]


def _tree(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "it is not text"
        raise BadFile(f"cannot read '{path}': {reason}. Give a .toml or .json file; start from: thrifty carbon report --example") from error
    try:
        tree = strict_json(text) if path.suffix.lower() == ".json" else strict_toml(text)
    except BadFile as error:
        raise BadFile(f"'{path.name}' is not {'JSON' if path.suffix.lower() == '.json' else 'TOML'}: {error}. Mend the file.") from error
    if not isinstance(tree, dict):
        raise BadFile(f"'{path.name}' holds no keys. Start from: thrifty carbon report --example")
    return tree


def _leaves(tree: Mapping[str, Any], known: Mapping[str, Field], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in tree.items():
        path = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(value, dict) and path not in known:
            found += _leaves(value, known, path) or [(path, value)]
        else:
            found.append((path, value))
    return found


def _value(field: Field, value: Any, where: str) -> Any:
    match field.kind:
        case "quantity":
            if not isinstance(value, str):
                raise BadValue(f"{where} = {value!r} has no unit. Write it as text with one, e.g. \"1 {DIMENSIONS[field.dimension]}\".")
            try:
                number = parse(value, field.dimension)
            except BadValue as error:
                raise BadValue(f"{where}: {error}") from error
            return _in_range(field, number, value, where)
        case "number" | "share":
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise BadValue(f"{where} = {value!r} is no finite number. Give one.")
            if field.kind == "share" and value > 1:
                raise BadValue(f"{where} = {value} is above 1. Give a share from 0 to 1.")
            return _in_range(field, float(value), value, where)
        case "flag":
            return _typed(value, bool, where, "true or false")
        case "date":
            if isinstance(value, str):
                try:
                    return datetime.date.fromisoformat(value)
                except ValueError as error:
                    raise BadValue(f"{where} = '{value}' is no date. Write e.g. 2026-01-01.") from error
            if isinstance(value, datetime.datetime):
                raise BadValue(f"{where} = {value} is a time. Write a date, e.g. 2026-01-01.")
            return _typed(value, datetime.date, where, "a date, e.g. 2026-01-01")
        case "names":
            if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
                raise BadValue(f"{where} = {value!r} is no list of names. Write [\"a\", \"b\"].")
            return tuple(value)
        case "tables":
            if not isinstance(value, list) or not value or not all(isinstance(each, dict) for each in value):
                raise BadValue(f"{where} is no list of tables. Write [[{field.key}]] for each.")
            file, _, key = where.partition(": ")
            return tuple(check_numbers(each, field.inside, file, f"{key}[{index}].") for index, each in enumerate(value))
        case _:
            text = _typed(value, str, where, "text")
            if not text.strip():
                raise BadValue(f"{where} is empty. Write it, or leave the key out.")
            return text


def _typed(value: Any, kind: type, where: str, wanted: str) -> Any:
    if not isinstance(value, kind):
        raise BadValue(f"{where} = {value!r} is not {wanted}. Mend it.")
    return value


LARGEST: Final = 1e30
"""Of any number or quantity, and the inverse of the least that divides: what is beyond is a slip."""


def _in_range(field: Field, number: float, said: object, where: str) -> float:
    if abs(number) > LARGEST or (field.above and 0 < number < 1 / LARGEST):
        raise BadValue(f"{where} = {said} is outside {1 / LARGEST:g} to {LARGEST:g}. Mend it.")
    if field.dimension == "carbon_per_energy" and number > MOST_G_PER_KWH:
        raise BadValue(f"{where} = {said} is {number:g} gCO2e/kWh; no fuel emits so much. Check grams against kilograms.")
    if number < field.low or (field.above and number <= field.low):
        raise BadValue(f"{where} = {said} is {'not above' if field.above else 'below'} {field.low:g}. {_fix(field)}")
    return number


def _fix(field: Field) -> str:
    if field.key == "pue":
        return "A building draws at least what its machines draw."
    return "Give a number above it." if field.above else "Give that or more."


ABOUT: Final = (
    Field(key="period_from", kind="date", meaning="first day of the period"), Field(key="period_to", kind="date", meaning="day after the last one"),
)  # fmt: skip


def check_period(numbers: Numbers, name: str) -> None:
    """Raises BadValue for a period that ends before it begins."""
    start, end = numbers.get("period_from"), numbers.get("period_to")
    if start is not None and end is not None and not start < end:
        raise BadValue(f"{name}: period_from {start} is not before period_to {end}. Give the day after the last one as period_to.")
