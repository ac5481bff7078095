"""Ledgers as files: CSV for sheets, JSON for programs, Arrow for millions of rows. Written and read in pieces; numbers come back as they went."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from thrifty.errors import BadFile, BadValue, missing_extra
from thrifty.files import strict_json, writing
from thrifty.lenses.carbon.ledger.coding import Coded
from thrifty.lenses.carbon.ledger.columns import COLUMNS, DEFAULTS, TEXTS
from thrifty.lenses.carbon.ledger.table import Ledger

PIECE: Final = 65536
"""Rows in memory as Python values at a time."""
SUFFIXES: Final = (".csv", ".json", ".arrow")


def write_ledger(ledger: Ledger, path: str | Path) -> None:
    """Write to .csv, .json or .arrow (needs pyarrow). Raises BadValue for another suffix, CannotWrite where the system refuses."""
    suffix = _suffix(path)
    if suffix == ".arrow":
        arrow = _arrow()
        with writing(path) as file, arrow.ipc.new_file(file, _schema(arrow)) as writer:
            for first in range(0, len(ledger), PIECE):
                writer.write_batch(_batch(arrow, ledger, first))
        return
    with writing(path) as file:
        pieces = _csv(ledger) if suffix == ".csv" else _json(ledger)
        for piece in pieces:
            file.write(piece.encode("utf-8"))


def read_ledger(path: str | Path) -> Ledger:
    """Read what `write_ledger` wrote, or a table of the same columns. Raises BadFile for another content, BadValue for rows that no ledger has."""
    suffix = _suffix(path)
    try:
        if suffix == ".arrow":
            return _read_arrow(Path(path))
        if suffix == ".csv":
            with Path(path).open(encoding="utf-8-sig", newline="") as file:
                return _read_csv(file, path)
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadFile(f"cannot read '{path}': {(error.strerror or str(error)).lower()}. Name a ledger that {' or '.join(SUFFIXES)} holds.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadFile(f"'{path}' is no {suffix[1:].upper()}: {error}. Write it again with --export.") from error
    try:
        content = strict_json(text)
    except BadFile as error:
        raise BadFile(f"'{path}' is no JSON: {error}. Write it again with --export.") from error
    if not isinstance(content, dict) or content.get("unit") != "gCO2e" or not isinstance(content.get("rows"), list):
        raise BadFile(f"'{path}' is no ledger: it needs unit 'gCO2e' and a list of rows. Write it with --export.")
    if not all(isinstance(row, dict) for row in content["rows"]):
        raise BadFile(f"'{path}' has a row that is no object. Give every row as column: value.")
    return Ledger.of(content["rows"])


def _suffix(path: str | Path) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise BadValue(f"'{path}' is no file that a ledger is kept in. End its name with {', '.join(SUFFIXES)}.")
    return suffix


def _csv(ledger: Ledger) -> Iterator[str]:
    yield ",".join(COLUMNS) + "\r\n"
    for first in range(0, len(ledger), PIECE):
        text = io.StringIO()
        csv.DictWriter(text, COLUMNS).writerows({**row, "hour": row["hour"] or ""} for row in ledger.rows(first, first + PIECE))
        yield text.getvalue()


def _json(ledger: Ledger) -> Iterator[str]:
    yield '{"unit": "gCO2e", "columns": ' + json.dumps(COLUMNS) + ', "rows": [\n'
    for first in range(0, len(ledger), PIECE):
        rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in ledger.rows(first, first + PIECE))
        yield (",\n" if first else "") + rows
    yield "\n]}\n"


def _read_csv(file: IO[str], path: str | Path) -> Ledger:
    reader = csv.reader(file)
    heads = next(reader, [])
    if twice := next((head for head in heads if heads.count(head) > 1), None):
        raise BadFile(f"'{path}' has two columns '{twice}'. Keep one.")
    needed = [name for name in COLUMNS if name not in DEFAULTS]
    if set(needed) - set(heads) or set(heads) - set(COLUMNS):
        raise BadFile(f"'{path}' has columns {', '.join(heads) or 'none'}. A ledger has {', '.join(COLUMNS)}; needed are {', '.join(needed)}.")
    pieces: list[Ledger] = []
    rows: list[list[str]] = []
    for number, row in enumerate(reader):
        if len(row) != len(heads):
            raise BadFile(f"'{path}', row {number}: {len(row)} cells for {len(heads)} columns. Give one cell a column.")
        rows.append(row)
        if len(rows) == PIECE:
            pieces.append(_piece(heads, rows))
            rows = []
    return Ledger.joined([*pieces, _piece(heads, rows)]) if rows or pieces else Ledger.empty()


def _piece(heads: list[str], rows: list[list[str]]) -> Ledger:
    columns: dict[str, Any] = {head: list(column) for head, column in zip(heads, zip(*rows, strict=True), strict=True)} if rows else {}
    if not rows:
        return Ledger.empty()
    if "hour" in columns:
        hours = [hour.removesuffix("Z") if hour.endswith("Z") or not hour else _refuse(hour) for hour in columns["hour"]]
        try:
            columns["hour"] = np.array(hours, dtype="datetime64[h]")
        except ValueError:
            raise BadValue("column hour holds something that is no hour of UTC. Write hours like 2020-07-01T05:00Z.") from None
    return Ledger.of_columns(**columns)


def _refuse(hour: str) -> str:
    raise BadValue(f"hour '{hour}' does not say that it is UTC. Write it like 2020-07-01T05:00Z, or leave it empty for the whole period.")


def _arrow() -> Any:
    try:
        import pyarrow as arrow
        import pyarrow.ipc
    except ImportError as error:
        raise missing_extra("a ledger in Arrow", "pyarrow", "scale") from error
    return arrow


def _schema(arrow: Any) -> Any:
    kinds = {name: arrow.dictionary(arrow.int32(), arrow.string()) for name in TEXTS}
    kinds |= {"scope": arrow.int8(), "hour": arrow.timestamp("s", tz="UTC"), "carbon_gco2e": arrow.float64()}
    return arrow.schema([(name, kinds[name]) for name in COLUMNS], metadata={"unit": "gCO2e", "what": "ledger of thrifty"})


def _batch(arrow: Any, ledger: Ledger, first: int) -> Any:
    part = slice(first, first + PIECE)
    # All batches of a column share one dictionary: the file format allows no other.
    arrays = {name: arrow.DictionaryArray.from_arrays(arrow.array(column.code_R[part]), arrow.array(column.names, arrow.string()))
              for name, column in ledger.texts.items()}  # fmt: skip
    arrays["scope"] = arrow.array(ledger.scope_R[part])
    arrays["hour"] = arrow.array(ledger.hour_R[part].astype("datetime64[s]")).cast(arrow.timestamp("s", tz="UTC"))
    arrays["carbon_gco2e"] = arrow.array(ledger.carbon_gco2e_R[part])
    return arrow.record_batch([arrays[name] for name in COLUMNS], schema=_schema(arrow))


def _read_arrow(path: Path) -> Ledger:
    arrow = _arrow()
    pieces = []
    try:
        with path.open("rb") as file, arrow.ipc.open_file(file) as reader:
            if reader.schema.names != list(COLUMNS):
                raise BadFile(f"'{path}' has columns {', '.join(reader.schema.names)}. A ledger has {', '.join(COLUMNS)}.")
            for number in range(reader.num_record_batches):
                batch = reader.get_batch(number)
                texts = {}
                for name in TEXTS:
                    column = batch.column(name)
                    texts[name] = Coded(tuple(column.dictionary.to_pylist()), column.indices.to_numpy(zero_copy_only=False).astype(np.int32))
                pieces.append(
                    Ledger(
                        texts=texts, scope_R=np.array(batch.column("scope").to_numpy(zero_copy_only=False), dtype=np.int8),
                        hour_R=np.array(batch.column("hour").cast(arrow.timestamp("s")).to_numpy(zero_copy_only=False)).astype("datetime64[h]"),
                        carbon_gco2e_R=np.array(batch.column("carbon_gco2e").to_numpy(zero_copy_only=False), dtype=np.float64),
                    )
                )  # fmt: skip
    except (arrow.ArrowInvalid, arrow.ArrowTypeError) as error:
        raise BadFile(f"'{path}' is no Arrow file: {str(error).splitlines()[0]}. Write it again with --export.") from error
    return Ledger.joined(pieces)
