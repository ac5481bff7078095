"""A campaign's folder: one driver at a time, the manifest, what the parts already hold, and fewer, larger parts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from thrifty.campaign import parts
from thrifty.campaign.tasks import Identity
from thrifty.errors import BadFile, BadValue
from thrifty.files import cannot_write, writing
from thrifty.version import __version__

SCHEMA: Final = "thrifty.campaign/1"
MANIFEST: Final = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the whole parts of a folder hold.

    done : keys with rows;  failed : keys with an error and no rows;  kinds : of the columns;  damaged : names of parts that are not what they were
    """

    done: frozenset[str]
    failed: frozenset[str]
    kinds: dict[str, str]
    damaged: tuple[str, ...]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """The folder, made where missing, for this driver alone; a killed driver's lock goes with it. Raises CannotWrite, or BadValue where another runs."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / ".lock").open("wb")
    except OSError as error:
        raise cannot_write(folder, error) from error
    with file:
        _take(file, folder)
        yield


def _take(file: IO[bytes], folder: Path) -> None:
    try:
        import fcntl
    except ImportError:  # a system without advisory locks: two drivers would only do work twice
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BadValue(f"another process runs the campaign in '{folder}'. Wait for it, or choose another folder.") from error


def look_into(folder: Path) -> Held:
    """Check every part against its name and read its keys. Damaged parts are renamed to ``NAME.damaged``, out of the way of the next look."""
    done: set[str] = set()
    failed: set[str] = set()
    damaged: list[str] = []
    kinds: dict[str, str] = {}
    for scratch in folder.glob(".*.part"):  # what a killed driver was about to write
        scratch.unlink(missing_ok=True)
    for kind, keys in ((parts.ROWS, done), (parts.ERRORS, failed)):
        for path in parts.list_parts(folder, kind):
            if not parts.is_whole(path):
                damaged.append(path.name)
                path.rename(path.with_name(f"{path.name}.damaged"))
                continue
            keys.update(parts.read_keys(path))
            if kind == parts.ROWS:
                for name, found in parts.read_kinds(path).items():
                    kinds[name] = found if kinds.get(name, found) == found else "float"
    return Held(done=frozenset(done), failed=frozenset(failed - done), kinds=kinds, damaged=tuple(damaged))


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """What the manifest says; where there is none, what a part says of its campaign; None for neither. Raises BadFile."""
    path = folder / MANIFEST
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        Identity(function=str(found["function"]), version=str(found["version"]), seed=int(found["seed"]))
    except FileNotFoundError:
        whole = (part for kind in (parts.ROWS, parts.ERRORS) for part in parts.list_parts(folder, kind) if parts.is_whole(part))
        return next((parts.read_identity(part) for part in whole), None)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadFile(f"'{path}' is no manifest of a campaign. Delete it: the parts beside it say what they hold.") from error
    return dict(found)


def check_identity(folder: Path, identity: Identity) -> None:
    """Raise BadValue where the folder belongs to another function, version or seed."""
    found = read_manifest(folder)
    if found is not None and {name: found.get(name) for name in identity.to_dict()} != identity.to_dict():
        other = Identity(function=str(found.get("function")), version=str(found.get("version")), seed=int(found.get("seed", 0)))
        raise BadValue(f"'{folder}' holds the campaign {other}, not {identity}. Choose another folder.")


def write_manifest(folder: Path, identity: Identity, *, tasks: int, done: int, failed: int, kinds: dict[str, str]) -> None:
    """State whose folder it is and how far the campaign is. tasks, done, failed: of the configurations asked for last."""
    said = {
        "schema": SCHEMA, "thrifty": __version__, **identity.to_dict(), "columns": kinds, "tasks": tasks, "done": done, "failed": failed,
        "parts": [path.name for kind in (parts.ROWS, parts.ERRORS) for path in parts.list_parts(folder, kind)],
    }  # fmt: skip
    with writing(folder / MANIFEST) as file:
        file.write(json.dumps(said, indent=1).encode() + b"\n")


def merge(folder: Path, order: Sequence[str]) -> None:
    """Make the small parts of a folder one, sorted as `order` (keys; others after them, as they lie). Errors of tasks that have rows by now go.

    The merged part is written before the small ones go. Killed in between, both are there, and a reader takes each task from one part only.
    """
    for kind in (parts.ROWS, parts.ERRORS):
        small = [(path, keys) for path in parts.list_parts(folder, kind) if len(keys := parts.read_keys(path)) < parts.PART_ROWS]
        if not small or (kind == parts.ROWS and len(small) == 1):
            continue
        wanted = dict.fromkeys([*order, *(key for _, found in small for key in found)])
        if kind == parts.ERRORS:
            done = {key for path in parts.list_parts(folder, parts.ROWS) for key in parts.read_keys(path)}
            wanted = {key: None for key in wanted if key not in done}
        table = parts.join_tables([parts.read_columns(path) for path, _ in small])
        rows_P = parts.order_rows(table["key"], [len(found) for _, found in small], list(wanted))[0]
        kept = {parts.write_part(folder, kind, table.take(rows_P))} if len(rows_P) else set()
        for path, _ in small:
            if path not in kept:
                path.unlink(missing_ok=True)
