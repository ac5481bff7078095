"""Budgets: assertions about workloads that fail a user's CI when a change breaks them.

    [[budget]]
    workload = "sd-1.5"
    on = "a100-80g"
    attention = "fused"                         # or "eager"; left out: as the workload has it
    set = { image = 512 }                       # sizes
    expect = ["attention share < 40 %", "conv share > 30 %", "time < 5 s", "energy < 2 kJ", "peak memory < 10 GB", "flops < 50 T"]

An expectation is a quantity, a comparison (< <= > >=) and a number with its unit. Quantities: CLASS share (of the time; of FLOPs without a device), KIND
attention share (spatial, temporal, cross, joint, self: of core attention's time), time, energy, carbon, flops, bytes, parameters, peak memory.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from thrifty.errors import BadFile, BadValue, ThriftyError
from thrifty.hardware import load as load_device
from thrifty.lenses.operators.subjects import Subject, find_subject
from thrifty.lenses.operators.views.grouping import Group, breakdown, share_of
from thrifty.quantities import parse
from thrifty.workload import Axes, Kind

_KEYS: Final = ("workload", "on", "attention", "set", "format", "phase", "preset", "expect")
_EXPECTATION: Final = re.compile(r"^\s*([a-z][a-z ]*?)\s*(<=|>=|<|>)\s*([0-9][0-9_.eE+-]*)\s*(.*?)\s*$")
_CLASSES: Final = tuple(kind.label for kind in Kind)
_KINDS: Final = tuple(axes.label for axes in Axes if axes != Axes.NONE)
_PREFIXES: Final = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
_DIMENSIONS: Final = {"time": "time", "energy": "energy", "carbon": "carbon", "bytes": "capacity", "peak memory": "capacity"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One expectation, and what it found."""

    workload: str
    expectation: str
    found: float
    limit: float
    holds: bool

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def check_budgets(path: Path) -> tuple[Kept, ...]:
    """Every expectation of a file of budgets. Raises BadFile, one line with file, budget, rule and fix, and whatever finding a workload raises."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadFile(f"cannot read '{path}': {(error.strerror or str(error)).lower()}. Give the path of a file of budgets.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadFile(f"'{path}' is not TOML: {error}. Write [[budget]] with workload and expect.") from error
    budgets = content.get("budget")
    if set(content) - {"budget"} or not isinstance(budgets, list) or not budgets:
        raise BadFile(f"{path.name}: it has no budgets. Write [[budget]] with workload and expect.")
    found: list[Kept] = []
    for number, budget in enumerate(budgets):
        where = f"{path.name}: budget[{number}]"
        if not isinstance(budget, dict) or set(budget) - set(_KEYS) or not isinstance(budget.get("workload"), str):
            raise BadFile(f"{where} has keys {', '.join(budget)}. Write workload and expect; allowed besides: {', '.join(_KEYS)}.")
        expectations = budget.get("expect")
        if not isinstance(expectations, list) or not expectations or not all(isinstance(text, str) for text in expectations):
            raise BadFile(f'{where}.expect is no list of texts. Write e.g. expect = ["attention share < 40 %"].')
        subject = _subject(budget)
        for text in expectations:
            try:
                found.append(_kept(subject, text))
            except ThriftyError as error:
                raise BadFile(f"{where}: {error}") from None
    return tuple(found)


def _subject(budget: Mapping[str, Any]) -> Subject:
    subject = find_subject(budget["workload"], budget.get("set"), preset=budget.get("preset"), phase=budget.get("phase"), format=budget.get("format"))
    if "attention" in budget:
        subject = subject.in_form(str(budget["attention"]))
    return subject.on(load_device(str(budget["on"]))) if "on" in budget else subject


def _kept(subject: Subject, text: str) -> Kept:
    match = _EXPECTATION.match(text)
    if match is None:
        raise BadValue(f"'{text}' is no expectation. Write a quantity, a comparison and a number, e.g. 'attention share < 40 %'.")
    quantity, sign, number, unit = match.groups()
    value = _value(subject, quantity, text)
    limit = _limit(quantity, number, unit, text)
    holds = {"<": value < limit, "<=": value <= limit, ">": value > limit, ">=": value >= limit}[sign]
    return Kept(workload=subject.workload.name, expectation=text, found=value, limit=limit, holds=holds)


def _value(subject: Subject, quantity: str, text: str) -> float:
    priced = subject.priced
    if quantity.endswith(" attention share"):
        kind = quantity.removesuffix(" attention share")
        groups = {group.name: group for group in breakdown(subject, "attention") if group.name in _KINDS}
        if kind not in _KINDS:
            raise BadValue(f"'{text}' asks for attention of kind '{kind}'. Choose from: {', '.join(_KINDS)}.")
        whole = sum(_weight(group) for group in groups.values())
        return _weight(groups[kind]) / whole if kind in groups and whole else 0.0
    if quantity.endswith(" share"):
        name = quantity.removesuffix(" share")
        if name not in _CLASSES:
            raise BadValue(f"'{text}' asks for class '{name}'. Choose from: {', '.join(_CLASSES)}.")
        return share_of(breakdown(subject), name)
    if quantity in ("time", "energy", "carbon"):
        if priced is None:
            raise BadValue(f"'{text}' needs a device. Write on = \"a100-80g\".")
        return {"time": priced.time_s, "energy": priced.footprint.energy_j, "carbon": priced.footprint.carbon_gco2e.mid}[quantity]
    totals = subject.workload.table.totals()
    counted = {
        "flops": totals["flops_matrix"], "bytes": totals["bytes_read"] + totals["bytes_written"], "parameters": subject.workload.parameters,
        "peak memory": subject.workload.table.peak()[0],
    }  # fmt: skip
    if quantity not in counted:
        raise BadValue(
            f"'{text}' asks for '{quantity}'. Choose from: CLASS share, KIND attention share, time, energy, carbon, {', '.join(counted)}."
        )  # fmt: skip
    return float(counted[quantity])


def _weight(group: Group) -> float:
    return group.time_s if group.time_s is not None else float(group.flops_matrix)


def _limit(quantity: str, number: str, unit: str, text: str) -> float:
    try:
        value = float(number)
    except ValueError:
        raise BadValue(f"'{text}' has the number '{number}'. Write one such as 40 or 2.5e12.") from None
    if quantity.endswith("share"):
        if unit not in ("%", ""):
            raise BadValue(f"'{text}' gives a share in '{unit}'. Write per cent, e.g. 40 %.")
        return value / 100 if unit == "%" else value
    if quantity in _DIMENSIONS:
        return parse(f"{number} {unit}", _DIMENSIONS[quantity])
    short = unit.removesuffix("FLOP").strip()
    if short not in _PREFIXES:
        raise BadValue(f"'{text}' has the unit '{unit}'. Choose from: {', '.join(prefix or '(none)' for prefix in _PREFIXES)}.")
    return value * _PREFIXES[short]
