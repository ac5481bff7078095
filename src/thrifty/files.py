"""Writes files whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from thrifty.errors import CannotWrite


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
