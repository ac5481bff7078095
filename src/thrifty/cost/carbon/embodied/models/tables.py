"""How models read the pack: single numbers, rows by name, and rows by process node with what to do between them.

Everything takes one value or a column of values; a value that a table does not reach is NaN, which is how a model says that it does not cover a part.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.cost.carbon.factors import load_pack

Number = Any
"""One value (float), or one a row of a column (N,): formulas are written once for both, and NumPy's types do not tell them apart."""

Values = Mapping[str, Any]
"""Parameters of a part, complete and checked: numbers, and texts as `str` or `Labels`."""

STAND_INS: Final[tuple[tuple[float, float], ...]] = ((12.0, 14.0), (16.0, 14.0), (4.0, 5.0))
"""Node -> the node whose row it takes where the table has none of its own: names of refinements of one generation (ACT's rule; 4N is a 5 nm class)."""

GB: Final = 1e9
MM2_PER_CM2: Final = 100.0


@dataclass(frozen=True, slots=True)
class Labels:
    """A column of texts: each different one once in `names`, and which one a row has in `codes_N`."""

    names: tuple[str, ...]
    codes_N: npt.NDArray[np.intp]

    @classmethod
    def of(cls, texts: npt.ArrayLike) -> Labels:
        names, codes = np.unique(np.asarray(texts, dtype=np.str_), return_inverse=True)
        return cls(tuple(str(name) for name in names), codes.reshape(-1))


@functools.cache
def fact(path: str, dimension: str) -> float:
    """One number of the pack in the unit that `dimension` is kept in."""
    return load_pack().get(path, dimension)


@functools.cache
def rows(prefix: str, dimension: str) -> Mapping[str, float]:
    """The numbers directly below `prefix` by name."""
    return {name: load_pack().get(f"{prefix}.{name}", dimension) for name in load_pack().under(prefix)}


def pick(table: Mapping[str, float], label: str | Labels) -> Number:
    """The row of a label, NaN for one that the table lacks."""
    if isinstance(label, Labels):
        return np.array([table.get(name, np.nan) for name in label.names], dtype=np.float64)[label.codes_N]
    return table.get(label, np.nan)


def one_of(label: str | Labels, names: frozenset[str]) -> Any:
    """Whether a label is one of `names`, as a bool or a column of them."""
    if isinstance(label, Labels):
        return np.array([name in names for name in label.names], dtype=bool)[label.codes_N]
    return label in names


@functools.cache
def _by_node(prefix: str, dimension: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    found = sorted((float(name[1:]), value) for name, value in rows(prefix, dimension).items())
    return np.log([node for node, _ in found]), np.array([value for _, value in found])


@functools.cache
def nodes_of(prefix: str) -> tuple[float, ...]:
    """The nodes that a table of rows n<nm> has, from fine to coarse."""
    return tuple(sorted(float(name[1:]) for name in load_pack().under(prefix)))


@functools.lru_cache(maxsize=256)
def _at_one(prefix: str, dimension: str, node_nm: float) -> float:
    return float(_at(prefix, dimension, np.float64(node_nm)))


def _at(prefix: str, dimension: str, node_nm: Any) -> Any:
    logs_n, values_n = _by_node(prefix, dimension)
    known = nodes_of(prefix)
    for node, stand_in in STAND_INS:
        if node not in known and stand_in in known:
            node_nm = np.where(node_nm == node, stand_in, node_nm)
    inside = (node_nm >= known[0]) & (node_nm <= known[-1])  # told by the node, since the logarithm of a row's own node may differ in its last bit
    return np.where(inside, np.interp(np.log(node_nm), logs_n, values_n), np.nan)


def at_node(prefix: str, dimension: str, node_nm: Number) -> Number:
    """The table `prefix` at a process node: its own row, else a stand-in (12, 16 -> 14; 4 -> 5), else straight between its neighbours in log(node).

    NaN beyond the table's ends.
    """
    if isinstance(node_nm, np.ndarray):
        found: npt.NDArray[np.float64] = _at(prefix, dimension, node_nm)
        return found
    return _at_one(prefix, dimension, float(node_nm))


def node_note(prefix: str, node_nm: float) -> str:
    """What was done about a node without a row of its own, "" where it has one or lies beyond the table."""
    known = nodes_of(prefix)
    if node_nm in known or not known[0] <= node_nm <= known[-1]:
        return ""
    for node, stand_in in STAND_INS:
        if node_nm == node and stand_in in known:
            return f"no factors for {node_nm:g} nm: those of {stand_in:g} nm taken"
    below, above = max(n for n in known if n < node_nm), min(n for n in known if n > node_nm)
    return f"no factors for {node_nm:g} nm: interpolated between {below:g} and {above:g} nm in log(node)"
