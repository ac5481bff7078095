"""Writes files whole or not at all, and reads the text of JSON and TOML without surprises."""

from __future__ import annotations

import errno
import json
import os
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from thrifty.errors import BadFile, CannotWrite

DEEPEST: Final = 64
"""Brackets inside brackets; what people write has fewer than ten."""


def cannot_write(path: str | os.PathLike[str], error: OSError) -> CannotWrite:
    """One line that names the place and the system's reason."""
    reason = (error.strerror or str(error) or type(error).__name__).lower()
    return CannotWrite(f"cannot write to '{os.fspath(path)}': {reason}. Choose a folder that you may write to, with --out.")


@contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open `path` for writing bytes: they go to a neighbour first and take its name at the end, so that no reader meets half a file.

    Makes missing folders. An exception inside leaves whatever stood there before. Raises CannotWrite where the system refuses.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    except FileExistsError as error:  # a file stands where a folder should be
        raise cannot_write(path, NotADirectoryError(errno.ENOTDIR, "not a directory")) from error
    except OSError as error:
        raise cannot_write(path, error) from error
    scratch = Path(name)
    try:
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
            scratch.chmod(0o666 & ~_umask())
            scratch.replace(target)
        except OSError as error:
            raise cannot_write(path, error) from error
    finally:
        scratch.unlink(missing_ok=True)


def _umask() -> int:
    # The only portable way to read it is to set it; mkstemp gave 0600, a report should be as readable as any new file.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def strict_json(text: str) -> Any:
    """What a JSON text says. Raises BadFile, with the bare reason, for what is no JSON, a key twice, NaN, whole numbers beyond reason, deep nesting."""
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except RecursionError:
        raise BadFile("it is nested too deeply") from None
    except ValueError as error:
        raise BadFile(str(error)) from None
    return _shallow(found)


def strict_toml(text: str) -> dict[str, Any]:
    """The same of a TOML text. Raises BadFile with the bare reason."""
    try:
        found = tomllib.loads(text)
    except RecursionError:
        raise BadFile("it is nested too deeply") from None
    except ValueError as error:
        raise BadFile(str(error)) from None
    _shallow(found)
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise BadFile(f"key '{next(name for name in names if names.count(name) > 1)}' stands twice in one object")
    return found


def _no_number(text: str) -> float:
    raise BadFile(f"{text} is no number of JSON")


def _shallow(content: Any) -> Any:
    """`content`, looked at level by level, so that looking does not itself run out of stack.

    Raises BadFile for too many levels, or a whole number that no float holds.
    """
    level, depth = [content], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise BadFile(f"it is nested more than {DEEPEST} deep")
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                below += each.values()
            elif isinstance(each, list):
                below += each
            elif isinstance(each, int) and abs(each) > 10**300:
                raise BadFile("a whole number has more than 300 digits")
        level = below
    return content
