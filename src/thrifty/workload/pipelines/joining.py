"""Puts the tables of stages one after the other: weights of one component once, everything else in its own time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from thrifty.workload.table import ROW, STORAGE, OperatorTable, Role, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One table with the stage that it is. weights: what tells components apart; parts of one component share their parameters."""

    stage: Stage
    table: OperatorTable
    weights: str


class _Pool:
    """Texts, each once, with their places."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}

    def renumber(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        return np.array([self.places.setdefault(text, len(self.places)) for text in texts], dtype=np.int64)


def join(parts: Sequence[Part]) -> OperatorTable:
    """One table of all parts. Module paths get their stage's name in front; inputs and caches live while their part runs."""
    strings, formats = _Pool(), _Pool()
    strings.renumber([""])
    total = sum(len(part.table) for part in parts)
    rows, storages = np.zeros(total, dtype=ROW), []
    reads: list[npt.NDArray[np.int64]] = []
    writes: list[npt.NDArray[np.int64]] = []
    held: dict[tuple[str, str], int] = {}
    count = offset = 0
    for number, part in enumerate(parts):
        table, end = part.table, offset + len(part.table)
        own = table.rows.copy()
        paths = strings.renumber([".".join(filter(None, (part.stage.name, path))) for path in table.strings])
        own["module"], own["op"] = paths[own["module"]], strings.renumber(table.strings)[own["op"]]
        form = formats.renumber(table.formats)
        own["format"], own["stage"] = form[own["format"]], number
        rows[offset:end] = own
        kept = table.storages.copy()
        names = strings.renumber(table.strings)
        is_weight = kept["role"] == Role.WEIGHT
        before = kept["birth"] < 0
        kept["birth"] = np.where(before, np.where(is_weight, -1, offset), kept["birth"] + offset)
        kept["death"] = np.where(is_weight, total, np.minimum(kept["death"], len(table) - 1) + offset)
        kept["format"] = form[kept["format"]]
        place = np.empty(len(kept), dtype=np.int64)
        fresh = np.ones(len(kept), dtype=bool)
        for index in np.flatnonzero(is_weight).tolist():
            key = (part.weights, table.strings[int(kept["name"][index])] or f"#{index}")
            if key in held:
                place[index], fresh[index] = held[key], False
        place[fresh] = np.arange(count, count + int(fresh.sum()))
        for index in np.flatnonzero(is_weight & fresh).tolist():
            held[part.weights, table.strings[int(kept["name"][index])] or f"#{index}"] = int(place[index])
        kept["name"] = names[kept["name"]]
        storages.append(kept[fresh])
        count += int(fresh.sum())
        reads.append(place[table.reads])
        writes.append(place[table.writes])
        offset = end
    return OperatorTable(
        rows=rows, storages=np.concatenate(storages) if storages else np.zeros(0, dtype=STORAGE),
        reads_ptr=_pointers([part.table.reads_ptr for part in parts]), reads=_whole(reads).astype(np.int32),
        reads_bytes=_whole([part.table.reads_bytes for part in parts]), writes_ptr=_pointers([part.table.writes_ptr for part in parts]),
        writes=_whole(writes).astype(np.int32), writes_bytes=_whole([part.table.writes_bytes for part in parts]), strings=tuple(strings.places),
        formats=tuple(formats.places), stages=tuple(part.stage for part in parts),
    )  # fmt: skip


def _whole(arrays: Sequence[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    return np.concatenate(arrays) if arrays else np.zeros(0, dtype=np.int64)


def _pointers(pointers: Sequence[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """CSR pointers of all tables, each shifted by what came before."""
    result, last = [np.zeros(1, dtype=np.int64)], 0
    for pointer in pointers:
        result.append(pointer[1:] + last)
        last += int(pointer[-1])
    return np.concatenate(result)
