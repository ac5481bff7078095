"""Every error a user can meet, drawn as one tree.

    ThriftyError                 one line: rule, value, fix; the command line exits with 2
    ├── UnknownName              no workload / device / site / format of that name; carries the nearest one
    ├── BadValue                 a number or choice outside what the rule allows
    ├── BadFile                  a file that is not what it should be (JSON, GGUF, TOML, checkpoint, report)
    │   └── BadSheet             a data sheet without unit, source, or with an impossible number
    ├── MissingExtra             an optional part of the package is not installed
    ├── CaptureError             a torch module whose operators could not be recorded
    ├── NoRoom                   the work does not fit in the memory at hand
    └── CannotWrite              an output folder or file that cannot be written

Inside the library `assert` marks our own mistakes only; whatever a user can cause is one of these.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ThriftyError(Exception):
    """Base of all errors that a user can cause and mend."""


class UnknownName(ThriftyError):
    """A name that no catalogue knows."""


class BadValue(ThriftyError):
    """A value that breaks a stated rule."""


class BadFile(ThriftyError):
    """A file that cannot be read as what it claims to be."""


class BadSheet(BadFile):
    """A data sheet that lacks a unit or source, or states an impossible number."""


class MissingExtra(ThriftyError):
    """A feature whose optional packages are absent."""


class CaptureError(ThriftyError):
    """A torch module whose run could not be recorded."""


class NoRoom(ThriftyError):
    """Work that does not fit in memory."""


class CannotWrite(ThriftyError):
    """A place that cannot be written to."""


def unknown_name(kind: str, name: str, known: Iterable[str], command: str) -> UnknownName:
    """Say that `name` is no `kind`, offer the nearest known name, and name the command that lists them."""
    near = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.5)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return UnknownName(f"No {kind} named '{name}'.{hint} List them with: {command}")


def missing_extra(feature: str, package: str, extra: str) -> MissingExtra:
    """Say which extra brings the package that a feature needs."""
    return MissingExtra(f'{feature} needs {package}. Install: pip install "thrifty[{extra}]"')
