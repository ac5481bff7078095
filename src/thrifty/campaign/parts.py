"""Parquet parts: each appears whole and is named by the hash of its bytes, so that any damage shows.

A part of rows has the columns key, configuration (canonical JSON) and seed, then those of the tasks; a part of errors has error in their place. Every
part says in its metadata which campaign it belongs to, so that any tool that reads Parquet can use the folder without this package.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.campaign.rows import Row
from thrifty.campaign.tasks import Identity, Task
from thrifty.errors import BadFile, missing_extra
from thrifty.files import writing

if TYPE_CHECKING:
    import pyarrow as pa

ROWS, ERRORS = "rows", "errors"
LABEL: Final = b"thrifty.campaign"
PART_ROWS: Final = 1_000_000
"""Rows of a part that is not merged any further."""
DIGITS: Final = 32


def arrow() -> Any:
    """pyarrow, or MissingExtra."""
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError as error:
        raise missing_extra("A campaign", "pyarrow", "scale") from error
    return pyarrow


def make_table(identity: Identity, done: Sequence[tuple[Task, Sequence[Row]]], kinds: Mapping[str, str]) -> pa.Table:
    """The rows of tasks as a table; kinds: of all columns (a column that no row of these tasks has is left out)."""
    arrow_ = arrow()
    types = {"bool": arrow_.bool_(), "int": arrow_.int64(), "float": arrow_.float64(), "str": arrow_.string()}
    rows = [row for _, answered in done for row in answered]
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    floats = {name for name in names if kinds.get(name) == "float"}
    columns |= {name: [None if value is None else float(value) for value in columns[name]] for name in floats}
    made = {name: arrow_.array(values, type=types[kinds[name]] if name in kinds else arrow_.null()) for name, values in columns.items()}
    owners = [task for task, answered in done for _ in answered]
    return _labelled(identity, {**_owners(owners), **made})


def make_errors(identity: Identity, failed: Sequence[tuple[Task, str]]) -> pa.Table:
    """One row a task that failed, with its error."""
    return _labelled(identity, {**_owners([task for task, _ in failed]), "error": arrow().array([error for _, error in failed], type=arrow().string())})


def _owners(tasks: Sequence[Task]) -> dict[str, Any]:
    pa = arrow()
    return {
        "key": pa.array([task.key for task in tasks], type=pa.string()),
        "configuration": pa.array([task.configuration for task in tasks], type=pa.string()),
        "seed": pa.array([task.seed for task in tasks], type=pa.int64()),
    }


def _labelled(identity: Identity, columns: Mapping[str, Any]) -> pa.Table:
    return arrow().table(dict(columns)).replace_schema_metadata({LABEL: json.dumps(identity.to_dict(), sort_keys=True).encode()})


def write_part(folder: Path, kind: str, table: pa.Table) -> Path:
    """Write `table` as ``rows-HASH.parquet`` or ``errors-HASH.parquet``; it is there whole or not at all. Raises CannotWrite."""
    buffer = io.BytesIO()
    arrow().parquet.write_table(table, buffer, compression="zstd")
    content = buffer.getbuffer()
    path = folder / f"{kind}-{hashlib.sha256(content).hexdigest()[:DIGITS]}.parquet"
    with writing(path) as file:
        file.write(content)
    return path


def list_parts(folder: Path, kind: str) -> list[Path]:
    """The parts of that kind, rows by name, errors the latest first."""
    found = sorted(folder.glob(f"{kind}-{'[0-9a-f]' * DIGITS}.parquet"))
    return found if kind == ROWS else sorted(found, key=lambda path: -path.stat().st_mtime_ns)


def is_whole(path: Path) -> bool:
    """Whether the bytes of a part are those that its name was made of."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:DIGITS] == path.stem.partition("-")[2]
    except OSError:
        return False


def read_columns(path: Path, columns: Iterable[str] | None = None) -> pa.Table:
    """Columns of a part (those of `columns` that it has; None: all)."""
    file = arrow().parquet.ParquetFile(path)
    try:
        wanted = None if columns is None else [name for name in columns if name in file.schema_arrow.names]
        return file.read(columns=wanted)
    finally:
        file.close()


def read_keys(path: Path) -> list[str]:
    """The key of every row of a part."""
    return list(read_columns(path, ["key"])["key"].to_pylist())


def read_parts(folder: Path, kind: str, columns: Iterable[str] | None = None) -> list[pa.Table]:
    """All parts of that kind. Raises BadFile for one that is damaged: an answer without its rows would be wrong in silence."""
    columns = None if columns is None else list(columns)
    while True:
        tables = []
        for path in list_parts(folder, kind):
            if is_whole(path):
                tables.append(read_columns(path, columns))
            elif path.exists():
                raise BadFile(f"'{path}' is damaged. Call thrifty.campaign.run again: it runs the tasks of that part once more.")
            else:
                break  # a run of another process has merged it meanwhile
        else:
            return tables


def read_identity(path: Path) -> dict[str, Any]:
    """What a part says of its campaign; empty where it says nothing."""
    label = (arrow().parquet.read_schema(path).metadata or {}).get(LABEL)
    return dict(json.loads(label)) if label else {}


def read_kinds(path: Path) -> dict[str, str]:
    """The kinds of a part's columns that are tasks' own."""
    names = {"bool": "bool", "int64": "int", "double": "float", "string": "str"}
    schema = arrow().parquet.read_schema(path)
    return {field.name: names[str(field.type)] for field in schema if field.name not in ("key", "configuration", "seed") and str(field.type) in names}


def join_tables(tables: Sequence[pa.Table]) -> pa.Table:
    """Tables one under another: a missing column is null, whole numbers beside floats are floats."""
    return arrow().concat_tables(tables, promote_options="permissive")


def order_rows(key_R: pa.ChunkedArray, part_lengths: Sequence[int], keys: Sequence[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Which of R rows to take, so that those of keys[0] come first, and so on; and the place in `keys` of each that is taken.

    The rows lie one part after another. Each key is taken from the first part that has it: a kill between a merge and its end leaves two.
    """
    pa = arrow()
    found = pa.compute.index_in(key_R, value_set=pa.array(keys, type=pa.string())).fill_null(-1)
    place_R = np.asarray(found.to_numpy(), dtype=np.int64)
    part_R = np.repeat(np.arange(len(part_lengths)), part_lengths)
    first_K = np.full(len(keys), len(part_lengths), dtype=np.int64)
    known_P = np.flatnonzero(place_R >= 0)
    np.minimum.at(first_K, place_R[known_P], part_R[known_P])
    known_P = known_P[part_R[known_P] == first_K[place_R[known_P]]]
    rows_P = known_P[np.argsort(place_R[known_P], kind="stable")]
    return rows_P, place_R[rows_P]
