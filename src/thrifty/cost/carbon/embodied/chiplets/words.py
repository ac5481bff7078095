"""A package as text, for command lines and bills of materials.

    package:type=mcm,dies=4xlogic(area_mm2=211,node_nm=14,layers=12),package_mm2=4410
    package:type=hybrid,stacking=w2w,dies=logic(area_mm2=80,node_nm=5)+logic(area_mm2=40,node_nm=7)
    package:type=emib,bridge_mm2=8,dies=2xlogic(area_mm2=400,node_nm=5,yield=0.8)

Keys of a package: type, dies, stacking, facing, box, package_mm2, bridge_mm2, fab_g_per_kwh. Dies are joined by +, from the package upward;
Nx repeats one; in brackets: area_mm2, node_nm, layers, yield.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from thrifty.cost.carbon.embodied.chiplets.dies import Die
from thrifty.cost.carbon.embodied.chiplets.packages import Package
from thrifty.errors import BadValue

NUMBERS: Final = ("package_mm2", "bridge_mm2", "fab_g_per_kwh")
KEYS: Final = ("type", "dies", "stacking", "facing", "box", *NUMBERS)
DIE_KEYS: Final = ("area_mm2", "node_nm", "layers", "yield")
_DIE: Final = re.compile(r"(?:(\d+)x)?([a-zA-Z][\w-]*)\((.*)\)")


def split_outside(text: str, mark: str) -> list[str]:
    """`text` at every `mark` that stands outside brackets. Raises BadValue for brackets that do not close."""
    pieces, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            break
        if letter == mark and depth == 0:
            pieces.append("")
        else:
            pieces[-1] += letter
    if depth:
        raise BadValue(f"'{text}' has a bracket that does not close. Write e.g. dies=4xlogic(area_mm2=211,node_nm=14).")
    return pieces


def parse_package(text: str) -> Package:
    """The package that `text` says, with or without its leading "package:". Raises BadValue (rule, value, fix)."""
    return package_of(_pairs(text.strip().removeprefix("package:"), KEYS, "package"))


def package_of(parameters: Mapping[str, Any]) -> Package:
    """The same from parameters by key, as a bill of materials has them; `dies` is text. Raises BadValue."""
    for key in parameters:
        if key not in KEYS:
            raise BadValue(f"package has no '{key}'. Choose from: {', '.join(KEYS)}.")
    for needed in ("type", "dies"):
        if needed not in parameters:
            raise BadValue(f"package has no {needed}. Write e.g. package:type=mcm,dies=4xlogic(area_mm2=211,node_nm=14).")
    given: dict[str, Any] = {key: str(value).strip().lower() for key, value in parameters.items() if key != "dies" and key not in NUMBERS}
    given |= {key: _number(key, parameters[key]) for key in NUMBERS if key in parameters}
    return Package(**given, dies=tuple(_die(piece.strip()) for piece in split_outside(str(parameters["dies"]), "+")))


def _die(text: str) -> Die:
    found = _DIE.fullmatch(text)
    if found is None:
        raise BadValue(f"'{text}' is no die. Write e.g. 4xlogic(area_mm2=211,node_nm=14).")
    count, name, inside = found.groups()
    given = {key: _number(key, value) for key, value in _pairs(inside, DIE_KEYS, f"die '{name}'").items()}
    for needed in ("area_mm2", "node_nm"):
        if needed not in given:
            raise BadValue(f"die '{text}' has no {needed}. Write e.g. 4xlogic(area_mm2=211,node_nm=14).")
    return Die(
        area_mm2=given["area_mm2"], node_nm=given["node_nm"], layers=given.get("layers"), yield_share=given.get("yield"), count=int(count or 1), name=name
    )  # fmt: skip


def _pairs(text: str, known: tuple[str, ...], what: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for piece in split_outside(text, ","):
        key, equals, value = piece.partition("=")
        key = key.strip()
        if not equals or key not in known:
            raise BadValue(f"{what} has no '{piece.strip()}'. Write key=value; keys: {', '.join(known)}.")
        if key in pairs:
            raise BadValue(f"{what} says {key} twice. Say it once.")
        pairs[key] = value.strip()
    return pairs


def _number(key: str, value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        raise BadValue(f"{key}={value} is not a number. Give e.g. {key}=14.") from None
