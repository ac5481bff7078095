"""Words that policies know, and one line for those they do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from thrifty.errors import BadValue, unknown_name

LIST: Final = "thrifty numerics attention --list"


def choose(what: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise BadValue(f"{what}='{value}' is unknown. Choose: {', '.join(known)}.")


def must_know(name: str, known: Sequence[str], what: str) -> None:
    if name not in known:
        raise unknown_name(what, name, known, LIST)
