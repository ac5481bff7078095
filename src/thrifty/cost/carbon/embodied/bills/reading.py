"""Reads bills of materials from TOML or JSON.

    name = "server"
    life = 6                                     # years; also state = "reused" | "recycled"
    parts = ["2*logic:area_mm2=694,node_nm=14,use=cpu", "12*dram:gb=32,type=ddr4"]

    [[part]]                                     # the same in keys
    kind = "ssd"
    gb = 1920
    count = 4
    state = "reused"

    [[assembly]]                                 # a smaller tree inside, with the same keys
    name = "accelerators"
    count = 8
    parts = ["a100-80gb"]

A file is data: it names parts and numbers, runs nothing and opens no other file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from thrifty.cost.carbon.embodied.bills.assembly import Assembly
from thrifty.cost.carbon.embodied.parts.part import MOST, Part, parse_part, part_of
from thrifty.errors import BadFile, ThriftyError, unknown_name
from thrifty.files import strict_json, strict_toml
from thrifty.quantities import positive_int

MAX_BYTES: Final = 16_000_000
MAX_DEPTH: Final = 16
_KEYS: Final = ("name", "count", "life", "state", "parts", "part", "assembly")


def example_names() -> tuple[str, ...]:
    """Bills that come with thrifty."""
    return tuple(sorted(file.name.removesuffix(".toml") for file in _examples().iterdir() if file.name.endswith(".toml")))


def read_assembly(place: str | Path) -> Assembly:
    """The bill in a .toml or .json file, or one that comes with thrifty by its name.

    Raises BadFile (rule, value, fix) for a file that cannot be read or says something unknown, and what `parse_part` raises, with the part's place.
    """
    path = Path(place)
    kind = path.suffix.lower()
    if kind not in (".toml", ".json"):
        if str(place) in example_names():
            return assembly_of(tomllib.loads((_examples() / f"{place}.toml").read_text(encoding="utf-8")), str(place))
        if path.suffix or len(path.parts) > 1:
            raise BadFile(f"{path} is neither .toml nor .json. Write the bill of materials in one of them.")
        raise unknown_name("bill of materials", str(place), example_names(), f"a .toml or .json file, or {', '.join(example_names())}")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadFile(f"{path} has {path.stat().st_size} bytes, more than {MAX_BYTES}. Split the bill of materials.")
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}. Give a bill of materials in TOML or JSON.") from error
    try:
        content = strict_toml(text) if kind == ".toml" else strict_json(text)
    except BadFile as error:
        raise BadFile(f"{path} is not {kind[1:].upper()}: {error}. Mend the file.") from error
    if not isinstance(content, dict):
        raise BadFile(f"{path} holds a {type(content).__name__}. Write one table with name and parts.")
    return assembly_of(content, path.name)


def assembly_of(content: Mapping[str, Any], where: str = "bill", depth: int = 0) -> Assembly:
    """The tree that parsed content states. Raises BadFile for unknown keys and shapes, with the place."""
    if depth > MAX_DEPTH:
        raise BadFile(f"{where} is nested more than {MAX_DEPTH} deep. Flatten the bill.")
    for key in content:
        if key not in _KEYS:
            raise BadFile(f"{where} has unknown key '{key}'. Allowed here: {', '.join(_KEYS)}.")
    name = content.get("name", Path(where).stem if depth == 0 else where)
    if not isinstance(name, str) or not name.strip():
        raise BadFile(f"{where} has name {name!r}. Give it a text.")
    life = content.get("life")
    if life is not None and (isinstance(life, bool) or not isinstance(life, int | float) or abs(life) > 1e6):
        raise BadFile(f"{where}: life={life!r} is no number of years. Give e.g. life = 5.")
    parts = tuple(_part(entry, f"{where}, part {place}") for place, entry in enumerate(_entries(content, where), start=1))
    smaller = content.get("assembly", [])
    if not isinstance(smaller, list) or not all(isinstance(each, dict) for each in smaller):
        raise BadFile(f"{where}: assembly is no list of tables. Write [[assembly]].")
    children = tuple(assembly_of(each, f"{where}, assembly {place}", depth + 1) for place, each in enumerate(smaller, start=1))
    try:
        return Assembly(
            name=name, parts=parts, children=children, count=positive_int("count", content.get("count", 1), at_most=MOST),
            state=content.get("state", "new"), life_years=None if life is None else float(life),
        )  # fmt: skip
    except ThriftyError as error:
        raise BadFile(f"{where}: {error}") from error


def _entries(content: Mapping[str, Any], where: str) -> Iterator[Any]:
    for key in ("parts", "part"):
        entries = content.get(key, [])
        if not isinstance(entries, list):
            raise BadFile(f'{where}: {key} is no list. Write parts = ["dram:gb=32,type=ddr4"] or [[part]].')
        yield from entries


def _part(entry: Any, where: str) -> Part:
    try:
        if isinstance(entry, str):
            found = parse_part(_named_only(entry, where))
        elif isinstance(entry, dict) and set(entry) & {"part", "device"}:
            word = "part" if "part" in entry else "device"
            stated = parse_part(_named_only(entry[word], where))
            rest = {key: value for key, value in entry.items() if key != word}
            found = part_of(stated.kind, {**stated.parameters, **rest}, times=stated.count) if stated.kind != "device" else _device(stated, rest)
        elif isinstance(entry, dict) and isinstance(entry.get("kind"), str):
            found = part_of(entry["kind"], {key: _plain(value, where) for key, value in entry.items() if key != "kind"})
            if found.kind == "device":
                _named_only(found.parameters["name"], where)
        else:
            raise BadFile(f"{where} is {entry!r:.60}. Write a text such as 'dram:gb=32,type=ddr4', or a table with kind.")
    except BadFile:
        raise
    except ThriftyError as error:
        raise type(error)(f"{where}: {error}") from error
    return found


def _device(stated: Part, rest: Mapping[str, Any]) -> Part:
    return part_of("device", {"name": stated.parameters["name"], **{key: value for key, value in rest.items() if key != "name"}}, times=stated.count)


def _plain(value: Any, where: str) -> str | int | float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadFile(f"{where}: {value!r:.40} is neither number nor text. Mend it.")
    return value


def _named_only(text: Any, where: str) -> str:
    if not isinstance(text, str):
        raise BadFile(f"{where}: {text!r:.40} is no text. Write e.g. 'a100-80gb'.")
    if text.strip().endswith(".toml"):
        raise BadFile(f"{where}: '{text}' is a file, and a bill opens none. Name a device of the catalogue.")
    return text


def _examples() -> Any:
    return files("thrifty.cost.carbon.embodied.bills") / "examples"

