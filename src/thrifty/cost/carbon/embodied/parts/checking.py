"""Checks what was said of a part and completes it, for one part or for columns of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.cost.carbon.embodied.models.tables import Labels, Values, fact, nodes_of, one_of, rows
from thrifty.cost.carbon.embodied.parts.kinds import DRAM_TYPES, KINDS, MOST, SIZES, TREES, Key
from thrifty.errors import BadValue, UnknownName

EPA_TABLE = "logic:act.epa"


def keys_of(kind: str) -> Mapping[str, Key]:
    """The keys of a kind. Raises UnknownName with the known kinds."""
    if kind not in KINDS:
        raise UnknownName(f"No kind of part named '{kind}'. Choose from: {', '.join((*KINDS, *TREES))}.")
    return KINDS[kind]


def complete(kind: str, said: Mapping[str, Any]) -> Values:
    """Everything that models ask of a part of `kind`: what was said, checked, and defaults for the rest.

    Raises UnknownName or BadValue (rule, value, fix) for an unknown key, place, type or node, and for a number out of its range or none.
    """
    keys = keys_of(kind)
    said = _sized(kind, said) if "gb" in keys else dict(said)
    for name in said:
        if name not in keys:
            allowed = ", ".join((*keys, *([size for size in SIZES if size != "gb"] if "gb" in keys else ()))) or "nothing; it has one size"
            raise BadValue(f"{kind} has no '{name}'. Choose from: {allowed}.")
    values: dict[str, Any] = {}
    for name, key in keys.items():
        if name not in said:
            default = key.default_value()
            if default is None:
                raise BadValue(f"{kind} has no {name}. Give it, e.g. {name}={key.example}.")
            values[name] = default
        elif key.what == "text":
            values[name] = _text(name, said[name], key)
        else:
            values[name] = _number(name, said[name], key)
    return _derived(kind, values)


def _sized(kind: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """The size in GB, however it was said: a GiB is 2³⁰ bytes, a GB 10⁹."""
    ways = [name for name in SIZES if name in said]
    if len(ways) > 1:
        raise BadValue(f"{kind} says its size {len(ways)} times: {', '.join(ways)}. Say it once.")
    if not ways or ways == ["gb"]:
        return dict(said)
    name = ways[0]
    size = _number(name, said[name], KINDS[kind]["gb"])
    return {"gb": size * SIZES[name], **{key: value for key, value in said.items() if key != name}}


def _number(name: str, value: Any, key: Key) -> Any:
    if isinstance(value, np.ndarray):
        return _column(name, value, key)
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        raise BadValue(f"{name}={value} is not a number. Give e.g. {name}={key.example}.") from None
    fault = _fault(number, key)
    if fault:
        raise BadValue(f"{name}={value} is {fault}. Give e.g. {name}={key.example}.")
    return number


def _fault(number: float, key: Key) -> str:
    if not math.isfinite(number):
        return "not a finite number"
    share = key.most is not None and key.above is not None and key.most < MOST
    if key.above is not None and number <= key.above:
        return f"outside ({key.above:g}, {key.most:g}]" if share else f"not above {key.above:g}"
    if key.least is not None and number < key.least:
        return f"below {key.least:g}"
    if key.most is not None and number > key.most:
        return f"outside ({key.above:g}, {key.most:g}]" if share else f"above {key.most:g}"
    return "not a whole number" if key.what == "whole" and number != int(number) else ""


def _column(name: str, values: npt.NDArray[Any], key: Key) -> npt.NDArray[np.float64]:
    column = np.asarray(values, dtype=np.float64)
    good = np.isfinite(column)
    if key.above is not None:
        good &= column > key.above
    if key.least is not None:
        good &= column >= key.least
    if key.most is not None:
        good &= column <= key.most
    if key.what == "whole":
        good &= column == np.floor(column)
    if not good.all():
        row = int(np.argmin(good))
        number = float(column[row])
        raise BadValue(f"{name}={number:g} in row {row} is {_fault(number, key)}. Give e.g. {name}={key.example}.")
    return column


def _text(name: str, value: Any, key: Key) -> str | Labels:
    choices = key.choices() if key.choices else ()
    if isinstance(value, np.ndarray):
        value = Labels.of(value)
    texts = value.names if isinstance(value, Labels) else (str(value).strip().lower(),)
    for text in texts:
        if text not in choices:
            raise BadValue(f"{name}='{text}' is unknown. Choose from: {', '.join(choices)}.")
    return value if isinstance(value, Labels) else texts[0]


def _derived(kind: str, values: dict[str, Any]) -> Values:
    if "yield" in values:
        values["yield_stated"] = values["yield"]
        values["yield"] = _or(values["yield"], fact("logic:act.fab_yield", "ratio"))
    if kind == "logic":
        _check_node(values["node_nm"])
        values["dies"] = _or(values["dies"], np.ceil(values["area_mm2"] / fact("logic:boavizta.gpu.field", "area")))
    elif kind == "dram":
        values["family"] = _mapped(values["type"], {name: name.rstrip("0123456789ex") for name in DRAM_TYPES})
        by_default = np.ceil(values["gb"] * 1e9 / fact("memory:dram.boavizta.module_size", "capacity"))
        values["modules"] = _or(values["modules"], np.where(one_of(values["family"], frozenset({"ddr"})), by_default, 0.0))  # the others are soldered
        values["row"] = _dram_rows(values["type"], values["node_nm"])
    return values


def _or(value: Any, default: Any) -> Any:
    """`value`, and `default` where it was not said."""
    if isinstance(value, float) and isinstance(default, float):
        return default if math.isnan(value) else value
    return np.where(np.isnan(value), default, value)


def _check_node(node_nm: Any) -> None:
    known = nodes_of(EPA_TABLE)
    nodes = np.asarray(node_nm)
    wrong = nodes[(nodes < known[0]) | (nodes > known[-1])]
    if wrong.size:
        listed = ", ".join(f"{node:g}" for node in known)
        raise BadValue(f"node_nm={float(wrong.flat[0]):g} is no node of the models' tables. Choose from {listed}, or between them.")


def _mapped(label: str | Labels, table: Mapping[str, str]) -> str | Labels:
    return table[label] if isinstance(label, str) else Labels(tuple(table[name] for name in label.names), label.codes_N)


def _dram_rows(label: str | Labels, node_nm: Any) -> str | Labels:
    """The row of ACT's table: of the type, and of the node nearest in log(node) where one is said, else its finest."""
    if isinstance(label, str) and not isinstance(node_nm, np.ndarray):
        return dram_row(label, float(node_nm))
    size = len(label.codes_N) if isinstance(label, Labels) else len(node_nm)
    types = label if isinstance(label, Labels) else Labels((label,), np.zeros(size, dtype=np.intp))
    nodes, places = np.unique(np.broadcast_to(node_nm, (size,)), return_inverse=True)
    names = tuple(dram_row(name, float(node)) for name in types.names for node in nodes)
    return Labels(names, types.codes_N * len(nodes) + places.reshape(-1))


def dram_row(name: str, node_nm: float) -> str:
    """ACT's row of one type of memory at one node (NaN: not said)."""
    family = name.rstrip("0123456789ex")
    wanted = {"ddr": "ddr4", "lpddr": "lpddr4", "lpddr4x": "lpddr4", "lpddr5x": "lpddr5"}.get(name, family if family in ("hbm", "gddr") else name)
    found = {float(row.partition("_")[2]): row for row in rows("memory:dram.act", "carbon_per_capacity") if row.partition("_")[0] == wanted}
    node = min(found) if math.isnan(node_nm) else min(found, key=lambda each: (abs(math.log(each / node_nm)), each))
    return found[node]
