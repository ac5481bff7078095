"""A column of few words in many rows: each word once, and its number in every row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """names: the words, each once; code_R: the place of each row's word among them."""

    names: tuple[str, ...]
    code_R: npt.NDArray[np.int32] = field(repr=False)

    def words(self, part: slice = slice(None)) -> list[str]:
        """The word of each row."""
        return [self.names[code] for code in self.code_R[part].tolist()]

    def used(self) -> tuple[str, ...]:
        """The words that rows have, in the order of their first row."""
        if not len(self.code_R):
            return ()
        codes, first = np.unique(self.code_R, return_index=True)
        return tuple(self.names[int(code)] for code in codes[np.argsort(first)])

    def among(self, words: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Whether each row's word is one of these."""
        wanted = np.array([name in words for name in self.names], dtype=bool)
        return wanted[self.code_R] if len(self.code_R) else np.zeros(0, dtype=bool)

    def taken(self, keep_R: npt.NDArray[Any]) -> Coded:
        return Coded(self.names, np.ascontiguousarray(self.code_R[keep_R]))


def coded(value: Any, rows: int) -> Coded:
    """From a word for all rows, words of each row, or a `Coded` as it is."""
    if isinstance(value, Coded):
        return value
    if isinstance(value, str):
        return Coded((value,), np.zeros(rows, dtype=np.int32))
    place: dict[str, int] = {}
    codes = np.empty(rows, dtype=np.int32)
    for row, word in enumerate(value):
        if not isinstance(word, str):
            raise BadValue(f"row {row} of the ledger has {word!r} where a word is due. Give text.")
        codes[row] = place.setdefault(word, len(place))
    return Coded(tuple(place), codes)


def joined(columns: Sequence[Coded]) -> Coded:
    """One below the other."""
    place: dict[str, int] = {}
    parts = []
    for column in columns:
        renumbered = np.array([place.setdefault(name, len(place)) for name in column.names], dtype=np.int32)
        parts.append(renumbered[column.code_R] if len(column.code_R) else np.zeros(0, dtype=np.int32))
    return Coded(tuple(place), np.concatenate(parts))
