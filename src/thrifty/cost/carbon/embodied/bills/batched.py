"""Many bills of materials at once: a part is a column of sizes, a bill one row of all columns.

The formulas are those of single parts, over arrays. 100 000 bills a second and more on one core; equal to the scalar path to 1e-12 (both tested).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.cost.carbon.embodied.design import designing_g
from thrifty.cost.carbon.embodied.ensemble import ENSEMBLE, chosen_models, covering, with_failing
from thrifty.cost.carbon.embodied.models import MODELS, Values
from thrifty.cost.carbon.embodied.models.tables import Labels
from thrifty.cost.carbon.embodied.parts.checking import complete
from thrifty.cost.carbon.embodied.parts.kinds import TREES, spread_of
from thrifty.errors import BadValue
from thrifty.quantities import G_PER_KG

Column = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """One part of every bill: its kind, and for each key one value or one a bill (arrays (N,) of numbers or texts, `Labels` for coded texts).

    count: how many of it, whole numbers of at least 0, one or (N,)
    """

    kind: str
    said: Mapping[str, Any] = field(default_factory=dict)
    count: float | npt.NDArray[Any] = 1
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """kg of CO2e of N bills: least, median and most of the models part by part, added; `by_part_P3N` says which part brings what of it."""

    low_kg_N: Column
    mid_kg_N: Column
    high_kg_N: Column
    by_part_P3N: tuple[npt.NDArray[np.float64], ...]
    single_model_N: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.mid_kg_N)


def price_batch(parts: Sequence[Columns], models: str | Sequence[str] = ENSEMBLE) -> Batch:
    """Price N bills of the same shape. Raises UnknownName or BadValue, with the row, for what no single part could be; and for columns of unlike lengths."""
    names = chosen_models(models)
    if not parts:
        raise BadValue("a batch has no parts. Give at least one Columns.")
    size = _size(parts)
    total, single = np.zeros((3, size)), np.zeros(size, dtype=bool)
    by_part = []
    for part in parts:
        ends, alone = _price_column(part, names, size)
        by_part.append(ends)
        total += ends
        single |= alone
    return Batch(low_kg_N=total[0], mid_kg_N=total[1], high_kg_N=total[2], by_part_P3N=tuple(by_part), single_model_N=single)


def _size(parts: Sequence[Columns]) -> int:
    sizes: dict[int, str] = {}
    for part in parts:
        for name, value in (*part.said.items(), ("count", part.count)):
            found = value.codes_N.shape if isinstance(value, Labels) else np.shape(value)
            if len(found) > 1:
                raise BadValue(f"{name} of {part.kind} has shape {found}. Give one value, or one a bill.")
            if found:
                sizes.setdefault(found[0], f"{name} of {part.kind}")
    if len(sizes) > 1:
        raise BadValue(f"columns differ in length: {', '.join(f'{name} has {size}' for size, name in sizes.items())}. Give one value a bill everywhere.")
    size = next(iter(sizes), 1)
    if size == 0:
        raise BadValue("a batch has no bills. Give columns of at least one row.")
    return size


def _price_column(part: Columns, names: Sequence[str], size: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    if part.kind in TREES:
        raise BadValue(f"{part.kind} is a tree and has no columns. Give its pieces, or price it by itself.")
    said = {name: np.asarray(value) if isinstance(value, list | tuple) else value for name, value in part.said.items()}
    values = complete(part.kind, said)
    chosen = [name for name in names if part.kind in MODELS[name]]
    grams_MN = _grams(part.kind, values, chosen, size)
    known = len(chosen) - np.isnan(grams_MN).sum(axis=0) if chosen else np.zeros(size, dtype=int)
    if (known == 0).any():
        row = int(np.argmin(known))
        raise BadValue(f"{', '.join(names)} does not cover {part.kind} in row {row}. Models that know such parts: {', '.join(covering(part.kind))}.")
    ends = _ends(grams_MN, known)
    if (told := with_failing(part.kind, values, names)) is not None:
        at_own_yield = _ends(_grams(part.kind, told, chosen, size), known)
        ends = np.stack([np.minimum(ends[0], at_own_yield[0]), at_own_yield[1], np.maximum(ends[2], at_own_yield[2])])
    alone = known == 1
    if alone.any():
        spread = spread_of(part.kind)
        ends[0] = np.where(alone, ends[0] / spread, ends[0])
        ends[2] = np.where(alone, ends[2] * spread, ends[2])
    return ends * (_counts(part.count, part.kind) / G_PER_KG), alone


def _grams(kind: str, values: Values, chosen: Sequence[str], size: int) -> npt.NDArray[np.float64]:
    """(M, N) grams of one part by every chosen model, sorted along models; NaN, where a model does not cover a part, goes last."""
    grams_MN = np.empty((len(chosen), size))
    for place, name in enumerate(chosen):
        grams_MN[place] = MODELS[name][kind](values)
    if kind == "logic":
        grams_MN += designing_g(values)
    grams_MN.sort(axis=0)
    return grams_MN


def _ends(grams_MN: npt.NDArray[np.float64], known: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """(3, N): least, median and most of the first `known` of each column of sorted grams."""
    least = int(known.min())
    if least == known.max():
        middle = (grams_MN[(least - 1) // 2] + grams_MN[least // 2]) / 2
        return np.stack([grams_MN[0], middle, grams_MN[least - 1]])
    rows = np.arange(grams_MN.shape[1])
    middle = (grams_MN[(known - 1) // 2, rows] + grams_MN[known // 2, rows]) / 2
    return np.stack([grams_MN[0], middle, grams_MN[known - 1, rows]])


def _counts(count: Any, kind: str) -> npt.NDArray[np.float64]:
    counts = np.asarray(count, dtype=np.float64)
    wrong = ~(np.isfinite(counts) & (counts >= 0) & (counts == np.floor(counts)))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise BadValue(f"count={float(counts.flat[row]):g} of {kind} in row {row} is not a whole number of at least 0. Mend it.")
    return counts
